"""Whole output, compared."""

import io
import os
import sys
import time
from pathlib import Path

import pytest

from common_tasks import report
from common_tasks.temp.entry import Decision, Entry, Identity, Outcome, State
from common_tasks.temp.layout import Base
from common_tasks.tree.values import Usage

NOW = 1_700_000_000.0
ROOT = Path("/p")


def entry(path: str, size: int, hours: float, state: State = "idle", reason: str | None = None) -> Entry:
    parts = tuple(path.split("/"))
    category = parts[0] if len(parts) > 1 else "legacy"
    base = Base(ROOT / ".tmp")
    changed = NOW - hours * 3600
    return Entry(
        folder=base.path,
        parts=parts,
        base=base,
        category=category,
        name=parts[-1],
        identity=Identity(device=1, inode=1, mtime_ns=1, directory=True),
        usage=Usage(3, size, changed, changed),
        state=state,
        reason=reason,
    )


ENTRIES = (
    entry("cache/thumbs_1", 3 * 2**20, 50),
    entry("debug/demo_1", 2**20, 5, "in-use", "in use by pid 4123 (inv test)"),
    entry("debug/crash_1", 4 * 2**20, 0.02),
    entry("processing", 4096, 24 * 21, "kept", "kept: .keep"),
)
STATUS = """\
Entry                     Size  Share       Files       Age  State
cache                  3.0 MiB  ━━━╸            3
  .tmp/cache/thumbs_1  3.0 MiB  ━━━╸            3    2 days  idle
debug                  5.0 MiB  ━━━━━━          6
  .tmp/debug/crash_1   4.0 MiB  ━━━━╸           3  a minute  idle
  .tmp/debug/demo_1    1.0 MiB  ━               3   5 hours  in use by pid 4123 (inv test)
legacy                 4.0 KiB                  3
  .tmp/processing      4.0 KiB                  3   21 days  kept: .keep
Total: 4 entries       8.0 MiB                 12
inv temp-clean would free 7.0 MiB in 2 entries; try inv temp-clean --dry-run first
"""


def test_status_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_status(ROOT, ENTRIES, NOW, as_json=False)
    assert capsys.readouterr().out == STATUS


OUTCOME = """\
              Entry                     Size  Files      Age  Why
would remove    .tmp/cache/thumbs_1  3.0 MiB      3   2 days  older than 24 h
kept            .tmp/debug/demo_1    1.0 MiB      3  5 hours  in use by pid 4123 (inv test)
FAILED          .tmp/processing      4.0 KiB      3  21 days  b: Operation not permitted
Would remove 1 entry, 3.0 MiB; kept 1; 1 could not be removed
What is in use stays; --force takes it too
Nothing was removed: this was a dry run
"""


def test_outcome_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    thumbs, demo, _, processing = ENTRIES
    outcome = Outcome(
        removed=(Decision(entry=thumbs, reason="older than 24 h"),),
        kept=(Decision(entry=demo, reason=demo.reason or ""),),
        failed=(Decision(entry=processing, reason="b: Operation not permitted"),),
    )
    report.show_outcome(ROOT, outcome, NOW, dry_run=True, as_json=False)
    assert capsys.readouterr().out == OUTCOME


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", [False, True])
def test_status_on_a_terminal_is_coloured_unless_asked_not_to(monkeypatch: pytest.MonkeyPatch, no_color: bool) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    report.show_status(ROOT, ENTRIES, NOW, as_json=False)
    assert ("\x1b[36m" in terminal.getvalue()) is not no_color
    assert "─" in terminal.getvalue()


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
    monkeypatch.setattr(report, "_PATIENCE", 0)
    with report.watch("Looking") as tick:
        child = os.fork()
        if child == 0:
            tick(1)
            os._exit(bool(terminal.getvalue()))
        assert os.waitpid(child, 0)[1] == 0
        tick(1)
        assert terminal.getvalue()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("a\x1b[31m\n\t", r"a\x1b[31m\x0a\x09"),
        ("\x7f\x85\u202e\u2028", r"\x7f\x85\u202e\u2028"),
        ("\udcff\udc80", r"\xff\x80"),
        ("\U000e0001", r"\U000e0001"),
        ("é日本", "é日本"),
    ],
)
def test_what_is_no_plain_character_is_shown_escaped(raw: str, shown: str) -> None:
    assert report._shown(raw, report._console()) == shown
