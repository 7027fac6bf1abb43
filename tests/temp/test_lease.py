import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common_tasks.fs import processes
from common_tasks.temp import EngineWarning, get_cache_temp_dir, get_debug_temp_dir, lease, names

from ..helpers import HOLD_DEBUG, clean, inv, inv_json, python, reasons, running, said, states, take


def eventually_idle(project: Path) -> bool:
    give_up = time.monotonic() + 100
    while time.monotonic() < give_up:
        if set(states(project).values()) == {"idle"}:
            return True
    return False


def test_directory_in_use_stays_and_the_holder_is_named(project: Path) -> None:
    with running(HOLD_DEBUG, project, "a word") as holder:
        held = Path(said(holder))
        assert states(project) == {held.name: "in-use"}
        outcome = clean(project)
        assert reasons(outcome.kept)[held.name].startswith(f"in use by pid {holder.pid} (python")
        assert held.exists()
    holder.wait()
    assert states(project) == {held.name: "idle"}
    assert clean(project).removed
    assert not held.exists()


def test_holder_is_named_by_its_script_and_words(project: Path) -> None:
    (project / "work.py").write_text(HOLD_DEBUG)
    command = [sys.executable, "work.py", "--all"]
    with subprocess.Popen(command, cwd=project, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        said(holder)
        assert f"in use by pid {holder.pid} (work.py --all)" in inv(project, "temp-status").stdout
        hint = inv(project, "temp-clean").stdout
        assert "--force" in hint
        holder.communicate("\n")


def test_force_takes_what_is_in_use(project: Path) -> None:
    for words in (["temp-clean", "--force"], ["clean", "--force"]):
        with running(HOLD_DEBUG, project) as holder:
            held = Path(said(holder))
            [row] = inv_json(project, *words)["removed"]
            assert row["reason"].startswith(f"forced, in use by pid {holder.pid}")
            assert not held.exists()


def test_killed_process_uses_nothing_any_more(project: Path) -> None:
    with running(HOLD_DEBUG, project) as holder:
        said(holder)
        holder.kill()
        holder.wait()
        assert set(states(project).values()) == {"idle"}


def test_forked_child_keeps_the_directory_in_use_until_it_ends(project: Path) -> None:
    code = """
import os, sys
from common_tasks.temp import get_debug_temp_dir
print(get_debug_temp_dir(), flush=True)
if os.fork():
    os._exit(0)
input()
"""
    with running(code, project) as parent:
        made = Path(said(parent))
        parent.wait()
        assert states(project) == {made.name: "in-use"}
        assert not clean(project).removed
        parent.communicate("\n")
    assert eventually_idle(project)  # the child ends a moment after it has read
    assert clean(project).removed


def test_forked_child_may_not_clean_what_its_parent_made(project: Path) -> None:
    code = """
import os
from common_tasks.temp import TempManager
made = TempManager.create_persistent_dir()
if os.fork() == 0:
    print(TempManager.clean_persistent_temps(), flush=True)
    os._exit(0)
os.wait()
print(made.exists(), flush=True)
"""
    assert python(code, cwd=project).stdout == "0\nTrue\n"


def test_subprocess_inherits_no_lease(project: Path) -> None:
    code = """
import subprocess, sys
from common_tasks.temp import get_debug_temp_dir
print(get_debug_temp_dir(), flush=True)
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
print(child.pid, flush=True)
import os; os._exit(0)
"""
    with running(code, project) as parent:
        said(parent)
        said(parent)
        parent.wait()
        assert eventually_idle(project)  # the child has begun when its program is about to be loaded


LOOK_AND_FIGHT = """
import sys, threading
from pathlib import Path
from common_tasks.temp import inventory, layout
for _ in range(100):
    assert {e.state for e in inventory.scan([layout.find_project()])} == {"idle"}
"""


def test_looking_never_makes_others_believe_in_a_use(project: Path) -> None:
    python("from common_tasks.temp import *; get_debug_temp_dir(); get_cache_temp_dir()", cwd=project)
    crowd = [subprocess.Popen([sys.executable, "-c", LOOK_AND_FIGHT], cwd=project) for _ in range(3)]
    assert [process.wait(60) for process in crowd] == [0, 0, 0]


def test_looking_takes_no_lock(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python("from common_tasks.temp import *; get_debug_temp_dir(); get_cache_temp_dir()", cwd=project)
    calls: list[int] = []
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: calls.append(how))
    assert len(take(project)) == 2
    assert calls == []


def test_without_the_kernels_tables_use_is_still_seen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "look", lambda *_: None)
    python("from common_tasks.temp import *; get_debug_temp_dir('idle')", cwd=project)
    mine = get_debug_temp_dir("mine")
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        seen = states(project)
        assert seen.pop(held.name) == "in-use"
        assert seen.pop(mine.name) == "idle"
        assert set(seen.values()) == {"idle"}
        outcome = clean(project)
        assert reasons(outcome.kept) == {held.name: "in use"}


