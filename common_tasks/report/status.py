"""What there is: the entries of one project by category, or the projects of a monorepo."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..temp.entry import UNFINISHED, Entry
from . import cells, document, projects
from .console import Line, Screen, line, prose
from .makers import maker_document, maker_lines
from .page import Page
from .selection import Group, by_category, choose
from .sentences import by_itself_lines, nothing_line, outlook, shortfall_lines
from .table import Row, Table, lay_out, lines
from .text import count_entries, size
from .view import ProjectStatus, View

_COLUMNS = (cells.SIZE, cells.SHARE, cells.FILES, cells.AGE, cells.MAKER)


def show_status(root: Path, rows: Sequence[ProjectStatus], now: float, view: View, *, clean: str | None = None) -> None:
    """Print what there is in projects, on standard output. `now`: seconds since 1970.

    `root`: what paths are relative to. `clean`: the command that cleans what is shown, to be proposed.
    """
    if view.as_json:
        found = maker_document(root, rows) if view.by_maker else document.statuses(root, rows, whole=view.whole)
        document.write(found)
        return
    page = Page(root, now, view, Screen())
    page.screen.show(maker_lines(rows, page) if view.by_maker else _lines(page, rows, clean))


def _lines(page: Page, rows: Sequence[ProjectStatus], clean: str | None) -> Iterator[Line]:
    entries = [entry for row in rows for entry in row.entries]
    if not entries:
        yield nothing_line("No temporary directories", rows, page)
    else:
        yield line(page.shown(page.root), "bold")
        if page.view.whole and len(rows) > 1:
            yield from projects.status_lines(rows, page)
        else:
            yield from _entry_lines(entries, page)
    yield from projects.error_lines(rows, page)
    yield from outlook([row.due for row in rows], clean, page.screen.width)
    unmet = [shortfall for row in rows for term in row.due[:1] for shortfall in term.shortfalls]
    yield from shortfall_lines(unmet, page.screen.width)
    yield from by_itself_lines(rows, page)


def _entry_lines(entries: Sequence[Entry], page: Page) -> Iterator[Line]:
    """Draw entries; where there is no room for their states, add what the shapes mean."""
    table = Table(label="Entry", columns=_COLUMNS, note="State", rows=tuple(_rows(entries, page)))
    layout = lay_out(table, page.screen)
    yield from lines(table, layout)
    if not layout.note:
        states = dict.fromkeys(entry.state for entry in entries)
        legend = "  ".join(f"{cells.SHAPES[state]} {cells.word(state)}" for state in states)
        yield from prose(legend, page.screen.width)


def _rows(entries: Sequence[Entry], page: Page) -> Iterator[Row]:
    total = Group(f"Total: {count_entries(len(entries))}", entries)
    headed = False
    for group in by_category(entries, page.view):
        alone = page.screen.is_terminal and len(group.entries) == 1
        if not alone:
            heading = "unfinished" if group.label == UNFINISHED else group.label
            yield Row(page.shown(heading), _sums(group, total.disk_bytes), style="bold", head=True)
        for each in choose(group.entries, full=page.view.full or not page.screen.is_terminal):
            row = _row(each, total.disk_bytes, page)
            yield row._replace(apart=True) if alone and headed else row
        headed = not alone
    yield Row(total.label, _sums(total, 0), style="bold", head=True)


def _row(each: Entry | Group, whole: int, page: Page) -> Row:
    """Draw an entry, or the sum of several."""
    if isinstance(each, Group):
        return Row(each.label, _sums(each, whole), (each.states,) if each.states else (), "…")
    taken, files, age = page.facts(each)
    share = cells.bar(cells.disk_bytes(each), whole)
    figures = cells.figures(taken, share, files, age, cells.maker(each, page.screen))
    return page.row(each, figures, cells.state_notes(each, page.screen))


def _sums(group: Group, whole: int) -> tuple[str, ...]:
    return size(group.disk_bytes), cells.bar(group.disk_bytes, whole), f"{group.files:,}", "", ""
