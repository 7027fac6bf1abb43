"""Whole output, compared: at five widths, into a pipe, and as JSON."""

import functools
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common_tasks import report
from common_tasks.fs.values import Usage
from common_tasks.report import ProjectOutcome, ProjectStatus, View, document, progress
from common_tasks.report.console import Screen
from common_tasks.report.text import age, shorten, shown, size, width
from common_tasks.report.view import Sort
from common_tasks.temp import retention
from common_tasks.temp.entry import ARTIFACT, Decision, Entry, Identity, Outcome, State
from common_tasks.temp.layout import Base
from common_tasks.temp.retention import Due

from ..helpers import INV, OLD, fresh_python, make_entry, slow

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


STATUS = {
    40: """\
/home/me/mono

debug  5.0 MiB
○ .tmp/debug/crash_report_1795406659
    4.0 MiB    1 min  idle
● .tmp/debug/demo_1795406659
    1.0 MiB  5 hours  in use by pid 4123

○ .tmp/cache/thumbnails_1795406659
    3.0 MiB   2 days  idle
○ .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800
    293 KiB   1 year  idle
■ .tmp/processing
    4.0 KiB  21 days  kept: holds a git…

Total: 5 entries  8.3 MiB
inv temp-clean would free 7.3 MiB in 3
entries.
To see which: inv temp-clean --dry-run
""",
    60: """\
/home/me/mono
Entry                                    Size      Age

debug                                 5.0 MiB
○ .tmp/debug/crash_report_1795406659  4.0 MiB    1 min
● .tmp/debug/demo_1795406659          1.0 MiB  5 hours

○ .tmp/cache/thumbnails_1795406659    3.0 MiB   2 days
○ .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800
                                      293 KiB   1 year
■ .tmp/processing                     4.0 KiB  21 days

Total: 5 entries                      8.3 MiB
○ idle  ● in use  ■ kept
inv temp-clean would free 7.3 MiB in 3 entries.
To see which: inv temp-clean --dry-run
""",
    80: """\
/home/me/mono
Entry                                                    Size      Age  State

debug                                                 5.0 MiB
○ .tmp/debug/crash_report_1795406659                  4.0 MiB    1 min  idle
● .tmp/debug/demo_1795406659                          1.0 MiB  5 hours  in use

○ .tmp/cache/thumbnails_1795406659                    3.0 MiB   2 days  idle
○ .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB   1 year  idle
■ .tmp/processing                                     4.0 KiB  21 days  kept

Total: 5 entries                                      8.3 MiB
inv temp-clean would free 7.3 MiB in 3 entries.
To see which: inv temp-clean --dry-run
""",
    120: """\
/home/me/mono
Entry                                                    Size      Age  State

debug                                                 5.0 MiB
○ .tmp/debug/crash_report_1795406659                  4.0 MiB    1 min  idle
● .tmp/debug/demo_1795406659                          1.0 MiB  5 hours  in use by pid 4123 (inv test --slow -k ever…)

○ .tmp/cache/thumbnails_1795406659                    3.0 MiB   2 days  idle
○ .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB   1 year  idle
■ .tmp/processing                                     4.0 KiB  21 days  kept: holds a git repository in sub

Total: 5 entries                                      8.3 MiB
inv temp-clean would free 7.3 MiB in 3 entries.
To see which: inv temp-clean --dry-run
""",
    200: """\
/home/me/mono
Entry                                                    Size  Share   Files      Age  State

debug                                                 5.0 MiB  ━━━━━━      6
○ .tmp/debug/crash_report_1795406659                  4.0 MiB  ━━━━━       3    1 min  idle
● .tmp/debug/demo_1795406659                          1.0 MiB  ━           3  5 hours  in use by pid 4123 (inv test --slow -k ever…)

○ .tmp/cache/thumbnails_1795406659                    3.0 MiB  ━━━╸        3   2 days  idle
○ .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB  ╸           3   1 year  idle
■ .tmp/processing                                     4.0 KiB              3  21 days  kept: holds a git repository in sub

Total: 5 entries                                      8.3 MiB             15
inv temp-clean would free 7.3 MiB in 3 entries.
To see which: inv temp-clean --dry-run
""",
    None: """\
/home/me/mono
Entry                                                    Size  Share   Files      Age  State
debug                                                 5.0 MiB  ━━━━━━      6
  .tmp/debug/crash_report_1795406659                  4.0 MiB  ━━━━━       3    1 min  idle
  .tmp/debug/demo_1795406659                          1.0 MiB  ━           3  5 hours  in use by pid 4123 (inv test --slow -k everything)
cache                                                 3.0 MiB  ━━━╸        3
  .tmp/cache/thumbnails_1795406659                    3.0 MiB  ━━━╸        3   2 days  idle
wide                                                  293 KiB  ╸           3
  .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB  ╸           3   1 year  idle
legacy                                                4.0 KiB              3
  .tmp/processing                                     4.0 KiB              3  21 days  kept: holds a git repository in sub
Total: 5 entries                                      8.3 MiB             15
inv temp-clean would free 7.3 MiB in 3 entries.
To see which: inv temp-clean --dry-run
""",
}

