"""One entry on its way out of sight, and back if it has to stay."""

import contextlib
import errno
import os

from ...fs.directory import Directory
from ...fs.modes import enter_restricted
from ...fs.places import Place
from ...fs.syscalls import rename_without_replacing  # imported now: later no descriptor may be free
from ..aside import seal_alone
from ..entry import Decision, Identity
from ..names import LEGACY, TRASH, seal
from .folders import Batch, Spot
from .home import made_again
from .verdict import AS_PLANNED, CHANGED, Stays

_MOST_NAMES = 1000  # to try for an entry that has to go back, if its place was taken


class Move:
    """An entry that should go: where it was planned for, and where its names are now.

    The steps are `go`, or, if workers share the moving, `prepare`, `send` and `verify`; then `decide` or `come_back`.
    In between it is out of sight, and whole.
    """

    __slots__ = ("_companions", "_mode", "_now", "_spot", "decision", "entry", "folder", "parent", "verified")

    def __init__(self, decision: Decision, folder: Directory, parent: Directory) -> None:
        self.decision = decision
        self.entry = decision.entry
        self.folder = folder  # the open base, or the root of an artifact's project
        self.parent = parent  # the open directory that it is in
        self.verified = False  # whether what is out of sight is known to be what was planned for
        self._spot: Spot | None = None  # where in a batch it is; None if it is out of sight on its own
        self._now: str | None = None  # its own name out of sight
        self._companions: dict[str, str] = {}  # those that are out of sight, with their names there
        self._mode: int | None = None  # the former mode of its directory, if that had to be changed

    @property
    def name(self) -> str:
        """The name by which it was planned for."""
        return self.entry.parts[-1]

    @property
    def stands(self) -> bool:
        """Whether it is still in sight, where it was planned for: an overlay file system may be unable to rename it."""
        return self._now is None and not self.entry.in_trash

    @property
    def above(self) -> tuple[str, ...]:
        """The names that lead from `folder` to the directory that it is in now."""
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
        """Where it is now, without its companions."""
        return Place(self.folder, (*self.above, self.now))

    def places(self) -> list[Place]:
        """Return where it and its companions are now, itself first."""
        own = self.place
        if not self.entry.companions:
            return [own]
        moved, standing = self._companions, Place(self.folder, self.entry.parts)
        companions = self.entry.companions
        return [own, *(own.beside(moved[name]) if name in moved else standing.beside(name) for name in companions)]

    def go(self, batch: Batch | None, number: int) -> None:
        """Rename the entry, and its companions, out of sight.

        `batch`: where to, as the `number`-th; without one, to a sealed name of its own. Raises Stays or Gone if it is
        not as planned, OSError if it cannot be renamed; then it is put back as it was.
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

        From then on it may have moved: `send` may be called in a worker, which does not report it. `has_gone` tells.
        """
        entry = self.entry
        # Companions are renamed one by one, and to look into hand-made entries, modes may have to be changed.
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
        """Rename it to its place in the batch. Raises OSError; then it is where it was."""
        self.parent.rename(self.name, self._target, self._hidden)

    def has_gone(self) -> bool:
        """Tell whether it has been sent; if not, it is again as if it had not been prepared. Raises OSError."""
        if self._now is None:
            return False
        try:
            self._target.look(self._hidden)
        except FileNotFoundError:
            self._now = None
        return self._now is not None

    def verify(self) -> None:
        """Check that what was renamed is what was planned for, not something swapped in. Raises Stays or OSError."""
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
        """The open directory that its names are in, or below, when they are out of sight."""
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
            # An overlay file system cannot rename a directory of a lower layer: it is deleted where it is.

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
        """Return the path of one of its new names, relative to `_target`."""
        return self._spot.prefix + name if self._spot else name

    def _home(self, name: str) -> str:
        """Return the name that one of its names has where it belongs."""
        return self.entry.belongs[-1] if name == self.name else name

    def _out_of_sight(self, name: str, number: str) -> str:
        """Return the name to give one of its names out of sight."""
        if self._spot:
            return self._home(name) if self._spot.place else number
        if self.entry.base:  # its disk is full
            home = (*self.entry.belongs[:-1], self._home(name))
            return seal_alone(home, self.parent.look(name).st_ino)
        return seal(TRASH, self.entry.identity.inode)

    @property
    def is_alone(self) -> bool:
        """Whether it is not in a batch, but out of sight in its base under a name of its own."""
        return self._spot is None and self.entry.base is not None

    def decide(self) -> None:
        """If it is out of sight on its own, give it a name that says it is decided. Raises OSError."""
        if self._now is not None:
            self._now = self._rename_decided(self._now)
        for name, now in self._companions.items():
            self._companions[name] = self._rename_decided(now)

    def _rename_decided(self, now: str) -> str:
        new = seal(TRASH, self._target.look(now).st_ino)
        self._target.rename(now, self._target, new)
        return new

    def come_back(self, why: str) -> str:
        """Put the entry back, without replacing anything; return `why` it stays, and its name if that had to change.

        Raises OSError if that cannot be done or, after `prepare`, if it has not moved.
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
            # Another clean may have removed the category that this move left empty.
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
