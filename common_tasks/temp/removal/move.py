"""One entry on its way out of sight, and back where it has to stay."""

import contextlib
import errno
import os

from ...fs.directory import Directory, Place, enter_restricted
from ...fs.syscalls import rename_without_replacing  # now: later no descriptor may be free
from ..entry import Decision, Identity
from ..names import TRASH, UNDECIDED, seal
from .folders import Batch
from .verdict import CHANGED, AsPlanned, Stays

_MOST_NAMES = 1000  # that are tried for what has to go back, where its place was taken


class Move:
    """An entry that is to go: where it stands, and where its names are now.

    The steps are `go` and `verify`, then `decide` or `come_back`. In between it is out of sight, and whole.
    """

    __slots__ = ("_batch", "_mode", "_target", "decision", "entry", "folder", "name", "parent", "places", "stands")

    def __init__(self, decision: Decision, folder: Directory, parent: Directory) -> None:
        self.decision = decision
        self.entry = entry = decision.entry
        self.name = entry.parts[-1]  # by which it was planned for
        self.folder = folder  # the open base, or the root of an artifact's project
        self.parent = parent  # the open directory that it stands in
        # Where its names are now, its own first.
        self.places = {name: Place(folder, (*entry.parts[:-1], name)) for name in entry.names}
        # It is where it was planned for, in sight. That stays so where an overlay file system cannot rename it.
        self.stands = not entry.in_trash
        self._target = parent
        self._batch: Batch | None = None
        self._mode: int | None = None  # what the mode of its directory was, if that had to be changed

    @property
    def place(self) -> Place:
        """Where it is now."""
        return self.places[self.name]

    def go(self, batch: Batch | None, number: int) -> None:
        """Rename the entry, and what goes with it, out of sight.

        `batch`: where to, as the `number`-th; None for a sealed name beside it. Raises Stays and Gone where it is not
        as planned, OSError where it cannot be renamed; then it stands as before.
        """
        self._batch = batch
        try:
            self._rename_all(number)
        except BaseException:
            self.come_back("")
            raise

    def verify(self) -> None:
        """See that what was renamed is what was planned for, not what was swapped in. Raises Stays, and OSError."""
        found = Identity.of(self._target.look(self.place.name))
        planned = self.entry.identity
        # An overlay file system may give a file another inode when it is renamed, but not another time.
        copied = found.regular and planned.regular and found.mtime_ns == planned.mtime_ns
        if found.key != planned.key and not copied:
            raise Stays(self.come_back(CHANGED))

    def _rename_all(self, number: int) -> None:
        try:
            for offset, name in enumerate(self.entry.names):
                self._rename(name, f"{number}-{offset}" if offset else str(number))
        except PermissionError:
            # A directory that its owner may not write to cannot be moved to another one.
            if not self.entry.identity.directory or self._mode is not None:
                raise
            with AsPlanned():
                directory, self._mode = enter_restricted(self.parent, self.name)
            directory.close()
            self._rename(self.name, str(number))
        except OSError as error:
            if error.errno != errno.EXDEV or not self.entry.identity.directory:
                raise
            # An overlay file system cannot rename a directory of a lower layer: it is deleted where it stands.

    def _rename(self, name: str, number: str) -> None:
        target, parts = self._out_of_sight(number)
        try:
            self.parent.rename(name, target, parts[-1])
        except FileNotFoundError:
            if name != self.name:  # what goes with it is gone already
                return
            with AsPlanned():
                self.parent.look(name)
            raise
        self._target, self.stands = target, False
        self.places[name] = Place(self.folder, parts)

    def _out_of_sight(self, number: str) -> tuple[Directory, tuple[str, ...]]:
        """Return where a name is to go: the open directory, and the names that lead there from the folder."""
        if self._batch:
            return self._batch.directory, (*self._batch.parts, number)
        if self.entry.base:  # its disk is full
            return self.folder, (seal(UNDECIDED, self.entry.identity.inode),)
        return self.parent, (*self.entry.parts[:-1], seal(TRASH, self.entry.identity.inode))

    def decide(self) -> None:
        """Give what is alone out of sight the name by which the next clean finishes it. Raises OSError."""
        if self.stands or self.entry.in_trash or self._batch or not self.entry.base:
            return
        for name, place in self.places.items():
            new = seal(TRASH, self.entry.identity.inode)
            self._target.rename(place.name, self._target, new)
            self.places[name] = Place(self.folder, (new,))

    def decided(self) -> None:
        """Take note that the batch has another name by now."""
        if self._batch and not self.stands:
            self.places = {
                name: Place(self.folder, (*self._batch.parts, place.name)) for name, place in self.places.items()
            }

    def come_back(self, why: str) -> str:
        """Put the entry back where it was, without replacing anything; return why it stays, and where if not there."""
        restored = self.name
        for name, place in list(self.places.items()):
            if place.parts != (*self.entry.parts[:-1], name):
                stands = self._return(place.name, name)
                self.places[name] = Place(self.folder, (*self.entry.parts[:-1], name))
                restored = stands if name == self.name else restored
        self.stands = not self.entry.in_trash
        self._restore_mode(restored)
        return why if restored == self.name else f"{why}; its place was taken, so it is now called {restored}"

    def _return(self, name: str, wanted: str) -> str:
        try:
            return self._rename_back(self.parent, name, wanted)
        except FileNotFoundError:  # another clean has tidied away the category that this left empty
            with self._made_again() as parent:
                return self._rename_back(parent, name, wanted)

    def _made_again(self) -> Directory:
        reached = self.folder.descend(())
        for name in self.entry.parts[:-1]:
            with reached:
                with contextlib.suppress(FileExistsError):
                    reached.make(name)
                reached = reached.enter(name)
        return reached

    def _rename_back(self, parent: Directory, name: str, wanted: str) -> str:
        free = wanted
        for number in range(2, _MOST_NAMES):
            try:
                rename_without_replacing(self._target, name, parent, free)
            except FileExistsError:
                free = f"{wanted}-{number}"
            else:
                return free
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), wanted)

    def _restore_mode(self, name: str) -> None:
        if self._mode is None:
            return
        with contextlib.suppress(OSError), self.parent.enter(name) as directory:
            os.fchmod(directory.fd, self._mode)
        self._mode = None
