"""What a process was given is in use for as long as it runs, whatever it does; and then no longer."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common_tasks.fs import processes
from common_tasks.fs.directory import Directory
from common_tasks.temp import TempManager, base_lock, get_cache_temp_dir, get_debug_temp_dir, layout, lease, names
from common_tasks.temp.leased import read_leases

from ..conftest import As
from ..helpers import (
    HOLD_DEBUG,
    clean,
    clean_in_a_container,
    crowd,
    eventually,
    inv,
    inv_json,
    make_entry,
    python,
    reasons,
    running,
    said,
    slow,
    states,
    take,
    trash_is_empty,
)


def lease_files(project: Path) -> list[Path]:
    """Return the leases, without the list of what earlier processes were given."""
    return [path for path in project.glob(".tmp/.leases/*") if not path.name.startswith("ended-")]


def leave_entry(project: Path, name: str = "left") -> Path:
    """Have a process make an entry, and end."""
    code = "import sys; from common_tasks.temp import *; print(get_debug_temp_dir(sys.argv[1]))"
    return Path(python(code, name, cwd=project).stdout.rstrip())


def is_made(project: Path, path: Path) -> bool:
    [entry] = [entry for entry in take(project) if entry.path == path]
    return entry.made


# Who uses something.


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


# A process goes on as another program, without its descriptors, or as its own child.

GOES_ON = {
    "as another program": "os.execvp('sleep', ['sleep', '600'])",
    "without its descriptors": "os.closerange(3, 256); time.sleep(600)",
    "without its descriptors, as another program": "os.closerange(3, 256); os.execvp('sleep', ['sleep', '600'])",
    "with other files in place of its descriptors": (
        "os.closerange(3, 256); kept = [open('/dev/null') for _ in range(9)]; time.sleep(600)"
    ),
}


@pytest.mark.parametrize("how", GOES_ON)
def test_process_that_goes_on_keeps_what_it_was_given(project: Path, how: str) -> None:
    code = "import os, time\nfrom common_tasks.temp import *\nmade = get_debug_temp_dir(), get_cache_temp_dir()\n"
    with running(f"{code}print(*made, flush=True); {GOES_ON[how]}", project) as process:
        made = [Path(path) for path in said(process).split(" ")]
        # What it does afterwards is done some time after it has spoken.
        assert eventually(lambda: has_gone_on(process.pid, made[0], how))
        assert clean(project).removed == ()
        assert all(path.exists() for path in made)
    assert len(clean(project).removed) == 2


def has_gone_on(pid: int, made: Path, how: str) -> bool:
    links = [os.path.realpath(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    program = Path(f"/proc/{pid}/comm").read_text()
    is_open = any(link.startswith(str(made.parent.parent)) for link in links)
    return not is_open and ("program" not in how or program == "sleep\n")


def test_daemon_without_its_descriptors_may_go_on_making_entries(project: Path) -> None:
    code = """
import os
from common_tasks.temp import get_debug_temp_dir
first = get_debug_temp_dir()
os.closerange(3, 256)
kept = [open("/dev/null") for _ in range(9)]
print(first, get_debug_temp_dir(), flush=True)
input()
"""
    with running(code, project) as daemon:
        made = [Path(path) for path in said(daemon).split(" ")]
        assert {path.name for path in made} == reasons(clean(project).kept).keys()
        assert clean_in_a_container(project) == 0
    assert all(path.exists() for path in made)


# The process that is started waits for both: where init does that, it may take a second to see that one has ended.
FORKS = """
import ctypes, os, time
from common_tasks.temp import get_debug_temp_dir
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
starter = os.getpid()
if os.fork():
    os._exit(os.wait()[1] or os.wait()[1])
print(get_debug_temp_dir(), flush=True)
{before}
if os.fork():
    os._exit(0)
