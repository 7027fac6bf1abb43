"""Searches a tree of sources in one walk: for the roots of projects, for environments and for artifacts.

What is swept in a folder is decided by the nearest project above it.
"""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from ..fs import workers as pool
from ..fs.directory import Directory
from ..fs.syscalls import open_on_same_mount
from ..fs.walk import Position, Visitor, walk
from ..fs.workers import Workers
from ..project import marks
from ..project.marks import find_homes, is_open_to_strangers
from ..project.patterns import Patterns
from ..temp import names
from ..temp.entry import Identity
from ..temp.layout import INSIDE
from ..temp.names import SEAL_ROOM, looks_sealed, unseal
from ..temp.states import WORK_MARKS, belongs_to_others

_OF_PROJECTS = marks.NAMES | {*INSIDE}  # names in a folder that may make it a project's root
_UNTOUCHABLE = frozenset({".git", ".hg", ".jj", ".svn", *INSIDE})  # never artifacts, whatever the patterns say
NEVER_ENTERED = _UNTOUCHABLE | {"node_modules"}
_ENVIRONMENT = frozenset({"pyvenv.cfg", "conda-meta"})  # of Python, of conda
FOREIGN = _ENVIRONMENT | {".git"}  # what makes a folder an environment, or another repository
_MOST_KNOWN = 10_000  # names of files that mean nothing
COMPILED_IN = "__pycache__"
_COMPILED = ".pyc"

Parts = tuple[str, ...]  # names that lead to something from the top of the search


class Sweep(NamedTuple):
    """What is swept in a project, and what is kept."""

    artifacts: Patterns = Patterns(())
    keep: Patterns = Patterns(())


SweepOf = Callable[[Path], Sweep]  # what is swept in the project at a root


class Artifact(NamedTuple):
    """An artifact. `depth`: how many parts lead to its project.

    `exposed`: its folder, or one on the way there, is open to strangers.
    """

    parts: Parts
    depth: int
    identity: Identity
    in_trash: bool
    exposed: bool


class Found(NamedTuple):
    """What a search found. `projects`: by the parts that lead to each. `kept`: folders that were not entered."""

    artifacts: list[Artifact]
    projects: dict[Parts, Sweep]
    environments: list[Parts]
    kept: list[Parts]

    def collect(self, directory: Directory, here: "_Here", name: str, *, in_trash: bool = False) -> None:
        """Add something in an open folder as an artifact."""
        with contextlib.suppress(OSError):  # vanished meanwhile, or in a folder that only lists its names
            identity = Identity.of(directory.look(name))
            self.artifacts.append(Artifact((*here.path, name), here.depth, identity, in_trash, here.exposed))

    def add(self, other: "Found") -> None:
        """Take over what another search found."""
        self.artifacts.extend(other.artifacts)
        self.projects.update(other.projects)
        self.environments.extend(other.environments)
        self.kept.extend(other.kept)


def search(root: Path, top: Directory, sweep_of: SweepOf | None, workers: Workers) -> Found:
    """Search below a project's `root`: the first levels here, then the branches, shared by workers. `top`: it, open.

    Other projects' roots are folders with a marker or a base that no stranger could have put there; `sweep_of` is None
    if none are looked for. Other mounts are not entered, and links are not followed. What has vanished, was swapped or
    may not be read is skipped: there is nothing to sweep.
    """
    reader, found = _Reader(root, sweep_of), Found([], {}, [], [])
    branches: deque[tuple[Parts, _Here]] = deque([((), _Here((), Sweep(), 0, find_homes(), exposed=False))])
    while branches and len(branches) < pool.ENOUGH_BRANCHES * 4 and len(branches[0][0]) < pool.DEEP:
        path, around = branches.popleft()
        with contextlib.suppress(OSError), top.descend(path, open_on_same_mount) as directory:
            below, here = reader.read(directory, around.at(path, directory.status()), found)
            branches.extend(((*path, name), here) for name in below)
    rest = list(branches)
    pieces = min(len(rest), pool.MOST_PIECES)

    def work(piece: int) -> Found:
        part = Found([], {}, [], [])
        for number in pool.part(piece, pieces, len(rest)):
            path, around = rest[number]
            with contextlib.suppress(OSError), top.descend(path[:-1], open_on_same_mount) as parent:
                walk(parent, path[-1], _Searching(reader, around, part), open_on_same_mount)
        return part

    for part in pool.divide(pieces, work, workers.processes):
        found.add(part)
    return found


def find_environments(folder: Path, workers: Workers) -> list[Path]:
    """Return the environments below a folder; none if it cannot be opened."""
    with contextlib.suppress(PermissionError), Directory.at(folder, follow=True) as top:
        return [folder.joinpath(*parts) for parts in search(folder, top, None, workers).environments]
    return []


class _Here(NamedTuple):
    """A folder: what is swept there, how many parts lead to its project, whether it is `exposed`.

    `homes`: home folders. Nothing is swept in one, except by projects that lie in it.
    """

    path: Parts
    sweep: Sweep
    depth: int
    homes: frozenset[tuple[int, int]]
    exposed: bool

    def at(self, path: Parts, found: os.stat_result) -> "_Here":
        """Return what applies in the folder `path`, which is this one or one inside it. `found`: its status."""
        sweep = Sweep() if (found.st_dev, found.st_ino) in self.homes else self.sweep
        return _Here(path, sweep, self.depth, self.homes, self.exposed or is_open_to_strangers(found.st_mode))


