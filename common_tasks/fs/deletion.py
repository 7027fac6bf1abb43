"""Deleting trees: files on the way down and directories on the way up.

By descriptor throughout: no link is followed and no mount point crossed, even if somebody swaps something meanwhile.
Several processes may delete the same tree: it is not a fault if something is already gone.
"""

import errno
import os

from .directory import SWAPPED, Directory, Opener
from .modes import allow_owner, enter_restricted, is_restricted
from .values import Progress, complaint
from .walk import Position, Visitor, walk_below

_TRIES = 8


def delete_tree(parent: Directory, name: str, progress: Progress, opener: Opener) -> str | None:
    """Delete `name` in the open `parent`; return the first thing that stood in the way, or None.

    The rest is deleted anyway. `progress` is called with the number of files deleted since the last call.
    `opener` opens a directory, and refuses one that something is mounted on: `syscalls.open_on_same_mount`, which runs
    faster, or `directory.open_on_same_mount`, which loads faster.
    """
    with Position(parent, opener) as position:
        return delete_from(position, name, progress)


def delete_from(top: Position, name: str, progress: Progress) -> str | None:
    """Delete `name` as `delete_tree` does, in the directory that the position `top` is in."""
    deleting = _Deleting(progress)
    for _ in range(_TRIES):
        try:
            walk_below(top, [name], deleting)
        except OSError as error:  # the way up was lost: begin again from the top
            lost = complaint("", error)
            top.go_to_top()
            continue
        return deleting.fault
    return deleting.fault or lost


class _Deleting(Visitor):
    """Deletes what it visits."""

    def __init__(self, progress: Progress) -> None:
        self.fault: str | None = None
        self._progress = progress
        self._again = _TRIES

    def enter(self, position: Position, name: str) -> list[str] | None:
        try:
            self._go_down(position, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in SWAPPED:
                self._unlink(position, name)
            else:
                self._note(position, error)
            return None
        return self._unlink_files(position)

    @staticmethod
    def _go_down(position: Position, name: str) -> None:
        try:
            found = position.enter(name)
        except PermissionError:
            enter_restricted(position.directory, name)[0].close()
            found = position.enter(name)
        if is_restricted(found.st_mode):
            allow_owner(position.directory)

    def _unlink_files(self, position: Position) -> list[str]:
        """Delete the files of the directory that the walk is in, and return its directories."""
        below: list[str] = []
        gone = 0
        try:
            with os.scandir(position.directory.fd) as rows:
                for row in rows:
                    if row.is_dir(follow_symlinks=False):
                        below.append(row.name)
                    else:
                        gone += self._unlink(position, row.name)
        except OSError as error:
            self._note(position, error)
        self._progress(gone)
        return below

    def left(self, position: Position, name: str) -> bool:
        """Remove an emptied directory; False if something is in it again and it is worth another pass."""
        try:
            position.directory.remove(name)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and not self.fault and self._again:
                self._again -= 1
                return False
            if error.errno in SWAPPED:
                self._unlink(position, name)
            else:
                self._note(position, error)
        return True

    def _unlink(self, position: Position, name: str) -> bool:
        """Remove something that is not a directory; tell whether that was done."""
        try:
            os.unlink(name, dir_fd=position.directory.fd)
        except FileNotFoundError:
            return False
        except OSError as error:
            self._note(position, error)
            return False
        return True

    def _note(self, position: Position, error: OSError) -> None:
        if self.fault is None:
            # The first name is the one in the trash, which means nothing to a reader.
            self.fault = complaint(position.where.partition("/")[2], error)
