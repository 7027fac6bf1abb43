"""What trees take up: allocated bytes, files, newest change. One pass, by descriptor.

The bytes are those that the disk would give back: allocated blocks, directories' own included, a
hard link counted once (POSIX counts `st_blocks` in units of 512 bytes).
"""

import errno
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from . import crew
from ._os import os
from .base import DIRECTORY, NOFOLLOW
from .descent import Descent

Tick = Callable[[int], None]
BLOCK = 512
WORTH_FORKING = 2000  # files: some 20 ms of looking, several times what a fork takes
ENOUGH_BRANCHES = 48  # to be shared out evenly
_DEEP = 8  # levels: below that, a branch is walked, not divided
_TICK = 1000


def no_tick(_: int) -> None:
    """Watch nothing: the progress of a caller who does not look."""


class Top(NamedTuple):
    """A tree to measure: an open directory, and the names that lead down from it."""

    folder: int
    parts: tuple[str, ...]


class Usage(NamedTuple):
    """What one tree takes up. `modified`: seconds since 1970. `fault`: what could not be looked into."""

    files: int
    disk_bytes: int
    modified: float
    fault: str | None = None


class Tally:
    """A usage while it is being added up; hard links stay apart until all trees are counted."""

    __slots__ = ("blocks", "fault", "files", "links", "modified")

    def __init__(self) -> None:
        self.files = 0
        self.blocks = 0
        self.modified = float("-inf")
        self.links: dict[tuple[int, int], int] = {}
        self.fault: str | None = None

    def add_file(self, found: os.stat_result) -> None:
        """Count what is no directory."""
        self.files += 1
        self.modified = max(self.modified, found.st_mtime)
        if found.st_nlink > 1:
            self.links[found.st_dev, found.st_ino] = found.st_blocks
        else:
            self.blocks += found.st_blocks

    def add_directory(self, found: os.stat_result) -> None:
        """Count a directory itself."""
        self.blocks += found.st_blocks
        self.modified = max(self.modified, found.st_mtime)

    def add_fault(self, where: str, error: OSError) -> None:
        """Remember the first thing that could not be looked into."""
        if self.fault is None:
            self.fault = complaint(where, error)

    def read(self, fd: int, where: str, tick: Tick) -> list[str]:
        """Count the files of one open directory, and return the names of its directories.

        The only code that runs once for each file: hence the local names, and no calls but the system's.
        """
        directories: list[str] = []
        files, blocks, modified = 0, 0, self.modified
        try:
            with os.scandir(fd) as rows:
                for row in rows:
                    if row.is_dir(follow_symlinks=False):
                        directories.append(row.name)
                        continue
                    try:
                        found = row.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    files += 1
                    if found.st_mtime > modified:
                        modified = found.st_mtime
                    if found.st_nlink > 1:
                        self.links[found.st_dev, found.st_ino] = found.st_blocks
                    else:
                        blocks += found.st_blocks
                    if not files % _TICK:
                        tick(_TICK)
        except OSError as error:
            self.add_fault(where, error)
        self.files += files
        self.blocks += blocks
        self.modified = modified
        tick(files % _TICK)
        return directories

    def add(self, part: "Tally") -> None:
        """Add what was counted of another part of the same tree."""
        self.files += part.files
        self.blocks += part.blocks
        self.modified = max(self.modified, part.modified)
        self.links |= part.links
        self.fault = self.fault or part.fault


def complaint(where: str, error: OSError) -> str:
    """Say what went wrong below a tree: the path inside it, and the system's words."""
    name = error.filename if isinstance(error.filename, str) else ""
    return ": ".join(filter(None, ["/".join(filter(None, [where, name])), error.strerror or str(error)]))


def measure(tops: Sequence[Top], tick: Tick = no_tick, workers: int = 1) -> list[Usage | None]:
    """Measure trees, in order; None for one that is not there (any more).

    `tick` is called with the number of files found since the last call. A hard link that several
    trees share is counted in the first. What vanishes meanwhile is no fault; what cannot be read is
    named in the usage's `fault`, and the rest is counted. Up to so many processes, `workers`, share the
    work if it is big enough to repay forking them (see `crew`); the answer is the same.
    """
    tallies = [_begin(top) for top in tops]
    branches = deque(
        Branch(index, top.folder, top.parts)
        for index, (top, tally) in enumerate(zip(tops, tallies, strict=True))
        if tally and not tally.files and not tally.fault
    )
    _walk_first(branches, tallies, tick, WORTH_FORKING if workers > 1 and crew.can_fork() else None)
    _walk_together(list(branches), tallies, tick, workers - 1)
    return _settle(tallies)


