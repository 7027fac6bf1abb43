"""The mark in a base that says when the base will next be cleaned by itself, and how the last such clean went.

Its modification time is when the next turn comes. It is empty if nobody asks for such cleans. Otherwise its first
line has the time of the last clean, the number of entries that it removed and the bytes that it freed; each following
line names something that went wrong.
"""

import contextlib
import os
import stat
from collections import namedtuple  # see `layout`
from collections.abc import Iterator

from ..fs import lock
from ..fs.lock import Claim
from ..fs.values import printable
from ..project import marks

TYPE_CHECKING = False  # see `temp`
if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
DAY = 24 * HOUR
LONGEST = 7 * DAY  # between two turns: if a mark is further in the future, the clock was wrong when it was written
SETTINGS = ("invoke.yaml", "invoke.yml", "invoke.json", "pyproject.toml", *marks.TASKS)  # files that may have them
_MOST_READ = 2**16


class Report(namedtuple("Report", "when entries freed_bytes problems", defaults=(0, 0, ()))):
    """What a clean by itself did in one base.

    `when`: seconds since 1970. `entries` and `freed_bytes`: what was removed. `problems`: what went wrong, in words.
    """

    __slots__ = ()
    when: float
    entries: int
    freed_bytes: int
    problems: tuple[str, ...]


@contextlib.contextmanager
def own(path: str) -> Iterator[int | None]:
    """Open the mark at `path` for this process alone, making it if needed; None if another process has it.

    Raises OSError if it cannot be made or opened.
    """
    # The lock is given back, not left to a child that another thread forks at this moment.
    with open_regular(path, os.O_RDWR | os.O_CREAT) as mark, lock.claim(mark) as granted:
        yield None if granted is Claim.REFUSED else mark  # if there are no locks, the mark's time alone decides


@contextlib.contextmanager
def open_regular(path: str, flags: int) -> Iterator[int]:
    """Open a regular file, and nothing else, for the block. Raises OSError."""
    file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o664)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise FileExistsError(f"{path!r} is no regular file")
        yield file
    finally:
        os.close(file)


def write_turn(mark: int, due: float, *, asked: bool) -> None:
    """Write when the next turn comes, and whether anybody asks for cleans; if so, a report stays. Raises OSError."""
    if not asked:
        os.ftruncate(mark, 0)
    elif not os.fstat(mark).st_size:
        os.pwrite(mark, b"\n", 0)
    os.utime(mark, (due, due))


def write_report(mark: int, report: Report) -> None:
    """Write what a clean did, without changing when the next turn comes. Raises OSError."""
    due = os.fstat(mark).st_mtime
    first = f"{report.when:.0f} {report.entries} {report.freed_bytes}"
    content = os.fsencode("\n".join([first, *map(printable, report.problems), ""]))[:_MOST_READ]
    try:
        os.pwrite(mark, content, 0)
        os.ftruncate(mark, len(content))
    finally:
        os.utime(mark, (due, due))


def read_report(path: str) -> Report | None:
    """Return what the last clean by itself did, from the mark at `path`; None if no clean has left a report."""
    # There may be no mark, or it may be empty, cut off by a full disk, or somebody else's.
    with contextlib.suppress(OSError, ValueError), open_regular(path, os.O_RDONLY) as mark:
        first, *problems = os.fsdecode(os.read(mark, _MOST_READ)).split("\n")
        when, entries, freed = map(int, first.split(" "))
        return Report(when, entries, freed, tuple(filter(None, problems)))
    return None


def is_due(mark: str, root: "Path", now: float) -> bool:
    """Tell by its mark, an absolute path, whether it is a base's turn. `now`: seconds since 1970."""
    try:
        found = os.lstat(mark)
    except FileNotFoundError:
        return True
    except OSError:  # a base that cannot be looked into cannot be cleaned
        return False
    if not now < found.st_mtime <= now + LONGEST + HOUR:
        return True
    # An empty mark says that nobody asks for this; settings of the project that have changed since are read at once.
    return not found.st_size and any(_changed(f"{root}/{name}") > found.st_ctime for name in SETTINGS)


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0