def test_own_lease_outlives_a_look_and_a_refused_claim(project: Path) -> None:
    made = get_debug_temp_dir()
    fd = os.open(made, os.O_RDONLY)
    with lease.claim(fd) as granted:
        assert granted
    os.close(fd)
    look = "import sys; from common_tasks.fs import processes\nroot, made = sys.argv[1:]\n"
    seen = python(look + "print(processes.look([root]).of(made, (0, 0)))", str(project), str(made))
    assert seen.stdout == f"({os.getpid()},)\n"
    claim = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    assert "BlockingIOError" in python(claim, str(made)).stderr


@pytest.mark.parametrize("missing", ["ENOLCK", "EOPNOTSUPP"])
def test_without_locks_it_goes_on_and_says_so_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def no_locks(fd: int, how: int) -> None:
        raise OSError(getattr(errno, missing), "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    monkeypatch.setattr(lease, "_warned", [])
    with pytest.warns(EngineWarning, match="no locks here") as caught:
        get_debug_temp_dir()
        get_cache_temp_dir()
    assert len(caught) == 1
    assert len(clean(project).removed) == 2


def test_oldest_lease_is_dropped_past_the_bound(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_MOST_HELD", 3)
    monkeypatch.setattr(lease, "_held", type(lease._held)())
    made = [get_debug_temp_dir() for _ in range(5)]
    keys = [(path.stat().st_dev, path.stat().st_ino) for path in made]
    assert [lease.held_here(key) for key in keys] == [False, False, True, True, True]
    assert names.parse_name(made[0].name)


def test_descriptors_that_a_daemon_closed_are_not_closed_again(project: Path) -> None:
    code = """
import os
from common_tasks.temp import TempManager, get_debug_temp_dir
made = get_debug_temp_dir()
os.closerange(3, 64)
logs = [open(f"log{number}", "w") for number in range(8)]
TempManager.clean_persistent_temps()
for log in logs:
    log.write("still mine")
    log.close()
print(made.exists())
"""
    done = python(code, cwd=project)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_generations_of_forked_children_share_the_bound(project: Path) -> None:
    code = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
from common_tasks.temp import get_debug_temp_dir
for generation in range(6):
    for _ in range(100):
        get_debug_temp_dir()
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        os._exit(os.waitstatus_to_exitcode(status))
print("all lived")
"""
    done = python(code, cwd=project)
    assert (done.stdout, done.stderr) == ("all lived\n", "")


def test_asking_again_past_the_bound_leaves_no_descriptor_open(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_held", type(lease._held)())
    monkeypatch.setattr(lease, "_MOST_HELD", 2)
    get_debug_temp_dir()
    get_cache_temp_dir()
    monkeypatch.setattr(lease, "_inherited", 9)
    get_cache_temp_dir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        get_cache_temp_dir()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(clean(project).removed) == 2
