"""Who uses what below an open folder: real processes, threads, mounts, namespaces, sockets, loop devices."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common_tasks.fs import probe, processes, procfs
from common_tasks.fs.directory import Directory
from common_tasks.fs.places import Place
from common_tasks.fs.uses import Unseen, User, Uses, describe, describe_pids
from common_tasks.fs.workers import Workers

from ..conftest import As
from ..helpers import make_entry, running, said

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system has no /proc")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")
pytestmark = LINUX


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Directory]:
    """Lend an open folder with two entries, `x` and `y`."""
    for name in "xy":
        make_entry(tmp_path / "project/.tmp" / name)
    with Directory.at(tmp_path / "project/.tmp") as directory:
        yield directory


@pytest.fixture
def entry(base: Directory) -> Path:
    return Path(base.real_path()) / "x"


def look(base: Directory) -> Uses:
    uses = processes.look([base])
    assert uses
    return uses


def used(base: Directory) -> str:
    """Say who uses x, and see that nobody uses y."""
    uses = look(base)
    assert not uses.of(base, ("y",))
    users = uses.of(base, ("x",))
    return describe(users) if users else ""


def mount(*words: object) -> None:
    if subprocess.run(["mount", *map(str, words)], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")


@pytest.fixture
def elsewhere_mounted(tmp_path: Path) -> Iterator[Path]:
    """Lend a mount point; what is mounted there is gone afterwards."""
    point = tmp_path / "mnt"
    point.mkdir()
    yield point
    while not subprocess.run(["umount", point], check=False, capture_output=True).returncode:
        pass  # a bind mount is none to `os.path.ismount`


STAY = "print(flush=True); input()"


def test_nobody_uses_anything(base: Directory) -> None:
    uses = look(base)
    assert used(base) == ""
    assert not uses.any_below(base)
    assert not uses.at(base)


def test_use_below_a_folder_is_no_use_of_the_very_folder(base: Directory, entry: Path) -> None:
    with running(f"import os; os.chdir({str(entry / 'sub')!r}); {STAY}", entry.parents[2]) as user:
        said(user)
        uses = look(base)
        assert uses.any_below(base)
        assert uses.any_below(base, ("x",))
        assert not uses.any_below(base, ("y",))
        assert uses.at(base, ("x", "sub")) == {User(user.pid)}
        assert uses.at(base, ("x",)) == uses.at(base) == set()


@pytest.mark.parametrize("parts", [(), ("x",)])
def test_working_directory_is_a_use_of_the_very_folder(base: Directory, parts: tuple[str, ...]) -> None:
    with running(STAY, Path(base.real_path(), *parts)) as user:
        said(user)
        uses = look(base)
        assert uses.at(base, parts) == {User(user.pid)}
        assert not uses.any_below(base, parts)


def test_folder_that_was_not_looked_at_has_no_answer(base: Directory, tmp_path: Path) -> None:
    with Directory.at(tmp_path) as other, pytest.raises(KeyError):
        look(base).of(other, ("x",))


def test_hundreds_of_folders_are_told_apart(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"libs/{number}/.tmp/x").mkdir(parents=True)
    folders = [Directory.at(tmp_path / f"libs/{number}/.tmp") for number in range(300)]
    try:
        with running(STAY, tmp_path / "libs/77/.tmp/x") as user:
            said(user)
            uses = processes.look(folders)
            assert uses
            assert [number for number, folder in enumerate(folders) if uses.of(folder, ("x",))] == [77]
    finally:
        for folder in folders:
            folder.close()


def test_folder_inside_what_another_one_holds_has_the_use_too(base: Directory, entry: Path) -> None:
    with Directory.at(entry / "sub") as inner, running(f"kept = open('file-0'); {STAY}", entry / "sub") as user:
        said(user)
        uses = processes.look([base, inner])
        assert uses
        assert uses.of(base, ("x",)) == uses.of(inner, ("file-0",)) == {User(user.pid)}


@ROOT
@pytest.mark.parametrize("from_alias", [False, True])
def test_use_by_another_path_of_a_bind_mount_is_one(entry: Path, elsewhere_mounted: Path, *, from_alias: bool) -> None:
    mount("--bind", entry.parents[1], elsewhere_mounted)
    alias = elsewhere_mounted / ".tmp"
    seen, used_by = (alias, entry) if from_alias else (entry.parent, alias / "x")
    with Directory.at(seen) as folder, running(STAY, used_by / "sub") as user:
        said(user)
        assert used(folder).startswith(f"in use by pid {user.pid}")


@ROOT
@pytest.mark.parametrize("inside", ["", "sub"])
def test_what_is_mounted_elsewhere_is_used(base: Directory, entry: Path, elsewhere_mounted: Path, inside: str) -> None:
    mount("--bind", entry / inside, elsewhere_mounted)
    assert used(base) == f"in use: mounted at {elsewhere_mounted}"


@ROOT
def test_use_within_what_is_mounted_elsewhere_is_one(base: Directory, entry: Path, elsewhere_mounted: Path) -> None:
    mount("--bind", entry / "sub", elsewhere_mounted)
    with running(f"kept = open('file-0'); {STAY}", elsewhere_mounted) as user:
        said(user)
        assert used(base).startswith(f"in use by pid {user.pid}")


@ROOT
def test_what_is_mounted_inside_itself_is_used_by_nobody(base: Directory, entry: Path) -> None:
    (entry / "again").mkdir()
    mount("--bind", entry / "sub", entry / "again")
    try:
        assert used(base) == ""
        assert look(base).of(base, ("x", "sub"))
    finally:
        subprocess.run(["umount", entry / "again"], check=True)


@ROOT
def test_layer_of_an_overlay_is_used(base: Directory, entry: Path, elsewhere_mounted: Path) -> None:
    for name in ("upper: a,b\\c", "work"):
        (entry / name).mkdir()
    upper = str(entry / "upper: a,b\\c").replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")
    mount("-t", "overlay", "-o", f"lowerdir=/etc,upperdir={upper},workdir={entry}/work", "overlay", elsewhere_mounted)
    assert used(base) == f"in use: mounted at {elsewhere_mounted}"


def in_namespaces(flags: list[str], script: str) -> "subprocess.Popen[str]":
    """Run a shell script in namespaces of its own, up to its first printed line."""
    command = ["unshare", *flags, "sh", "-c", f"{script}; echo ready; exec cat"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-3, text=True)
    if said(process) != "ready":
        process.communicate()
        pytest.skip("namespaces are not allowed here")
    return process


@ROOT
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("mount --bind {entry}/sub {point} && exec 3<{point}/file-0", "in use by pid"),
        ("mount --bind {entry}/.. {point} && cd {point}/x", "in use by pid"),
        ("mount --bind {entry}/sub {point}", "in use: mounted at {point} in the mount namespace of pid"),
        ("mount -t tmpfs x {entry}/sub", "in use: {entry}/sub is a mount point in the mount namespace of pid"),
        ("mount --bind {entry}/../.. {point}/root && mount --bind /bin {point}/root/.tmp/x/sub", "is a mount point"),
        (
            "mount --bind / {point}/root && mount --bind {entry}/.. {point}/root/mnt && "
            "exec 3<{point}/root/mnt/x && cd / && exec chroot {point}/root sh -c 'echo ready; exec cat'",
            "in use by pid",
        ),
    ],
)
def test_use_in_another_mount_namespace_is_one(
    base: Directory, entry: Path, tmp_path: Path, script: str, says: str
) -> None:
    point = tmp_path / "point"
    (point / "root").mkdir(parents=True)
    with in_namespaces(["--mount"], script.format(entry=entry, point=point)) as process:
        try:
            assert says.format(entry=entry, point=point) in used(base)
        finally:
            process.kill()


THREAD = """
import ctypes, os, threading, time
CLONE_FS, CLONE_FILES = 0x200, 0x400
def stay():
    assert ctypes.CDLL(None).unshare({flags}) == 0
    {use}
    print(flush=True)
    time.sleep(600)
