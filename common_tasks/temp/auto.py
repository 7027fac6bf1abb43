"""Cleaning by itself: whoever makes a directory in a base whose turn has come starts the clean in the background.

A mark in the base says when its turn comes: that is the file's time, so one look tells. The mark is written before the
clean begins, so whatever becomes of that, nobody tries again before the next turn. Nothing is read here beyond
whether `auto` is mentioned where settings are written; the background process reads and checks those.
"""

import os
import time

from . import names
from .mark import HOUR, is_due

TYPE_CHECKING = False  # see `temp`
if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "COMMON_TASKS_AUTO"
_OFF = ("off", "no", "false", "0")  # in any case

_looks: "dict[Path, float]" = {}  # when this process looks next at a base, by a clock that never jumps


def look(base: "Path", root: "Path") -> None:
    """Start the clean in the background if it is the turn of a base; whatever goes wrong, the caller is not disturbed.

    A process looks once, and again after an hour. `root`: of the project that the base belongs to.
    """
    now = time.monotonic()
    if now < _looks.get(base, 0.0):
        return
    _looks[base] = now + HOUR
    if os.environ.get(VARIABLE, "").lower() not in _OFF and is_due(f"{base}/{names.AUTO}", root, time.time()):
        from . import turn  # once a day, or at a turn

        turn.take(base, root)
