"""What the kernel's tables tell: what is mounted where, and who holds which lock (Linux: proc(5))."""

import errno
import os
import re
import sys
from collections import namedtuple  # see `temp.layout`

from .directory import VISITING, Directory
from .values import Key

_LOCKS = "/proc/locks"
_MOUNTS = "/proc/self/mountinfo"
_MOUNT_OF = "/proc/self/fdinfo/{}"


def lock_holders() -> dict[Key, set[int]]:
    """Return the processes that hold a `flock`, by device and inode of what they locked. Raises OSError.

    Locks of other PID namespaces (containers) are not in the table. The table is read page by page, and a
    lock that is held throughout can slip from one page to another in between: so it is read twice, and what
    either reading shows counts.
    """
    holders: dict[Key, set[int]] = {}
    for _ in range(2):
        for row in _read_whole(_LOCKS).splitlines():
            # A row: number, kind, mode, access, pid, device and inode, start, end; "->" stands before a waiter's kind.
            words = row.split()
            if words[1] == "FLOCK":
                major, minor, inode = words[5].split(":")
                key = os.makedev(int(major, 16), int(minor, 16)), int(inode)
                holders.setdefault(key, set()).add(int(words[4]))
    return holders


def _read_whole(path: str) -> str:
    """Read a table to its end: a page with room left may be followed by another."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(fd, 2**16):
            parts.append(part)
        return b"".join(parts).decode("ascii")
    finally:
        os.close(fd)


class Mounts:
    """What is mounted where, at one moment and for open folders; nothing where the kernel has no such table.

    A bind mount has the device number of its surroundings: only this table tells it.
    """

    def __init__(self) -> None:
        self._mounts = _mount_points()
        self._points = [mount.point for mount in self._mounts if mount.point != "/"]
        self._parts = [mount for mount in self._mounts if mount.root != "/"]
        self._folders: dict[int, tuple[str, list[str]]] = {}

    def inside(self, folder: Directory, parts: tuple[str, ...] = ()) -> str | None:
        """Return what is mounted on, or first inside, what stands at `parts` in the open `folder`."""
        if not self._points:
            return None
        if folder.fd not in self._folders:
            top = folder.real_path()
            self._folders[folder.fd] = top, [point for point in self._points if f"{point}/".startswith(f"{top}/")]
        top, points = self._folders[folder.fd]
        if not points:  # most often there are none, and then that is all there is to do
            return None
        path = "/".join((top, *parts)) + "/"
        return next((point for point in points if f"{point}/".startswith(path)), None)

    def elsewhere(self, folder: Directory, parts: tuple[str, ...]) -> str | None:
        """Return where else what stands at `parts` in the open `folder`, or something in it, is mounted."""
        if not self._parts:
            return None
        on = _mount_of(folder.fd)
        own = next((mount for mount in self._mounts if mount.number == on), None)
        if own is None:
            return None
        below = folder.real_path().removeprefix(own.point.rstrip("/"))
        path = own.root.rstrip("/") + "/".join((below, *parts)) + "/"
        bound = (mount for mount in self._parts if mount.device == own.device)
        return next((mount.point for mount in bound if f"{mount.root}/".startswith(path)), None)


class _Mount(namedtuple("_Mount", "number device root point")):
    """A row of the table: what part `root` of the file system on `device` is mounted at `point`."""

    __slots__ = ()
    number: int
    device: bytes
    root: str
    point: str


def _mount_points() -> list[_Mount]:
    try:
        with open(_MOUNTS, "rb") as table:
            rows = [line.split(b" ")[:5] for line in table]  # other kinds of white space are not escaped
    except FileNotFoundError:
        return []
    return [_Mount(int(number), device, _path(root), _path(point)) for number, _, device, root, point in rows]


def _path(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), field))


def mount_point(name: str) -> OSError:
    """Return the error for a directory that another mount begins at."""
    return OSError(errno.EXDEV, "another file system is mounted here", name)


def can_compare_mounts() -> bool:
    """Tell whether the system says which mount an open file is on, or has no bind mounts to tell apart."""
    return not sys.platform.startswith("linux") or os.path.exists(_MOUNT_OF.format(0).rpartition("/")[0])


def open_and_compare_mounts(parent: int, name: str) -> int:
    """Open the directory `name` in the open `parent`, unless something is mounted on it.

    Raises OSError: EXDEV where another mount begins, bind mounts included, and where that cannot be told.
    """
    fd = os.open(name, VISITING, dir_fd=parent)
    try:
        same = _mount_of(fd) == _mount_of(parent)
    except OSError:
        os.close(fd)
        raise
    if same:
        return fd
    os.close(fd)
    raise mount_point(name)


def _mount_of(fd: int) -> int:
    if not sys.platform.startswith("linux"):
        return os.fstat(fd).st_dev
    try:
        with open(_MOUNT_OF.format(fd), "rb") as rows:
            return next(int(row.split()[1]) for row in rows if row.startswith(b"mnt_id:"))
    except (OSError, StopIteration):
        raise OSError(errno.EXDEV, "cannot tell what is mounted here: neither openat2 nor /proc") from None