threading.Thread(target=stay, daemon=True).start()
input()
"""


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    ("flags", "use"), [("CLONE_FS", "os.chdir('x')"), ("CLONE_FILES", "kept = os.open('x/sub/file-0', os.O_RDONLY)")]
)
def test_thread_with_tables_of_its_own_is_seen(
    base: Directory, entry: Path, monkeypatch: pytest.MonkeyPatch, *, flags: str, use: str, asked: bool
) -> None:
    from common_tasks.fs import syscalls

    if not asked:
        monkeypatch.setattr(syscalls, "shares_tables", lambda *_: None)
    with running(THREAD.format(flags=flags, use=use), entry.parent) as user:
        said(user)
        os.chdir(entry.parents[2])
        uses = look(base)
        assert uses.of(base, ("x",)) == {User(user.pid)}


def test_threads_that_share_everything_are_told_by_asking_the_kernel() -> None:
    from common_tasks.fs import syscalls

    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    with running(code + STAY, Path("/")) as process:
        said(process)
        threads = [int(name) for name in os.listdir(f"/proc/{process.pid}/task")]
        assert {syscalls.shares_tables(process.pid, thread) for thread in threads} <= {True, None}


BIND = """
import os, socket
os.chdir({folder!r})
kept = socket.socket(socket.AF_UNIX, socket.{kind})
kept.bind({name!r})
os.chdir('/')
"""


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_bound_socket_is_a_use(base: Directory, entry: Path, kind: str) -> None:
    with running(BIND.format(folder=str(entry), name=str(entry / "s"), kind=kind) + STAY, Path("/")) as user:
        said(user)
        assert used(base) == "in use: a socket is bound in it"
    assert used(base) == ""  # the file is left, and nobody listens


def test_socket_bound_by_a_relative_name_is_found_by_looking(base: Directory, entry: Path) -> None:
    with running(BIND.format(folder=str(entry / "sub"), name="s", kind="SOCK_STREAM") + STAY, Path("/")) as user:
        said(user)
        unseen = look(base).unseen(base)
        assert (entry / "sub/s").stat().st_ino in unseen.sockets
        assert probe.find_use(base, "x", unseen) == "in use: a socket is bound in it"
        assert probe.find_use(base, "y", unseen) is None
        (entry / "sub/s").rename(entry.parent / "s")
        assert probe.find_use(base, "s", unseen) == "in use: a socket is bound in it"


def test_socket_by_a_name_that_leads_elsewhere_by_now_is_found_by_looking(base: Directory, entry: Path) -> None:
    with running(BIND.format(folder="/", name=str(entry / "s"), kind="SOCK_STREAM") + STAY, Path("/")) as user:
        said(user)
        entry.rename(entry.parent / "y2")
        (entry.parent / "x").mkdir()
        (entry.parent / "x/s").touch()
        uses = look(base)
        assert not uses.of(base, ("x",))
        assert probe.find_use(base, "y2", uses.unseen(base)) == "in use: a socket is bound in it"


@ROOT
def test_socket_of_another_network_is_seen_by_its_name(base: Directory, entry: Path) -> None:
    code = BIND.format(folder="/", name=str(entry / "s"), kind="SOCK_STREAM").replace("\n", ";").strip(";")
    with in_namespaces(["--net"], f"{sys.executable} -c \"{code}; print('ready', flush=True); input()\"") as user:
        assert used(base) == "in use: a socket is bound in it"
        user.kill()


@ROOT
def test_image_of_a_loop_device_is_used(base: Directory, entry: Path) -> None:
    with open(entry / "disk", "wb") as image:
        image.truncate(1 << 20)
    made = subprocess.run(["losetup", "--show", "-f", entry / "disk"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip("the machine has no loop devices")
    device = made.stdout.strip()
    try:
        assert used(base) == f"in use: image of {device}"
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


@ROOT
def test_swap_file_is_used(base: Directory, entry: Path) -> None:
    file = entry / "swap file"
    file.write_bytes(bytes(1 << 20))
    file.chmod(0o600)
    if subprocess.run(["mkswap", file], capture_output=True, check=False).returncode:
        pytest.skip("no mkswap here")
    if subprocess.run(["swapon", file], capture_output=True, check=False).returncode:
        pytest.skip("swap files are not allowed here")
    try:
        assert used(base) == "in use: swap"
    finally:
        subprocess.run(["swapoff", file], check=True)


@pytest.fixture
def no_other_probers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let who probes a file not try it again, as long as others that probe might need."""
    monkeypatch.setattr(probe, "PAUSES", (0.0,))


