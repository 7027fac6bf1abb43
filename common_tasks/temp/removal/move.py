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
from ..names import LEGACY, TRASH, seal
from .folders import Batch, Spot
from .home import made_again
from .verdict import AS_PLANNED, CHANGED, Stays

_MOST_NAMES = 1000  # that are tried for what has to go back, where its place was taken


class Move:
    """An entry that is to go: where it stands, and where its names are now.

    The steps are `go`, or `prepare`, `send` and `verify` for what is shared out; then `decide` or `come_back`. In
    between it is out of sight, and whole.
    """

    __slots__ = ("_companions", "_mode", "_now", "_spot", "decision", "entry", "folder", "parent", "verified")

    def __init__(self, decision: Decision, folder: Directory, parent: Directory) -> None:
        self.decision = decision
        self.entry = decision.entry
        self.folder = folder  # the open base, or the root of an artifact's project
        self.parent = parent  # the open directory that it stands in
        self.verified = False  # that what is out of sight is what was planned for
        self._spot: Spot | None = None  # where in a batch it is; None for what is out of sight on its own
        self._now: str | None = None  # what its own name is out of sight
        self._companions: dict[str, str] = {}  # those that are out of sight, and what each is called there
        self._mode: int | None = None  # what the mode of its directory was, if that had to be changed

    @property
    def name(self) -> str:
        """The name by which it was planned for."""
        return self.entry.parts[-1]

    @property
    def stands(self) -> bool:
        """Whether it is in sight, where it was planned for: an overlay file system may not be able to rename it."""
        return self._now is None and not self.entry.in_trash

    @property
    def above(self) -> tuple[str, ...]:
        """The names that lead from the folder to what its own name is in now."""
        if self._now is None:
            return self.entry.parts[:-1]
        if self._spot:
            return self._spot.parts
        return () if self.entry.base else self.entry.parts[:-1]

    @property
    def now(self) -> str:
        """What its own name is now."""
        return self.entry.parts[-1] if self._now is None else self._now

    @property
    def place(self) -> Place:
        """Where its own name is now."""
        return Place(self.folder, (*self.above, self.now))

    def places(self) -> list[Place]:
        """Return where its names are now, its own first."""
        own = self.place
        if not self.entry.companions:
            return [own]
        moved, standing = self._companions, Place(self.folder, self.entry.parts)
        companions = self.entry.companions
        return [own, *(own.beside(moved[name]) if name in moved else standing.beside(name) for name in companions)]

    def go(self, batch: Batch | None, number: int) -> None:
        """Rename the entry, and what goes with it, out of sight.

        `batch`: where to, as the `number`-th; None for a sealed name beside it. Raises Stays and Gone where it is not
        as planned, OSError where it cannot be renamed; then it stands as before.
        """
        self._spot = batch.find_spot(self.entry) if batch else None
        try:
            self._rename_all(number)
            if not self.stands:
                self.verify()
        except BaseException:
            self.come_back("")
            raise

    def prepare(self, batch: Batch) -> bool:
        """Choose its place in a batch, if one rename is all that it takes; tell whether that is so.

        From then on it may have moved: whoever renames it with `send`, a worker too, need not say so. `has_gone` tells.
        """
        entry = self.entry
        # Companions are renamed one by one, and modes may have to be changed to look into what was made by hand.
        if entry.in_trash or entry.companions or entry.category == LEGACY or entry.usage.fault:
            return False
        try:
            spot = batch.find_spot(entry)
        except OSError:  # `go` says so
            return False
        if spot is None or not spot.place:
            return False
        self._spot, self._now = spot, entry.belongs[-1]
        return True

    def send(self) -> None:
        """Rename it to its place in the batch. Raises OSError; then it stands as before."""
        self.parent.rename(self.name, self._target, self._hidden)

    def has_gone(self) -> bool:
        """Tell whether it has been sent; if not, it stands as if it had not been prepared. Raises OSError."""
        if self._now is None:
            return False
        try:
            self._target.look(self._hidden)
        except FileNotFoundError:
            self._now = None
        return self._now is not None

    def verify(self) -> None:
        """See that what was renamed is what was planned for, not what was swapped in. Raises Stays, and OSError."""
        found = Identity.of(self._target.look(self._hidden))
        planned = self.entry.identity
        # An overlay file system may give a file another inode when it is renamed, but not another time.
        copied = found.regular and planned.regular and found.mtime_ns == planned.mtime_ns
        if found.key != planned.key and not copied:
            raise Stays(self.come_back(CHANGED))

    @property
    def _hidden(self) -> str:
        """The path of its own name out of sight, from `_target`."""
        return self._path(self.now)

    @property
    def _target(self) -> Directory:
        """The open directory that its names are in when they are out of sight, or below."""
        if self._spot:
            return self._spot.batch.directory
        return self.folder if self.entry.base else self.parent

    def _rename_all(self, number: int) -> None:
        try:
            self._rename_own(str(number))
            for offset, name in enumerate(self.entry.companions, 1):
                with contextlib.suppress(FileNotFoundError):  # gone already
                    self._companions[name] = self._rename(name, f"{number}-{offset}")
        except PermissionError:
            # A directory that its owner may not write to cannot be moved to another one.
            if not self.entry.identity.directory:
                raise
            with AS_PLANNED:
                directory, self._mode = enter_restricted(self.parent, self.name)
            directory.close()
            self._rename_own(str(number))
        except OSError as error:
            if error.errno != errno.EXDEV or not self.entry.identity.directory:
                raise
            # An overlay file system cannot rename a directory of a lower layer: it is deleted where it stands.

    def _rename_own(self, number: str) -> None:
        try:
            self._now = self._rename(self.name, number)
        except FileNotFoundError:
            with AS_PLANNED:
                self.parent.look(self.name)
            raise

    def _rename(self, name: str, number: str) -> str:
        """Rename one of its names out of sight; return what it is called there."""
        new = self._out_of_sight(name, number)
        self.parent.rename(name, self._target, self._path(new))
        return new

    def _path(self, name: str) -> str:
        """Return the path of one of its new names from the open directory that they are in, or below."""
        return self._spot.prefix + name if self._spot else name

    def _home(self, name: str) -> str:
        """Return what one of its names is called where it belongs."""
        return self.entry.belongs[-1] if name == self.name else name

    def _out_of_sight(self, name: str, number: str) -> str:
        """Return what a name is to be called out of sight."""
        if self._spot:
            return self._home(name) if self._spot.place else number
        if self.entry.base:  # its disk is full
            home = (*self.entry.belongs[:-1], self._home(name))
            return seal_alone(home, self.parent.look(name).st_ino)
        return seal(TRASH, self.entry.identity.inode)

    @property
    def is_alone(self) -> bool:
        """Whether it is in no batch, but has a name out of sight of its own."""
        return self._spot is None and self.entry.base is not None

    def decide(self) -> None:
        """Give what is alone out of sight the name by which the next clean finishes it. Raises OSError."""
        if self._now is not None:
            self._now = self._rename_decided(self._now)
        for name, now in self._companions.items():
            self._companions[name] = self._rename_decided(now)

    def _rename_decided(self, now: str) -> str:
        new = seal(TRASH, self._target.look(now).st_ino)
        self._target.rename(now, self._target, new)
        return new

    def come_back(self, why: str) -> str:
        """Put the entry back where it was, without replacing anything; return why it stays, and where if not there.

        Raises OSError where that cannot be done, or, after `prepare`, where it has not moved.
        """
        wanted = restored = self._home(self.name)
        if self._now is not None:
            restored = self._return(self._now, wanted)
            self._now = None
        for name, now in list(self._companions.items()):
            self._return(now, name)
            del self._companions[name]
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