while os.getppid() != starter:
    time.sleep(0.001)
{after}
print(flush=True)
input()
"""
CLOSE = "os.closerange(3, 256)"


@pytest.mark.parametrize(("before", "after"), [("", ""), (CLOSE, ""), ("", CLOSE)])
def test_forked_child_keeps_what_its_parent_was_given_until_it_ends(project: Path, before: str, after: str) -> None:
    with running(FORKS.format(before=before, after=after), project) as starter:
        made = Path(said(starter))
        said(starter)  # that is the child, and its parent has ended
        assert states(project) == {made.name: "in-use"}
        assert not clean(project).removed
        starter.communicate("\n")
    assert states(project) == {made.name: "idle"}
    assert clean(project).removed


def test_forked_child_goes_on_using_what_its_parent_was_given_when_that_begins_a_new_lease(project: Path) -> None:
    code = """
import os, sys
from common_tasks.temp import get_debug_temp_dir, layout, lease
made = get_debug_temp_dir()
ready, begun = os.pipe()
child = os.fork()
if child == 0:
    os.write(begun, b"x")
    input()
    os._exit(0)
os.read(ready, 1)
for number in range(20_000):
    lease.own.note(layout.find_project().bases[0], f"debug/x_{number}")
print(made, child, flush=True)
os._exit(0)
"""
    with running(code, project) as parent:
        made, child = said(parent).split(" ")
        parent.wait()
        assert reasons(clean(project).kept)[Path(made).name].startswith(f"in use by pid {child} ")
        parent.communicate("\n")


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


def test_program_that_a_process_has_started_uses_nothing_by_that(project: Path) -> None:
    code = """
import os, subprocess, sys
from common_tasks.temp import get_debug_temp_dir
print(get_debug_temp_dir(), flush=True)
subprocess.Popen([sys.executable, "-c", "input()"], close_fds=False)
os._exit(0)
"""
    with running(code, project) as parent:
        said(parent)
        parent.wait()
        assert eventually(lambda: set(states(project).values()) == {"idle"})  # its program has begun
        parent.communicate("\n")


def test_process_may_clean_what_it_made_itself(project: Path) -> None:
    mine, cache = get_debug_temp_dir("mine"), get_cache_temp_dir("mine")
    assert states(project) == {mine.name: "idle", cache.name: "idle"}
    assert len(clean(project).removed) == 2


# Many entries, categories, threads, bases and generations.


@pytest.mark.parametrize("number", [250, slow(10_000)])
def test_thousands_of_entries_of_one_process_are_in_use_and_cost_one_descriptor(project: Path, number: int) -> None:
    code = f"""
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from common_tasks.temp import TempManager
before = len(os.listdir("/proc/self/fd"))
for number in range({number}):
    TempManager.create_persistent_dir("n", "category-%d" % (number % 100))
print(len(os.listdir("/proc/self/fd")) - before, flush=True)
input()
"""
    with running(code, project) as holder:
        assert said(holder) == "1"
        found = take(project)
        assert (len(found), {entry.state for entry in found}) == (number, {"in-use"})
    holder.wait()
    assert {entry.state for entry in take(project)} == {"idle"}


def test_what_threads_make_at_the_same_time_is_in_use(project: Path) -> None:
    code = """
import threading
from common_tasks.temp import TempManager
def make(number):
    for _ in range(100):
        TempManager.create_persistent_dir("n", f"category-{number % 3}")
threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(flush=True)
input()
"""
    with running(code, project) as holder:
        said(holder)
        assert [entry.state for entry in take(project)] == ["in-use"] * 800


def test_many_bases_do_not_use_up_the_descriptors_of_a_process(project: Path) -> None:
    code = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
from common_tasks.temp import get_debug_temp_dir
for number in range(100):
    os.makedirs(f"p{number}")
    open(f"p{number}/pyproject.toml", "w").close()
    os.chdir(f"p{number}")
    get_debug_temp_dir()
    os.chdir("..")
print(flush=True)
input()
"""
    with running(code, project) as holder:
        assert said(holder) == ""
        for number in (0, 50, 99):
            assert set(states(project / f"p{number}").values()) == {"in-use"}