@pytest.mark.usefixtures("no_other_probers")
@pytest.mark.parametrize("mode", [os.O_RDONLY, os.O_RDWR])
def test_descriptor_on_its_way_through_a_socket_is_found_by_looking(base: Directory, entry: Path, mode: int) -> None:
    left, right = socket.socketpair()
    with left, right:
        fd = os.open(entry / "sub/file-0", mode)
        socket.send_fds(left, [b"x"], [fd])
        os.close(fd)
        uses = look(base)
        assert not uses.of(base, ("x",))
        assert uses.unseen(base).files
        found = probe.find_use(base, "x", uses.unseen(base))
        assert found == "in use: file-0 is open in a process that cannot be looked into"
        assert probe.find_use(base, "y", uses.unseen(base)) is None


@pytest.mark.usefixtures("no_other_probers")
@pytest.mark.parametrize("processes", [1, 2])
def test_probing_is_shared_out_and_each_tree_has_its_own_answer(base: Directory, entry: Path, processes: int) -> None:
    names = [f"z{number:02}" for number in range(60)]
    for name in names:
        (entry.parent / name).mkdir()
        (entry.parent / name / "file").touch()
    left, right = socket.socketpair()
    with left, right:
        fd = os.open(entry.parent / "z41/file", os.O_RDONLY)
        socket.send_fds(left, [b"x"], [fd])
        os.close(fd)
        unseen = look(base).unseen(base)
        suspects = [probe.Suspect([Place(base, ("gone",)), Place(base, (name,))], unseen) for name in names]
        found = probe.find_uses(suspects, Workers(processes))
    assert [name for name, use in zip(names, found, strict=True) if use] == ["z41"]


