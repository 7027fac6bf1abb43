"""Cleaning by itself, by real processes: who starts it, what it does, and what it withstands."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common_tasks.temp import mark, names

from ..helpers import OURS, crowd, git, make_entry, make_project, python, running, said, set_age, slow

RULES = "temp:\n  auto: hourly\n  retention:\n    default: {max_age: 7d}\n"
MAKES = "from common_tasks.temp import get_debug_temp_dir as d; d('x')"
COUNTS = """
import os, sys
if any("by_itself" in word for word in sys.orig_argv):
    with open(os.path.join(os.path.dirname(__file__), "started"), "a") as file:
        file.write(f"{os.getpid()} {os.getppid()} {os.getsid(0)} {os.getpriority(os.PRIO_PROCESS, 0)}\\n")
"""


@pytest.fixture
def ruled(project: Path) -> Path:
    """Return a project whose rules apply by themselves, with an old entry and a young one."""
    (project / "invoke.yaml").write_text(RULES)
    make_entry(project / ".tmp" / "debug" / "old_1600000000", hours=200)
    make_entry(project / ".tmp" / "debug" / "young_1600000001", hours=2)
    return project


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[int]]]:
    """Count the cleans that start; what is returned gives the pid, parent, session and priority of each."""
    folder = tmp_path / "counts"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(COUNTS)
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def read() -> list[list[int]]:
        file = folder / "started"
        return [list(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []

    return read


def wait_until(holds: Callable[[], object]) -> None:
    for _ in range(1500):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it does not come")


def report(root: Path) -> mark.Report | None:
    return mark.read_report(str(root / ".tmp" / names.AUTO))


def reported(root: Path) -> mark.Report:
    wait_until(lambda: report(root))
    found = report(root)
    assert found
    return found


def clean(root: Path) -> mark.Report:
    """Make a directory, do at once what that would start in the background, and return what is noted."""
    alone = {**os.environ, "COMMON_TASKS_AUTO": "off"}
    code = "import sys; from common_tasks.cli.by_itself import main; main(sys.argv[1])"
    for done in (
        python(MAKES, cwd=root, env=alone),
        python(code, str(root), cwd=Path("/"), env=alone, imported=OURS),
    ):
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = report(root)
    assert found
    return found


def next_turn(root: Path) -> float:
    return os.stat(root / ".tmp" / names.AUTO).st_mtime - time.time()


def left(root: Path) -> set[str]:
    return {path.name for path in root.glob(".tmp/*/*_*")}


def make_due(root: Path) -> None:
    path = root / ".tmp" / names.AUTO
    path.write_bytes(b"\n")
    os.utime(path, (time.time() - 60, time.time() - 60))


def test_script_starts_a_clean_by_the_rules_that_notes_what_it_did(ruled: Path) -> None:
    done = python(MAKES, cwd=ruled)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = reported(ruled)
    assert (found.entries, found.problems) == (1, ())
    assert found.freed_bytes > 0
    assert {name.partition("_")[0] for name in left(ruled)} == {"young", "x"}
    wait_until(lambda: 3400 < next_turn(ruled) <= 3600)  # the time is put back right after the report is written


@pytest.mark.parametrize(("word", "seconds"), [("daily", 86_400), slow("weekly", 604_800)])
def test_next_turn_comes_when_the_setting_says(ruled: Path, word: str, seconds: float) -> None:
    (ruled / "invoke.yaml").write_text(RULES.replace("hourly", word))
    clean(ruled)
    assert seconds - 200 < next_turn(ruled) <= seconds


def test_nothing_goes_that_changed_within_the_hour(project: Path) -> None:
    (project / "invoke.yaml").write_text("temp: {auto: hourly, retention: {default: {max_age: 0m}}, max_total: 1B}")
    make_entry(project / ".tmp" / "debug" / "old_1600000000", hours=1.1)
    make_entry(project / ".tmp" / "debug" / "young_1600000001", hours=0.9)
    assert clean(project).entries == 1
    assert {name.partition("_")[0] for name in left(project)} == {"young", "x"}


def test_without_rules_nothing_goes(project: Path) -> None:
    (project / "invoke.yaml").write_text("temp: {auto: hourly}")
    make_entry(project / ".tmp" / "debug" / "old_1600000000", hours=1000)
    assert clean(project).entries == 0
    assert "old_1600000000" in left(project)


def test_budget_is_cut_down_with_a_margin(project: Path) -> None:
    (project / "invoke.yaml").write_text("temp: {auto: hourly, max_total: 500kB}")
    for number in range(10):
        make_entry(project / f".tmp/debug/x_160000000{number}", 1, hours=10 + number, content=b"x" * 90_000)
    assert clean(project).entries >= 5
    assert {"x_1600000000", "x_1600000001"} < left(project)
    assert "x_1600000009" not in left(project)


AT_ONCE = """
import time
from common_tasks.temp import auto
def slowly(*args, real=auto.is_due):
    due = real(*args)
    time.sleep(0.05)  # more of them are between looking and taking the turn
    return due
