"""Cleaning by itself: making a directory in a base whose turn has come starts a clean in the background.

A mark in the base says when its turn comes: by the file's time, so one look is enough. The mark is written before the
clean begins, so nobody tries again before the next turn, whatever becomes of that clean. All that is read before it
starts is whether the settings mention `auto`; the background process reads and checks them.
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

_looks: "dict[Path, float]" = {}  # when this process next looks at a base, by the monotonic clock


def look(base: "Path", root: "Path") -> None:
    """Start the clean in the background if it is the turn of a base; whatever goes wrong, the caller is not disturbed.

    A process looks once, and again after an hour. `root`: the root of the project that the base belongs to.
    """
    now = time.monotonic()
    if now < _looks.get(base, 0.0):
        return
    _looks[base] = now + HOUR
    if os.environ.get(VARIABLE, "").lower() not in _OFF and is_due(f"{base}/{names.AUTO}", root, time.time()):
        from . import turn  # once a day, or at a turn

        turn.take(base, root)
