"""What a failed block or test left: moved whole into a category of a project, as an entry like any other.

Within a file system that is one rename; across two, the tree is copied and then removed. If neither can be done, it
stays in the system's temporary location, under a sealed name, so that a clean finds it there.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from ..fs.directory import Directory
from ..fs.modes import accessible, allow_owner
from ..fs.values import complaint, printable
from ..project.errors import TempError
from . import names
from .lent import LentDirectory, delete, discard, opener, refuse_mounts

Make = Callable[[], Path]  # makes an empty entry


class Kept(NamedTuple):
    """Where something is now, and what else to say: what was left out, or why it is not in the project."""

    path: Path
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What to tell a reader."""
        return f"kept: {printable(str(self.path))}", *self.notes


def keep(folder: Path, make: Make, elsewhere: Path | None = None) -> Kept:
    """Move the directory `folder` to the place of the entry that `make` makes, and return where it is now.

    No link is followed and no mount crossed. Links, modes, times, extended attributes, holes, sockets and FIFOs
    survive; what cannot be copied to another file system is named. If `folder` cannot be moved there, it stays as it
    is: where it is, or in the folder `elsewhere` on its own file system. Raises FileNotFoundError if nothing is there.
    """
    with Directory.at(folder.parent, follow=True) as parent:
        inode = parent.look(folder.name).st_ino
        try:
            return _move(parent, folder.name, make)
        except (OSError, TempError) as error:
            why = str(error) if isinstance(error, TempError) else complaint("", error)
            return Kept(_leave(parent, folder, inode, elsewhere), (f"not moved to the project: {why}",))


def _move(parent: Directory, name: str, make: Make) -> Kept:
    if not stat.S_ISDIR(parent.look(name).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    refuse_mounts(parent, name)
    entry = make()
    try:
        with Directory.at(entry.parent, follow=True) as category:
            return Kept(entry, _transfer(parent, name, category, entry.name))
    except BaseException:
        discard(entry)
        raise


def _transfer(parent: Directory, name: str, category: Directory, entry: str) -> tuple[str, ...]:
    """Put a directory in the place of an empty one; return what else there is to say."""
    with movable(parent, name):
        try:
            parent.rename(name, category, entry)
            return ()
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
    from ..fs.copying import copy_tree

    with category.enter(entry) as target:
        left_out = copy_tree(parent, name, target, opener())
    try:
        delete(parent, name)
    except OSError as error:
        return *left_out, f"what it was copied from was not removed: {complaint('', error)}"
    return tuple(left_out)


def _leave(parent: Directory, folder: Path, inode: int, elsewhere: Path | None) -> Path:
    if elsewhere is None or elsewhere == folder.parent:
        return folder
    new = names.seal(names.unseal(folder.name, inode) or "kept", inode)
    try:
        with Directory.at(elsewhere, follow=True) as other, movable(parent, folder.name):
            parent.rename(folder.name, other, new)
    except OSError:  # then it stays where it is
        return folder
    return elsewhere / new


@contextlib.contextmanager
def movable(parent: Directory, name: str) -> Iterator[None]:
    """Let the owner change the directory `name` for the block: otherwise it cannot be moved to another folder."""
    with accessible(parent, name) as directory:
        mode = allow_owner(directory)  # root may not need it
        try:
            yield
        finally:
            if mode is not None:
                os.fchmod(directory.fd, mode)


def ends_in_failure(error: BaseException) -> bool:
    """Tell whether a program that ends with this exception has failed: its exit code is not 0.

    A generator that is closed and a coroutine that is cancelled have not.
    """
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return isinstance(error, Exception | KeyboardInterrupt)


class KeptOnFailure(LentDirectory):
    """Lends a directory. If an exception ends the block as a failure, it is moved to the entry that `make` makes.

    A note on the exception says where it is.
    """

    def __init__(self, name: str, make: Make) -> None:
        super().__init__(name)
        self._make = make

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and ends_in_failure(error) and self.is_lent:
            self._keep(error)
        else:
            super().__exit__(kind, error, trace)

    def _keep(self, error: BaseException) -> None:
        try:
            kept = keep(self.folder, self._make)
        except OSError as gone:
            error.add_note(f"nothing was kept: {gone}")
        else:
            for line in kept.lines:
                error.add_note(line)
        self.let_go()
