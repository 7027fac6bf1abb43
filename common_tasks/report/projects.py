"""The projects of a monorepo, a row each: what there is in them, and what a clean did."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from . import cells
from .console import Line, line, prose
from .page import Page
from .selection import split
from .table import Column, Row, Table
from .text import count, size
from .view import ProjectOutcome, ProjectStatus

_STATUS = (
    Column("Entries"),
    cells.SIZE,
    cells.SHARE,
    Column("Oldest", 2),
    Column("In use", 1),
    Column("A clean frees"),
)
_OUTCOME = (cells.SIZE, cells.SHARE, Column("Kept", 1), Column("Failed"))
T = TypeVar("T", ProjectStatus, ProjectOutcome)


def status_lines(rows: Sequence[ProjectStatus], page: Page) -> Iterator[Line]:
    """Draw what there is in each project: the largest ones, and a sum of the rest."""
    listed = sorted((row for row in rows if row.entries), key=lambda row: _order(row, page))
    whole = sum(cells.disk_bytes(entry) for row in listed for entry in row.entries)
    yield from _table(listed, _STATUS, lambda some: _status_cells(some, whole, page), page)
    yield from _empty_lines(rows, len(listed))


def outcome_lines(rows: Sequence[ProjectOutcome], page: Page, *, heading: str) -> Iterator[Line]:
    """Draw what a clean did in each project: the ones where it freed most, and a sum of the rest."""
    listed = [row for row in rows if row.outcome.removed or row.outcome.kept or row.outcome.failed]
    listed.sort(key=lambda row: (-row.outcome.freed_bytes, row.root))
    whole = sum(row.outcome.freed_bytes for row in listed)
    yield from _table(listed, (Column(heading), *_OUTCOME), lambda some: _outcome_cells(some, whole), page)
    yield from _empty_lines(rows, len(listed))


def error_lines(rows: Iterable[ProjectStatus | ProjectOutcome], page: Page) -> Iterator[Line]:
    """Say which projects could not be looked at, and why."""
    for row in rows:
        if row.error:
            told = page.shown(f"FAILED {_name(row.root, page)}: {row.error}")
            yield from prose(told, page.screen.width, style="red")


def _table(
    listed: Sequence[T], columns: Sequence[Column], cells_of: Callable[[Sequence[T]], tuple[str, ...]], page: Page
) -> Iterator[Line]:
    """Draw a row for each project, or for the first ones, a sum of the rest, and the total."""
    first, rest = split(listed, full=page.view.full or not page.screen.is_terminal)
    rows = [Row(page.shown(_name(row.root, page)), cells_of([row]), link=page.link(row.root)) for row in first]
    if rest:
        rows.append(Row(count(len(rest), "more project"), cells_of(rest), shape="…"))
    rows.append(Row(f"Total: {count(len(listed), 'project')}", cells_of(listed), style="bold", head=True))
    yield from page.draw(Table(label="Project", columns=columns, note="", rows=rows))


def _empty_lines(rows: Iterable[ProjectStatus | ProjectOutcome], listed: int) -> Iterator[Line]:
    rest = sum(not row.error for row in rows) - listed
    if rest > 0:
        yield line(f"{count(rest, 'more project holds', 'more projects hold')} nothing")


def _order(row: ProjectStatus, page: Page) -> tuple[float, str]:
    orders = {"size": -sum(map(cells.disk_bytes, row.entries)), "age": cells.oldest(row.entries) or 0, "name": 0}
    return orders[page.view.sort], _name(row.root, page)


def _name(project: Path, page: Page) -> str:
    """Return a project's name in its monorepo: its path from the root."""
    return project.relative_to(page.root).as_posix()


def _status_cells(rows: Sequence[ProjectStatus], whole: int, page: Page) -> tuple[str, ...]:
    entries = [entry for row in rows for entry in row.entries]
    taken = sum(map(cells.disk_bytes, entries))
    used = sum(entry.state == "in-use" for entry in entries)
    freed = sum(
        cells.disk_bytes(decision.entry)
        for row in rows
        for due in row.due
        if due.when == "now"
        for decision in due.rows
    )
    return (
        f"{len(entries):,}",
        size(taken),
        cells.bar(taken, whole),
        page.age(cells.oldest(entries)),
        _number(used),
        size(freed),
    )


def _outcome_cells(rows: Sequence[ProjectOutcome], whole: int) -> tuple[str, ...]:
    freed = sum(row.outcome.freed_bytes for row in rows)
    kept, failed = sum(len(row.outcome.kept) for row in rows), sum(len(row.outcome.failed) for row in rows)
    removed = sum(len(row.outcome.removed) for row in rows)
    return _number(removed), size(freed) if removed else "", cells.bar(freed, whole), _number(kept), _number(failed)


def _number(number: int) -> str:
    return f"{number:,}" if number else ""
