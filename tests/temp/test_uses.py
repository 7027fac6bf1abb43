"""What any process uses stays, lease or not: seen before the plan, and again once it is out of sight."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common_tasks.fs import kernel, processes
from common_tasks.temp import TempManager, inventory, removal, retention

from ..conftest import As
from ..helpers import (
    HOUR,
    OLD,
    clean,
    find_artifacts,
    inv,
    inv_json,
    make_entry,
    plan,
    reasons,
    running,
    said,
    states,
    take,
    trash_is_empty,
)

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system has no /proc")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
pytestmark = LINUX

USES = {
    "working directory": "import os; os.chdir(ENTRY + '/sub')",
    "open file": "kept = open(ENTRY + '/sub/file-0')",
    "open directory": "import os; kept = os.open(ENTRY + '/sub', os.O_RDONLY)",
    "mapped file": """
import mmap
with open(ENTRY + '/sub/file-0', 'r+b') as file:
    kept = mmap.mmap(file.fileno(), 0)
""",
    "database": "import sqlite3; kept = sqlite3.connect(ENTRY + '/sub/live.db'); kept.execute('create table t (x)')",
    "thread of a process whose first thread has ended": """
import ctypes, os, threading, time
def stay():
    kept = open(ENTRY + '/sub/file-0')
    print(os.getpid(), flush=True)
    time.sleep(600)
threading.Thread(target=stay, daemon=True).start()
ctypes.CDLL(None).pthread_exit(None)
""",
    "working directory of a process whose first thread has ended": """
import ctypes, os, threading, time
os.chdir(ENTRY + '/sub')
def stay():
    print(os.getpid(), flush=True)
    time.sleep(600)