OUTCOME = {
    40: """\
/home/me/mono

Would remove: older than 24 h  3.3 MiB
- .tmp/cache/thumbnails_1795406659
    3.0 MiB   2 days
- .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800
    293 KiB   1 year

- build
    2.0 MiB   1 hour
    left by a build or a test

Kept  5.0 MiB
○ .tmp/debug/crash_report_1795406659
    4.0 MiB    1 min  younger than 24 h
● .tmp/debug/demo_1795406659
    1.0 MiB  5 hours  in use by pid 4123
■ .tmp/processing
    4.0 KiB  21 days
    kept: holds a git repository in sub

✗ .tmp/cache/old_1
    8.0 KiB   4 days
    could not be removed: sub/deep:
    Operation not permitted

Would remove 3 entries, 5.3 MiB, the
youngest 2 days old; kept 3; 1 could not
be removed
--force would remove 2 more entries,
which are in use or hold a git
repository
Nothing was removed: this was a dry run
""",
    60: """\
/home/me/mono
Entry                                    Size      Age

Would remove: older than 24 h         3.3 MiB
- .tmp/cache/thumbnails_1795406659    3.0 MiB   2 days
- .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800
                                      293 KiB   1 year

- build                               2.0 MiB   1 hour
    left by a build or a test

Kept                                  5.0 MiB
○ .tmp/debug/crash_report_1795406659  4.0 MiB    1 min
    younger than 24 h
● .tmp/debug/demo_1795406659          1.0 MiB  5 hours
    in use by pid 4123 (inv test --slow -k ever…)
■ .tmp/processing                     4.0 KiB  21 days
    kept: holds a git repository in sub

✗ .tmp/cache/old_1                    8.0 KiB   4 days
    could not be removed: sub/deep: Operation not permitted

Would remove 3 entries, 5.3 MiB, the youngest 2 days old;
kept 3; 1 could not be removed
--force would remove 2 more entries, which are in use or
hold a git repository
Nothing was removed: this was a dry run
""",
    80: """\
/home/me/mono
Entry                                                    Size      Age

Would remove: older than 24 h                         3.3 MiB
- .tmp/cache/thumbnails_1795406659                    3.0 MiB   2 days
- .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB   1 year

- build                                               2.0 MiB   1 hour
    left by a build or a test

Kept                                                  5.0 MiB
○ .tmp/debug/crash_report_1795406659                  4.0 MiB    1 min
    younger than 24 h
● .tmp/debug/demo_1795406659                          1.0 MiB  5 hours
    in use by pid 4123 (inv test --slow -k ever…)
■ .tmp/processing                                     4.0 KiB  21 days
    kept: holds a git repository in sub

✗ .tmp/cache/old_1                                    8.0 KiB   4 days
    could not be removed: sub/deep: Operation not permitted

Would remove 3 entries, 5.3 MiB, the youngest 2 days old; kept 3; 1 could not be
removed
--force would remove 2 more entries, which are in use or hold a git repository
Nothing was removed: this was a dry run
""",
    120: """\
/home/me/mono
Entry                                                    Size      Age  Why

Would remove: older than 24 h                         3.3 MiB
- .tmp/cache/thumbnails_1795406659                    3.0 MiB   2 days
- .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB   1 year

- build                                               2.0 MiB   1 hour  left by a build or a test

Kept                                                  5.0 MiB
○ .tmp/debug/crash_report_1795406659                  4.0 MiB    1 min  younger than 24 h
● .tmp/debug/demo_1795406659                          1.0 MiB  5 hours  in use by pid 4123 (inv test --slow -k ever…)
■ .tmp/processing                                     4.0 KiB  21 days  kept: holds a git repository in sub

✗ .tmp/cache/old_1                                    8.0 KiB   4 days
    could not be removed: sub/deep: Operation not permitted

Would remove 3 entries, 5.3 MiB, the youngest 2 days old; kept 3; 1 could not be removed
--force would remove 2 more entries, which are in use or hold a git repository
Nothing was removed: this was a dry run
""",
    200: """\
/home/me/mono
Entry                                                    Size  Files      Age  Why

Would remove: older than 24 h                         3.3 MiB      6
- .tmp/cache/thumbnails_1795406659                    3.0 MiB      3   2 days
- .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB      3   1 year

- build                                               2.0 MiB      3   1 hour  left by a build or a test

Kept                                                  5.0 MiB      9
○ .tmp/debug/crash_report_1795406659                  4.0 MiB      3    1 min  younger than 24 h
● .tmp/debug/demo_1795406659                          1.0 MiB      3  5 hours  in use by pid 4123 (inv test --slow -k ever…)
■ .tmp/processing                                     4.0 KiB      3  21 days  kept: holds a git repository in sub

✗ .tmp/cache/old_1                                    8.0 KiB      3   4 days
    could not be removed: sub/deep: Operation not permitted

Would remove 3 entries, 5.3 MiB, the youngest 2 days old; kept 3; 1 could not be removed
--force would remove 2 more entries, which are in use or hold a git repository
Nothing was removed: this was a dry run
""",
    None: """\
/home/me/mono
Entry                                                                Size  Files      Age  Why
would remove  .tmp/cache/thumbnails_1795406659                    3.0 MiB      3   2 days  older than 24 h
would remove  build                                               2.0 MiB      3   1 hour  left by a build or a test
would remove  .tmp/wide/nnnnnnnnnnnnnnnnnnnnnnnnnnnnn_1696348800  293 KiB      3   1 year  older than 24 h
kept          .tmp/debug/crash_report_1795406659                  4.0 MiB      3    1 min  younger than 24 h
kept          .tmp/debug/demo_1795406659                          1.0 MiB      3  5 hours  in use by pid 4123 (inv test --slow -k everything)
kept          .tmp/processing                                     4.0 KiB      3  21 days  kept: holds a git repository in sub
FAILED        .tmp/cache/old_1                                    8.0 KiB      3   4 days  sub/deep: Operation not permitted
Would remove 3 entries, 5.3 MiB, the youngest 2 days old; kept 3; 1 could not be removed
--force would remove 2 more entries, which are in use or hold a git repository
Nothing was removed: this was a dry run
""",
}


