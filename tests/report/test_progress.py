"""A progress bar: when it is drawn, and by whom."""

import io
import os
import sys
import time

import pytest

from common_tasks import report
from common_tasks.report import progress

from .conftest import Terminal


def test_progress_waits_half_a_second_and_only_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setenv("TERM", "xterm-256color")
    for stream, patience, drawn in ((Terminal(), 0.4, False), (Terminal(), 0.6, True), (io.StringIO(), 9, False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with report.watch("Looking") as tick:
            tick(1)
            clock[0] += patience
            tick(1234)
        assert bool(stream.getvalue()) is drawn
    with report.watch("Looking") as tick:
        pass


def test_progress_is_not_drawn_by_a_forked_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE", 0)
    with report.watch("Looking") as tick:
        child = os.fork()
        if child == 0:
            tick(1)
            os._exit(bool(terminal.getvalue()))
        assert os.waitpid(child, 0)[1] == 0
        tick(1)
        assert terminal.getvalue()
