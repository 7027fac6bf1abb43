"""One entry on its way out of sight, and back where it has to stay."""

import contextlib
import errno
import os

from ...fs.directory import Directory
from ...fs.modes import enter_restricted
from ...fs.places import Place
from ...fs.syscalls import rename_without_replacing  # now: later no descriptor may be free
from ..aside import seal_alone
from ..entry import Decision, Identity
from ..names import TRASH, seal
from .folders import Batch
from .home import made_again
from .verdict import AS_PLANNED, CHANGED, Stays

_MOST_NAMES = 1000  # that are tried for what has to go back, where its place was taken


class Move:
    """An entry that is to go: where it stands, and where its names are now.

    The steps are `go` and `verify`, then `decide` or `come_back`. In between it is out of sight, and whole.
    """

    __slots__ = ("_batch", "_mode", "_moved", "_place", "_target", "decision", "entry", "folder", "parent")

    def __init__(self, decision: Decision, folder: Directory, parent: Directory) -> None:
        self.decision = decision
        self.entry = decision.entry
        self.folder = folder  # the open base, or the root of an artifact's project
        self.parent = parent  # the open directory that it stands in
        # Its names that are out of sight, its own first, and what each is called there.
        self._moved: tuple[tuple[str, str], ...] = ()
        self._target = parent  # the open directory that these are in, or below
        self._batch: Batch | None = None
        self._place: tuple[str, ...] = ()  # where in the batch
        self._mode: int | None = None  # what the mode of its directory was, if that had to be changed

    @property
    def name(self) -> str:
        """The name by which it was planned for."""
        return self.entry.parts[-1]

    @property
    def stands(self) -> bool:
        """Whether it is in sight, where it was planned for: an overlay file system may not be able to rename it."""
        return not self._moved and not self.entry.in_trash

    @property
    def above(self) -> tuple[str, ...]:
        """The names that lead from the folder to what its own name is in now."""
        if self._moved and self._batch:
            return (*self._batch.parts, *self._place)
        return () if self._moved and self.entry.base else self.entry.parts[:-1]

    @property
    def path(self) -> tuple[str, ...]:
        """Where its own name is now."""
        return (*self.above, self._moved[0][1]) if self._moved else self.entry.parts

    def paths(self) -> list[tuple[str, ...]]:
        """Return where its names are now, its own first."""
        if not self.entry.companions:
            return [self.path]
        moved, above, around = dict(self._moved), self.above, self.entry.parts[:-1]
        return [(*above, moved[name]) if name in moved else (*around, name) for name in self.entry.names]

    def places(self) -> list[Place]:
        """Return where its names are now, its own first."""
        return [Place(self.folder, parts) for parts in self.paths()]

    def go(self, batch: Batch | None, number: int) -> None:
        """Rename the entry, and what goes with it, out of sight.

        `batch`: where to, as the `number`-th; None for a sealed name beside it. Raises Stays and Gone where it is not
        as planned, OSError where it cannot be renamed; then it stands as before.
        """
        place = batch.find_place(self.entry) if batch else None
        if place is not None:
            self._batch, self._place = batch, place
        try:
            self._rename_all(number)
        except BaseException:
            self.come_back("")
            raise

    def verify(self) -> None:
        """See that what was renamed is what was planned for, not what was swapped in. Raises Stays, and OSError."""
        found = Identity.of(self._target.look(self._path(self._moved[0][1])))
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
            with AS_PLANNED:
                directory, self._mode = enter_restricted(self.parent, self.name)
            directory.close()
            self._rename(self.name, str(number))
        except OSError as error:
            if error.errno != errno.EXDEV or not self.entry.identity.directory:
                raise
            # An overlay file system cannot rename a directory of a lower layer: it is deleted where it stands.

    def _rename(self, name: str, number: str) -> None:
        target, new = self._out_of_sight(name, number)
        try:
            self.parent.rename(name, target, self._path(new))
        except FileNotFoundError:
            if name != self.name:  # what goes with it is gone already
                return
            with AS_PLANNED:
                self.parent.look(name)
            raise
        self._target = target
        self._moved += ((name, new),)

    def _path(self, name: str) -> str:
        """Return the path of one of its new names from the open directory that they are in, or below."""
        return "/".join((*self._place, name)) if self._place else name

    def _home(self, name: str) -> str:
        """Return what one of its names is called where it belongs."""
        return self.entry.belongs[-1] if name == self.name else name

    def _out_of_sight(self, name: str, number: str) -> tuple[Directory, str]:
        """Return where a name is to go: the open directory, and the name there."""
        if self._batch:
            return self._batch.directory, self._home(name) if self._place else number
        if self.entry.base:  # its disk is full
            home = (*self.entry.belongs[:-1], self._home(name))
            return self.folder, seal_alone(home, self.parent.look(name).st_ino)
        return self.parent, seal(TRASH, self.entry.identity.inode)

    @property
    def is_alone(self) -> bool:
        """Whether it is in no batch, but has a name out of sight of its own."""
        return self._batch is None and self.entry.base is not None

    def decide(self) -> None:
        """Give what is alone out of sight the name by which the next clean finishes it. Raises OSError."""
        for number, (name, now) in enumerate(self._moved):
            new = seal(TRASH, self.entry.identity.inode)
            self._target.rename(now, self._target, new)
            self._moved = (*self._moved[:number], (name, new), *self._moved[number + 1 :])

    def come_back(self, why: str) -> str:
        """Put the entry back where it was, without replacing anything; return why it stays, and where if not there."""
        wanted = restored = self._home(self.name)
        while self._moved:
            (name, now), *others = self._moved
            stands = self._return(now, self._home(name))
            self._moved = tuple(others)
            restored = stands if name == self.name else restored
        self._restore_mode(restored)
        return why if restored == wanted else f"{why}; its place was taken, so it is now called {restored}"

    def _return(self, name: str, wanted: str) -> str:
        if not self.entry.home:
            # Another clean may have tidied away the category that this left empty.
            with contextlib.suppress(FileNotFoundError):
                return self._rename_back(self.parent, name, wanted)
        with made_again(self.folder, self.entry.belongs[:-1]) as parent:
            return self._rename_back(parent, name, wanted)

    def _rename_back(self, parent: Directory, name: str, wanted: str) -> str:
        free = wanted
        for number in range(2, _MOST_NAMES):
            try:
                rename_without_replacing(self._target, self._path(name), parent, free)
            except FileExistsError:
                free = f"{wanted}-{number}"
            else:
                return free
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), wanted)

    def _restore_mode(self, name: str) -> None:
        if self._mode is None:
            return
        with contextlib.suppress(OSError):
            home = made_again(self.folder, self.entry.home[:-1]) if self.entry.home else self.parent.descend(())
            with home, home.enter(name) as directory:
                os.fchmod(directory.fd, self._mode)
        self._mode = None