@pytest.mark.parametrize("columns", STATUS)
def test_status_is_legible_at_every_width(on: On, columns: int | None) -> None:
    assert on(columns, show_status) == STATUS[columns]


@pytest.mark.parametrize("columns", OUTCOME)
def test_plan_is_legible_at_every_width(on: On, columns: int | None) -> None:
    assert on(columns, show_outcome) == OUTCOME[columns]


@pytest.mark.parametrize("columns", [10, 40, 60, 80, 120, 200])
def test_no_path_is_ever_folded_or_cut(on: On, columns: int) -> None:
    for show in (show_status, show_outcome):
        text = on(columns, show)
        assert [each.path for each in ENTRIES if each.path.relative_to(ROOT).as_posix() not in text] == []


REASONS: dict[State, st.SearchStrategy[str | None]] = {
    "idle": st.none(),
    "in-use": st.text("ab ()", max_size=80).map(lambda command: f"in use by pid 4123 ({command})"),
    "kept": st.text("ab ", max_size=80).map(lambda reason: f"kept: {reason}"),
    "tracked": st.just("tracked by git"),
}
ANY_ENTRY = st.sampled_from(sorted(REASONS)).flatmap(
    lambda state: st.builds(
        entry,
        st.tuples(st.sampled_from(["cache/", "wide/", ""]), st.text("a日\x1b\udcff ", min_size=1, max_size=60)).map(
            "".join
        ),
        st.integers(0, 2**45),
        st.floats(-9, 1e6),
        st.just(state),
        REASONS[state],
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANY_ENTRY, min_size=1, max_size=15), st.integers(1, 250))
def test_nothing_but_a_path_is_wider_than_the_terminal(on: On, entries: list[Entry], columns: int) -> None:
    kept = tuple(Decision(entry=each, reason=each.reason or "younger than 24 h") for each in entries)
    plan = Outcome(removed=(), kept=kept, failed=kept[:1])
    for text in (
        on(columns, lambda: status_of(entries)),
        on(columns, lambda: outcome_of(plan, dry_run=True)),
    ):
        wide = [line for line in text.splitlines() if width(line) > max(columns, 40)]
        assert [line for line in wide if not re.fullmatch(r". \.tmp/\S*( \S*)*", line)] == []
        assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_path_on_a_terminal_can_be_clicked(on: On) -> None:
    assert ";file:///home/me/mono/.tmp/debug/crash_report_1795406659\x1b" in on.raw(80, show_status)
    assert "\x1b" not in on.raw(None, show_status)


