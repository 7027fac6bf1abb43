"""Whole output, compared at five widths and in a pipe; and what holds at any width."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common_tasks.report.console import Screen
from common_tasks.report.text import width
from common_tasks.temp.entry import Decision, Entry, Outcome, State

from .conftest import CODES, ENTRIES, ROOT, On, Terminal, entry, outcome_of, show_outcome, show_status, status_of

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
--force would also remove 2 kept
entries, in spite of the reasons above
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
--force would also remove 2 kept entries, in spite of the
reasons above
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
--force would also remove 2 kept entries, in spite of the reasons above
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
--force would also remove 2 kept entries, in spite of the reasons above
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
--force would also remove 2 kept entries, in spite of the reasons above
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
--force would also remove 2 kept entries, in spite of the reasons above
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