auto.is_due = slowly
"""


@pytest.mark.parametrize("each", [12, slow(50)])
def test_many_processes_at_once_start_one_clean(ruled: Path, started: Callable[[], list[list[int]]], each: int) -> None:
    crowd(each, AT_ONCE + MAKES, ruled)
    reported(ruled)
    assert len([name for name in left(ruled) if name.startswith("x_")]) == each
    assert len(started()) == 1


def test_scripts_in_a_loop_start_one_clean_in_a_session_of_its_own_at_the_lowest_priority(
    ruled: Path, started: Callable[[], list[list[int]]]
) -> None:
    for _ in range(3):
        python(MAKES, cwd=ruled)
    reported(ruled)
    [[_, parent, session, priority]] = started()
    assert session != os.getsid(0)
    assert parent != os.getpid()
    assert priority == 19


PASSES_NOTHING_ON = """
import os, subprocess, sys, threading, warnings
warnings.simplefilter("error")
reader, writer = os.pipe()
os.set_inheritable(writer, True)
os.set_inheritable(reader, True)
{start}
os.close(writer)
assert os.read(reader, 1) == b"", "somebody else still has the pipe"
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child", flush=True)
"""


@pytest.mark.parametrize(
    "start",
    [
        MAKES,
        slow(f"t = threading.Thread(target=lambda: exec({MAKES!r}))\nt.start()\nt.join()"),
        f"p = os.fork()\nif not p:\n {MAKES}\n os._exit(0)\nos.waitpid(p, 0)",
        slow(f"import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{MAKES}"),
        slow(f"os.closerange(3, 40)\nreader, writer = os.pipe()\n{MAKES}"),
        slow(f"os.close(0)\n{MAKES}\nos.open('/dev/null', 0)"),
    ],
    ids=["plain", "thread", "fork", "children ignored", "daemon", "no stdin"],
)
def test_starter_has_no_child_and_passes_nothing_on(ruled: Path, start: str) -> None:
    done = python(PASSES_NOTHING_ON.format(start=start), "-W", "error", cwd=ruled)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no child\n", "")
    reported(ruled)
    assert "old_1600000000" not in left(ruled)


@pytest.mark.parametrize(
    ("option", "closed"),
    [
        ("-I", "<&- >&- 2>&-"),
        pytest.param("-I", "", marks=pytest.mark.slow),
        pytest.param("-S -E", "<&- >&- 2>&-", marks=pytest.mark.slow),
    ],
)
def test_starts_as_from_cron_without_environment_or_standard_streams(ruled: Path, option: str, closed: str) -> None:
    code = f"import sys; sys.path[:0] = {sys.path!r}; {MAKES}"
    command = ["sh", "-c", f'"$0" {option} -c "$1" {closed}', sys.executable, code]
    done = subprocess.run(command, cwd=ruled, env={"COMMON_TASKS_AGE": "modified"}, check=False, timeout=50)
    assert done.returncode == 0
    assert reported(ruled).problems == ()
    assert "old_1600000000" not in left(ruled)


def test_working_directory_of_the_starter_is_not_kept_in_use(ruled: Path) -> None:
    """A clean that stood in the starter's directory would keep it from any other clean."""
    old = ruled / ".tmp" / "debug" / "old_1600000000"
    python(f"import os\nos.chdir({str(old)!r})\n{MAKES}", cwd=ruled)
    if not (ruled / ".tmp" / names.AUTO).exists():
        pytest.skip("the directory is a project of its own there")
    reported(ruled)
    set_age(ruled / ".tmp" / "debug", 200)