def test_path_outside_the_root_is_shown_whole(on: On) -> None:
    orphan = entry("x_1", 4096, 1, "orphaned", folder=Path("/tmp"), category="orphaned")
    assert " /tmp/x_1 " in on(80, lambda: status_of([orphan]))


MANY = tuple(entry(f"wide/w_{OLD + number}", 4096 * number, number) for number in range(1, 1501))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("size", ["crash_report", "demo", "thumbnails", "nnn", "processing"]),
        ("age", ["nnn", "processing", "thumbnails", "demo", "crash_report"]),
        ("name", ["thumbnails", "crash_report", "demo", "processing", "nnn"]),
    ],
)
def test_sizes_decide_the_order_everywhere(on: On, sort: Sort, names: list[str]) -> None:
    for columns in (80, None):
        shown = on(columns, lambda: status_of(ENTRIES, sort=sort))
        assert sorted(names, key=shown.index) == names


def test_closing_line_says_how_old_the_youngest_was(on: On) -> None:
    gone = tuple(Decision(entry=each, reason="not in use") for each in ENTRIES[:3])
    left = Decision(entry=artifact("build", 2**21)._replace(usage=Usage(1, 1, NOW, NOW)), reason="left by a build")
    for removed, said in (
        (gone, "Removed 3 entries, 8.0 MiB, the youngest 1 min old"),
        (gone[:1], "3.0 MiB, 2 days old"),
    ):
        shown = on(80, functools.partial(outcome_of, Outcome(removed=(*removed,), kept=(), failed=())))
        assert f"{said}\n" in shown
    assert "old" not in on(80, lambda: outcome_of(Outcome(removed=(left,), kept=(), failed=())))


