"""What there is: the entries of one project by category, or the projects of a monorepo."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..temp.entry import UNFINISHED, Entry
from . import document, facts, projects
from .console import Line, Screen
from .page import AGE, FILES, MAKER, SHARE, SIZE, STATES, Page, bar, word
from .selection import Group, by_category, choose, under
from .sentences import by_itself_lines, error_lines, nothing_line, outlook, shortfall_lines
from .table import Row, Table, draw, head
from .text import count_entries
from .view import ProjectStatus, View


def show_status(root: Path, rows: Sequence[ProjectStatus], now: float, view: View, *, clean: str | None = None) -> None:
    """Print what there is in projects, on standard output. `now`: seconds since 1970.

    `root`: what paths are relative to. `clean`: the command to propose for cleaning what is shown.
    """
    if view.as_json:
        found = document.makers(root, rows) if view.by_maker else document.statuses(root, rows, whole=view.whole)
        document.write(found)
        return
    page = Page(root, now, view, Screen())
    page.screen.show(projects.maker_lines(rows, page) if view.by_maker else _lines(page, rows, clean))


def _lines(page: Page, rows: Sequence[ProjectStatus], clean: str | None) -> Iterator[Line]:
    together = ProjectStatus.joined(page.root, rows)
    if not together.entries:
        yield nothing_line("No temporary directories", rows, page)
    else:
        yield page.title()
        if page.view.whole and len(rows) > 1:
            yield from projects.status_lines(rows, page)
        else:
            yield from draw(_table(together.entries, page), page.screen)
    yield from error_lines(rows, page)
    yield from outlook(together.due, clean)
    yield from shortfall_lines(shortfall for due in together.due if due.when == "now" for shortfall in due.shortfalls)
    yield from by_itself_lines(rows, page)


def _table(entries: Sequence[Entry], page: Page) -> Table:
    """Return the table of entries; if there is no room for their states, it says what the marks mean."""
    states = dict.fromkeys(entry.state for entry in entries)
    legend = "  ".join(f"{STATES[state].shape} {word(state)}" for state in states)
    columns = (SIZE, SHARE, FILES, AGE, MAKER)
    return Table(label="Entry", columns=columns, note="State", rows=tuple(_rows(entries, page)), legend=legend)


def _rows(entries: Sequence[Entry], page: Page) -> Iterator[Row]:
    total = Group(f"Total: {count_entries(len(entries))}", entries)
    whole = total.disk_bytes
    for group in by_category(entries, page.view):
        heading = head(page.shown("unfinished" if group.label == UNFINISHED else group.label), _sums(group, whole))
        rows = [_row(each, whole, page) for each in choose(group.entries, full=page.full)]
        yield from under(heading, group, rows) if page.screen.is_terminal else (heading, *rows)
    yield head(total.label, _sums(total, 0))


def _row(each: Entry | Group, whole: int, page: Page) -> Row:
    """Return the row of an entry, or of the sum of several."""
    if isinstance(each, Group):
        return Row(each.label, _sums(each, whole), (each.states,) if each.states else (), "…")
    taken, files, age = page.figures(each)
    cells = taken, bar(facts.disk_bytes(each), whole), files, age, page.maker(each)
    return page.row(each, cells, page.states(each))


def _sums(group: Group, whole: int) -> tuple[str, ...]:
    taken, files, age = group.figures
    return taken, bar(group.disk_bytes, whole), files, age, ""
