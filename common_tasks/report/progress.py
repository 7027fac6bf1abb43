"""The progress of long work, drawn on a terminal."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..fs.values import Progress as Report
from ..fs.values import no_progress
from .console import terminal

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 0.5  # seconds of work before it is worth a progress bar
_FRAME = 0.1  # seconds between two drawings of it


@contextlib.contextmanager
def watch(what: str) -> Iterator[Report]:
    """Yield a function that reports progress: on a terminal, with a bar on standard error after half a second."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield no_progress
        return
    watcher = _Watcher(what)
    try:
        yield watcher.advance
    finally:
        watcher.stop()


class _Watcher:
    """A progress bar that begins late and draws without a thread of its own, because workers are forked meanwhile.

    In a forked worker it draws nothing: two processes cannot share a terminal.
    """

    def __init__(self, what: str) -> None:
        self._pid = os.getpid()
        self._what = what
        self._files = 0
        self._next = time.monotonic() + PATIENCE
        self._bar: Progress | None = None

    def advance(self, files: int) -> None:
        """Count files, and draw if it is time."""
        self._files += files
        if time.monotonic() < self._next or os.getpid() != self._pid:
            return
        self._next = time.monotonic() + _FRAME
        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} files")
            console = terminal(stderr=True)
            # Assigned before it hides the cursor, so that `stop` can undo that: Ctrl-C may come at any time.
            self._bar = Progress(*columns, TimeElapsedColumn(), console=console, auto_refresh=False, transient=True)
            self._bar.add_task(self._what, total=None)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self._files, refresh=True)

    def stop(self) -> None:
        """Wipe the bar, and give the terminal back as it was."""
        if self._bar:
            self._bar.stop()