@pytest.mark.parametrize("columns", ["0", "1", "7", "19"])
def test_terminal_without_columns_is_drawn_like_most(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", columns)
    assert Screen().width == (80 if columns == "0" else 20)
    show_status()
    show_outcome()


def test_heading_of_a_column_is_whole_or_not_there(on: On) -> None:
    idle = [each._replace(state="idle", reason=None) for each in ENTRIES]
    heads = {columns: on(columns, lambda: status_of(idle)).splitlines()[1] for columns in range(20, 140)}
    assert {word for head in heads.values() for word in head.split()} == {
        "Entry",
        "Size",
        "Share",
        "Files",
        "Age",
        "State",
    }


def test_long_list_is_summed_up_on_a_terminal(on: On) -> None:
    shown = on(80, lambda: status_of(MANY))
    assert f"○ .tmp/wide/w_{OLD + 1500}  5.9 MiB" in shown
    assert re.search(r"… 1,490 more \(--full\) +4.2 GiB", shown)
    assert len(shown.splitlines()) < 20


def test_what_is_summed_up_tells_of_what_is_not_idle(on: On) -> None:
    used = entry(f"wide/w_{OLD}", 0, 1, "in-use", "in use by pid 7 (x)")
    assert "1 in use" in on(80, lambda: status_of([*MANY, used]))


def test_long_list_is_shown_in_full_where_asked_for_and_in_a_pipe(on: On) -> None:
    for columns, full in ((80, True), (None, False)):
        shown = on(columns, functools.partial(status_of, MANY, full=full))
        assert shown.count("\n") > 1500
        assert "more" not in shown


def test_artifacts_are_summed_up_by_kind(on: On) -> None:
    folders = [artifact(f"p{number}/__pycache__", 2**20) for number in range(412)]
    files = [artifact(f"p{number}/x.pyc", 4096, directory=False) for number in range(20)]
    found = [artifact("build", 2**22), *folders, *files]
    swept = Outcome(removed=tuple(Decision(entry=each, reason="left by a build") for each in found), kept=(), failed=())
    shown = on(80, lambda: outcome_of(swept, dry_run=True))
    assert re.search(
        r"\n… __pycache__: 412 folders +412 MiB.*\n- build +4.0 MiB.*\n… \*.pyc: 20 files +80.0 KiB", shown
    )


def test_each_fault_is_told_however_many(on: On) -> None:
    failed = tuple(Decision(entry=each, reason=f"{each.name}: busy") for each in MANY)
    shown = on(
        40,
        lambda: outcome_of(Outcome(removed=(), kept=(), failed=failed)),
    )
    words = " ".join(shown.split())
    assert [each.name for each in MANY if f"{each.name}: busy" not in words] == []


def test_nothing_is_proposed_that_would_free_nothing(on: On) -> None:
    pinned = [each for each in ENTRIES if each.state in ("in-use", "kept")]
    assert "temp-clean" not in on(80, lambda: status_of(pinned, clean="inv temp-clean"))
    empty = on(80, lambda: status_of([], clean="inv temp-clean"))
    assert empty == "No temporary directories in /home/me/mono\n"


@pytest.mark.parametrize("no_color", [False, True])
def test_terminal_is_coloured_unless_asked_not_to(on: On, monkeypatch: pytest.MonkeyPatch, *, no_color: bool) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    assert ("\x1b[36m" in on.raw(80, show_status)) is not no_color


class Ascii(Terminal):
    encoding = "ascii"


def test_each_state_has_a_shape_of_its_own_whatever_the_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Terminal, Ascii):
        stream = kind()
        monkeypatch.setattr(sys, "stdout", stream)
        show_status()
        lines = CODES.sub("", stream.getvalue()).splitlines()
        used, kept = (next(line for line in lines if name in line) for name in ("demo_", "processing"))
        assert used[0] != kept[0]
        assert (used + kept).isascii() is (kind is Ascii)


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


