"""Reading the kernel's tables: mounts, locks, images of loop devices, swap files (Linux: proc(5), sysfs(5))."""

import errno
import os
import re
from collections import namedtuple  # see `temp.layout`
from collections.abc import Iterator

from .directory import VISITING, Directory, mount_of

_LOCKS = "/proc/locks"
_SWAPS = "/proc/swaps"
_BLOCK_DEVICES = "/sys/block"
_MOUNTS = "/proc/{}/mountinfo"
SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # this process cannot look, so it learns nothing

Inode = tuple[str, int]  # device, as in `Location`, and inode number


class Location(namedtuple("Location", "device path")):
    """Where something is in its file system, whatever path a process sees it at.

    `device`: "major:minor" of the file system, as mountinfo has it; on btrfs it is not the `st_dev` of a file.
    `path`: from the root of that file system, without a slash at its end; empty for the root itself.
    """

    __slots__ = ()
    device: str
    path: str

    def below(self, *parts: str) -> "Location":
        """Return the location that the names `parts` lead to from this one."""
        return self._replace(path="/".join((self.path, *parts)))

    def holds(self, other: "Location") -> bool:
        """Tell whether another location is this one, or inside it."""
        return self.device == other.device and f"{other.path}/".startswith(f"{self.path}/")

    def upward(self) -> Iterator["Location"]:
        """Yield this location and each above it, up to the root of the file system."""
        path = self.path
        while path:
            yield Location(self.device, path)
            path = path.rpartition("/")[0]
        yield Location(self.device, "")


class Mount(namedtuple("Mount", "number device root point kind source options")):
    """A row of a mount table: the part `root` of the file system on `device` is seen at `point`.

    `root` and `point` have no slash at their end. `source` and `options` are what the file system says of itself.
    """

    __slots__ = ()
    number: int
    device: str
    root: str
    point: str
    kind: str
    source: str
    options: str

    def made_of(self) -> Iterator[str]:
        """Yield the paths that the file system was mounted from: a folder, the layers of an overlay."""
        yield self.source
        if self.kind == "overlay":
            for option in re.split(r"(?<!\\),", self.options):
                name, _, value = option.partition("=")
                if name.startswith(("lowerdir", "upperdir", "workdir", "datadir")):
                    yield from (re.sub(r"\\(.)", r"\1", path) for path in re.split(r"(?<!\\):", value))


def mount_table(process: str = "self") -> list[Mount]:
    """Return the mounts that a process sees, with points relative to its own root. Raises OSError.

    The table leaves out the mount that holds the root of a process in a plain `chroot`. For this process, a row is
    added for that mount, on the assumption that "/" is the root of the file system.
    """
    with open(_MOUNTS.format(process), "rb") as table:
        rows = [_mount(line) for line in table]
    if process == "self" and not any(row.point == "" for row in rows):
        found = os.stat("/")
        device = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
        rows.append(Mount(_mount_number("/"), device, "", "", "", "", ""))
    return rows


def _mount(line: bytes) -> Mount:
    words = line.rstrip(b"\n").split(b" ")  # other kinds of white space are not escaped
    rest = words.index(b"-", 6)
    number, _, device, root, point = words[:5]
    kind, source, options = (_unescape(word) for word in [*words[rest + 1 :], b""][:3])
    return Mount(
        int(number), device.decode(), _unescape(root).rstrip("/"), _unescape(point).rstrip("/"), kind, source, options
    )


def _unescape(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), field))


def _mount_number(path: str) -> int:
    fd = os.open(path, VISITING)
    try:
        return mount_of(fd)
    finally:
        os.close(fd)


def locate(folder: Directory, mounts: list[Mount]) -> Location:
    """Return where an open directory is, by this process's own mount table. Raises OSError if its mount is not there.

    That is so for a mount that was detached, or that belongs to another mount namespace.
    """
    number = mount_of(folder.fd)
    for mount in mounts:
        if mount.number == number:
            path = folder.real_path().rstrip("/")
            return Location(mount.device, mount.root + path.removeprefix(mount.point))
    raise OSError(errno.ESTALE, "on a mount that the mount table does not list")