def test_generations_of_forked_children_do_not_run_out_of_descriptors(project: Path) -> None:
    code = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
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


@pytest.mark.usefixtures("project")
def test_asking_for_a_cache_again_and_again_leaves_no_descriptor_open() -> None:
    get_cache_temp_dir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        get_cache_temp_dir()
    assert len(os.listdir("/proc/self/fd")) == before


def test_lease_of_a_process_that_makes_and_removes_for_ever_stays_small(project: Path) -> None:
    base = layout.find_project().bases[0]
    made = get_debug_temp_dir("stands")
    for number in range(20_000):
        lease.own.note(base, f"debug/gone_{number}")
    [file] = lease_files(project)
    assert file.stat().st_size < 16_384 * len("+debug/gone_19999\0")
    assert clean_in_a_container(project) == 0
    assert is_made(project, made)


# What stands on disk.


def test_entry_whose_name_was_asked_for_once_more_is_still_the_engines(project: Path) -> None:
    made = get_debug_temp_dir()
    with pytest.raises(FileExistsError):
        lease.own.make(layout.find_project().bases[0], f"debug/{made.name}")
    assert is_made(project, made)


@pytest.mark.parametrize("by_hand", [Path.touch, lambda path: path.symlink_to("/")], ids=["file", "link"])
def test_file_in_place_of_a_category_is_no_fault(project: Path, by_hand: Callable[[Path], None]) -> None:
    left = leave_entry(project)
    left.parent.rename(project / "away")
    by_hand(left.parent)
    assert list(reasons(clean(project).removed)) == ["debug"]
    assert not list(project.glob(".tmp/debug*"))


def test_base_that_was_removed_by_hand_is_made_again_and_entries_in_it_are_in_use(project: Path) -> None:
    code = """
import shutil
from common_tasks.temp import get_debug_temp_dir
get_debug_temp_dir()
shutil.rmtree(".tmp")
print(get_debug_temp_dir(), get_debug_temp_dir(), flush=True)
input()
"""
    with running(code, project) as holder:
        made = {Path(path).name for path in said(holder).split(" ")}
        assert states(project) == dict.fromkeys(made, "in-use")


@pytest.mark.parametrize("call", ["get_debug_temp_dir()", "get_cache_temp_dir()", "create_persistent_dir()"])
@pytest.mark.parametrize(
    "act", ["shutil.rmtree('.tmp/.leases')", "[file.unlink() for file in Path('.tmp/.leases').iterdir()]"]
)
def test_what_a_process_got_is_in_use_again_once_it_asks_for_more_after_its_lease_was_removed(
    project: Path, act: str, call: str
) -> None:
    code = f"""
import os, shutil
from pathlib import Path
from common_tasks.temp import TempManager, get_cache_temp_dir, get_debug_temp_dir
create_persistent_dir = TempManager.create_persistent_dir
made = [get_debug_temp_dir(), get_debug_temp_dir()]
made.pop().rmdir()
{act}
print(made[0], {call}, flush=True)
input()
"""
    with running(code, project) as holder:
        made = {Path(path).name for path in said(holder).split(" ")}
        assert states(project) == dict.fromkeys(made, "in-use")


def test_category_that_was_removed_by_hand_is_made_again_as_one(project: Path) -> None:
    first = get_debug_temp_dir()
    first.rmdir()
    for mark in first.parent.iterdir():
        mark.unlink()
    first.parent.rmdir()
    again = get_debug_temp_dir()
    stray = make_entry(again.parent / "by hand")
    assert {entry.path for entry in take(project)} == {again, stray}


def test_entry_of_a_renamed_category_is_still_in_use(project: Path) -> None:
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        beside = make_entry(held.with_name(f"beside_{held.name.rpartition('_')[2]}"))
        moved = held.parent.rename(project / ".tmp/other") / held.name
        clean(project)
        assert moved.is_dir()
        assert not (moved.parent / beside.name).exists()
    clean(project)
    assert not moved.exists()


