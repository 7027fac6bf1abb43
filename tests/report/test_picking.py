"""What is asked where the user picks by hand, and the order of groups."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from common_tasks import report
from common_tasks.report import ProjectOutcome, ProjectStatus, View
from common_tasks.report.view import Sort
from common_tasks.temp.entry import Decision, Entry, Outcome, Plan

from .test_report import NOW, ROOT, On, entry, on

__all__ = ["on"]
KEPT = entry("data/reference_1600000000", 252 * 2**10, 500, "kept", "kept: .keep")


def decided(entries: Sequence[Entry], reason: str = "not in use") -> tuple[Decision, ...]:
    return tuple(Decision(entry=each, reason=each.reason or reason) for each in entries)


def sized(*sizes: int) -> list[Entry]:
    return [entry(f"debug/demo_{1_600_000_000 + number}", size, 30) for number, size in enumerate(sizes)]


class Asked:
    """Picks from entries on a terminal of so many columns; `shown` is what could be read there."""

    def __init__(self, on: On, monkeypatch: pytest.MonkeyPatch) -> None:
        self._on = on
        self._patch = monkeypatch
        self.shown = ""

    def __call__(self, columns: int, entries: Sequence[Entry], *answers: str) -> tuple[Decision, ...]:
        pending = iter(answers)
        picked: list[Decision] = []
        self._patch.setattr("builtins.input", lambda _: next(pending))
        plan = Plan(remove=decided(entries), keep=decided([KEPT]))
        self.shown = self._on(columns, lambda: picked.extend(report.pick(ROOT, [plan], NOW, View())))
        return tuple(picked)


@pytest.fixture
def asked(on: On, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(on, monkeypatch)


def test_rows_are_numbered_with_a_total_so_far_the_largest_first(asked: Asked) -> None:
    picked = asked(80, sized(2**20, 4 * 2**20, 2 * 2**20), "1,3")
    assert [row.entry.name for row in picked] == ["demo_1600000001", "demo_1600000000"]
    assert asked.shown == (
        "/home/me/mono\n"
        "Entry                                Size    Total  Files      Age  Why\n"
        "1 .tmp/debug/demo_1600000001      4.0 MiB  4.0 MiB      3    1 day\n"
        "2 .tmp/debug/demo_1600000002      2.0 MiB  6.0 MiB      3    1 day\n"
        "3 .tmp/debug/demo_1600000000      1.0 MiB  7.0 MiB      3    1 day\n"
        "\n"
        "■ .tmp/data/reference_1600000000  252 KiB               3  20 days  kept: .keep\n"
        "\n"
        "Type numbers and ranges such as 1,3-5, or * for all. Enter keeps everything.\n"
        "Picked: 2 entries, 5.0 MiB.\n"
    )


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_numbers_stand_in_one_column_and_nothing_is_wider_than_the_terminal(asked: Asked, columns: int) -> None:
    assert len(asked(columns, sized(*range(4096, 4096 * 13, 4096)), "*")) == 12
    rows = [line for line in asked.shown.splitlines() if "/demo_" in line]
    assert [line[:3] for line in rows] == [f"{number:2} " for number in range(1, 13)]
    assert max(map(len, asked.shown.splitlines())) <= columns


def test_wrong_answer_is_asked_again_and_an_empty_one_picks_nothing(asked: Asked) -> None:
    assert asked(80, sized(4096), "2", "") == ()
    assert "'2' is not a number or range from 1 to 1. Type numbers" in asked.shown
    assert asked.shown.endswith("Nothing was picked: everything stays.\n")


# Of one category the largest entry, of the other the larger sum.
GROUPS = [entry(f"{category}/x_160000000{number}", size, hours) for number, (category, size, hours) in enumerate(
    [("one", 5000, 1), ("one", 1, 2), ("two", 4000, 9), ("two", 3000, 8)]
)]  # fmt: skip


@pytest.mark.parametrize(("sort", "first"), [("size", "two"), ("age", "two"), ("name", "one")])
def test_categories_are_in_the_order_of_what_they_take_up_together(on: On, sort: Sort, first: str) -> None:
    for columns in (80, None):
        shown = on(columns, lambda: report.show_status(ROOT, [ProjectStatus(ROOT, GROUPS)], NOW, View(sort=sort)))
        headings = [line.split()[0] for line in shown.splitlines() if line.startswith(("one ", "two "))]
        assert headings == sorted(("one", "two"), key=lambda name: name != first)


def test_reasons_are_in_the_order_of_what_they_take_up_together(on: On) -> None:
    removed = decided(GROUPS[:2], "older than 1 day") + decided(GROUPS[2:], "over 1 kB")
    row = ProjectOutcome(ROOT, Outcome(removed=removed, kept=(), failed=()))
    shown = on(80, lambda: report.show_outcome(ROOT, [row], NOW, View(), dry_run=False))
    assert [line.split("  ")[0] for line in shown.splitlines() if line.startswith("Removed: ")] == [
        "Removed: over 1 kB",
        "Removed: older than 1 day",
    ]


def test_columns_and_tables_with_nothing_in_them_are_left_out(on: On) -> None:
    nothing = Outcome(removed=(), kept=decided(GROUPS[:1], "younger than 1 day"), failed=())
    some = Outcome(removed=decided(GROUPS[1:]), kept=(), failed=())

    def shown(columns: int | None, *outcomes: Outcome) -> str:
        rows = [ProjectOutcome(ROOT / name, outcome) for name, outcome in zip("ab", outcomes, strict=True)]
        return on(columns, lambda: report.show_outcome(ROOT, rows, NOW, View(whole=True), dry_run=True))

    for columns in (80, None):
        assert "Project" not in shown(columns, nothing, nothing)
        heading = next(line for line in shown(columns, some, nothing).splitlines() if line.startswith("Project"))
        assert heading.split() == ["Project", "Would", "remove", "Size", "Share", "Kept"]


def test_message_of_a_finding_is_broken_between_words(on: On, project: Path) -> None:
    from common_tasks.fs.workers import ALONE
    from common_tasks.migrate import audit
    from common_tasks.report.migration import show_audit

    (project / "report.py").write_text("import tempfile\n\nwhere = tempfile.mkdtemp()\nprint(where)\n")
    found = audit.audit(audit.Scope(project, (project,), (), frozenset()), ALONE)
    plain = on(None, lambda: show_audit(found, {}, as_json=False))
    for columns in (60, 80, 120):
        shown = on(columns, lambda: show_audit(found, {}, as_json=False))
        assert max(map(len, shown.splitlines())) <= columns
        assert shown.split() == plain.split()
