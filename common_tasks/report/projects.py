"""Sums in place of entries: a row for each project of a monorepo, or for each program or test that made something."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from ..temp.entry import Entry
from . import facts
from .console import Line, line
from .page import SHARE, SIZE, Page, bar
from .selection import by_maker, split
from .sentences import nothing_line
from .table import Column, Row, Table, draw, head
from .text import count, size
from .view import ProjectOutcome, ProjectStatus

_STATUS = Column("Entries"), SIZE, SHARE, Column("Oldest", 2), Column("In use", 1), Column("A clean frees")
_OUTCOME = SIZE, SHARE, Column("Kept", 1), Column("Failed")
_MAKERS = Column("Entries"), SIZE, SHARE, Column("Newest", 1)
Cells = tuple[str, ...]
T = TypeVar("T", ProjectStatus, ProjectOutcome)
CellsOf = Callable[[Sequence[T]], Cells]  # of the sum of some projects


def status_lines(rows: Sequence[ProjectStatus], page: Page) -> Iterator[Line]:
    """Draw what there is in each project: the largest ones, and a sum of the rest."""

    def order(row: ProjectStatus) -> tuple[float, str]:
        return page.view.order(facts.total(row.entries), facts.oldest(row.entries), facts.relative(page.root, row.root))

    listed = sorted((row for row in rows if row.entries), key=order)
    whole = sum(facts.total(row.entries) for row in listed)
    yield from _lines(rows, listed, _STATUS, lambda some: _status_cells(some, whole, page), page)


def outcome_lines(rows: Sequence[ProjectOutcome], page: Page, *, heading: str) -> Iterator[Line]:
    """Draw what a clean did in each project: the ones where it freed most, and a sum of the rest."""
    listed = [row for row in rows if any(row.outcome)]
    listed.sort(key=lambda row: (-row.outcome.freed_bytes, row.root))
    whole = sum(row.outcome.freed_bytes for row in listed)
    yield from _lines(rows, listed, (Column(heading), *_OUTCOME), lambda some: _outcome_cells(some, whole, page), page)


def maker_lines(rows: Sequence[ProjectStatus], page: Page) -> Iterator[Line]:
    """Draw what each program or test has made in projects, the largest first."""
    made = by_maker(page.root, rows)
    if not made:
        yield nothing_line("No temporary directories", rows, page)
        return
    yield page.title()
    whole = sum(each.disk_bytes for each in made)
    drawn = [
        Row(page.shown(each.label or "unknown"), (*_sums(each.entries, whole), page.age(facts.newest(each.entries))))
        for each in made
    ]
    yield from draw(Table(label="Made by", columns=_MAKERS, rows=drawn), page.screen)


def _lines(
    rows: Sequence[T], listed: Sequence[T], columns: Sequence[Column], cells_of: CellsOf[T], page: Page
) -> Iterator[Line]:
    """Draw a row for each listed project, or for the first ones and the sum of the rest; then the total."""
    first, rest = split(listed, full=page.full)
    drawn = [
        Row(page.shown(facts.relative(page.root, row.root)), cells_of([row]), link=page.link(row.root)) for row in first
    ]
    if rest:
        drawn.append(Row(count(len(rest), "more project"), cells_of(rest), mark="…"))
    drawn.append(head(f"Total: {count(len(listed), 'project')}", cells_of(listed)))
    yield from draw(Table(label="Project", columns=columns, rows=drawn), page.screen)
    empty = sum(not row.error for row in rows) - len(listed)
    if empty > 0:
        yield line(f"{count(empty, 'more project holds', 'more projects hold')} nothing")


def _status_cells(rows: Sequence[ProjectStatus], whole: int, page: Page) -> Cells:
    together = ProjectStatus.joined(page.root, rows)
    oldest = page.age(facts.oldest(together.entries))
    used = sum(entry.state == "in-use" for entry in together.entries)
    now = [decision.entry for due in together.due if due.when == "now" for decision in due.rows]
    return *_sums(together.entries, whole), oldest, _number(used), size(facts.total(now))


def _sums(entries: Sequence[Entry], whole: int) -> Cells:
    taken = facts.total(entries)
    return f"{len(entries):,}", size(taken), bar(taken, whole)


def _outcome_cells(rows: Sequence[ProjectOutcome], whole: int, page: Page) -> Cells:
    outcome = ProjectOutcome.joined(page.root, rows).outcome
    removed, kept, failed = (_number(len(decisions)) for decisions in outcome)
    freed = outcome.freed_bytes
    return removed, size(freed) if removed else "", bar(freed, whole), kept, failed


def _number(number: int) -> str:
    return f"{number:,}" if number else ""
