"""What trees take up: allocated bytes, files, newest change. One pass, by descriptor.

The bytes are those that the disk would give back: allocated blocks, directories' own included, a
hard link counted once (POSIX counts `st_blocks` in units of 512 bytes).
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .base import DIRECTORY, NOFOLLOW
from .descent import Descent

Tick = Callable[[int], None]
BLOCK = 512


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


def complaint(where: str, error: OSError) -> str:
    """Say what went wrong below a tree: the path inside it, and the system's words."""
    name = error.filename if isinstance(error.filename, str) else ""
    return ": ".join(filter(None, ["/".join(filter(None, [where, name])), error.strerror or str(error)]))


def measure(tops: Iterable[Top], tick: Tick = no_tick) -> list[Usage | None]:
    """Measure trees, in order; None for one that is not there (any more).

    `tick` is called with the number of files found since the last call. A hard link that several
    trees share is counted in the first. What vanishes meanwhile is no fault; what cannot be read is
    named in the usage's `fault`, and the rest is counted.
    """
    return _settle([_tally(top, tick) for top in tops])


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


_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


def _tally(top: Top, tick: Tick) -> Tally | None:
    tally = Tally()
    try:
        parent = open_parent(top)
    except OSError as error:
        return None if error.errno in _GONE else _unreadable(tally, error)
    try:
        found = os.lstat(top.parts[-1], dir_fd=parent)
        if stat.S_ISDIR(found.st_mode):
            tally.add_directory(found)
            _tally_tree(parent, top.parts[-1], tally, tick)
        else:
            tally.add_file(found)
            tick(1)
    except FileNotFoundError:
        return None
    except OSError as error:
        return _unreadable(tally, error)
    finally:
        os.close(parent)
    return tally


def _unreadable(tally: Tally, error: OSError) -> Tally:
    tally.modified = 0.0
    tally.add_fault("", error)
    return tally


def _tally_tree(parent: int, name: str, tally: Tally, tick: Tick) -> None:
    """Add up what lies below the directory `name`; itself it is counted already."""
    with Descent(parent) as descent:
        pending = [[name]]
        while pending:
            try:
                if not pending[-1]:
                    pending.pop()
                    if pending:
                        descent.leave()
                    continue
                found = descent.enter(pending[-1].pop())
            except OSError as error:
                if error.errno not in _GONE:
                    tally.add_fault(descent.where, error)
                if descent.depth >= len(pending):  # no way up any more
                    return
                continue
            if descent.depth > 1:
                tally.add_directory(found)
            pending.append(_read(descent, tally, tick))


def _read(descent: Descent, tally: Tally, tick: Tick) -> list[str]:
    """Count the files of the directory that the descent is in, and return its directories."""
    directories: list[str] = []
    before = tally.files
    try:
        with os.scandir(descent.fd) as rows:
            for row in rows:
                if row.is_dir(follow_symlinks=False):
                    directories.append(row.name)
                    continue
                try:
                    tally.add_file(row.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
    except OSError as error:
        tally.add_fault(descent.where, error)
    tick(tally.files - before)
    return directories
