"""Deletes trees, files on the way down and directories on the way up.

By descriptor throughout (see `descent`): no link is followed and no mount point crossed, whoever swaps
what meanwhile. Several processes may delete the same tree: what is gone already is no fault.
"""

import contextlib
import errno
import stat

from . import crew
from ._os import os
from .base import DIRECTORY, NOFOLLOW
from .descent import Descent, directories
from .usage import ENOUGH_BRANCHES, Tick, Top, complaint, open_parent

_TRIES = 8
_DEEP = 8  # levels: below that, a branch is not divided
_SWAPPED = {errno.ENOTDIR, errno.ELOOP}


def delete_tree(parent: int, name: str, tick: Tick) -> str | None:
    """Delete `name` in the open `parent`; return what stood in the way first, or None.

    The rest is deleted all the same. `tick` is called with the numbers of files deleted.
    """
    sweep = _Sweep(parent, name, tick)
    for _ in range(_TRIES):
        try:
            sweep.run()
        except OSError as error:  # the way up was lost: begin again from the top
            lost = complaint("", error)
            continue
        return sweep.fault
    return sweep.fault or lost


class _Sweep:
    """One pass over a tree, files on the way down and directories on the way up."""

    def __init__(self, parent: int, name: str, tick: Tick) -> None:
        self.fault: str | None = None
        self._parent = parent
        self._name = name
        self._tick = tick
        self._again = _TRIES

    def run(self) -> None:
        """Delete all that can be deleted. Raises OSError where the way back up is lost."""
        with Descent(self._parent) as descent:
            pending = [[self._name]]
            while pending:
                if pending[-1]:
                    if self._enter(descent, pending[-1].pop()):
                        pending.append(self._unlink_files(descent))
                    continue
                pending.pop()
                if pending:
                    left = descent.leave()
                    if not self._rmdir(descent, left):
                        pending[-1].append(left)

    def _enter(self, descent: Descent, name: str) -> bool:
        """Go down; what turns out to be no directory is unlinked."""
        try:
            try:
                found = descent.enter(name)
            except PermissionError:
                _allow_owner_unopened(descent.fd, name)
                found = descent.enter(name)
            if found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
                allow_owner(descent.fd)
            return True
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno in _SWAPPED:
                self._unlink(descent, name)
            else:
                self._note(descent, error)
            return False

    def _unlink_files(self, descent: Descent) -> list[str]:
        """Delete the files of the directory that the descent is in, and return its directories."""
        directories: list[str] = []
        gone = 0
        try:
            with os.scandir(descent.fd) as rows:
                for row in rows:
                    if row.is_dir(follow_symlinks=False):
                        directories.append(row.name)
                    else:
                        gone += self._unlink(descent, row.name)
        except OSError as error:
            self._note(descent, error)
        self._tick(gone)
        return directories

    def _rmdir(self, descent: Descent, name: str) -> bool:
        """Remove an emptied directory; False where it has filled again and is worth another pass."""
        try:
            os.rmdir(name, dir_fd=descent.fd)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and not self.fault and self._again:
                self._again -= 1
                return False
            if error.errno in _SWAPPED:
                self._unlink(descent, name)
            else:
                self._note(descent, error)
        return True

    def _unlink(self, descent: Descent, name: str) -> bool:
        """Remove what is no directory; tell whether that was done."""
        try:
            os.unlink(name, dir_fd=descent.fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._note(descent, error)
            return False
        return True

    def _note(self, descent: Descent, error: OSError) -> None:
        if self.fault is None:
            # The first name is the trash's, and means nothing to a reader.
            self.fault = complaint(descent.where.partition("/")[2], error)


def delete_together(tops: list[Top], tick: Tick, helpers: int) -> None:
    """Delete most of some trees with forked helpers, where they may be forked; faults are left alone.

    `tick` is called with the numbers of files that this process deletes.
    """
    if not crew.can_fork():
        return
    branches = _split(tops)
    pieces = min(len(branches), crew.MOST_PIECES)

    def work(piece: int) -> None:
        for branch in branches[piece::pieces]:
            with contextlib.suppress(OSError):
                parent = open_parent(branch)
                try:
                    delete_tree(parent, branch.parts[-1], tick)
                finally:
                    os.close(parent)

    crew.divide(pieces, work, min(helpers, pieces - 1))


def _split(tops: list[Top]) -> list[Top]:
    """Divide trees into enough branches to be shared out evenly; files on the way stay where they are."""
    branches, level = tops, 0
    while len(branches) < ENOUGH_BRANCHES and level < _DEEP:
        below = [branch._replace(parts=(*branch.parts, name)) for branch in branches for name in _directories(branch)]
        if not below:
            break
        branches, level = below, level + 1
    return branches


def _directories(branch: Top) -> list[str]:
    with contextlib.suppress(OSError):
        parent = open_parent(Top(branch.folder, (*branch.parts, "")))
        try:
            return directories(parent)
        finally:
            os.close(parent)
    return []


def open_directory(parent: int, name: str) -> int:
    """Open the directory `name` in the open `parent`, let in by its owner's right where need be."""
    try:
        return os.open(name, DIRECTORY | NOFOLLOW, dir_fd=parent)
    except PermissionError:
        _allow_owner_unopened(parent, name)
        return os.open(name, DIRECTORY | NOFOLLOW, dir_fd=parent)


def allow_owner(fd: int) -> None:
    """Let the owner empty and move an open directory; who is not the owner may not need it."""
    mode = os.fstat(fd).st_mode
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        with contextlib.suppress(PermissionError):
            os.fchmod(fd, stat.S_IMODE(mode) | stat.S_IRWXU)


def _allow_owner_unopened(parent: int, name: str) -> None:
    """Do the same for a directory that cannot be opened to read: by a descriptor that only names it."""
    if not hasattr(os, "O_PATH"):
        os.chmod(name, stat.S_IRWXU, dir_fd=parent, follow_symlinks=False)
        return
    fd = os.open(name, os.O_PATH | DIRECTORY | NOFOLLOW, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", stat.S_IRWXU)
    finally:
        os.close(fd)