@pytest.mark.parametrize(
    "words", [["temp-clean"], slow(["temp-status"]), slow(["temp-status", "--json"]), slow(["clean", "--dry-run"])]
)
def test_closed_output_is_no_fault(project: Path, words: list[str]) -> None:
    make_entry(project / ".tmp/x")
    done = subprocess.run(["bash", "-c", f"{INV} {' '.join(words)} >&-"], cwd=project, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / ".tmp/x").exists() is (words != ["temp-clean"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line_and_code_1(project: Path) -> None:
    make_entry(project / ".tmp/x")
    done = subprocess.run(["bash", "-c", f"{INV} temp-status >/dev/full"], cwd=project, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("plain", "plain"),
        ("a\x1b[31m\n\t", r"a\x1b[31m\x0a\x09"),
        ("\x7f\x85\u202e\u2028", r"\x7f\x85\u202e\u2028"),
        ("\udcff\udc80", r"\xff\x80"),
        ("\U000e0001", r"\U000e0001"),
        ("é日本", "é日本"),
    ],
)
def test_what_is_no_plain_character_is_shown_escaped(raw: str, escaped: str) -> None:
    assert shown(raw, "utf-8") == escaped
    assert shown(raw, "ascii").isascii()


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (-5, "0 s"),
        (0.01, "36 s"),
        (0.5, "30 min"),
        (1, "1 hour"),
        (25, "1 day"),
        (24 * 364, "364 days"),
        (9000, "1 year"),
    ],
)
def test_ages_are_short(hours: float, said: str) -> None:
    assert age(hours * 3600) == said


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (1023, "1023 B"), (4096, "4.0 KiB"), (120_000, "117 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_sizes_are_short(number: int, said: str) -> None:
    assert size(number) == said


def test_wide_characters_count_twice(on: On) -> None:
    wide = entry("debug/日本_1", 4096, 1)
    narrow = entry("debug/abcd_1", 4096, 1)
    assert (width("日本"), shorten("日本語", 4)) == (4, "日…")
    lines = on(80, lambda: status_of([wide, narrow])).splitlines()
    assert len({width(line.partition("4.0 KiB")[0]) for line in lines if "4.0 KiB" in line and "○" in line}) == 1


def test_screen_without_a_terminal_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert (Screen().width, Screen().is_terminal) == (None, False)


def test_pipe_loads_nothing_of_rich(project: Path) -> None:
    make_entry(project / ".tmp/x")
    code = "import sys\nfrom pathlib import Path\nfrom common_tasks.report import *\nfrom common_tasks.temp import inventory, layout\n"
    code += "entries = inventory.scan([layout.find_project()])\n"
    code += "show_status(Path('/'), [ProjectStatus(Path('/'), entries)], 0, View())\n"
    assert fresh_python(code + "print('rich' in sys.modules)", cwd=project).stdout.splitlines()[-1] == "False"


def test_document_holds_the_same_facts(on: On) -> None:
    document = json.loads(on(80, lambda: outcome_of(outcome(), dry_run=True, as_json=True)))
    assert [row["path"] for row in document["removed"]] == [
        f".tmp/wide/{'n' * 29}_1696348800",
        ".tmp/cache/thumbnails_1795406659",
        "build",
    ]
    assert document["kept"][0]["reason"] == ENTRIES[1].reason


def test_age_of_what_cannot_be_looked_into_is_not_made_up(on: On) -> None:
    unread = entry(".tmp/x", 4096, 1)._replace(usage=Usage(0, 0, 0.0, 0.0, fault="x: Permission denied"))
    row = next(line for line in on(None, lambda: status_of([unread])).splitlines() if ".tmp/x" in line)
    assert row.split() == [".tmp/.tmp/x", "0", "B", "0", "?", "idle"]
    [facts] = document.statuses(ROOT, [ProjectStatus(ROOT, [unread])], whole=False)["entries"]
    assert (facts["modified"], facts["changed"], facts["disk_bytes"]) == (None, None, 0)
