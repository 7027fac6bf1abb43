"""Searches a project's tree, or a monorepo's, in one walk: for what is to be swept, and for the roots of projects."""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from ..fs import workers as pool
from ..fs.directory import Directory
from ..fs.usage import BLOCK
from ..fs.values import Usage
from ..fs.walk import Position, Visitor, walk
from ..project.patterns import Patterns
from ..temp import names
from ..temp.base import is_tagged
from ..temp.entry import Identity
from ..temp.names import SEAL_ROOM, TAG, looks_sealed, unseal

# Bases are cleaned as such, this project's and those of the projects below it.
_NEVER_ENTERED = frozenset({".git", "node_modules", ".tmp", ".temp"})
# A virtual environment of Python or conda, or another repository: somebody's work.
_FOREIGN = frozenset({"pyvenv.cfg", "conda-meta", ".git"})
_MOST_KNOWN = 10_000  # names of files that mean nothing


class Kept(NamedTuple):
    """What is left alone below a root that is `depth` names below the top."""

    depth: int
    patterns: Patterns


class Sweep(NamedTuple):
    """What is swept in a project whose root is `depth` names below the top, and what is left alone there."""

    patterns: Patterns
    kept: tuple[Kept, ...] = ()
    depth: int = 0

    @classmethod
    def of(cls, patterns: Patterns, keep: Patterns, depth: int = 0, around: "Sweep | None" = None) -> Self:
        """Return what holds in a project; what is kept in the one `around` it is kept here, too."""
        own = (Kept(depth, keep),) if keep else ()
        return cls(patterns, own + (around.kept if around else ()), depth)

    def within(self, patterns: Patterns, keep: Patterns, depth: int) -> Self:
        """Return what holds in a project inside that has these patterns, if it is swept with the one around it."""
        swept = self.patterns if patterns else patterns
        return self._replace(patterns=swept, kept=type(self).of(swept, keep, depth, self).kept)

    def keeps(self, path: Sequence[str], name: str, *, directory: bool) -> bool:
        """Tell whether something is left alone."""
        return any(each.patterns.match(path[each.depth :], name, directory=directory) for each in self.kept)


_NOTHING = Sweep(Patterns(()))


class AskProject(Protocol):
    """Tells what is swept in a folder, and what is kept, if it is a project's root. `marks`: names that may say so."""

    marks: frozenset[str]

    def __call__(self, parts: tuple[str, ...], names: Collection[str], /) -> tuple[Patterns, Patterns] | None:
        """Tell by the names that lead to it and by the names in it; None where it is no project's root."""


class Found(NamedTuple):
    """What a search found."""

    artifacts: list["Artifact"]
    projects: list[tuple[tuple[str, ...], Sweep]]


class Artifact(NamedTuple):
    """An artifact. `exposed`: everybody may write to the folder it is in, or to one on the way there."""

    parts: tuple[str, ...]
    identity: Identity
    usage: Usage | None
    in_trash: bool
    exposed: bool


class _Here(NamedTuple):
    """What holds in a folder: what is swept, and whether artifacts in it are `exposed`."""

    sweep: Sweep
    exposed: bool

    def within(self, mode: int) -> "_Here":
        """Return what holds in a folder inside it that has this mode."""
        return self if self.exposed or not mode & stat.S_IWOTH else self._replace(exposed=True)


