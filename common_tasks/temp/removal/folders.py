"""The folders that a clean works in: each opened once, as strictly as for looking, and tidied up at the end."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...fs import lock
from ...fs.directory import Directory, MountPoint
from ...fs.kernel import Mounts
from ...fs.places import Parents, Place
from ...fs.syscalls import open_on_same_mount
from ..aside import IN, TOP, place_for
from ..base import make_folder, open_base
from ..base_lock import locked
from ..entry import Decision, Entry
from ..leased import drop_ended, take_in
from ..names import KEEP, TRASH, UNDECIDED, seal, unseal
from ..uses import look_at_uses

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_TRIES = 8


class Spot:
    """A folder in a batch for entries that belong together.

    `parts`: the names that lead to it from the base. `prefix`: the path that leads to it from the batch.
    """

    __slots__ = ("batch", "parts", "place", "prefix")

    def __init__(self, batch: "Batch", place: tuple[str, ...]) -> None:
        self.batch = batch
        self.place = place
        self.prefix = "/".join((*place, ""))
        self.parts = (TRASH, batch.name, *place)


class Batch:
    """A folder in the trash that takes what a clean moves out of a base at once.

    Its name is sealed twice: first as undecided, for the trash that it is made in, so that the next clean recognizes
    it, whatever becomes of this process; then for itself, as decided, once nothing in it has to go back. See `aside`
    for what is where in it.
    """

    def __init__(self, trash: Directory) -> None:
        self._trash = trash
        self.name = seal(UNDECIDED, trash.status().st_ino)
        trash.make(self.name, 0o700)
        self.directory = trash.enter(self.name)
        lock.wait(self.directory.fd)  # others hold it only while they look
        self._spots: dict[tuple[str, ...], Spot] = {(): Spot(self, ())}

    def find_spot(self, entry: Entry) -> Spot | None:
        """Return the folder in it for an entry, making it if needed; None if there is no room for one."""
        place = place_for(entry.base, entry.belongs) if entry.base else ()
        if place not in self._spots:
            try:
                for length in range(len(place)):
                    with contextlib.suppress(FileExistsError):
                        self.directory.make("/".join(place[: length + 1]), 0o700)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                return None
            self._spots[place] = Spot(self, place)
        return self._spots[place]

    def inodes(self) -> Iterator[tuple[tuple[str, ...], str, int]]:
        """Yield, for each thing in it, the names that lead to its folder from the base, its name, and its inode.

        For a mount point, that is the inode of the directory that the mount covers. What cannot be listed is left out.
        """
        for spot in self._spots.values():
            with (
                contextlib.suppress(OSError),
                self.directory.descend(spot.place) as folder,
                folder.scan() as rows,
            ):
                yield from ((spot.parts, row.name, row.inode()) for row in rows)

    def decide(self) -> None:
        """Give it a name that says it is decided: the next clean finishes it if this one is killed. Raises OSError."""
        decided = seal(TRASH, self.directory.status().st_ino)
        self._trash.rename(self.name, self._trash, decided)
        self.name = decided
        for spot in self._spots.values():
            spot.parts = (TRASH, decided, *spot.place)

    def close(self) -> None:
        """Close it, and remove it if it is empty."""
        _remove_empty_places(self.directory)
        self.directory.close()
        with contextlib.suppress(OSError):  # what could not be deleted is in it
            self._trash.remove(self.name)


def _remove_empty_places(batch: Directory) -> None:
    """Remove the folders for entries in an open batch that are empty."""
    with contextlib.suppress(OSError), batch.enter(IN) as categories:
        for name in categories.names():
            with contextlib.suppress(OSError):
                categories.remove(name)
    for name in (TOP, IN):
        with contextlib.suppress(OSError):
            batch.remove(name)


class Folders:
    """Open folders, closed with the stack that is given."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.mounts = Mounts()
        self._stack = stack
        self._open: dict[Path, Directory] = {}
        self._bases: list[Directory] = []
        self._parents: dict[tuple[int, tuple[str, ...]], Directory] = {}
        self._above = stack.enter_context(Parents(open_on_same_mount))
        self._kept: dict[int, bool] = {}

    def open(self, entry: Entry) -> Directory:
        """Return an entry's folder. Raises FileNotFoundError if it is gone, BaseRefused if it is not ours."""
        directory = self._open.get(entry.folder)
        if directory is None:
            opened = open_base(entry.base) if entry.base else Directory.at(entry.folder, follow=True)
            if opened is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            directory = self._open[entry.folder] = self._stack.enter_context(opened)
            if entry.base:
                self._bases.append(directory)
                self._stack.callback(_remove_trash, directory)
        return directory

    @contextlib.contextmanager
    def parents_kept_open(self) -> Iterator[None]:
        """Keep what `parent` opens until the block ends."""
        try:
            yield
        finally:
            for directory in self._parents.values():
                directory.close()
            self._parents.clear()
            self._kept.clear()

    def parent(self, folder: Directory, parts: tuple[str, ...]) -> Directory:
        """Return the open directory that `parts` lead to; neighbours share it. Raises OSError."""
        if not parts:
            return folder
        key = folder.fd, parts
        if key not in self._parents:
            above = self._above.open(Place(folder, parts))
            self._parents[key] = Directory(open_on_same_mount(above.fd, parts[-1]))
        return self._parents[key]

    def is_kept(self, category: Directory) -> bool:
        """Tell whether an open category holds a `.keep`."""
        if category.fd not in self._kept:
            self._kept[category.fd] = category.has(KEEP)
        return self._kept[category.fd]

    def new_batch(self, base: Directory) -> Batch | None:
        """Return a new batch in the trash of a base; None if there is no room for one, or a mount is on the trash."""
        for _ in range(_TRIES):
            try:
                batch = Batch(self._stack.enter_context(_make_trash(base)))
            except FileNotFoundError:  # another clean is removing the empty trash at this moment
                continue
            except MountPoint:
                return None
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                return None
            self._stack.callback(batch.close)
            return batch
        return None

    def tidy(self, removed: Iterable[Decision]) -> None:
        """Remove hand-made categories that are now empty, and what leases say about entries that are gone."""
        entries = [row.entry for row in removed if row.entry.in_category and not row.entry.in_trash]
        categories = {(self._open[entry.folder], entry.parts[0]) for entry in entries}
        empty = [(base, name) for base, name in categories if _is_empty(base, name)]
        uses = look_at_uses(base for base, _ in empty)
        for base, name in empty:
            # It may have been filled again, or be a mount point. Leaving an empty folder does no harm.
            with contextlib.suppress(OSError):
                if not uses.at(base, (name,)):
                    base.remove(name)
        for base in self._bases:
            with locked(base) as granted:
                if granted:
                    _remove_empty_batches(base)
                    take_in(base)
                    drop_ended(base)


def _is_empty(base: Directory, name: str) -> bool:
    with contextlib.suppress(OSError), base.enter(name) as folder:
        return not folder.names()
    return False


def _make_trash(base: Directory) -> Directory:
    make_folder(base, TRASH, 0o700)
    return base.enter(TRASH)


def _remove_trash(base: Directory) -> None:
    with contextlib.suppress(OSError):  # something is in it
        base.remove(TRASH)


def _remove_empty_batches(base: Directory) -> None:
    """Remove empty batches: of cleans that were killed before they had moved anything, or whose entries are all gone.

    The caller holds the base's lock, so no other clean is about to fill one.
    """
    with contextlib.suppress(OSError), base.enter(TRASH) as trash:
        inode = trash.status().st_ino
        for name in trash.names():
            if unseal(name, inode) == UNDECIDED:
                with contextlib.suppress(OSError):  # something is in it
                    with trash.enter(name) as batch:
                        _remove_empty_places(batch)
                    trash.remove(name)
