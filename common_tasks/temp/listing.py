"""What lies in a base: which folders are categories, and which names are entries. Looking changes nothing."""

import contextlib
import stat
from collections.abc import Container, Iterable, Iterator
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
        """Return the entries of the base, sorted by name. They are not measured: one may have vanished by now."""
        names = _listed(self.directory)
        companions = _companions(names)
        homes: set[tuple[str, ...]] = set()  # of what is to be put back
        for name in names:
            if name == TRASH:
                yield from self._in_trash(homes)
            elif sealed := _sealed_as(self.directory, name):
                yield self._alone(name, sealed, homes, is_folder=names[name])
            elif not self.base.reserves(name) and name not in companions:
                yield from self._at_top(name, _beside(companions, name), is_folder=names[name])

    def _in_trash(self, homes: set[tuple[str, ...]]) -> Iterator[Entry]:
        """List what interrupted cleans left. What has no name of theirs is somebody's own."""
        try:
            trash = self.directory.enter(TRASH)
        except MountPoint:
            yield self._entry((TRASH,), LEGACY, is_folder=True)
            return
        except OSError:  # no directory, or not to be looked into: a clean will say so
            return
        with trash:
            inode = trash.status().st_ino
            for name, is_folder in _listed(trash).items():
                if unseal(name, inode) == UNDECIDED:
                    yield from self._undecided((TRASH, name), homes)
                else:
                    in_trash = _sealed_as(trash, name) == TRASH
                    category = UNFINISHED if in_trash else LEGACY
                    yield self._entry((TRASH, name), category, is_folder=is_folder, in_trash=in_trash)

    def _undecided(self, parts: tuple[str, ...], homes: set[tuple[str, ...]]) -> Iterator[Entry]:
        """List what a clean has moved and not decided on: entries like others, unless that clean still works."""
        try:
            with self.directory.descend(parts) as batch:
                places = [(), *places_in(batch)]
                found = {place: _children(batch, place) for place in places}
                claim = lock.look(batch.fd)  # now: who puts anything in there has locked it before
                status = batch.status()
                trusted = is_trusted(status, self.directory) and is_private(status, self.directory)
        except OSError:  # decided meanwhile, or not to be looked into
            return
        if claim is Claim.REFUSED:
            return
        known = trusted and claim is Claim.GRANTED
        found[()] = {name: is_folder for name, is_folder in found[()].items() if name not in (TOP, IN)}
        for place, children in found.items():
            companions = _companions(children)
            for name, is_folder in children.items():
                if name not in companions:
                    home = self._free(home_of(place, name), homes) if known else ()
                    beside = _beside(companions, name)
                    yield self._moved((*parts, *place, name), home, is_folder=is_folder, companions=beside)

    def _alone(self, name: str, sealed: str, homes: set[tuple[str, ...]], *, is_folder: bool) -> Entry:
        """List what a clean has moved for which there was no room in the trash."""
        if sealed == TRASH:
            return self._entry((name,), UNFINISHED, is_folder=is_folder, in_trash=True)
        home: tuple[str, ...] = ()
        with contextlib.suppress(OSError):
            if is_trusted(self.directory.look(name), self.directory):
                home = self._free(home_of_alone(sealed), homes)
        return self._moved((name,), home, is_folder=is_folder)

    def _free(self, home: tuple[str, ...], homes: set[tuple[str, ...]]) -> tuple[str, ...]:
        """Return where something belongs, if that can be a place of an entry, and is not taken."""
        if not home or home in homes or self.base.reserves(home[0]) or self.directory.has("/".join(home)):
            return ()
        homes.add(home)
        return home

    def _moved(
        self, parts: tuple[str, ...], home: tuple[str, ...], *, is_folder: bool, companions: tuple[str, ...] = ()
    ) -> Entry:
        """Return an entry that an interrupted clean has moved; it belongs at `home`, where that is known and free."""
        in_category = len(home) == 2 and not self.base.legacy
        kept = in_category and self.directory.has(f"{home[0]}/{KEEP}")
        return self._entry(
            parts,
            home[0] if in_category else LEGACY,
            is_folder=is_folder,
            state="kept" if kept else "unfinished",
            companions=companions,
            home=home,
        )

    def _at_top(self, name: str, beside: tuple[str, ...], *, is_folder: bool) -> Iterator[Entry]:
        """List a category's entries; what is no category is an entry itself."""
        children = {} if self.base.legacy else _children(self.directory, (name,))
        if not is_category(self.directory, name, children):
            yield self._entry((name,), LEGACY, is_folder=is_folder, companions=beside)
            return
        state: State = "kept" if KEEP in children else "idle"
        companions = _companions(children)
        for child in children:
            if child != KEEP and child not in companions and not child.startswith(CATEGORY_MARK):
                beside = _beside(companions, child)
                is_folder = children[child]
                yield self._entry((name, child), name, is_folder=is_folder, state=state, companions=beside)

    def _entry(
        self,
        parts: tuple[str, ...],
        category: str,
        *,
        is_folder: bool,
        state: State = "idle",
        companions: tuple[str, ...] = (),
        in_trash: bool = False,
        home: tuple[str, ...] = (),
    ) -> Entry:
        """Return the entry at `parts`."""
        belongs = home or parts
        stamped = parse_name(belongs[-1])
        reason = _moved_by_a_clean(home) if state == "unfinished" else None
        if not stamped and not in_trash:  # what has no time in its name was not made by the engine
            category = LEGACY
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
            in_trash or (len(belongs) == 2 and "/".join(belongs) in self.leased.made),
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

    It is one if the engine made it as one, or if it holds nothing but time-stamped children (and perhaps `.keep`).
    An empty folder, and one that has a time in its own name, is an entry unless the engine made it as a category.
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
    """Return what is in a folder, sorted, and whether it is a directory; nothing where it cannot be looked into."""
    try:
        with directory.descend(parts) as below:
            below.look(".")  # to list names is not enough
            return _listed(below)
    except (PermissionError, MountPoint):  # an entry, whole; a clean looks again before it takes one
        return {}
    except OSError as error:
        if error.errno in GONE:  # no directory: an entry
            return {}
        raise


def _sealed_as(directory: Directory, name: str) -> str | None:
    """Return what a clean has sealed in the name of something that it moved out of sight; None for anything else."""
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


def _companions(names: dict[str, bool]) -> dict[str, str]:
    """Return which of the files beside a database belong to which; `names` tell whether each is a directory."""
    found = {}
    for name in names:
        if name.endswith(_BESIDE) and not names[name]:
            main = name.rpartition("-")[0]
            if names.get(main) is False:
                found[name] = main
    return found


def _beside(companions: Container[str], name: str) -> tuple[str, ...]:
    if not companions:
        return ()
    return tuple(name + ending for ending in _BESIDE if name + ending in companions)


def files_beside(directory: Directory, name: str) -> set[str]:
    """Return which files now stand beside `name` that belong to it if it is a database."""
    return {name + ending for ending in _BESIDE if _is_file(directory, name + ending)}


def _is_file(directory: Directory, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return not stat.S_ISDIR(directory.look(name).st_mode)
    return False
