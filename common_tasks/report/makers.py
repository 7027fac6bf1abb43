"""Who made what there is: a line for each program or test."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..temp.entry import Entry
from . import cells, document
from .console import Line, line
from .page import Page
from .selection import Group, grouped
from .sentences import nothing_line
from .table import Column, Row, Table
from .text import size
from .view import ProjectStatus

_COLUMNS = (Column("Entries"), cells.SIZE, cells.SHARE, Column("Newest", 1))


def maker_lines(rows: Sequence[ProjectStatus], page: Page) -> Iterator[Line]:
    """Draw what each program or test has made in projects, the largest first."""
    made = _by_maker(page.root, rows)
    if not made:
        yield nothing_line("No temporary directories", rows, page)
        return
    yield line(page.shown(page.root), "bold")
    whole = sum(each.disk_bytes for each in made)
    drawn = [Row(page.shown(each.label or "unknown"), _cells(each, whole, page)) for each in made]
    yield from page.draw(Table(label="Made by", columns=_COLUMNS, note="", rows=drawn))


def maker_document(root: Path, rows: Sequence[ProjectStatus]) -> dict[str, Any]:
    """Return the same as a document."""
    made = [_row(each) for each in _by_maker(root, rows)]
    return {**document.start(root), "makers": made}


def _by_maker(root: Path, rows: Sequence[ProjectStatus]) -> list[Group]:
    """Return the entries by who made them; those of whom nothing is known are under no name."""
    made = grouped((_called(root, row.root, entry), entry) for row in rows for entry in row.entries)
    return sorted((Group(*each) for each in made.items()), key=lambda group: -group.disk_bytes)


def _called(root: Path, project: Path, entry: Entry) -> str:
    """Return who made an entry, as a path from the root where it is a program of a project below."""
    if entry.made_by is None or "/" not in entry.made_by or entry.made_by.startswith("/") or not entry.base:
        return entry.made_by or ""
    below = project.relative_to(root).as_posix()
    return entry.made_by if below == "." else f"{below}/{entry.made_by}"


def _cells(made: Group, whole: int, page: Page) -> tuple[str, ...]:
    share = cells.bar(made.disk_bytes, whole)
    return f"{len(made.entries):,}", size(made.disk_bytes), share, page.age(cells.newest(made.entries))


def _row(made: Group) -> dict[str, Any]:
    return {
        "made_by": document.plain(made.label or None),
        "entries": len(made.entries),
        "disk_bytes": made.disk_bytes,
        "newest": cells.newest(made.entries),
    }