threading.Thread(target=stay, daemon=True).start()
ctypes.CDLL(None).pthread_exit(None)
""",
}


@pytest.mark.parametrize("use", USES)
def test_what_a_process_without_a_lease_uses_stays_and_its_name_is_shown(project: Path, use: str) -> None:
    entry = make_entry(project / ".tmp/processing", hours=999)
    code = f"ENTRY = {str(entry)!r}\n{USES[use]}\nprint('ready', flush=True); input()"
    with running(code, project) as user:
        said(user)
        for found in (plan(project).keep, clean(project).kept, clean(project, max_age=HOUR).kept):
            [kept] = found
            assert kept.entry.state == "in-use"
            assert kept.reason.startswith(f"in use by pid {user.pid}")
        assert entry.exists()
    assert len(clean(project).removed) == 1


def test_program_that_runs_from_an_entry_keeps_it(project: Path) -> None:
    entry = make_entry(project / f".tmp/debug/tool_{OLD}")
    (entry / "server").write_bytes(Path("/bin/sleep").read_bytes())
    (entry / "server").chmod(0o755)
    with subprocess.Popen([entry / "server", "600"]) as server:
        assert reasons(clean(project).kept) == {entry.name: f"in use by pid {server.pid} (server 600)"}
        server.kill()
    assert len(clean(project).removed) == 1


def test_running_program_in_an_artifact_keeps_it(project: Path) -> None:
    (project / "build").mkdir()
    (project / "build/server").write_bytes(Path("/bin/sleep").read_bytes())
    (project / "build/server").chmod(0o755)
    with subprocess.Popen([project / "build/server", "600"]) as server:
        [kept] = inv_json(project, "clean")["kept"]
        assert kept["reason"] == f"in use by pid {server.pid} (server 600)"
        server.kill()
    assert [row["path"] for row in inv_json(project, "clean")["removed"]] == ["build"]


def test_callers_own_working_directory_and_files_stay(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = make_entry(project / ".tmp/here")
    written = TempManager.create_persistent_dir("log")
    idle = TempManager.create_persistent_dir("idle")
    with open(written / "log", "w"):
        monkeypatch.chdir(here)
        clean(project)
        assert (here.exists(), written.exists(), idle.exists()) == (True, True, False)
    monkeypatch.chdir(project)
    assert len(clean(project).removed) == 2


def test_force_takes_it_all_the_same(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    with running(f"kept = open({str(entry)!r} + '/sub/file-0'); print(flush=True); input()", project) as user:
        said(user)
        [removed] = inv_json(project, "temp-clean", "--force")["removed"]
        assert removed["reason"].startswith(f"forced, in use by pid {user.pid}")


def test_name_that_ends_as_the_kernel_marks_deleted_files_is_a_name(project: Path) -> None:
    entry = make_entry(project / ".tmp/x (deleted)")
    others = [str(make_entry(project / f".tmp/two{end}lines")) for end in "\n\r\v\x1c"]
    code = f"import os; os.chdir({str(entry)!r}); import mmap; maps = []\nfor other in {others!r}:\n"
    code += "    f = open(other + '/sub/file-0', 'r+b'); maps.append(mmap.mmap(f.fileno(), 0)); f.close()\n"
    code += "print(flush=True); input()"
    with running(code, project) as user:
        said(user)
        assert set(states(project).values()) == {"in-use"}


def test_use_of_a_file_that_was_removed_is_none_of_what_has_its_name_now(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    with running(f"import os; os.chdir({str(entry)!r}); print(flush=True); input()", project) as user:
        said(user)
        subprocess.run(["rm", "-rf", entry], check=True)
        make_entry(entry)
        assert states(project) == {"x": "idle"}


@ROOT
def test_process_with_mounts_of_its_own_is_seen_by_device_and_inode(project: Path, tmp_path: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    (tmp_path / "mnt").mkdir()
    code = f"kept = open('{tmp_path}/mnt/x/sub/file-0'); print(flush=True); input()"
    script = f"mount --bind '{project}/.tmp' '{tmp_path}/mnt' && exec '{sys.executable}' -c \"{code}\""
    command = ["unshare", "--mount", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        if said(user) or user.poll() is not None:
            pytest.skip("mounting is not allowed here")
        assert states(project) == {"x": "in-use"}
        clean(project)
        user.kill()
    assert entry.exists()


@ROOT
def test_entry_lent_in_another_pid_namespace_keeps_the_hand_made_folder_around_it(project: Path) -> None:
    lent = make_entry(project / f".tmp/hand-made/.tmp/debug/x_{OLD}")
    lock = f"import fcntl, os; kept = os.open({str(lent)!r}, os.O_RDONLY); fcntl.flock(kept, fcntl.LOCK_SH)"
    # Another process holds the file open for it: its own descriptors would be seen from here.
    code = f"{lock}\nprint(flush=True); input()"
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        if said(user) or user.poll() is not None:
            pytest.skip("namespaces are not allowed here")
        decided = plan(project)
        outcome = removal.carry_out(decided)
        user.kill()
    assert not outcome.removed
    assert lent.exists()


HOLD_AND_CLEAN = """
import subprocess, sys
held = open(sys.argv[1])
command = [sys.executable, "-m", "common_tasks", "temp-clean"]
subprocess.run(["unshare", "--pid", "--fork", *command], check=True)
"""


@ROOT
def test_process_that_has_this_ones_number_in_the_proc_that_is_read_is_seen(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    words = [sys.executable, "-c", HOLD_AND_CLEAN, str(entry / "sub/file-0")]
    command = ["unshare", "--pid", "--fork", "--mount-proc", *words]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip("namespaces are not allowed here")
    assert "in use by pid 1 " in done.stdout, done.stderr
    assert entry.exists()


def during(monkeypatch: pytest.MonkeyPatch, look: int, act: Callable[[], None]) -> None:
    """Let `act` happen just before the `look`-th look at who uses what."""
    real = processes.look
    looks: list[None] = []

    def look_at(*arguments: Any) -> Any:
        looks.append(None)
        if len(looks) == look:
            act()
        return real(*arguments)

    monkeypatch.setattr(processes, "look", look_at)


@pytest.mark.parametrize("look", [2, 3])  # the first is before it is moved
@pytest.mark.parametrize("place", [".tmp/x", "build"])
def test_use_that_begins_while_it_is_taken_out_of_sight_puts_it_back(
    project: Path, monkeypatch: pytest.MonkeyPatch, look: int, place: str
) -> None:
    entry = make_entry(project / place)
    opened = []

    def open_what_is_hidden() -> None:
        [hidden] = [*project.glob(".tmp/.trash/**/sub/file-0"), *project.glob(".trash_*/sub/file-0")]
        opened.append(hidden.open())

    found = retention.make_plan(find_artifacts(project), retention.Policy(), 0)
    decided = found if place == "build" else plan(project)
    during(monkeypatch, look, open_what_is_hidden)
    outcome = removal.carry_out(decided)
    assert [f"in use by pid {os.getpid()}" in row.reason for row in outcome.kept] == [True]
    assert not outcome.removed
    assert (entry / "sub/file-0").exists()
    for file in opened:
        file.close()


def test_file_at_the_top_of_a_base_that_is_open_stays(project: Path) -> None:
    (project / ".tmp").mkdir()
    database = sqlite3.connect(project / ".tmp/data.db")
    database.execute("create table t (x)")
    database.commit()
    assert states(project) == {"data.db": "in-use"}
    clean(project)
    assert (project / ".tmp/data.db").exists()
    database.close()
    assert len(clean(project).removed) == 1


def test_looking_opens_nothing_that_others_take_for_a_use(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    code = f"""
from common_tasks.fs.directory import Directory
kept = Directory.at({str(entry)!r}); deeper = kept.enter("sub"); print(flush=True); input()
"""
    with running(code, project) as other:
        said(other)
        assert states(project) == {"x": "idle"}


def test_process_that_appears_while_others_are_looked_at_is_looked_at_too(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x")
    real, lists = os.listdir, []

    def without_the_newest(path: Any = ".") -> Any:
        names = real(path)
        if path == "/proc":
            lists.append(path)
            return [name for name in names if name != str(user.pid)] if len(lists) == 1 else names
        return names

    with running(f"kept = open({str(entry)!r} + '/sub/file-0'); print(flush=True); input()", project) as user:
        said(user)
        monkeypatch.setattr(os, "listdir", without_the_newest)
        assert states(project) == {"x": "in-use"}
    assert len(lists) > 1


HOLD_MANY = """
import fcntl, os, sys
held = []
for number in range(117):
    fd = os.open(f"{sys.argv[1]}/e{number}", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_SH)
    held.append(fd)