class Mounts:
    """What is mounted on or inside open folders, at one moment; nothing if the kernel has no such table.

    A bind mount has the device number of its surroundings, so only this table shows it.
    """

    def __init__(self) -> None:
        try:
            points = [mount.point for mount in mount_table()]
        except FileNotFoundError:
            points = []
        self._points = [point for point in points if point]
        self._folders: dict[int, tuple[str, list[str]]] = {}

    def inside(self, folder: Directory, parts: tuple[str, ...] = ()) -> str | None:
        """Return the first mount point at or inside what `parts` lead to in the open `folder`, or None."""
        if not self._points:
            return None
        if folder.fd not in self._folders:
            top = folder.real_path()
            self._folders[folder.fd] = top, [point for point in self._points if f"{point}/".startswith(f"{top}/")]
        top, points = self._folders[folder.fd]
        if not points:  # the usual case
            return None
        path = "/".join((top, *parts)) + "/"
        return next((point for point in points if f"{point}/".startswith(path)), None)


def lock_holders() -> dict[Inode, set[int]]:
    """Return the processes that hold a `flock`, by device and inode of what they locked. Raises OSError.

    Locks of other PID namespaces (containers) are not in the table. The table is read page by page, and a lock
    that is held throughout can move from one page to another in between. So it is read twice, and a lock counts if
    either reading shows it.
    """
    holders: dict[Inode, set[int]] = {}
    for _ in range(2):
        for row in read_whole(_LOCKS).splitlines():
            # A row: number, kind, mode, access, pid, device and inode, start, end; "->" stands before a waiter's kind.
            words = row.split()
            if words[1] == "FLOCK":
                major, minor, inode = words[5].split(":")
                key = f"{int(major, 16)}:{int(minor, 16)}", int(inode)
                holders.setdefault(key, set()).add(int(words[4]))
    return holders


def work_of_holders(fd: int) -> frozenset[tuple[int, bytes]]:
    """Return the processes that hold a `flock` on an open file, each with the processor time that it has used so far.

    Two answers differ if the lock's holder has worked in between. Empty if the system does not tell.
    """
    found = os.fstat(fd)
    inode = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}", found.st_ino
    try:
        pids = lock_holders().get(inode, set())
    except OSError as error:
        raise_if_short(error)
        return frozenset()
    return frozenset((pid, _processor_time(pid)) for pid in pids)


def _processor_time(pid: int) -> bytes:
    """Return fields 14 and 15 of a process's `stat`. They are found after the command, which may contain anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return b" ".join(file.read(4096).rpartition(b")")[2].split()[11:13])
    except OSError as error:  # it has ended
        raise_if_short(error)
        return b""


def read_whole(path: str) -> str:
    """Read a table to its end: a read that returns less than was asked for need not be the last."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 2**16):
            parts.append(part)
        return b"".join(parts).decode("ascii")
    finally:
        os.close(fd)


def files_in_kernel_use() -> Iterator[tuple[str, str]]:
    """Yield the path of each file that the kernel itself uses, and what for. Raises the errors in SHORT.

    These are the images of loop devices, and swap files. Each path is the one that was seen when it was set up.
    """
    for device in _names_in(_BLOCK_DEVICES):
        if device.startswith("loop"):
            for line in _lines(f"{_BLOCK_DEVICES}/{device}/loop/backing_file"):
                yield os.fsdecode(line), f"image of /dev/{device}"
    for line in _lines(_SWAPS)[1:]:
        yield _unescape(line.split()[0]), "swap"


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise_if_short(error)
        return []


def _lines(path: str) -> list[bytes]:
    """Return the lines of a small table; none if there is no such table, or this user may not read it."""
    try:
        with open(path, "rb") as file:
            return file.read().split(b"\n")[:-1]
    except OSError as error:
        raise_if_short(error)
        return []


def raise_if_short(error: OSError) -> None:
    """Raise an error that says that this process cannot look; any other says that something is out of reach."""
    if error.errno in SHORT:
        raise error
