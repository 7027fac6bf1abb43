"""Walking down and up a tree by descriptor.

No path is ever looked up twice: each step opens one name in an open directory, without following
links (`openat` with `O_NOFOLLOW`), and stays on the file system it started on. Only the nearest
levels stay open, so depth is bounded by memory, not by descriptors; a level that was closed is found
again by its `..`, and believed only if it is the same directory.
"""

import errno
import re
from typing import NamedTuple

from ._os import os
from .base import DIRECTORY, NOFOLLOW

_MOST_OPEN = 24
_MOUNTS = "/proc/self/mountinfo"


class MountPoint(OSError):
    """Another file system begins here: not ours to enter."""


class _Level(NamedTuple):
    name: str
    fd: int
    inode: int


class Descent:
    """A way down from an open directory: `fd` is where it has got to.

    Use it in a `with` block, which closes what it opened; the top stays the caller's.
    """

    def __init__(self, top: int) -> None:
        found = os.fstat(top)
        self.fd = top
        self._device = found.st_dev
        self._inode = found.st_ino
        self._above: list[_Level] = []
        self._name = ""
        self._closed = 0  # so many levels from the top are closed

    def __enter__(self) -> "Descent":
        return self

    def __exit__(self, *_: object) -> None:
        if self._above:
            os.close(self.fd)
        for level in self._above[max(1, self._closed) :]:
            os.close(level.fd)

    @property
    def depth(self) -> int:
        """How many levels below the top."""
        return len(self._above)

    @property
    def where(self) -> str:
        """The path from the top, for messages only."""
        names = [level.name for level in self._above] + [self._name]
        return "/".join(names[1:])

    def enter(self, name: str) -> os.stat_result:
        """Go down to the directory `name`, and return what it is.

        Raises MountPoint where that is another file system, NotADirectoryError (or ELOOP) where it
        is a link or no directory, another OSError where it cannot be opened; then nothing moved.
        """
        fd = os.open(name, DIRECTORY | NOFOLLOW, dir_fd=self.fd)
        found = os.fstat(fd)
        if found.st_dev != self._device:
            os.close(fd)
            raise MountPoint(errno.EXDEV, "another file system is mounted here", name)
        self._above.append(_Level(self._name, self.fd, self._inode))
        self.fd, self._name, self._inode = fd, name, found.st_ino
        if len(self._above) - self._closed > _MOST_OPEN:
            # The top is the caller's, and stays open.
            if self._closed:
                os.close(self._above[self._closed].fd)
            self._closed += 1
        return found

    def leave(self) -> str:
        """Go up again, and return the name of what was left.

        Raises OSError (ESTALE) where the directory above is not the one that was entered from.
        """
        level = self._above[-1]
        still_open = len(self._above) > self._closed or len(self._above) == 1
        fd = level.fd if still_open else self._reopen(level)
        os.close(self.fd)
        self._above.pop()
        self._closed = min(self._closed, len(self._above))
        name = self._name
        self.fd, self._name, self._inode = fd, level.name, level.inode
        return name

    def _reopen(self, level: _Level) -> int:
        fd = os.open("..", DIRECTORY | NOFOLLOW, dir_fd=self.fd)
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) == (self._device, level.inode):
            return fd
        os.close(fd)
        raise OSError(errno.ESTALE, "moved while it was being walked")


def directories(fd: int) -> list[str]:
    """Return the names of the directories in an open one."""
    with os.scandir(fd) as rows:
        return [row.name for row in rows if row.is_dir(follow_symlinks=False)]


def real_path(fd: int) -> str:
    """Return where an open directory stands, as the kernel's tables name it (Linux)."""
    return os.readlink(f"/proc/self/fd/{fd}")


class Mounts:
    """What is mounted where, at one moment and for open folders; nothing where the kernel has no such table.

    A bind mount has the device number of its surroundings: only this table tells it.
    """

    def __init__(self) -> None:
        self._points = [point for point in _mount_points() if point != "/"]
        self._folders: dict[int, tuple[str, list[str]]] = {}

    def inside(self, folder: int, parts: tuple[str, ...] = ()) -> str | None:
        """Return what is mounted on, or first inside, what stands at `parts` in the open `folder`."""
        if not self._points:
            return None
        if folder not in self._folders:
            top = real_path(folder)
            self._folders[folder] = top, [point for point in self._points if f"{point}/".startswith(f"{top}/")]
        top, points = self._folders[folder]
        if not points:  # most often there are none, and then that is all there is to do
            return None
        path = "/".join((top, *parts)) + "/"
        return next((point for point in points if f"{point}/".startswith(path)), None)


def _mount_points() -> list[str]:
    try:
        with open(_MOUNTS, "rb") as table:
            paths = [line.split()[4] for line in table]
    except OSError:
        return []
    return [os.fsdecode(re.sub(rb"\\(\d{3})", lambda octal: bytes([int(octal[1], 8)]), path)) for path in paths]