print(flush=True)
input()
"""
WAIT = """
import fcntl, os, sys
for _ in range(60):
    if not os.fork():
        fd = os.open(sys.argv[1], os.O_RDONLY)
        print(flush=True)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os._exit(0)
input()
"""


def test_table_of_locks_is_read_to_its_end(project: Path) -> None:
    for number in range(117):
        make_entry(project / f".tmp/e{number}", files=0)
    # A lock that others wait for is one long record, after which a page ends early.
    command = (WAIT, project, str(project / ".tmp/e40"))
    with running(HOLD_MANY, project, str(project / ".tmp")) as holder, contextlib.ExitStack() as stack:
        said(holder)
        waiters = stack.enter_context(running(*command))
        for _ in range(60):
            said(waiters)
        device = project.stat().st_dev
        held = {(f"{os.major(device)}:{os.minor(device)}", path.stat().st_ino) for path in project.glob(".tmp/e*")}
        holders = kernel.lock_holders()
        seen = {key for key in held if holder.pid in holders.get(key, ())}
    assert seen == held


@ROOT
def test_what_another_users_process_has_leased_is_seen_by_its_lock(project: Path, nobody: As) -> None:
    with running(
        "from common_tasks.temp import *; print(get_debug_temp_dir('held'), flush=True); input()", project
    ) as holder:
        held = Path(said(holder))
        outcome = nobody(lambda: clean(project))
    assert reasons(outcome.kept)[held.name].startswith(f"in use by pid {holder.pid}")


@ROOT
def test_base_of_somebody_else_that_is_only_readable_fails_in_the_plan(project: Path, nobody: As) -> None:
    entry = make_entry(project / ".tmp/x")
    TempManager.create_persistent_dir()

    def look_and_clean() -> tuple[dict[str, str], dict[str, str]]:
        return reasons(plan(project).fail), reasons(clean(project).failed)

    # The project is the user's, its base is root's: as a container leaves it.
    project.chmod(0o755)
    planned, failed = nobody(look_and_clean, roots=[project / ".tmp", *(project / ".tmp").rglob("*")])
    assert planned.keys() == failed.keys() == {"x"}  # the other is in use here
    assert "Permission denied" in planned["x"]
    assert entry.exists()
    assert not (project / ".tmp/.trash").exists()


def test_locks_and_no_proc_keep_what_has_no_age_given(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(9, "Bad file descriptor")  # what NFS answers

    make_entry(project / ".tmp/x", hours=9)
    monkeypatch.setattr(processes, "look", lambda *_, **__: None)
    monkeypatch.setattr(fcntl, "flock", refuse)
    planned, outcome = plan(project), clean(project)
    assert "cannot be told whether it is in use" in reasons(outcome.kept)["x"]
    assert reasons(planned.keep) == reasons(outcome.kept)
    assert len(clean(project, max_age=3600).removed) == 1


def test_status_names_who_uses_what(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    with running(f"import os; os.chdir({str(entry)!r}); print(flush=True); input()", project) as user:
        said(user)
        assert f"in use by pid {user.pid}" in inv(project, "temp-status").stdout
    assert [each.state for each in take(project)] == ["idle"]
    assert inventory.scan([], orphans=False) == ()
    assert trash_is_empty(project)


def test_process_whose_working_directory_has_too_long_a_path_is_seen_with_all_it_uses(project: Path) -> None:
    entry, other = make_entry(project / ".tmp/deep"), make_entry(project / ".tmp/other")
    code = f"""
