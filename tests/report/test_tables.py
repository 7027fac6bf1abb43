"""The order of groups, and what is left out because it says nothing."""

from pathlib import Path

import pytest

from common_tasks import report
from common_tasks.fs.workers import ALONE
from common_tasks.migrate import audit
from common_tasks.report import ProjectOutcome, ProjectStatus, View
from common_tasks.report.migration import show_audit
from common_tasks.report.view import Sort
from common_tasks.temp.entry import Outcome

from .conftest import NOW, ROOT, On, entry
from .test_picking import decided

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


@pytest.mark.parametrize(
    ("sort", "order"), [("size", ["over", "older", "alone"]), ("name", ["alone", "older", "over"])]
)
def test_reasons_are_in_the_order_of_the_view(on: On, sort: Sort, order: list[str]) -> None:
    alone = decided([entry("a/x_1", 1, 1)], "alone")
    removed = alone + decided(GROUPS[:2], "older than 1 day") + decided(GROUPS[2:], "over 1 kB")
    row = ProjectOutcome(ROOT, Outcome(removed=removed, kept=(), failed=()))
    shown = on(120, lambda: report.show_outcome(ROOT, [row], NOW, View(sort=sort), dry_run=False))
    assert sorted(order, key=shown.index) == order


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


@pytest.mark.parametrize("view", [View(), View(whole=True)], ids=["alone", "all projects"])
def test_repository_of_one_project_shows_its_entries(on: On, view: View) -> None:
    shown = on(80, lambda: report.show_status(ROOT, [ProjectStatus(ROOT, GROUPS)], NOW, view))
    assert shown.count(".tmp/") == len(GROUPS)


def test_message_of_a_finding_is_broken_between_words(on: On, project: Path) -> None:
    (project / "report.py").write_text("import tempfile\n\nwhere = tempfile.mkdtemp()\nprint(where)\n")
    found = audit.audit(audit.Scope(project, (project,), (), frozenset()), ALONE)
    plain = on(None, lambda: show_audit(found, {}, as_json=False))
    for columns in (60, 80, 120):
        shown = on(columns, lambda: show_audit(found, {}, as_json=False))
        assert max(map(len, shown.splitlines())) <= columns
        assert shown.split() == plain.split()