def test_lease_of_a_process_that_ended_is_taken_in_by_a_clean(project: Path) -> None:
    left = leave_entry(project)
    kept = leave_entry(project, "kept")
    (kept / ".keep").touch()
    clean(project)
    assert lease_files(project) == []
    assert not left.exists()
    assert is_made(project, kept)


def test_leases_of_processes_that_ended_are_taken_in_by_those_that_come(project: Path) -> None:
    left = [leave_entry(project, f"left{number}") for number in range(12)]
    assert len(lease_files(project)) < 6
    assert all(is_made(project, path) for path in left)


def test_leases_are_taken_in_though_another_user_has_done_that_before(project: Path, nobody: As) -> None:
    def leave() -> None:
        child = os.fork()
        if not child:
            get_debug_temp_dir()
            os._exit(0)
        os.waitpid(child, 0)

    nobody(leave)
    (leave_entry(project, "kept") / ".keep").touch()
    clean(project)
    nobody(leave)
    nobody(lambda: clean(project))
    assert lease_files(project) == []


def test_what_earlier_processes_were_given_is_in_use_by_nobody_whoever_locks_the_list(project: Path) -> None:
    entry = leave_entry(project)
    leave_entry(project)  # takes the lease in
    with Directory.at(project / ".tmp/.leases") as leases, leases.opened(f"ended-{os.geteuid()}", os.O_RDONLY) as ended:
        fcntl.flock(ended, fcntl.LOCK_EX)
        assert states(project)[entry.name] == "idle"
        assert is_made(project, entry)


def test_what_is_noted_of_entries_that_are_gone_is_dropped_by_a_clean(project: Path) -> None:
    leave_entry(project)
    (leave_entry(project, "kept") / ".keep").touch()
    clean(project)
    noted = (project / f".tmp/.leases/ended-{os.geteuid()}").read_bytes().split(b"\0")
    assert len(list(filter(None, noted))) == 1


@pytest.mark.parametrize("size", [0, 5, 40])
def test_lease_that_was_cut_short_by_a_crash_is_no_fault(project: Path, size: int) -> None:
    leave_entry(project)
    [file] = lease_files(project)
    os.truncate(file, size)
    os.utime(file, (0, 0))
    assert set(states(project).values()) == {"idle"}
    assert len(clean(project).removed) == 1
    assert lease_files(project) == []


def test_entry_that_the_last_record_names_in_part_is_not_made_by_the_engine(project: Path) -> None:
    made = leave_entry(project)
    [file] = lease_files(project)
    os.truncate(file, file.stat().st_size - 1)
    assert not is_made(project, made)


STRANGE = b"\xff\xfe broken\0process x\0process 1\0+\0-\0+../../..\0+/etc\0\0"


@pytest.mark.parametrize("name", ["ended-0", "4123-0123456789ab"])
def test_lease_with_any_bytes_stops_nobody(project: Path, name: str) -> None:
    make_entry(project / ".tmp/x")
    get_debug_temp_dir()
    (project / ".tmp/.leases" / name).write_bytes(STRANGE)
    assert set(states(project).values()) == {"idle"}
    assert not clean(project).failed
    assert trash_is_empty(project)


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling link", "link to a lease"])
def test_what_is_no_file_among_the_leases_stops_nobody(project: Path, kind: str) -> None:
    leave_entry(project)
    strange = project / ".tmp/.leases/4123-0123456789ab"
    if kind == "directory":
        strange.mkdir()
    elif kind == "fifo":
        os.mkfifo(strange)
    else:
        strange.symlink_to("nowhere" if kind == "dangling link" else lease_files(project)[0].name)
    assert set(states(project).values()) == {"idle"}
    get_debug_temp_dir()
    assert len(clean(project).removed) == 2


