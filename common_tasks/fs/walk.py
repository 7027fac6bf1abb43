"""Walking a tree down and up by descriptor: the one loop that measuring, deleting and searching share.

No path is ever looked up twice: each step opens one name in an open directory, without following links, and
stays on the file system that it started on. Only the nearest levels stay open, so depth is limited by memory
and not by descriptors; a level that was closed is opened again by `..`, and accepted only if it is the same
directory.
"""

import errno
import os

from .directory import VISITING, Directory, Opener, mount_point

_MOST_OPEN = 24


def open_directory(parent: int, name: str) -> int:
    """Open the directory `name` in the open `parent`. Raises OSError, ELOOP or ENOTDIR for a link."""
    return os.open(name, VISITING, dir_fd=parent)


_Level = tuple[str, Directory, int]  # a level's name, the directory itself, its inode


class Position:
    """Where a walk is now: `directory` is open, and there is a way back up.

    Use it in a `with` block, which closes what it opened; the top stays the caller's.
    """

    __slots__ = ("_above", "_closed", "_device", "_inode", "_name", "_open", "directory")

    def __init__(self, top: Directory, opener: Opener = open_directory) -> None:
        found = top.status()
        self.directory = top
        self._open = opener
        self._device = found.st_dev
        self._inode = found.st_ino
        self._above: list[_Level] = []
        self._name = ""
        self._closed = 0  # how many levels below the top are closed; the top itself never is

    def __enter__(self) -> "Position":
        return self

    def __exit__(self, *_: object) -> None:
        self.go_to_top()

    def go_to_top(self) -> None:
        """Go back to where it began."""
        if not self._above:
            return
        self.directory.close()
        for level in self._above[1:]:
            level[1].close()
        self._name, self.directory, self._inode = self._above[0]
        self._above.clear()
        self._closed = 0

    @property
    def depth(self) -> int:
        """How many levels below the top."""
        return len(self._above)

    @property
    def where(self) -> str:
        """The path from the top."""
        names = [name for name, _, _ in self._above] + [self._name]
        return "/".join(names[1:])

    def enter(self, name: str) -> os.stat_result:
        """Go down to the directory `name`, and return what it is.

        Raises MountPoint if that is another file system, NotADirectoryError (or ELOOP) if it is a link or not a
        directory, another OSError if it cannot be opened; the position then stays where it was.
        """
        fd = self._open(self.directory.fd, name)
        found = os.fstat(fd)
        if found.st_dev != self._device:
            os.close(fd)
            raise mount_point(name)
        above = self._above
        above.append((self._name, self.directory, self._inode))
        self.directory, self._name, self._inode = Directory(fd), name, found.st_ino
        if len(above) - self._closed > _MOST_OPEN:
            # The top is the caller's, and stays open.
            if self._closed:
                above[self._closed][1].close()
            self._closed += 1
        return found

    def leave(self) -> str:
        """Go up again, and return the name of what was left.

        Raises OSError (ESTALE) if the directory above is no longer the one that the walk came from.
        """
        name, directory, inode = self._above[-1]
        if directory.fd < 0:
            directory = self._reopen(inode)
        self.directory.close()
        self._above.pop()
        if self._closed > len(self._above):
            self._closed -= 1
        left = self._name
        self.directory, self._name, self._inode = directory, name, inode
        return left

    def _reopen(self, inode: int) -> Directory:
        above = self.directory.enter("..")
        if above.key() == (self._device, inode):
            return above
        above.close()
        raise OSError(errno.ESTALE, "moved while it was being walked")


class Visitor:
    """What a walk does in each directory. A subclass says how; the walk says where."""

    def enter(self, position: Position, name: str) -> list[str] | None:
        """Go down to `name` and deal with its files; return the directories to visit in it.

        None if it was not entered. The walk empties the list. Every OSError is dealt with here.
        """
        raise NotImplementedError

    def left(self, position: Position, name: str) -> bool:
        """Deal with a directory after everything in it has been visited; False to visit it once more."""
        del position, name
        return True


def walk(parent: Directory, name: str, visitor: Visitor, opener: Opener = open_directory) -> None:
    """Visit the directory `name` in the open `parent`, and all below it, depth first.

    Raises OSError if the way back up is lost.
    """
    with Position(parent, opener) as position:
        walk_below(position, [name], visitor)


def walk_below(position: Position, names: list[str], visitor: Visitor) -> None:
    """Visit the directories `names` in the directory that a walk is in, emptying the list; see `walk`."""
    pending = [names]
    while True:
        level = pending[-1]
        if level:
            below = visitor.enter(position, level.pop())
            if below is not None:
                pending.append(below)
            continue
        pending.pop()
        if not pending:
            return
        done = position.leave()
        if not visitor.left(position, done):
            pending[-1].append(done)