class Search:
    """A search through a tree for what matches, and for projects if there is an `ask`."""

    def __init__(
        self, root: Path, everywhere: Sweep | None, bases: Iterable[Path], ask: AskProject | None = None
    ) -> None:
        self._everywhere = everywhere
        self._ask = ask
        top = root.resolve()
        below = [base.relative_to(top).parts for base in map(Path.resolve, bases) if base.is_relative_to(top)]
        self._bases = frozenset(below)
        self._above_bases = frozenset(parts[:length] for parts in below for length in range(len(parts)))
        # Names that tell of more than an artifact.
        self._marks = _FOREIGN | {TAG} | (ask.marks if ask else frozenset())
        self._ordinary: dict[Patterns, set[str]] = {}

    def run(self, root: Directory, workers: int) -> Found:
        """Search below the open root: the first levels here, then each branch, shared out if they are many."""
        found = Found([], [])
        branches: deque[tuple[tuple[str, ...], _Here]] = deque(
            [((), _Here(self._everywhere or _NOTHING, exposed=False))]
        )
        while branches and len(branches) < pool.ENOUGH_BRANCHES * 4 and len(branches[0][0]) < pool.DEEP:
            path, around = branches.popleft()
            names, here = self._read_at(root, path, around, found)
            branches.extend(((*path, name), here) for name in names)
        pieces = min(len(branches), pool.MOST_PIECES)
        rest = list(branches)

        def work(piece: int) -> Found:
            part = Found([], [])
            for number in pool.part(piece, pieces, len(rest)):
                branch, around = rest[number]
                # What has vanished, was swapped or is mounted, or may not be read, is nothing of ours to sweep.
                with contextlib.suppress(OSError), root.descend(branch[:-1]) as parent:
                    walk(parent, branch[-1], _Searching(self, branch[:-1], around, part))
            return part

        for part in pool.divide(pieces, work, workers):
            found.artifacts.extend(part.artifacts)
            found.projects.extend(part.projects)
        return found

    def _read_at(self, root: Directory, path: tuple[str, ...], around: _Here, found: Found) -> tuple[list[str], _Here]:
        with contextlib.suppress(OSError), root.descend(path) as directory:
            status = directory.status()
            if status.st_dev == root.status().st_dev:
                return self.read(directory, path, around.within(status.st_mode), found)
        return [], around

    def read(self, directory: Directory, path: Sequence[str], around: _Here, found: Found) -> tuple[list[str], _Here]:
        """Collect what is in one folder; return the folders in it that are to be entered, and what holds there.

        `around`: what holds there unless it is a project's root.
        """
        ordinary = self._ordinary_files(path, around.sweep)
        with directory.scan() as rows:
            inside = list(rows)
        notable = [row for row in inside if row.is_dir(follow_symlinks=False) or row.name not in ordinary]
        if path and not notable:  # the top is told of, however empty it is
            return [], around
        here = around
        if not path or any(row.name in self._marks for row in notable):
            names = {row.name for row in inside}
            if path and (not _FOREIGN.isdisjoint(names) or (TAG in names and is_tagged(directory))):
                return [], around
            here = around._replace(sweep=self._sweep_in(path, names, around.sweep, found))
            notable = inside
        return self._collect_from(directory, path, notable, here, found.artifacts), here

    def _ordinary_files(self, path: Sequence[str], sweep: Sweep) -> set[str]:
        """Return names that are known to mean nothing here if they are no directories': most are met often."""
        if len(path) - sweep.depth < sweep.patterns.deepest:
            return set()
        return self._ordinary.setdefault(sweep.patterns, set())

    def _collect_from(
        self,
        directory: Directory,
        path: Sequence[str],
        rows: Iterable["os.DirEntry[str]"],
        here: _Here,
        found: list[Artifact],
    ) -> list[str]:
        """Collect those of the rows of a folder that are artifacts; return the folders that are to be entered."""
        sweep, exposed = here
        enter, below, ordinary = [], path[sweep.depth :], self._ordinary_files(path, sweep)
        for row in rows:
            name, is_directory = row.name, row.is_dir(follow_symlinks=False)
            swept = sweep.patterns.match(below, name, directory=is_directory)
            if len(name) > SEAL_ROOM and looks_sealed(name):
                # Any other sealed directory than one left by an interrupted sweep is somebody's working one.
                if _is_trash(directory, name):
                    _collect(directory, path, name, found, exposed, in_trash=True)
            elif swept and self._is_free(directory, path, row, sweep):
                _collect(directory, path, name, found, exposed)
            elif is_directory:
                if name not in _NEVER_ENTERED and not self._is_left_alone(path, name, sweep):
                    enter.append(name)
            elif not swept and name not in self._marks and len(ordinary) < _MOST_KNOWN:
                ordinary.add(name)
        return enter

    def _sweep_in(self, path: Sequence[str], names: Collection[str], around: Sweep, found: Found) -> Sweep:
        said = self._ask(tuple(path), names) if self._ask else None
        if said is None:
            return around
        if not self._everywhere:
            sweep = Sweep.of(*said, len(path), around)
        else:
            sweep = around.within(*said, len(path)) if path else around
        found.projects.append((tuple(path), sweep))
        return sweep

    def _is_left_alone(self, path: Sequence[str], name: str, sweep: Sweep) -> bool:
        if not sweep.kept and not self._bases:
            return False
        return sweep.keeps(path, name, directory=True) or (*path, name) in self._bases

    def _is_free(self, directory: Directory, path: Sequence[str], row: "os.DirEntry[str]", sweep: Sweep) -> bool:
        """Tell whether what has the name of an artifact is one: no link, nobody's work, no base in it."""
        parts = (*path, row.name)
        is_directory = row.is_dir(follow_symlinks=False)
        if row.is_symlink() or parts in self._bases or parts in self._above_bases:
            return False
        if sweep.keeps(path, row.name, directory=is_directory):
            return False
        return not (is_directory and any(directory.has(f"{row.name}/{mark}") for mark in _FOREIGN))


class _Searching(Visitor):
    """Searches a branch."""

    def __init__(self, search: Search, above: tuple[str, ...], around: _Here, found: Found) -> None:
        self._search = search
        self._path = list(above)
        self._holds = [around]  # in each folder on the way
        self._found = found

    def enter(self, position: Position, name: str) -> list[str] | None:
        try:
            mode = position.enter(name).st_mode
        except OSError:  # see `Search.run`
            return None
        self._path.append(name)
        here = self._holds[-1].within(mode)
        try:
            names, here = self._search.read(position.directory, self._path, here, self._found)
        except OSError:
            names = []
        self._holds.append(here)
        return names

    def left(self, position: Position, name: str) -> bool:
        self._path.pop()
        self._holds.pop()
        return True


def _is_trash(directory: Directory, name: str) -> bool:
    """Tell whether a sealed name is one that a sweep has given."""
    with contextlib.suppress(OSError):
        return unseal(name, directory.look(name).st_ino) == names.TRASH
    return False


def _collect(
    directory: Directory,
    path: Sequence[str],
    name: str,
    found: list[Artifact],
    exposed: bool,
    *,
    in_trash: bool = False,
) -> None:
    with contextlib.suppress(OSError):  # vanished meanwhile, or in a folder that only lists its names
        seen = directory.look(name)
        identity = Identity.of(seen)
        usage = Usage(1, seen.st_blocks * BLOCK, seen.st_mtime, max(seen.st_mtime, seen.st_ctime))
        found.append(Artifact((*path, name), identity, None if identity.directory else usage, in_trash, exposed))
