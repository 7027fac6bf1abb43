"""What one tree takes up, added up while it is walked.

The bytes are those that the disk would give back: allocated blocks, including those of directories, and a file with
several links only if all of them are inside (`st_blocks` is in units of 512 bytes). The newest change is found as
systemd-tmpfiles(8) does, from mtimes and ctimes.
"""

import os
import time
from itertools import islice

from .values import Identity, Link, Progress, complaint, printable
from .walk import Position

TYPE_CHECKING = False  # type checkers take this name for true
if TYPE_CHECKING:
    from .values import Row

BLOCK = 512  # bytes, of `st_blocks`
_CHUNK = 1000
_NEVER = float("-inf")


class Clock:
    """Tells which times are in the past: a time in the future tells nothing, whoever set it."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = time.time()

    def past(self, moment: float) -> float:
        """Return a time, or the earliest time of all if it is in the future."""
        if moment > self.now:
            self.now = time.time()  # somebody may be writing at this moment
        return moment if moment <= self.now else _NEVER


class Tally:
    """A usage while it is being added up; hard links stay apart until the tree is counted."""

    files = 0
    blocks = 0
    modified = _NEVER
    changed = _NEVER  # of ctimes only
    device = 0
    links: dict[int, tuple[int, int, int]] | None = None  # by inode: blocks, links, how many of them are here
    fault: str | None = None
    holds: str | None = None
    obstacle: str | None = None
    marked = False
    missing = False
    top: os.stat_result | None = None

    def add_file(self, found: os.stat_result, clock: Clock, *, ctime: bool = True) -> None:
        """Count something that is not a directory, with or without its ctime."""
        self.files += 1
        self.device = found.st_dev
        self.modified = max(self.modified, clock.past(found.st_mtime))
        if found.st_nlink > 1:
            self.add_link(found)
            return
        self.blocks += found.st_blocks
        if ctime:
            self.changed = max(self.changed, clock.past(found.st_ctime))

    def add_directory(self, found: os.stat_result, clock: Clock, *, ctime: bool = True) -> None:
        """Count a directory itself, with its ctime or without."""
        self.device = found.st_dev
        self.blocks += found.st_blocks
        if found.st_mtime > self.modified:
            self.modified = max(self.modified, clock.past(found.st_mtime))
        if ctime and found.st_ctime > self.changed:
            self.changed = max(self.changed, clock.past(found.st_ctime))

    def add_link(self, found: os.stat_result) -> None:
        """Note one of the links of a file that has several."""
        if self.links is None:
            self.links = {}
        here = self.links[found.st_ino][2] if found.st_ino in self.links else 0
        self.links[found.st_ino] = found.st_blocks, found.st_nlink, here + 1

    def add_fault(self, where: str, error: OSError) -> None:
        """Remember the first thing that could not be looked into."""
        if self.fault is None:
            self.fault = complaint(where, error)

    def add_obstacle(self, where: str, why: str) -> None:
        """Remember the first thing that this user cannot remove."""
        if self.obstacle is None:
            self.obstacle = printable(": ".join(filter(None, [where, why])))

    def read(
        self, position: Position, progress: Progress, marks: frozenset[str], clock: Clock
    ) -> tuple[list[str], set[str]]:
        """Count the files of the directory that a walk is in; return its directories, and which of `marks` are there.

        This is the only code that runs for each file. So it uses local names, and calls as little as possible.
        """
        below: list[str] = []
        marked: set[str] = set()
        blocks, modified, changed, now = 0, self.modified, self.changed, clock.now
        try:
            with position.directory.scan() as rows:
                while chunk := list(islice(rows, _CHUNK)):
                    if marks:
                        marked |= marks.intersection([row.name for row in chunk])
                    directories, vanished = len(below), 0
                    for row in chunk:
                        if row.is_dir(follow_symlinks=False):
                            below.append(row.name)
                            continue
                        try:
                            found = row.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            vanished += 1
                            continue
                        if found.st_mtime > modified:
                            moment = found.st_mtime
                            modified = moment if moment <= now else max(modified, clock.past(moment))
                        if found.st_nlink > 1:
                            self.add_link(found)
                            continue
                        blocks += found.st_blocks
                        if found.st_ctime > changed:
                            moment = found.st_ctime
                            changed = moment if moment <= now else max(changed, clock.past(moment))
                    files = len(chunk) - (len(below) - directories) - vanished
                    self.files += files
                    progress(files)
        except OSError as error:
            self.add_fault(position.where, error)
        self.blocks += blocks
        self.modified, self.changed = modified, changed
        return below, marked

    def add(self, part: "Tally") -> None:
        """Add what was counted of another part of the same tree."""
        self.files += part.files
        self.blocks += part.blocks
        self.modified = max(self.modified, part.modified)
        self.changed = max(self.changed, part.changed)
        self.device = part.device or self.device
        for inode, (blocks, links, here) in (part.links or {}).items():
            self.links = self.links or {}
            before = self.links[inode][2] if inode in self.links else 0
            self.links[inode] = blocks, links, before + here
        self.fault = self.fault or part.fault
        self.holds = self.holds or part.holds
        self.obstacle = self.obstacle or part.obstacle
        self.marked = self.marked or part.marked
        self.missing = self.missing or part.missing
        self.top = self.top or part.top

    def row(self, *, ctimes: bool) -> "Row | None":
        """Return what was added up, for `Usage.of`; None if the tree is not there.

        It holds plain values only: workers send very many rows, and these are pickled ten times as fast as usages.
        """
        if self.missing:
            return None
        blocks, shared = self.blocks, []
        for inode, (size, links, here) in (self.links or {}).items():
            if here >= links:
                blocks += size
            else:
                shared.append(Link((self.device, inode), size * BLOCK, links, here))
        changed = max(self.modified, self.changed) if ctimes else self.modified
        fault = self.fault
        if changed == _NEVER:
            changed = modified = 0.0
            fault = fault or "all times in it are in the future"
        else:
            modified = self.modified if self.modified != _NEVER else changed
        return (
            self.files,
            blocks * BLOCK,
            modified,
            changed,
            fault,
            self.holds,
            self.obstacle,
            tuple(shared),
            self.marked,
            self.top and tuple(Identity.of(self.top)),
        )