def test_number_of_a_process_that_ended_may_be_anothers(project: Path) -> None:
    made = leave_entry(project)
    [file] = lease_files(project)
    first, *rest = file.read_bytes().split(b"\0")
    word, _, *others = first.split(b" ")
    file.write_bytes(b"\0".join([b" ".join([word, str(os.getppid()).encode(), *others]), *rest]))
    assert states(project) == {made.name: "idle"}


@pytest.mark.parametrize("field", [2, 3], ids=["start", "boot"])
def test_process_of_another_start_or_boot_is_none_that_runs(project: Path, field: int) -> None:
    with running(HOLD_DEBUG, project) as holder:
        made = Path(said(holder))
        [file] = lease_files(project)
        text = file.read_bytes()
        first, *rest = text.split(b"\0")
        words = first.split(b" ")
        words[field] = b"1"
        copy = project / ".tmp/.leases/1-0123456789ab"
        copy.write_bytes(b"\0".join([b" ".join(words), *rest]))
        file.unlink()
        assert states(project) == {made.name: "idle"}


# Locks.


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(_fd: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_process_that_runs_still_counts(project: Path) -> None:
    setup = "import fcntl\ndef refuse(*_): raise OSError(37, 'No locks available')\nfcntl.flock = refuse\n"
    with running(setup + HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        mine = get_debug_temp_dir("mine")
        assert states(project) == {held.name: "in-use", mine.name: "idle"}
        assert list(reasons(clean(project).removed)) == [mine.name]
    holder.wait()
    assert list(reasons(clean(project).removed)) == [held.name]


ENDS = {
    "all of it": ("os._exit(0)", "idle"),
    "its first thread": ("threading.Thread(target=time.sleep, args=[100]).start()\nlibc.syscall(NUMBER, 0)", "in-use"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize(("end", "state"), ENDS.values(), ids=ENDS)
def test_process_that_only_waits_to_be_reaped_uses_nothing_unless_a_thread_goes_on(
    project: Path, end: str, state: str
) -> None:
    # exit(2) of the first thread alone.
    end = end.replace("NUMBER", "93" if os.uname().machine == "aarch64" else "60")
    setup = "import ctypes, os, threading, time\nfrom common_tasks.temp import *\nlibc = ctypes.CDLL(None)\n"
    code = f"{setup}print(get_debug_temp_dir('x'), flush=True)\ninput()\n{end}"
    with running(code, project) as process:
        made = Path(said(process))
        assert states(project) == {made.name: "in-use"}
        assert process.stdin
        print(file=process.stdin, flush=True)
        assert eventually(lambda: Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
        assert states(project) == {made.name: state}


LOOK = """
from common_tasks.temp import inventory, layout
for _ in range(TIMES):
    assert {entry.state for entry in inventory.scan([layout.find_project()])} == {"idle"}
"""


@pytest.mark.parametrize("times", [6, slow(30)])
def test_looking_never_makes_others_believe_in_a_use(project: Path, times: int) -> None:
    python("from common_tasks.temp import *; get_debug_temp_dir(); get_cache_temp_dir()", cwd=project)
    crowd(3, LOOK.replace("TIMES", str(times)), project)


def test_look_waits_for_no_lock(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = fcntl.flock, []

    def flock(fd: int, how: int) -> None:
        asked.append(how)
        real(fd, how)

    with running(HOLD_DEBUG, project) as holder:
        said(holder)
        leave_entry(project)
        monkeypatch.setattr(fcntl, "flock", flock)
        assert len(take(project)) == 2
    assert all(how & (fcntl.LOCK_NB | fcntl.LOCK_UN) and not how & fcntl.LOCK_EX for how in asked)


def test_stopped_process_that_holds_its_lease_delays_nobody(project: Path) -> None:
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        holder.send_signal(signal.SIGSTOP)
        mine = get_debug_temp_dir("mine")
        assert list(reasons(clean(project).removed)) == [mine.name]
        assert held.exists()


def test_clean_waits_for_another_that_works_however_long_that_takes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_lock, "PATIENCE", 0.5)
    make_entry(project / ".tmp/x")
    leave_entry(project)
    code = (
        "import fcntl, time\nkept = open('.tmp/CACHEDIR.TAG')\nfcntl.flock(kept, fcntl.LOCK_EX)\nprint(flush=True)\n"
        "end = time.monotonic() + 1.2\nwhile time.monotonic() < end: pass"
    )
    with running(code, project) as holder:
        said(holder)
        outcome = clean(project)
        assert holder.wait() == 0
    assert not outcome.failed
    assert len(outcome.removed) == 2


def test_clean_says_so_where_another_process_has_the_lock_of_the_base(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_lock, "PATIENCE", 0.1)
    make_entry(project / ".tmp/x")
    leave_entry(project)
    code = (
        "import fcntl\nkept = open('.tmp/CACHEDIR.TAG')\nfcntl.flock(kept, fcntl.LOCK_EX)\nprint(flush=True); input()"
    )
    with running(code, project) as holder:
        said(holder)
        assert set(reasons(clean(project).failed).values()) == {"another process holds the lock of this base"}
        assert get_debug_temp_dir().exists()
    assert len(clean(project).removed) == 3


# Other PID namespaces, and no tables of the kernel's.


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_lock_alone_keeps_what_a_process_of_another_container_was_given(project: Path) -> None:
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        make_entry(project / ".tmp/idle")
        assert clean_in_a_container(project) == 1
        assert held.exists()
    assert clean_in_a_container(project) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
def test_process_of_a_container_is_seen_from_outside_after_it_has_closed_its_descriptors(project: Path) -> None:
    code = HOLD_DEBUG.replace("input()", "import os; os.closerange(3, 256); print(flush=True); input()")
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=project, **pipes) as holder:  # type: ignore[call-overload]
        held = said(holder)
        if not held:
            pytest.skip("namespaces are not allowed here")
        said(holder)
        assert states(project) == {Path(held).name: "in-use"}
        holder.communicate("\n")


def test_without_the_kernels_tables_use_is_still_seen(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "look", lambda *_: None)
    idle, mine = leave_entry(project), get_debug_temp_dir("mine")
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        assert states(project) == {idle.name: "idle", mine.name: "idle", held.name: "in-use"}
        assert list(reasons(clean(project).kept)) == [held.name]


# Whose an entry is.


def test_entry_is_the_engines_only_if_a_lease_or_the_list_of_earlier_ones_names_it(project: Path) -> None:
    made = leave_entry(project)
    by_hand = make_entry(made.parent / "clone_1700000000")
    assert (is_made(project, made), is_made(project, by_hand)) == (True, False)
    (by_hand / ".keep").touch()
    (made / ".keep").touch()
    clean(project)  # which takes the lease in
    assert (is_made(project, made), is_made(project, by_hand)) == (True, False)


def test_directory_that_could_not_be_made_is_not_noted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get_debug_temp_dir()
    real = os.mkdir

    def refuse(path: str, *rest: object, **options: object) -> None:
        if "refused_" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(OSError, match="No space left"):
        get_debug_temp_dir("refused")
    with Directory.at(project / ".tmp") as base:
        assert [path for path in read_leases(base).made if "refused" in path] == []


def test_directory_is_noted_before_it_is_made(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    get_debug_temp_dir()
    seen: list[bool] = []
    real = os.mkdir

    def look(path: str, *rest: object, **options: object) -> None:
        if names.parse_name(os.path.basename(path)):
            with Directory.at(project / ".tmp") as base:
                seen.append(f"debug/{os.path.basename(path)}" in read_leases(base).made)
        real(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "mkdir", look)
    get_debug_temp_dir("noted")
    assert seen == [True]


def test_thread_that_makes_the_first_entry_while_another_does_gets_the_same_lease(project: Path) -> None:
    gate = threading.Barrier(8)

    def make() -> None:
        gate.wait(30)
        TempManager.create_persistent_dir("x", "debug")

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lease_files(project)) == 1
    assert len(take(project)) == 8
