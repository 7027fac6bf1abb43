"""Cleaning by itself: whoever makes a directory in a base whose turn has come starts the clean in the background.

A mark in the base says when its turn comes: that is the file's time, so one look tells. The mark is written before the
clean begins, so whatever becomes of that, nobody tries again before the next turn. Nothing is read here beyond
whether `auto` is mentioned where settings are written; the background process reads and checks those.
"""

import os
import time

from ..project import marks
from . import names

TYPE_CHECKING = False  # see `temp`
if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "COMMON_TASKS_AUTO"
HOUR = 3600.0
DAY = 24 * HOUR
LONGEST = 7 * DAY  # between two turns: a mark further in the future was written by a clock that was wrong
SETTINGS = ("invoke.yaml", "invoke.yml", "invoke.json", "pyproject.toml", *marks.TASKS)  # where they may be

_looks: "dict[Path, float]" = {}  # when this process looks next at a base, by a clock that never jumps


def look(base: "Path", root: "Path") -> None:
    """Start the clean in the background if it is the turn of a base; whatever goes wrong, it is the caller's no more.

    A process looks once, and again after an hour. `root`: of the project that the base belongs to.
    """
    now = time.monotonic()
    if now < _looks.get(base, 0.0):
        return
    _looks[base] = now + HOUR
    if os.environ.get(VARIABLE) != "off" and is_due(f"{base}/{names.AUTO}", root, time.time()):
        from . import turn  # once a day, or at a turn

        turn.take(base, root)


def is_due(mark: str, root: "Path", now: float) -> bool:
    """Tell whether it is a base's turn by its mark, an absolute path. `now`: seconds since 1970."""
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
