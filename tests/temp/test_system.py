"""The system's temporary location: what real programs leave there goes, and nothing else is touched."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from common_tasks.temp import removal, retention, system
from common_tasks.temp.entry import Entry, Outcome, Plan

from ..helpers import git, make_entry, python, run_pytest, running, said, set_age, slow

DAY = 86_400.0
PROGRAMS = {
    "tmpab_de0z9": "tempfile",
    "pymp-abcdefgh": "multiprocessing",
    "pip-unpack-abcdefgh": "pip",
    "pip-ephem-wheel-cache-a_cdefgh": "pip",
    "joblib_memmapping_folder_12_ab_cd": "joblib",
}
OTHERS = [
    "tmp",
    "tmpabc",
    "tmpABCDEFGH",
    "tmpabcdefghi",
    "tmpabcdefgh.csv",
    "my-tmpabcdefgh",
    "pip-unpack",
    "pymp-x",
    "systemd-private-0123456789abcdef-a.service-abcdef",
    "snap.chromium",
    "playwright-artifacts-x",
    "work",
]


@pytest.fixture
def short_temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a system's temporary location with a path so short that sockets fit."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def plan(hours: float = system.MAX_AGE, patterns: tuple[str, ...] = (system.BUILT_IN,)) -> Plan:
    return retention.make_plan(system.scan(patterns), system.policy(hours), time.time())


def clean(hours: float = system.MAX_AGE) -> Outcome:
    return removal.carry_out(plan(hours))


def age_everything(folder: Path, hours: float = 25) -> None:
    set_age(folder, hours)


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != "pytest-current"}


def by_name(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    return {entry.path.name: entry for entry in entries}


def test_names_alone_decide_what_is_looked_at(system_temp: Path) -> None:
    for name in (*PROGRAMS, *OTHERS):
        make_entry(system_temp / name, hours=50)
    assert {name: entry.category for name, entry in by_name(system.scan()).items()} == PROGRAMS
    outcome = clean()
    assert {row.entry.path.name for row in outcome.removed} == PROGRAMS.keys()
    assert not outcome.failed
    assert sorted(os.listdir(system_temp)) == sorted(OTHERS)


def test_setting_names_more_and_takes_the_place_of_what_is_built_in(system_temp: Path) -> None:
    for name in ("tmpabcdefgh", "playwright-x", "keep-x"):
        make_entry(system_temp / name, hours=50)
    assert by_name(system.scan((system.BUILT_IN, "playwright*"))).keys() == {"tmpabcdefgh", "playwright-x"}
    assert by_name(system.scan(("playwright*",))).keys() == {"playwright-x"}


@pytest.mark.parametrize(("hours", "goes"), [(23, False), (25, True)])
def test_what_changed_within_a_day_stays(system_temp: Path, hours: float, *, goes: bool) -> None:
    make_entry(system_temp / "tmpabcdefgh", hours=hours)
    assert bool(plan().remove) == goes


def test_files_go_and_links_sockets_and_pipes_are_not_looked_at(system_temp: Path) -> None:
    (system_temp / "tmpfileaaaa").write_text("x")
    (system_temp / "tmplinkaaaa").symlink_to(system_temp / "tmpfileaaaa")
    os.mkfifo(system_temp / "tmppipeaaaa")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(system_temp / "tmpsockaaaa"))
    age_everything(system_temp)
    clean()
    assert left(system_temp) == {"tmplinkaaaa", "tmppipeaaaa", "tmpsockaaaa"}


KILLED = """
import os, signal
def test_it(tmp_path):
    (tmp_path / "data").write_bytes(b"x" * 5000)
    (tmp_path / "closed").mkdir(mode=0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run_killed(folder: Path, *words: str) -> None:
    (folder / "test_it.py").write_text(KILLED)
    options = ["-q", "-p", "no:common_tasks", "-c", os.devnull, "--rootdir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run_pytest(folder, *options, *words, "test_it.py", env=environment)


@pytest.mark.parametrize("last", [("-p", "no:xdist"), slow(("-n", "1", "--max-worker-restart", "0"))])
def test_killed_runs_of_pytest_go_but_not_the_newest_three_nor_one_that_still_runs(
    system_temp: Path, tmp_path: Path, last: tuple[str, ...]
) -> None:
    run_killed(tmp_path, "-p", "no:xdist")
    [runs] = system_temp.glob("pytest-of-*")
    for number in range(1, 4):
        shutil.copytree(runs / "pytest-0", runs / f"pytest-{number}", symlinks=True)
    run_killed(tmp_path, "-p", "no:xdist")
    run_killed(tmp_path, *last)
    there = sorted(path.name for path in runs.iterdir() if not path.is_symlink())
    assert there == [f"pytest-{number}" for number in range(6)]
    (runs / "pytest-1" / ".lock").write_text(str(os.getpid()))
    make_entry(runs / "garbage-5b0fd5f0-1e54-4f83-a0a5-0d5a7cf1b1a0")
    make_entry(runs / "mine")
    age_everything(system_temp)
    outcome = clean()
    assert {row.entry.path.name for row in outcome.removed} == {
        "pytest-0",
        "pytest-2",
        "garbage-5b0fd5f0-1e54-4f83-a0a5-0d5a7cf1b1a0",
    }
    kept = {row.entry.path.name: row.reason for row in outcome.kept}
    assert kept["pytest-1"] == f"in use by pid {os.getpid()} (its .lock)"
    assert kept["pytest-5"] == kept["pytest-3"] == "kept: pytest's newest 3 runs"
    assert not outcome.failed
    assert (runs / "mine" / "sub" / "file-0").exists()
    assert not list(runs.glob(".trash*"))


@pytest.mark.parametrize("content", [b"", b"no number", b"-1", b"0", b"9" * 30, b"4194305"])
def test_lock_that_names_no_running_process_holds_nothing(system_temp: Path, content: bytes) -> None:
    for number in range(4):
        make_entry(system_temp / "pytest-of-me" / f"pytest-{number}")
    (system_temp / "pytest-of-me" / "pytest-0" / ".lock").write_bytes(content)
    age_everything(system_temp)
    assert [row.entry.path.name for row in plan().remove] == ["pytest-0"]


def test_manager_in_use_stays_with_its_socket_and_goes_once_it_was_killed(short_temp: Path) -> None:
    code = "from multiprocessing import Manager, active_children\nm = Manager()\n"
    code += "print(active_children()[0].pid, flush=True)\ninput()"
    with running(code, short_temp) as process:
        server = int(said(process))
        age_everything(short_temp)
        [used] = plan().keep
        assert (used.entry.category, used.entry.state) == ("multiprocessing", "in-use")
        os.kill(server, signal.SIGKILL)
        process.kill()
    # Its parts end one after the other: files, sockets, and the process that tracks what it made.
    wait_until(lambda: [row.entry.category for row in plan().remove] == ["multiprocessing"])
    assert [row.entry.category for row in clean().removed] == ["multiprocessing"]
    assert not left(short_temp)


def wait_until(holds: object) -> None:
    assert callable(holds)
    for _ in range(500):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it does not come")


def test_joblib_memmaps_of_a_killed_program_go(system_temp: Path) -> None:
    pytest.importorskip("joblib")
    (system_temp / f"joblib_memmapping_folder_{2**22 + 1}_ab_cd").mkdir()
    age_everything(system_temp)
    assert [row.entry.category for row in clean().removed] == ["joblib"]


@pytest.mark.slow
def test_pip_killed_in_a_build_leaves_what_goes(system_temp: Path, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    build = "import os, pathlib, time\npathlib.Path('started').touch()\ntime.sleep(100)\n"
    (package / "backend.py").write_text(build)
    (package / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    )
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(tmp_path / "t")]
    with subprocess.Popen(
        [*command, "."], cwd=package, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        wait_until((package / "started").exists)
        age_everything(system_temp)
        built = plan()
        assert {row.entry.state for row in built.keep if row.entry.category == "pip"} == {"in-use"}
        assert not built.remove
        os.killpg(process.pid, signal.SIGKILL)
    age_everything(system_temp)
    found = {row.entry.category for row in clean().removed}
    assert "pip" in found
    assert not any(name.startswith("pip-") for name in os.listdir(system_temp))


def test_file_that_a_child_still_has_open_stays(system_temp: Path) -> None:
    code = """
import subprocess, sys, tempfile
file = tempfile.NamedTemporaryFile(delete=False)
child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, pass_fds=[file.fileno()])
child.stdout.readline()
print(child.pid, flush=True)
file.close()
input()
child.kill()
child.wait()
"""
    with running(code, system_temp) as process:
        child = int(said(process))
        age_everything(system_temp)
        time.sleep(0.1)
        [used] = plan().keep
        assert used.reason.startswith(f"in use by pid {child}")
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
        process.wait()
    assert len(clean().removed) == 1


@pytest.mark.parametrize("how", ["argument", "part of an argument", "variable"])
def test_what_a_running_program_names_is_in_use(system_temp: Path, how: str) -> None:
    named = make_entry(system_temp / "tmpabcdefgh", hours=50)
    below = make_entry(system_temp / "pytest-of-me" / "pytest-0", hours=50) / "sub"
    for number in range(1, 5):
        make_entry(system_temp / "pytest-of-me" / f"pytest-{number}", hours=50)
    make_entry(system_temp / "tmpabcdefg_", hours=50)
    words, variables = {
        "argument": ([str(named), str(below)], {}),
        "part of an argument": ([f"--directory={named}:{below}/x"], {}),
        "variable": ([], {"NAMED": f"{below}:{named}/y"}),
    }[how]
    command = [sys.executable, "-c", "print(flush=True); input()", *words]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=os.environ | variables, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        reasons = {row.entry.path.name: row.reason for row in plan().keep}
        process.kill()
    for name in ("tmpabcdefgh", "pytest-0"):
        assert reasons[name].startswith(f"in use by pid {process.pid} ")
    assert {row.entry.path.name for row in clean().removed} == {"tmpabcdefgh", "tmpabcdefg_", "pytest-0", "pytest-1"}


def test_folder_of_joblib_stays_while_the_process_in_its_name_runs(system_temp: Path) -> None:
    for pid in (os.getpid(), 2**22 + 1, 0):
        make_entry(system_temp / f"joblib_memmapping_folder_{pid}_ab_cd", hours=50)
    kept = plan().keep
    assert [row.entry.path.name.split("_")[3] for row in kept] == [str(os.getpid())]
    assert kept[0].reason.startswith(f"in use by pid {os.getpid()} ")


def test_repository_work_tree_and_bound_socket_stay(short_temp: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init", "-q")
    git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "worktree", "add", "-q", str(short_temp / "tmpworktree"))
    (short_temp / "tmprepoaaaa" / "deep").mkdir(parents=True)
    git(short_temp / "tmprepoaaaa" / "deep", "init", "-q")
    (short_temp / "tmpsocketaa").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(short_temp / "tmpsocketaa" / "s"))
        age_everything(short_temp)
        kept = {row.entry.path.name: row.reason for row in plan().keep}
        assert not plan().remove
    assert kept["tmpworktree"] == "kept: holds a git repository"
    assert kept["tmprepoaaaa"] == "kept: holds a git repository in deep"
    assert kept["tmpsocketaa"].startswith("in use")


@contextlib.contextmanager
def mounted(where: Path) -> Iterator[None]:
    done = subprocess.run(["mount", "-t", "tmpfs", "none", str(where)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("may not mount here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)


def test_mount_stays_and_is_no_failure(system_temp: Path) -> None:
    (system_temp / "tmpmountaaa" / "m").mkdir(parents=True)
    with mounted(system_temp / "tmpmountaaa" / "m"):
        (system_temp / "tmpmountaaa" / "m" / "data").touch()
        age_everything(system_temp)
        found = plan()
        assert not found.fail
        assert [row.reason.partition(":")[0] for row in found.keep] == ["kept"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_other_users_files_are_not_looked_at(system_temp: Path) -> None:
    for name in ("tmpabcdefgh", "pytest-of-else/pytest-0"):
        entry = make_entry(system_temp / name, hours=50)
        os.chown(entry, 65534, 65534)
    os.chown(system_temp / "pytest-of-else", 65534, 65534)
    for number in range(1, 5):
        make_entry(system_temp / "pytest-of-else" / f"pytest-{number}", hours=50)
    assert not system.scan()


def test_left_directories_of_this_package_are_among_them(system_temp: Path, project: Path) -> None:
    code = "import os\nfrom common_tasks.temp import temp_working_dir as w\nw('x').__enter__()\nos._exit(0)"
    python(code, cwd=project)
    age_everything(system_temp)
    assert [row.entry.category for row in clean().removed] == ["orphaned"]


def test_clean_that_was_killed_in_a_folder_of_pytest_is_finished(system_temp: Path) -> None:
    runs = system_temp / "pytest-of-me"
    trash = make_entry(runs / "x", hours=1)
    from common_tasks.temp import names

    trash.rename(runs / names.seal(names.TRASH, trash.stat().st_ino))
    make_entry(runs / "trash_0123456789abcdef0123")
    assert [row.entry.state for row in clean().removed] == ["unfinished"]
    assert os.listdir(runs) == ["trash_0123456789abcdef0123"]


def test_real_names_of_tempfile_are_known() -> None:
    tempfile.mkdtemp()
    handle, _ = tempfile.mkstemp()
    os.close(handle)
    assert [entry.category for entry in system.scan()] == ["tempfile", "tempfile"]
