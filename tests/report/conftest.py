"""Entries to draw, and terminals and pipes to draw them on."""

import io
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from common_tasks import report
from common_tasks.fs.values import Usage
from common_tasks.report import ProjectOutcome, ProjectStatus, View
from common_tasks.temp import retention
from common_tasks.temp.entry import ARTIFACT, Decision, Entry, Identity, Outcome, State
from common_tasks.temp.layout import Base
from common_tasks.temp.retention import Due

NOW = 1_700_000_000.0
ROOT = Path("/home/me/mono")
CODES = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\")


def entry(
    path: str,
    size: int,
    hours: float,
    state: State = "idle",
    reason: str | None = None,
    *,
    folder: Path = ROOT / ".tmp",
    category: str = "",
    directory: bool = True,
    forceable: bool = False,
) -> Entry:
    parts = tuple(path.split("/"))
    changed = NOW - hours * 3600
    return Entry(
        folder=folder,
        parts=parts,
        base=None if category else Base(folder),
        category=category or (parts[0] if len(parts) > 1 else "legacy"),
        name=parts[-1],
        identity=Identity(device=1, inode=1, mtime_ns=1, directory=directory),
        usage=Usage(3, size, changed, changed),
        state=state,
        reason=reason,
        forceable=forceable,
    )


def artifact(path: str, size: int, *, directory: bool = True) -> Entry:
    return entry(path, size, 1, folder=ROOT, category=ARTIFACT, directory=directory)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Pipe(io.StringIO):
    encoding = "utf-8"


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> "On":
    return On(monkeypatch)


class On:
    """Shows something on a terminal of so many columns, or in a pipe, and returns what could be read there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def raw(self, columns: int | None, show: Callable[[], None]) -> str:
        stream = Terminal() if columns else Pipe()
        with self._patch.context() as patch:
            patch.setenv("TERM", "xterm-256color")
            patch.setenv("COLUMNS", str(columns or 80))
            patch.setattr(sys, "stdout", stream)
            show()
        return stream.getvalue()

    def __call__(self, columns: int | None, show: Callable[[], None]) -> str:
        return CODES.sub("", self.raw(columns, show))


ENTRIES = (
    entry("cache/thumbnails_1795406659", 3 * 2**20, 50),
    entry("debug/demo_1795406659", 2**20, 5, "in-use", "in use by pid 4123 (inv test --slow -k everything)"),
    entry("debug/crash_report_1795406659", 4 * 2**20, 0.02),
    entry(f"wide/{'n' * 29}_1696348800", 300_000, 9000),
    entry("processing", 4096, 24 * 21, "kept", "kept: holds a git repository in sub", forceable=True),
)


def status_of(entries: Sequence[Entry], clean: str | None = None, due: Sequence[Due] = (), **view: Any) -> None:
    report.show_status(ROOT, [ProjectStatus(ROOT, entries, due)], NOW, View(**view), clean=clean)


def outcome_of(outcome: Outcome, *, dry_run: bool = False, forceable: int = 0, **view: Any) -> None:
    rows = [ProjectOutcome(ROOT, outcome)]
    report.show_outcome(ROOT, rows, NOW, View(**view), dry_run=dry_run, forceable=forceable)


def show_status() -> None:
    status_of(ENTRIES, "inv temp-clean", retention.forecast(ENTRIES, retention.Policy(), NOW))


def outcome() -> Outcome:
    thumbs, demo, crash, wide, processing = ENTRIES
    return Outcome(
        removed=(
            *(Decision(entry=each, reason="older than 24 h") for each in (wide, thumbs)),
            Decision(entry=artifact("build", 2**21), reason="left by a build or a test"),
        ),
        kept=tuple(
            Decision(entry=each, reason=each.reason or "younger than 24 h") for each in (demo, crash, processing)
        ),
        failed=(Decision(entry=entry("cache/old_1", 8192, 99), reason="sub/deep: Operation not permitted"),),
    )


def show_outcome() -> None:
    outcome_of(outcome(), dry_run=True, forceable=2)