class Branch(NamedTuple):
    """A directory still to be walked: whose it is, and the names that lead there from an open one."""

    tree: int
    folder: int
    parts: tuple[str, ...]


_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def _begin(top: Top) -> Tally | None:
    """Look at the top of a tree alone: a file is counted with that."""
    tally = Tally()
    try:
        parent = open_parent(top)
        try:
            found = os.lstat(top.parts[-1], dir_fd=parent)
        finally:
            os.close(parent)
    except OSError as error:
        if error.errno in _GONE:
            return None
        tally.modified = 0.0
        tally.add_fault("", error)
        return tally
    if stat.S_ISDIR(found.st_mode):
        tally.modified = found.st_mtime
    else:
        tally.add_file(found)
    return tally


def _walk_first(branches: deque[Branch], tallies: list[Tally | None], tick: Tick, most: int | None) -> None:
    """Walk branches here, all or until `most` files were found; then leave enough of them to be shared out."""
    found = 0
    while branches and (most is None or found < most):
        branch = branches.popleft()
        part = Tally()
        if most and len(branches) < ENOUGH_BRANCHES and len(branch.parts) < _DEEP:
            branches.extend(_divide(branch, part, tick))
        else:
            _walk(branch, part, tick)
        found += part.files
        _add(tallies, branch.tree, part)


def _walk_together(branches: list[Branch], tallies: list[Tally | None], tick: Tick, helpers: int) -> None:
    pieces = min(len(branches), crew.MOST_PIECES)

    def work(piece: int) -> list[tuple[int, Tally]]:
        parts = []
        for branch in branches[piece::pieces]:
            parts.append((branch.tree, Tally()))
            _walk(branch, parts[-1][1], tick)
        return parts

    for parts in crew.divide(pieces, work, min(helpers, pieces - 1)) if pieces else ():
        for tree, part in parts:
            _add(tallies, tree, part)


def _add(tallies: list[Tally | None], tree: int, part: Tally) -> None:
    tally = tallies[tree]
    if tally:
        tally.add(part)


def _divide(branch: Branch, tally: Tally, tick: Tick) -> list[Branch]:
    """Count one directory, and return those in it as branches of their own."""
    try:
        with Descent(branch.folder) as descent:
            for name in branch.parts:
                found = descent.enter(name)
            tally.add_directory(found)
            below = tally.read(descent.fd, descent.where, tick)
    except OSError as error:
        if error.errno not in _GONE:
            tally.add_fault("/".join(branch.parts[:-1]), error)
        return []
    return [branch._replace(parts=(*branch.parts, name)) for name in below]


def _walk(branch: Branch, tally: Tally, tick: Tick) -> None:
    """Add up a directory and all that lies below it, by descriptor, depth first."""
    try:
        parent = open_parent(Top(branch.folder, branch.parts))
    except OSError as error:
        if error.errno not in _GONE:
            tally.add_fault("/".join(branch.parts), error)
        return
    try:
        with Descent(parent) as descent:
            _walk_down(descent, branch.parts[-1], tally, tick)
    finally:
        os.close(parent)


def _walk_down(descent: Descent, name: str, tally: Tally, tick: Tick) -> None:
    pending = [[name]]
    while pending:
        try:
            if pending[-1]:
                tally.add_directory(descent.enter(pending[-1].pop()))
                pending.append(tally.read(descent.fd, descent.where, tick))
                continue
            pending.pop()
            if pending:
                descent.leave()
        except OSError as error:
            if error.errno not in _GONE:
                tally.add_fault(descent.where, error)
            if descent.depth >= len(pending):  # no way up any more
                return


def _settle(tallies: Iterable[Tally | None]) -> list[Usage | None]:
    seen: set[tuple[int, int]] = set()
    usages: list[Usage | None] = []
    for tally in tallies:
        if tally is None:
            usages.append(None)
            continue
        blocks = tally.blocks + sum(size for link, size in tally.links.items() if link not in seen)
        seen.update(tally.links)
        usages.append(Usage(tally.files, blocks * BLOCK, tally.modified, tally.fault))
    return usages


def open_parent(top: Top) -> int:
    """Open the directory that a tree's last name stands in, without following a link below `folder`."""
    fd = os.dup(top.folder)
    for part in top.parts[:-1]:
        try:
            below = os.open(part, DIRECTORY | NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd
