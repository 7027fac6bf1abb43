"""The projects of a monorepo, a row each: what there is in them, and what a clean did."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ..temp.entry import Entry
from . import cells
from .console import Line, Screen, line, prose
from .selection import split
from .table import Column, Row, Table, lay_out, lines
from .text import age, count, shown, size
from .view import ProjectOutcome, ProjectStatus, View

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


def status_lines(root: Path, rows: Sequence[ProjectStatus], now: float, view: View, screen: Screen) -> Iterator[Line]:
    """Draw what there is in each project: the largest ones, and a sum of the rest."""
    listed = sorted((row for row in rows if row.entries), key=lambda row: _order(root, row, view))
    whole = sum(cells.disk_bytes(entry) for row in listed for entry in row.entries)
    yield line(shown(root, screen.encoding), "bold")
    yield from _table(root, listed, _STATUS, lambda some: _status_cells(some, now, whole), view, screen)
    yield from _empty_lines(rows, len(listed))


def outcome_lines(
    root: Path, rows: Sequence[ProjectOutcome], view: View, screen: Screen, *, heading: str
) -> Iterator[Line]:
    """Draw what a clean did in each project: the ones where it freed most, and a sum of the rest."""
    listed = [row for row in rows if row.outcome.removed or row.outcome.kept or row.outcome.failed]
    listed.sort(key=lambda row: (-row.outcome.freed_bytes, row.root))
    whole = sum(row.outcome.freed_bytes for row in listed)
    columns = (Column(heading), *_OUTCOME)
    yield from _table(root, listed, columns, lambda some: _outcome_cells(some, whole), view, screen)
    yield from _empty_lines(rows, len(listed))


def _table(
    root: Path,
    listed: Sequence[T],
    columns: Sequence[Column],
    cells_of: Callable[[Sequence[T]], tuple[str, ...]],
    view: View,
    screen: Screen,
) -> Iterator[Line]:
    """Draw a row for each project, or for the first ones, a sum of the rest, and the total."""
    shown_rows, rest = split(listed, full=view.full or not screen.is_terminal)
    table_rows = [_row(root, row.root, cells_of([row]), screen) for row in shown_rows]
    if rest:
        table_rows.append(Row(count(len(rest), "more project"), cells_of(rest), shape="…"))
    total = f"Total: {count(len(listed), 'project')}"
    table_rows.append(Row(total, cells_of(listed), style="bold", head=True))
    table = Table(label="Project", columns=columns, note="", rows=table_rows)
    yield from lines(table, lay_out(table, screen))


def error_lines(root: Path, rows: Iterable[ProjectStatus | ProjectOutcome], screen: Screen) -> Iterator[Line]:
    """Say which projects could not be looked at, and why."""
    for row in rows:
        if row.error:
            told = shown(f"FAILED {_name(root, row.root)}: {row.error}", screen.encoding)
            yield from prose(told, screen.width, style="red")


def _empty_lines(rows: Iterable[ProjectStatus | ProjectOutcome], listed: int) -> Iterator[Line]:
    rest = sum(not row.error for row in rows) - listed
    if rest > 0:
        yield line(f"{count(rest, 'more project holds', 'more projects hold')} nothing")


def _order(root: Path, row: ProjectStatus, view: View) -> tuple[float, str]:
    orders = {"size": -sum(map(cells.disk_bytes, row.entries)), "age": _oldest(row.entries, 0), "name": 0}
    return orders[view.sort], _name(root, row.root)


def _name(root: Path, project: Path) -> str:
    """Return a project's name in its monorepo: its path from the root."""
    return project.relative_to(root).as_posix()


def _row(root: Path, project: Path, row_cells: tuple[str, ...], screen: Screen) -> Row:
    label = shown(_name(root, project), screen.encoding)
    return Row(label, row_cells, link=project.as_uri() if screen.is_terminal else "")


def _status_cells(rows: Sequence[ProjectStatus], now: float, whole: int) -> tuple[str, ...]:
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
        age(now - _oldest(entries, now)),
        _number(used),
        size(freed),
    )


def _oldest(entries: Sequence[Entry], default: float) -> float:
    return min(filter(None, map(cells.changed, entries)), default=default)


def _outcome_cells(rows: Sequence[ProjectOutcome], whole: int) -> tuple[str, ...]:
    freed = sum(row.outcome.freed_bytes for row in rows)
    kept, failed = sum(len(row.outcome.kept) for row in rows), sum(len(row.outcome.failed) for row in rows)
    removed = sum(len(row.outcome.removed) for row in rows)
    return _number(removed), size(freed) if removed else "", cells.bar(freed, whole), _number(kept), _number(failed)


def _number(number: int) -> str:
    return f"{number:,}" if number else ""
