"""Finds the build and test left-overs that `clean` sweeps out of a project's tree."""

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .patterns import Patterns
from .temp import crew, layout
from .temp._os import os
from .temp.base import DIRECTORY, is_tagged
from .temp.descent import Descent
from .temp.inventory import Entry, Identity, State, with_states, with_usage
from .temp.seal import looks_sealed, unseal
from .temp.tracked import Tracked, ask_git
from .temp.usage import BLOCK, ENOUGH_BRANCHES, Tick, Usage, no_tick

CATEGORY = "artifact"
# Bases are cleaned as such, this project's and those of the projects below it.
_SHALLOW = 8  # levels: below that, a branch is walked as one
_NEVER_ENTERED = frozenset({".git", "node_modules", ".tmp", ".temp"})
# A virtual environment, or another repository: somebody else's house.
_FOREIGN = frozenset({"pyvenv.cfg", ".git"})


def find(
    root: Path,
    patterns: Patterns,
    keep: Patterns,
    bases: Iterable[Path],
    *,
    measured: bool = True,
    tick: Tick = no_tick,
    workers: int = 1,
) -> tuple[Entry, ...]:
    """Return the artifacts below `root`, sorted by path, each with what bears on its removal.

    Links are neither artifacts nor followed. Not entered: what `keep` matches, `bases` and those of
    other projects, `.git`, `node_modules`, virtual environments, other git repositories. What an
    interrupted sweep left is found again as `unfinished`. Up to so many processes, `workers`, share the
    work (see `temp.crew`). Raises GuardFailed where git cannot tell what it tracks.
    """
    fd = os.open(root, DIRECTORY)
    try:
        search = _Search(root, patterns, keep, bases)
        found = sorted(search.run(fd, workers), key=lambda artifact: artifact.parts)
        tracked = ask_git(root) if found else Tracked()
        located = [(fd, _entry(root, artifact, artifact.parts in tracked)) for artifact in found]
        if measured:
            located = with_usage(located, tick, workers)
        return tuple(with_states(located))
    finally:
        os.close(fd)


class _Artifact(NamedTuple):
    parts: tuple[str, ...]
    identity: Identity
    usage: Usage | None
    state: State


def _entry(root: Path, artifact: _Artifact, tracked: bool) -> Entry:
    parts, identity, usage, state = artifact
    return Entry(root, parts, None, CATEGORY, parts[-1], None, identity, usage, "tracked" if tracked else state)


class _Search:
    """A walk through a project's tree for what matches."""

    def __init__(self, root: Path, patterns: Patterns, keep: Patterns, bases: Iterable[Path]) -> None:
        self._patterns = patterns
        self._keep = keep
        top = root.resolve()
        below = [base.relative_to(top).parts for base in map(Path.resolve, bases) if base.is_relative_to(top)]
        self._bases = frozenset(below)
        self._above_bases = frozenset(parts[:length] for parts in below for length in range(len(parts)))

    def run(self, root: int, workers: int) -> list[_Artifact]:
        """Search below the open root: the first levels here, then each branch, with helpers if there are many."""
        found: list[_Artifact] = []
        branches: deque[tuple[str, ...]] = deque([()])
        while branches and len(branches) < ENOUGH_BRANCHES * 4 and len(branches[0]) < _SHALLOW:
            path = branches.popleft()
            branches.extend((*path, name) for name in self._read_at(root, path, found))
        pieces = min(len(branches), crew.MOST_PIECES)
        rest = list(branches)

        def work(piece: int) -> list[_Artifact]:
            part: list[_Artifact] = []
            for branch in rest[piece::pieces]:
                self._walk(root, branch, part)
            return part

        helpers = min(workers, pieces) - 1 if crew.can_fork() else 0
        return found + [artifact for part in crew.divide(pieces, work, helpers) for artifact in part]

    def _read_at(self, root: int, path: tuple[str, ...], found: list[_Artifact]) -> list[str]:
        with contextlib.suppress(OSError), Descent(root) as descent:  # see _walk
            for name in path:
                descent.enter(name)
            return self._read(descent.fd, path, found)
        return []

    def _walk(self, root: int, branch: tuple[str, ...], found: list[_Artifact]) -> None:
        path = list(branch[:-1])
        pending = [[branch[-1]]]
        # What has vanished, was swapped or is mounted, or may not be read, is nothing of ours to sweep.
        with contextlib.suppress(OSError), Descent(root) as descent:
            for name in path:
                descent.enter(name)
            while pending:
                if pending[-1]:
                    name = pending[-1].pop()
                    with contextlib.suppress(OSError):
                        descent.enter(name)
                        path.append(name)
                        pending.append(self._read(descent.fd, path, found))
                    continue
                pending.pop()
                if pending:
                    descent.leave()
                    path.pop()

    def _read(self, fd: int, path: Sequence[str], found: list[_Artifact]) -> list[str]:
        """Collect the artifacts of one folder, and return the folders in it that are to be entered."""
        with os.scandir(fd) as scan:
            rows = {row.name: row for row in scan}
        if path and (not _FOREIGN.isdisjoint(rows) or (layout.TAG in rows and is_tagged(fd))):
            return []
        enter = []
        for name, row in rows.items():
            directory = row.is_dir(follow_symlinks=False)
            if looks_sealed(name):
                self._collect_trash(fd, path, name, found)
            elif self._patterns.match(path, name, directory=directory) and self._is_free(fd, path, row):
                self._collect(fd, path, name, "idle", found)
            elif directory and name not in _NEVER_ENTERED and not self._is_left_alone(path, name):
                enter.append(name)
        return enter

    def _is_left_alone(self, path: Sequence[str], name: str) -> bool:
        return (*path, name) in self._bases or self._keep.match(path, name, directory=True)

    def _is_free(self, fd: int, path: Sequence[str], row: "os.DirEntry[str]") -> bool:
        """Tell whether what has the name of an artifact is one: no link, nobody's house, no base in it."""
        parts = (*path, row.name)
        directory = row.is_dir(follow_symlinks=False)
        if row.is_symlink() or parts in self._bases or parts in self._above_bases:
            return False
        if self._keep.match(path, row.name, directory=directory):
            return False
        return not (directory and any(_exists(fd, f"{row.name}/{mark}") for mark in _FOREIGN))

    def _collect_trash(self, fd: int, path: Sequence[str], name: str, found: list[_Artifact]) -> None:
        """Collect what an interrupted sweep left; any other sealed directory is somebody's working one."""
        with contextlib.suppress(OSError):
            if unseal(name, os.lstat(name, dir_fd=fd).st_ino) == layout.TRASH:
                self._collect(fd, path, name, "unfinished", found)

    @staticmethod
    def _collect(fd: int, path: Sequence[str], name: str, state: State, found: list[_Artifact]) -> None:
        with contextlib.suppress(OSError):  # vanished meanwhile, or in a folder that only lists its names
            seen = os.lstat(name, dir_fd=fd)
            identity = Identity.of(seen)
            usage = None if identity.directory else Usage(1, seen.st_blocks * BLOCK, seen.st_mtime)
            found.append(_Artifact((*path, name), identity, usage, state))


def _exists(fd: int, path: str) -> bool:
    try:
        os.lstat(path, dir_fd=fd)
    except OSError:
        return False
    return True