class _Reader:
    """Reads folders one by one."""

    def __init__(self, root: Path, sweep_of: SweepOf | None) -> None:
        self._root = root
        self._sweep_of = sweep_of
        projects = _OF_PROJECTS if sweep_of else frozenset()
        self._marks = _ENVIRONMENT | WORK_MARKS | projects  # names that mark an environment, others' work or a project
        self._ordinary: dict[Patterns, set[str]] = {}

    def read(self, directory: Directory, here: _Here, found: Found) -> tuple[list[str], _Here]:
        """Collect what is in a folder; return the folders in it that are to be entered, and what applies there.

        `here`: what applies in the folder, unless it is found to be a project's root.
        """
        path, ordinary = here.path, self._ordinary_files(here)
        with directory.scan() as rows:
            inside = list(rows)
        notable = [row for row in inside if row.is_dir(follow_symlinks=False) or row.name not in ordinary]
        if path and not notable:  # the top is always reported, even if it is empty
            return [], here
        if not path or any(row.name in self._marks for row in notable):
            names = {row.name for row in inside}
            is_environment = not _ENVIRONMENT.isdisjoint(names)
            if is_environment:
                found.environments.append(path)
            if path and (is_environment or belongs_to_others(directory, names)):
                return [], here
            if self._sweep_of and (not path or self._is_project(path, names, exposed=here.exposed)):
                found.projects[path] = sweep = self._sweep_of(self._root.joinpath(*path))
                here = here._replace(sweep=sweep, depth=len(path))
            notable = inside
        return self._collect_from(directory, here, notable, found), here

    def _is_project(self, path: Parts, names: Collection[str], *, exposed: bool) -> bool:
        """Tell whether a folder below the root is a project: it holds a marker or a base that no stranger put there."""
        folder = os.path.join(self._root, *path)
        if not marks.NAMES.isdisjoint(names) and marks.begins_project(folder, exposed=exposed):
            return True
        return any(name in names and _is_base(folder, name, exposed=exposed) for name in INSIDE)

    def _ordinary_files(self, here: _Here) -> set[str]:
        """Return names that are known to mean nothing here if they are of files: most names occur often."""
        if len(here.path) - here.depth < here.sweep.artifacts.deepest:
            return set()
        return self._ordinary.setdefault(here.sweep.artifacts, set())

    def _collect_from(
        self, directory: Directory, here: _Here, rows: Iterable["os.DirEntry[str]"], found: Found
    ) -> list[str]:
        """Collect the artifacts among the rows of a folder; return the folders that are to be entered."""
        enter, below, ordinary = [], here.path[here.depth :], self._ordinary_files(here)
        swept, kept = here.sweep.artifacts.match, here.sweep.keep.match
        for row in rows:
            name, is_directory = row.name, row.is_dir(follow_symlinks=False)
            matches = swept(below, name, directory=is_directory)
            if len(name) > SEAL_ROOM and looks_sealed(name):
                # A sealed directory that was not left by an interrupted sweep is one that somebody works in.
                if _is_trash(directory, name):
                    found.collect(directory, here, name, in_trash=True)
            elif matches and _is_free(directory, here, row) and not kept(below, name, directory=is_directory):
                found.collect(directory, here, name)
            elif is_directory:
                if kept(below, name, directory=True):
                    found.kept.append((*here.path, name))
                elif name not in NEVER_ENTERED:
                    enter.append(name)
            elif row.is_symlink() and any(directory.has(f"{name}/{mark}") for mark in _ENVIRONMENT):
                found.environments.append((*here.path, name))
            elif not (matches or row.is_symlink() or name in self._marks) and len(ordinary) < _MOST_KNOWN:
                ordinary.add(name)
        return enter


def _is_free(directory: Directory, here: _Here, row: "os.DirEntry[str]") -> bool:
    """Tell whether something with an artifact's name may be one: not a link, nobody's work, not the only copy."""
    name = row.name
    if row.is_symlink() or name in _UNTOUCHABLE:
        return False
    if row.is_dir(follow_symlinks=False):
        return not any(directory.has(f"{name}/{mark}") for mark in FOREIGN)
    # Outside __pycache__, the compiled file may be all that there is.
    return not name.endswith(_COMPILED) or here.path[-1:] == (COMPILED_IN,) or directory.has(name[:-1])


def _is_trash(directory: Directory, name: str) -> bool:
    """Tell whether a sealed name was given by a sweep."""
    with contextlib.suppress(OSError):
        return unseal(name, directory.look(name).st_ino) == names.TRASH
    return False


def _is_base(folder: str, name: str, *, exposed: bool) -> bool:
    with contextlib.suppress(OSError):
        path = f"{folder}/{name}"
        is_directory = stat.S_ISDIR(os.stat(path).st_mode)
        return is_directory and not marks.is_planted(folder, os.lstat(path), exposed=exposed)
    return False


class _Searching(Visitor):
    """Searches a branch."""

    def __init__(self, reader: _Reader, around: _Here, found: Found) -> None:
        self._reader = reader
        self._way = [around]  # the folders that lead to where the walk is
        self._found = found

    def enter(self, position: Position, name: str) -> list[str] | None:
        try:
            inside = position.enter(name)
        except OSError:  # see `search`
            return None
        around = self._way[-1]
        here = around.at((*around.path, name), inside)
        try:
            names, here = self._reader.read(position.directory, here, self._found)
        except OSError:
            names = []
        self._way.append(here)
        return names

    def left(self, position: Position, name: str) -> bool:
        del position, name
        self._way.pop()
        return True
