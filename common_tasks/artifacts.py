"""Finds the build and test left-overs that `clean` sweeps out of a project's tree."""

import contextlib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from .patterns import Patterns
from .temp import layout
from .temp.base import DIRECTORY, is_tagged
from .temp.descent import Descent
from .temp.inventory import Entry, Identity, State, with_states, with_usage
from .temp.seal import looks_sealed, unseal
from .temp.tracked import Tracked, ask_git
from .temp.usage import BLOCK, Tick, Usage, no_tick

CATEGORY = "artifact"
# Bases are cleaned as such, this project's and those of the projects below it.
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
) -> tuple[Entry, ...]:
    """Return the artifacts below `root`, sorted by path, each with what bears on its removal.

    Links are neither artifacts nor followed. Not entered: what `keep` matches, `bases`, `.git`,
    `node_modules`, virtual environments and other git repositories. What an interrupted sweep left is
    found again as `unfinished`. Raises GuardFailed where git cannot tell what it tracks.
    """
    fd = os.open(root, DIRECTORY)
    try:
        search = _Search(root, patterns, keep, bases)
        search.run(fd)
        found = sorted(search.found, key=lambda entry: entry.parts)
        tracked = ask_git(root) if found else Tracked()
        located = [(fd, replace(entry, state="tracked") if entry.parts in tracked else entry) for entry in found]
        if measured:
            located = with_usage(located, tick)
        return tuple(with_states(located))
    finally:
        os.close(fd)


class _Search:
    """A walk through a project's tree for what matches."""

    def __init__(self, root: Path, patterns: Patterns, keep: Patterns, bases: Iterable[Path]) -> None:
        self.found: list[Entry] = []
        self._root = root
        self._patterns = patterns
        self._keep = keep
        inside = [base.resolve() for base in bases]
        below = [base.relative_to(root.resolve()).parts for base in inside if base.is_relative_to(root.resolve())]
        self._bases = frozenset(below)
        self._above_bases = frozenset(parts[:length] for parts in below for length in range(len(parts)))

    def run(self, fd: int) -> None:
        """Search below the open root."""
        with Descent(fd) as descent:
            path: list[str] = []
            pending = [self._read(fd, path)]
            while pending:
                if pending[-1]:
                    name = pending[-1].pop()
                    try:
                        descent.enter(name)
                    except OSError:  # vanished, swapped, mounted, unreadable: nothing of ours to sweep there
                        continue
                    path.append(name)
                    pending.append(self._read(descent.fd, path))
                    continue
                pending.pop()
                if pending:
                    descent.leave()
                    path.pop()

    def _read(self, fd: int, path: list[str]) -> list[str]:
        """Collect the artifacts of one folder, and return the folders in it that are to be entered."""
        try:
            with os.scandir(fd) as scan:
                rows = list(scan)
        except OSError:  # the same, seen a moment later
            return []
        if path and (any(row.name in _FOREIGN for row in rows) or is_tagged(fd)):
            return []
        enter = []
        for row in rows:
            if row.is_symlink():
                continue
            directory = row.is_dir(follow_symlinks=False)
            parts = (*path, row.name)
            if parts in self._bases or self._keep.match(parts, directory=directory):
                continue
            if looks_sealed(row.name):
                self._collect_trash(fd, parts)
            elif self._is_artifact(fd, parts, directory):
                self._collect(fd, parts, "idle")
            elif directory and row.name not in _NEVER_ENTERED:
                enter.append(row.name)
        return enter

    def _is_artifact(self, fd: int, parts: tuple[str, ...], directory: bool) -> bool:
        if not self._patterns.match(parts, directory=directory) or parts in self._above_bases:
            return False
        return not (directory and any(_exists(fd, f"{parts[-1]}/{mark}") for mark in _FOREIGN))

    def _collect_trash(self, fd: int, parts: tuple[str, ...]) -> None:
        """Collect what an interrupted sweep left; any other sealed directory is somebody's working one."""
        with contextlib.suppress(OSError):
            if unseal(parts[-1], os.lstat(parts[-1], dir_fd=fd).st_ino) == layout.TRASH:
                self._collect(fd, parts, "unfinished")

    def _collect(self, fd: int, parts: tuple[str, ...], state: State) -> None:
        with contextlib.suppress(OSError):  # vanished meanwhile, or in a folder that only lists its names
            found = os.lstat(parts[-1], dir_fd=fd)
            identity = Identity.of(found)
            usage = None if identity.directory else Usage(1, found.st_blocks * BLOCK, found.st_mtime)
            self.found.append(Entry(self._root, parts, None, CATEGORY, parts[-1], None, identity, usage, state))


def _exists(fd: int, path: str) -> bool:
    try:
        os.lstat(path, dir_fd=fd)
    except OSError:
        return False
    return True