@contextlib.contextmanager
def not_to_be_looked_into(file: Path, mode: str) -> Iterator[None]:
    """Have a process that has a file open, of the same user, but that he may not look into."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with file.open(mode):
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
            os.write(writer, b"x")
            signal.pause()
        os._exit(0)
    try:
        os.read(reader, 1)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)


@ROOT
@pytest.mark.usefixtures("no_other_probers")
@pytest.mark.parametrize("mode", ["r", "a"])
def test_file_of_a_process_that_may_not_be_looked_into_is_found_by_looking(
    project: Path, nobody: As, mode: str
) -> None:
    entry = make_entry(project / ".tmp/x")
    make_entry(project / ".tmp/y")

    def find() -> list[str | None]:
        with not_to_be_looked_into(entry / "sub/file-0", mode), Directory.at(project / ".tmp") as base:
            uses = look(base)
            assert not uses.of(base, ("x",))
            return [probe.find_use(base, name, uses.unseen(base)) for name in "xy"]

    assert nobody(find) == ["in use: file-0 is open in a process that cannot be looked into", None]


@pytest.mark.usefixtures("no_other_probers")
def test_probing_leaves_no_trace_and_asks_nothing_where_nothing_is_unseen(base: Directory, entry: Path) -> None:
    before = (entry / "sub/file-0").stat()
    with open(entry / "sub/file-0"):
        assert probe.find_use(base, "x", Unseen()) is None
        assert probe.find_use(base, "x", Unseen(files=True))
    assert probe.find_use(base, "x", Unseen(files=True)) is None
    assert (entry / "sub/file-0").stat() == before


def test_file_that_this_process_has_open_to_lock_it_is_probed_all_the_same(base: Directory, entry: Path) -> None:
    file = entry.parent / "file"
    file.touch()
    with file.open():
        assert probe.find_use(base, "file", Unseen(files=True)) is None
    with file.open("a"):
        assert probe.find_use(base, "file", Unseen(files=True)) == "in use: it is open for writing"


def test_probers_do_not_take_each_other_for_users(entry: Path) -> None:
    code = f"""
