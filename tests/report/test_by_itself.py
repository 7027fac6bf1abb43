"""What is said of makers, of budgets, and of cleans by themselves."""

import json
from pathlib import Path

import pytest

from common_tasks import report
from common_tasks.report import ProjectOutcome, ProjectStatus, View
from common_tasks.temp.entry import Entry, Outcome, Shortfall
from common_tasks.temp.mark import Report

from .conftest import NOW, ROOT, On, entry

PLAIN, JSON = View(), View(as_json=True)
MADE = [
    entry("debug/a_1600000000", 4 * 2**30, 2)._replace(made_by="scripts/report.py"),
    entry("debug/b_1600000000", 2**30, 30)._replace(made_by="scripts/report.py"),
    entry("test/c_1600000000", 2**20, 1)._replace(made_by="tests/test_it.py::test_it"),
    entry("processing", 2**10, 50),
]


def status(columns: int | None, on: On, row: ProjectStatus, view: View = PLAIN) -> str:
    return on(columns, lambda: report.show_status(ROOT, [row], NOW, view))


def makers(on: On, rows: list[ProjectStatus], view: View = PLAIN) -> str:
    return on(None, lambda: report.show_status(ROOT, rows, NOW, view._replace(by_maker=True)))


def test_maker_has_a_column_where_there_is_room(on: On) -> None:
    row = ProjectStatus(ROOT, MADE)
    assert "Made by" in status(140, on, row)
    assert "scripts/report.py" in status(140, on, row)
    assert "Made by" not in status(60, on, row)
    assert "tests/test_it.py::test_it" in status(None, on, row)
    assert "Made by" not in status(None, on, ProjectStatus(ROOT, MADE[3:]))


def test_makers_are_summed_up_the_largest_first(on: On) -> None:
    assert makers(on, [ProjectStatus(ROOT, MADE)]).splitlines() == [
        "/home/me/mono",
        "Made by                      Entries     Size  Share        Newest",
        "  scripts/report.py                2  5.0 GiB  ━━━━━━━━━━  2 hours",
        "  tests/test_it.py::test_it        1  1.0 MiB               1 hour",
        "  unknown                          1  1.0 KiB               2 days",
    ]


def test_makers_of_several_projects_are_told_apart(on: On) -> None:
    rows = [ProjectStatus(ROOT / name, MADE[:1]) for name in ("a", "b")]
    shown = makers(on, rows).split()
    assert "a/scripts/report.py" in shown
    assert "b/scripts/report.py" in shown


def test_makers_as_json(on: On) -> None:
    found = json.loads(makers(on, [ProjectStatus(ROOT, MADE)], JSON))
    assert [each["made_by"] for each in found["makers"]] == ["scripts/report.py", "tests/test_it.py::test_it", None]
    assert found["makers"][0] == {
        "made_by": "scripts/report.py",
        "entries": 2,
        "disk_bytes": 5 * 2**30,
        "newest": NOW - 7200,
    }


def test_maker_that_would_move_the_cursor_is_escaped(on: On) -> None:
    evil: list[Entry] = [MADE[0]._replace(made_by="\x1b[31m\n\udcff")]
    assert "\\x1b[31m\\x0a\\xff" in makers(on, [ProjectStatus(ROOT, evil)])


def test_entry_in_json_has_its_maker(on: On) -> None:
    found = json.loads(status(None, on, ProjectStatus(ROOT, MADE), JSON))
    assert [each["made_by"] for each in found["entries"]][-2:] == ["tests/test_it.py::test_it", None]


@pytest.mark.parametrize(
    ("cleaned", "said"),
    [
        (Report(NOW - 3 * 3600, 12, 1_288_490_189), "Cleaned by itself 3 hours ago: 12 entries, 1.2 GiB."),
        (Report(NOW - 60), "Cleaned by itself 1 min ago: nothing to remove."),
        (Report(NOW, problems=("/p/x: busy",)), "Cleaning by itself failed: /p/x: busy"),
    ],
)
def test_status_says_what_a_clean_by_itself_did(on: On, cleaned: Report, said: str) -> None:
    assert said in status(None, on, ProjectStatus(ROOT, MADE, cleaned=cleaned))
    assert said in status(None, on, ProjectStatus(ROOT, cleaned=cleaned))


def test_cleans_of_several_projects_are_summed_up_if_they_are_one(on: On) -> None:
    cleaned = [Report(NOW - 3600, 2, 2048), Report(NOW - 3601, 3, 1024), Report(NOW - 1e6, 9, 10**9)]
    rows = [ProjectStatus(ROOT / str(number), cleaned=each) for number, each in enumerate(cleaned)]
    said = on(None, lambda: report.show_status(ROOT, rows, NOW, View(whole=True)))
    assert "Cleaned by itself 1 hour ago: 5 entries, 3.0 KiB." in said


def test_status_mentions_auto_where_rules_wait_for_somebody(on: On) -> None:
    assert "temp.auto" in status(None, on, ProjectStatus(ROOT, MADE, waits_for_hand=True))
    assert "temp.auto" not in status(None, on, ProjectStatus(ROOT, MADE))


TOTAL = Shortfall("max_total", "200 MB", 35 * 2**20, (("in use", 200 * 2**20), ("kept", 2**20)))
FREE = Shortfall("keep_free", "10 GB", 2**30, ())


@pytest.mark.parametrize(
    ("shortfall", "said"),
    [
        (TOTAL, "max_total 200 MB is not met: 35.0 MiB too much. What stays: 200 MiB in use, 1.0 MiB kept."),
        (FREE, "keep_free 10 GB is not met: 1.0 GiB more should be free. Nothing is left to remove."),
    ],
)
@pytest.mark.parametrize("kept", [(), (MADE[0],)])
def test_budget_that_is_not_met_is_told(on: On, shortfall: Shortfall, said: str, kept: tuple[Entry, ...]) -> None:
    from common_tasks.temp.entry import Decision

    outcome = Outcome(removed=(), kept=tuple(Decision(each, "younger than 7 days") for each in kept), failed=())
    row = ProjectOutcome(Path(ROOT), outcome, shortfalls=(shortfall,))
    assert said in on(None, lambda: report.show_outcome(ROOT, [row], NOW, View(), dry_run=False))
    found = json.loads(on(None, lambda: report.show_outcome(ROOT, [row], NOW, View(as_json=True), dry_run=False)))
    assert found["unmet"][0]["missing_bytes"] == shortfall.missing