@pytest.mark.slow
def test_pytest_under_xdist_starts_one_clean_and_leaks_nothing(
    ruled: Path, started: Callable[[], list[list[int]]]
) -> None:
    tests = "".join(f"def test_{n}():\n    {MAKES}\n" for n in range(8))
    (ruled / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-W", "error", "--temp-leaks=fail", "test_it.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=ruled, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout
    reported(ruled)
    assert len(started()) == 1


CANNOT_START = (
    "sys.frozen = True",
    "sys.executable = ''",
    "sys.executable = '/bin/true'",
    "sys.executable = None",
    "os.environ['COMMON_TASKS_AUTO'] = 'off'",
)


def test_nothing_starts_where_python_cannot_start_itself_or_it_is_forbidden(
    ruled: Path, started: Callable[[], list[list[int]]]
) -> None:
    forks = (f"if not os.fork():\n {each}\n {MAKES}\n os._exit(0)\nassert not os.wait()[1]" for each in CANNOT_START)
    done = python("\n".join(("import os, sys", *forks)), cwd=ruled)
    assert (done.returncode, done.stderr) == (0, "")
    time.sleep(0.5)
    assert not started()
    assert "old_1600000000" in left(ruled)


@pytest.mark.parametrize(
    "settings",
    [
        "temp: {auto: hourly, retention: {default: {max_age: soon}}}",
        slow("temp: {auto: never, retention: {default: {max_age: 7d}}}"),
        slow("temp: {auto: hourly, max_total: lots}"),
        "temp: {auto: hourly, retention: [",
    ],
)
def test_wrong_setting_is_noted_and_nothing_is_removed(ruled: Path, settings: str) -> None:
    (ruled / "invoke.yaml").write_text(settings)
    found = clean(ruled)
    assert found.entries == 0
    assert len(found.problems) == 1
    assert "old_1600000000" in left(ruled)


def test_what_could_not_be_removed_is_noted_and_stops_nothing(ruled: Path) -> None:
    stuck = make_entry(ruled / ".tmp" / "debug" / "stuck_1600000002", hours=200)
    if not shutil.which("chattr") or subprocess.run(["chattr", "+i", str(stuck)], check=False).returncode:
        pytest.skip("nothing can be made immutable here")
    try:
        found = clean(ruled)
    finally:
        subprocess.run(["chattr", "-i", str(stuck)], check=True)
    assert found.entries == 1
    assert len(found.problems) == 1
    assert str(stuck) in found.problems[0]


def test_clean_that_was_killed_is_finished_by_the_next(ruled: Path, started: Callable[[], list[list[int]]]) -> None:
    make_entry(ruled / ".tmp" / "debug" / "big_1600000003", 1000, hours=200, content=b"x")
    python(MAKES, cwd=ruled)
    wait_until(started)
    [[pid, *_]] = started()
    wait_until(lambda: (ruled / ".tmp" / ".trash").exists() or not Path(f"/proc/{pid}").exists())
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    for name in ("old_1600000000", "big_1600000003"):
        assert not (ruled / ".tmp" / "debug" / name).exists() or (ruled / ".tmp" / "debug" / name / "sub").exists()
    make_due(ruled)
    python(MAKES, cwd=ruled)
    reported(ruled)
    assert not [path for path in (ruled / ".tmp" / ".trash").rglob("*") if path.is_file()]
    assert not {"old_1600000000", "big_1600000003"} & left(ruled)


@pytest.mark.slow
@pytest.mark.parametrize("due", [-1e8, 1e8], ids=["restored from a cache", "written by a clock that was ahead"])
def test_mark_of_another_time_does_not_stop_it(ruled: Path, due: float) -> None:
    python(MAKES, cwd=ruled, env={**os.environ, "COMMON_TASKS_AUTO": "off"})
    path = ruled / ".tmp" / names.AUTO
    path.write_bytes(b"\n")
    os.utime(path, (time.time() + due, time.time() + due))
    python(MAKES, cwd=ruled)
    reported(ruled)
    assert "old_1600000000" not in left(ruled)


def test_what_is_in_use_kept_or_tracked_stays(ruled: Path) -> None:
    for name in ("kept_1600000004", "tracked_1600000005"):
        make_entry(ruled / ".tmp" / "debug" / name, hours=300)
    (ruled / ".tmp" / "debug" / "kept_1600000004" / ".keep").touch()
    git(ruled, "init", "-q")
    git(ruled, "add", "-f", ".tmp/debug/tracked_1600000005")
    git(ruled, "commit", "-q", "-m", "x")
    used = make_entry(ruled / ".tmp" / "debug" / "used_1600000006")
    for path in (ruled / ".tmp" / "debug").iterdir():
        set_age(path, 300)
    with running("import os\nprint(os.getcwd(), flush=True)\ninput()", used) as process:
        said(process)
        clean(ruled)
    assert {"kept_1600000004", "tracked_1600000005", "used_1600000006"} < left(ruled)
    assert "old_1600000000" not in left(ruled)


@pytest.fixture
def monorepo(tmp_path: Path) -> Iterator[Path]:
    """Give a monorepo of three projects, each with an old entry."""
    root = make_project(tmp_path / "mono")
    git(root, "init", "-q")
    for name in ("a", "b", "c"):
        make_project(root / name)
        python(MAKES, cwd=root / name, env={**os.environ, "COMMON_TASKS_AUTO": "off"})
        make_entry(root / name / ".tmp" / "debug" / "old_1600000000", hours=200)
    yield root
    shutil.rmtree(root)


def test_root_that_says_auto_cleans_all_projects_at_once(
    monorepo: Path, started: Callable[[], list[list[int]]]
) -> None:
    (monorepo / "invoke.yaml").write_text(RULES)
    (monorepo / "c" / "invoke.yaml").write_text("temp: {auto: off}")
    for name in ("a", "b"):
        python(MAKES, cwd=monorepo / name)
        reported(monorepo / "b")
    for name in ("a", "b"):
        assert reported(monorepo / name).entries == 1
        assert "old_1600000000" not in left(monorepo / name)
    assert len(started()) == 1
    assert report(monorepo / "c") is None
    assert "old_1600000000" in left(monorepo / "c")


def test_project_that_says_auto_cleans_itself_alone(monorepo: Path) -> None:
    (monorepo / "a" / "invoke.yaml").write_text(RULES)
    assert clean(monorepo / "a").entries == 1
    python(MAKES, cwd=monorepo / "b")
    assert "old_1600000000" in left(monorepo / "b")


def test_budget_at_the_root_is_that_of_all_projects_and_the_oldest_of_all_go(monorepo: Path) -> None:
    (monorepo / "invoke.yaml").write_text("temp: {auto: hourly, max_total: 500kB}")
    for number, name in enumerate("aabbcc"):
        entry = monorepo / name / ".tmp" / "debug" / f"x_160000001{number}"
        make_entry(entry, 1, hours=10 + number, content=b"x" * 120_000)
    clean(monorepo / "a")
    for name in "abc":
        reported(monorepo / name)
    assert {"x_1600000010", "x_1600000011"} < left(monorepo / "a")
    assert "x_1600000015" not in left(monorepo / "c")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_base_that_cannot_be_written_to_stops_nothing(ruled: Path) -> None:
    (ruled / ".tmp").chmod(0o555)
    assert (
        python("from common_tasks.temp import TempManager as t; t.list_persistent_temps()", cwd=ruled).returncode == 0
    )


def test_full_disk_is_cleaned(tmp_path: Path) -> None:
    where = tmp_path / "disk"
    where.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(where)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("may not mount here")
    try:
        root = make_project(where / "project")
        (root / "invoke.yaml").write_text(RULES)
        python(MAKES, cwd=root, env={**os.environ, "COMMON_TASKS_AUTO": "off"})
        make_entry(root / ".tmp" / "debug" / "old_1600000000", 1, hours=200, content=b"x" * 900_000)
        make_due(root)
        with contextlib.suppress(OSError), open(root / "rest", "wb", buffering=0) as rest:
            while rest.write(b"x" * 4096):
                pass
        python(MAKES, cwd=root)
        wait_until(lambda: "old_1600000000" not in left(root))
    finally:
        subprocess.run(["umount", "-l", str(where)], check=True)