import os
kept = open({str(other)!r} + '/sub/file-0')
os.chdir({str(entry)!r})
for _ in range(20):
    os.mkdir('d' * 250)
    os.chdir('d' * 250)
print(flush=True); input()
"""
    with running(code, project) as user:
        said(user)
        assert states(project) == {"deep": "in-use", "other": "in-use"}
    assert len(clean(project).removed) == 2


@ROOT
@pytest.mark.parametrize("place", [".tmp/x", f".tmp/debug/x_{OLD}", "build"])
@pytest.mark.parametrize("inside", ["", "sub"])
def test_what_is_mounted_elsewhere_is_in_use(project: Path, tmp_path: Path, place: str, inside: str) -> None:
    entry = make_entry(project / place)
    (tmp_path / "mnt").mkdir()
    if subprocess.run(["mount", "--bind", entry / inside, tmp_path / "mnt"], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        [kept] = inv_json(project, "clean")["kept"]
        assert (kept["state"], kept["reason"]) == ("in-use", f"in use: mounted at {tmp_path}/mnt")
    finally:
        subprocess.run(["umount", tmp_path / "mnt"], check=True)
    assert [row["path"] for row in inv_json(project, "clean")["removed"]] == [place]


@ROOT
def test_what_is_mounted_elsewhere_after_the_plan_stays(project: Path, tmp_path: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    (tmp_path / "mnt").mkdir()
    decided = plan(project)
    if subprocess.run(["mount", "--bind", entry, tmp_path / "mnt"], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        assert reasons(removal.carry_out(decided).kept) == {"x": f"in use: mounted at {tmp_path}/mnt"}
    finally:
        subprocess.run(["umount", tmp_path / "mnt"], check=True)
