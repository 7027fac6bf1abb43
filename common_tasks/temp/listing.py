"""What is in a base: which folders are categories, and which names are entries. Looking changes nothing."""

import contextlib
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..fs import lock
from ..fs.directory import GONE, Directory, MountPoint
from ..fs.lock import Claim
from ..fs.values import printable
from .aside import IN, TOP, home_of, home_of_alone, is_private, is_trusted, places_in
from .entry import UNFINISHED, Entry, Identity, State
from .layout import Base
from .leased import Leased, read_leases
from .names import KEEP, LEGACY, TRASH, UNDECIDED, is_stamped, looks_sealed, parse_name, unseal
from .tag import CATEGORY_MARK, is_category_mark

_BESIDE = ("-journal", "-shm", "-wal")  # what SQLite writes beside a database (https://sqlite.org/tempfiles.html)
_FOLDER, _OTHER = Identity(directory=True), Identity(directory=False)  # until they are measured

# The names that lead to something in a base, whether it is a folder, and the names beside it that go with it.
_Found = tuple[tuple[str, ...], bool, tuple[str, ...]]


class BaseListing(NamedTuple):
    """An open base, and what its leases say."""

    base: Base
    directory: Directory
    leased: Leased

    @classmethod
    def of(cls, base: Base, directory: Directory) -> "BaseListing":
        """Read the leases after the caller has opened the base."""
        return cls(base, directory, read_leases(directory))

    def entries(self) -> Iterator[Entry]:
        """Return the entries of the base, sorted by name. They are not measured, and may have vanished by now."""
        homes: set[tuple[str, ...]] = set()  # of entries to be put back
        for found in _grouped((), _listed(self.directory)):
            [name] = found[0]
            if name == TRASH:
                yield from self._in_trash(homes)
            elif sealed := _sealed_as(self.directory, name):
                yield self._alone(found, sealed, homes)
            elif not self.base.reserves(name):
                yield from self._at_top(found)

    def _in_trash(self, homes: set[tuple[str, ...]]) -> Iterator[Entry]:
        """List what interrupted cleans left. If it does not have a name of theirs, somebody else put it there."""
        try:
            trash = self.directory.enter(TRASH)
        except MountPoint:
            yield self._entry(((TRASH,), True, ()))
            return
        except OSError:  # not a directory, or cannot be looked into: a clean will say so
            return
        with trash:
            inode = trash.status().st_ino
            for name, is_folder in _listed(trash).items():
                if unseal(name, inode) == UNDECIDED:
                    yield from self._undecided((TRASH, name), homes)
                else:
                    yield self._entry(((TRASH, name), is_folder, ()), in_trash=_sealed_as(trash, name) == TRASH)

    def _undecided(self, parts: tuple[str, ...], homes: set[tuple[str, ...]]) -> Iterator[Entry]:
        """List what a clean has moved but not decided on: entries like any other, unless that clean still runs."""
        try:
            with self.directory.descend(parts) as batch:
                places = [(), *places_in(batch)]
                found = {place: _children(batch, place) for place in places}
                claim = lock.look(batch.fd)  # only now: a clean locks it before it puts anything in there
                status = batch.status()
                trusted = is_trusted(status, self.directory) and is_private(status, self.directory)
        except OSError:  # decided meanwhile, or cannot be looked into
            return
        if claim is Claim.REFUSED:
            return
        known = trusted and claim is Claim.GRANTED
        found[()] = {name: is_folder for name, is_folder in found[()].items() if name not in (TOP, IN)}
        for place, children in found.items():
            for each in _grouped((*parts, *place), children):
                yield self._moved(each, self._free(home_of(place, each[0][-1]), homes) if known else ())

    def _alone(self, found: _Found, sealed: str, homes: set[tuple[str, ...]]) -> Entry:
        """List an entry that a clean has moved, but for which there was no room in the trash."""
        if sealed == TRASH:
            return self._entry(found, in_trash=True)
        home: tuple[str, ...] = ()
        with contextlib.suppress(OSError):
            if is_trusted(self.directory.look(found[0][0]), self.directory):
                home = self._free(home_of_alone(sealed), homes)
        return self._moved(found, home)

    def _free(self, home: tuple[str, ...], homes: set[tuple[str, ...]]) -> tuple[str, ...]:
        """Return where something belongs, if an entry can be there and nothing else is; otherwise empty."""
        if not home or home in homes or self.base.reserves(home[0]) or self.directory.has("/".join(home)):
            return ()
        homes.add(home)
        return home

    def _moved(self, found: _Found, home: tuple[str, ...]) -> Entry:
        """Return an entry that an interrupted clean has moved; `home`: where it belongs, if that is known and free."""
        kept = len(home) == 2 and not self.base.legacy and self.directory.has(f"{home[0]}/{KEEP}")
        return self._entry(found, state="kept" if kept else "unfinished", home=home)

    def _at_top(self, found: _Found) -> Iterator[Entry]:
        """List a category's entries; anything that is not a category is an entry itself."""
        [name] = found[0]
        children = {} if self.base.legacy else _children(self.directory, (name,))
        if not is_category(self.directory, name, children):
            yield self._entry(found)
            return
        state: State = "kept" if KEEP in children else "idle"
        for each in _grouped((name,), children):
            child = each[0][1]
            if child != KEEP and not child.startswith(CATEGORY_MARK):
                yield self._entry(each, state=state)

    def _entry(
        self, found: _Found, *, state: State = "idle", in_trash: bool = False, home: tuple[str, ...] = ()
    ) -> Entry:
        """Return the entry that was found; `home` is where it belongs, if that is not where it is."""
        parts, is_folder, companions = found
        belongs = home or parts
        stamped = parse_name(belongs[-1])
        in_category = len(belongs) == 2 and belongs[0] != TRASH
        category = UNFINISHED if in_trash else LEGACY
        # If there is no time in its name, it was not made by the engine.
        if stamped and in_category and not (in_trash or self.base.legacy):
            category = belongs[0]
        reason = _moved_by_a_clean(home) if state == "unfinished" else None
        by_hand = is_folder and category == LEGACY and state in ("idle", "unfinished")
        if by_hand and _is_kept_inside(self.directory, parts):
            state, reason = "kept", f"kept: {KEEP} of an entry inside"
        return Entry(
            self.base.path,
            parts,
            self.base,
            category,
            stamped.name if stamped else belongs[-1],
            companions,
            stamped.created if stamped else None,
            in_trash or (in_category and "/".join(belongs) in self.leased.made),
            in_trash,
            home,
            "unfinished" if in_trash else state,
            reason,
            identity=_FOLDER if is_folder else _OTHER,
        )