from common_tasks.fs import probe, uses
from common_tasks.fs.directory import Directory
from common_tasks.fs.places import Place
from common_tasks.fs.workers import Workers
base = Directory.at({str(entry.parent)!r})
print({{probe.find_use(base, 'x', uses.Unseen(files=True)) for _ in range(300)}})
"""

    def find_together() -> set[str]:
        crowd = [subprocess.Popen([sys.executable, "-c", code], stdout=-1, text=True) for _ in range(3)]
        return {process.communicate()[0].strip() for process in crowd}

    # A busy machine may halt one of them in the middle of a probe, for longer than the others try again.
    assert any(find_together() == {"{None}"} for _ in range(4))


@ROOT
@pytest.mark.usefixtures("base")
def test_process_in_a_plain_chroot_finds_its_uses(tmp_path: Path) -> None:
    """Its own mount table does not list the mount that its root is on."""
    code = f"""
import os
from common_tasks.fs import processes, syscalls
from common_tasks.fs.directory import Directory
from common_tasks.fs.places import Place
from common_tasks.fs.workers import Workers
os.mkdir({str(tmp_path / "proc")!r})
assert os.system("mount -t proc proc {tmp_path}/proc") == 0
os.chroot({str(tmp_path)!r})
os.chdir("/project/.tmp/x/sub")
with Directory.at("/project/.tmp") as base:
    print([user.pid for user in processes.look([base]).of(base, ("x",))] == [int(os.readlink("/proc/self"))])
"""
    command = ["unshare", "--mount", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "AssertionError" in done.stderr or "unshare" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_names_of_users_are_words() -> None:
    assert describe([User(how="swap")]) == "in use: swap"
    assert describe([User(how="swap"), User(os.getpid())]).startswith(f"in use by pid {os.getpid()} (")
    assert describe([]) == describe_pids([]) == "in use"


def test_program_with_too_long_a_path_does_not_hide_what_its_process_uses(base: Directory, entry: Path) -> None:
    deep = "d" * 250
    code = f"""
import os, shutil, subprocess, sys
os.chdir({str(entry.parents[2])!r})
for _ in range(20):
    os.mkdir({deep!r}); os.chdir({deep!r})
shutil.copy('/bin/sleep', 'server')
with open({str(entry / "sub/file-0")!r}) as kept:
    server = subprocess.Popen(['./server', '600'], stdin=kept)
os.chdir('/')
print(server.pid, flush=True); input(); server.kill(); server.wait()
"""
    with running(code, Path("/")) as process:
        server = int(said(process))
        assert User(server) in look(base).of(base, ("x",))
        process.communicate("\n")


def test_looking_at_this_process_changes_nothing_that_it_has_open() -> None:
    """Else it would be looked at again and again, and it may have thousands of folders open."""
    opened = procfs.open_files("/proc/self", own=True)
    assert procfs.CHANGED not in dict(opened).values()
    assert procfs.open_files("/proc/self", own=True) == opened