def _moved_by_a_clean(home: tuple[str, ...]) -> str:
    next_one = f"; the next one puts it back as {printable('/'.join(home))}" if home else ""
    return f"moved by an interrupted clean{next_one}"


def is_category(base: Directory, name: str, children: Iterable[str]) -> bool:
    """Tell whether the folder `name` at the top of an open base is a category, from the names in it.

    It is one if the engine made it as one, or if it holds only time-stamped children (and perhaps `.keep`).
    An empty folder is an entry unless the engine made it as a category; one with a time in its own name always is.
    """
    entries = [child for child in children if child != KEEP]
    if not entries or is_stamped(name):
        return False
    with contextlib.suppress(OSError):
        if any(is_category_mark(child, base.look(name).st_ino) for child in entries if child.startswith(CATEGORY_MARK)):
            return True
    return all(map(is_stamped, entries))


def _listed(directory: Directory) -> dict[str, bool]:
    with directory.scan() as rows:
        return dict(sorted((row.name, row.is_dir(follow_symlinks=False)) for row in rows))


def _children(directory: Directory, parts: tuple[str, ...]) -> dict[str, bool]:
    """Return what is in a folder, sorted, and whether each is a directory; nothing if it cannot be looked into."""
    try:
        with directory.descend(parts) as below:
            below.look(".")  # being allowed to list names is not enough
            return _listed(below)
    except (PermissionError, MountPoint):  # an entry, whole; a clean looks again before it takes one
        return {}
    except OSError as error:
        if error.errno in GONE:  # not a directory, so an entry
            return {}
        raise


def _sealed_as(directory: Directory, name: str) -> str | None:
    """Return the name that a clean sealed for something that it moved out of sight; None for anything else."""
    if not looks_sealed(name):
        return None
    with contextlib.suppress(OSError):
        sealed = unseal(name, directory.look(name).st_ino)
        return sealed if sealed and (sealed in (TRASH, UNDECIDED) or sealed.startswith(f"{UNDECIDED}.")) else None
    return None


def _is_kept_inside(directory: Directory, parts: tuple[str, ...]) -> bool:
    """Tell whether a folder in a hand-made one has a `.keep`; a clean, which may look everywhere, looks again."""
    with contextlib.suppress(OSError), directory.descend(parts) as folder:
        return any(folder.has(f"{name}/{KEEP}") for name in folder.subdirectories())
    return False


def _grouped(above: tuple[str, ...], names: dict[str, bool]) -> Iterator[_Found]:
    """Yield what is in a folder (`names` tell whether each is a directory); files beside a database go with it."""
    companions = {name for name in names if name.endswith(_BESIDE) and _is_beside(name, names)}
    for name, is_folder in names.items():
        if name not in companions:
            beside = tuple(name + end for end in _BESIDE if name + end in companions) if companions else ()
            yield (*above, name), is_folder, beside


def _is_beside(name: str, names: dict[str, bool]) -> bool:
    """Tell whether a name like that of a file beside a database is that of a file, and the database is a file, too."""
    return names[name] is False and names.get(name.rpartition("-")[0]) is False


def files_beside(directory: Directory, name: str) -> set[str]:
    """Return the files now beside `name` that would belong to it if it is a database."""
    return {name + ending for ending in _BESIDE if _is_file(directory, name + ending)}


def _is_file(directory: Directory, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return not stat.S_ISDIR(directory.look(name).st_mode)
    return False
