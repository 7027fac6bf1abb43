"""What there is: the entries of one project by category, or the projects of a monorepo."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..temp.entry import Entry
from . import cells, document, projects
from .budget import shortfall_lines
from .by_itself import by_itself_lines
from .console import Line, Screen, line, prose
from .outlook import outlook
from .selection import Group, by_category, choose
from .table import Row, Table, lay_out, lines
from .text import count, shown, size
from .text import entries as count_entries
from .view import ProjectStatus, View

_COLUMNS = (cells.SIZE, cells.SHARE, cells.FILES, cells.AGE, cells.MAKER)


def show_status(root: Path, rows: Sequence[ProjectStatus], now: float, view: View, *, clean: str | None = None) -> None:
    """Print what there is in projects, on standard output. `now`: seconds since 1970.

    `root`: what paths are relative to. `clean`: the command that cleans what is shown, to be proposed.
    """
    if view.as_json:
        document.write(document.statuses(root, rows, whole=view.whole))
        return
    screen = Screen()
    screen.show(_lines(root, rows, now, view, screen, clean))


def _lines(
    root: Path, rows: Sequence[ProjectStatus], now: float, view: View, screen: Screen, clean: str | None
) -> Iterator[Line]:
    entries = [entry for row in rows for entry in row.entries]
    if not entries:
        where = f" ({count(len(rows), 'project')})" if view.whole else ""
        yield line(f"No temporary directories in {shown(root, screen.encoding)}{where}")
    elif view.whole and len(rows) > 1:
        yield from projects.status_lines(root, rows, now, view, screen)
    else:
        yield from _Entries(root, entries, now, view, screen).lines()
    yield from projects.error_lines(root, rows, screen)
    yield from outlook([row.due for row in rows], clean, screen.width)
    unmet = [shortfall for row in rows for term in row.due[:1] for shortfall in term.shortfalls]
    yield from shortfall_lines(unmet, screen.width)
    yield from by_itself_lines(rows, now, screen)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Entries, and what it takes to draw them."""

    root: Path
    entries: Sequence[Entry]
    now: float
    view: View
    screen: Screen

    def lines(self) -> Iterator[Line]:
        """Draw all of it."""
        groups = by_category(self.entries, self.view)
        table = Table(label="Entry", columns=_COLUMNS, note="State", rows=tuple(self._rows(groups)))
        layout = lay_out(table, self.screen)
        yield line(shown(self.root, self.screen.encoding), "bold")
        yield from lines(table, layout)
        if not layout.note:
            yield from prose(self._legend(), self.screen.width)

    def _rows(self, groups: Sequence[Group]) -> Iterator[Row]:
        whole = sum(group.disk_bytes for group in groups)
        headed = False
        for group in groups:
            alone = self.screen.is_terminal and len(group.entries) == 1
            if not alone:
                heading = shown(cells.HEADINGS.get(group.label, group.label), self.screen.encoding)
                yield Row(heading, self._sums(group, whole), style="bold", head=True)
            for each in choose(group.entries, full=self.view.full or not self.screen.is_terminal):
                row = self._sum(each, whole) if isinstance(each, Group) else self._row(each, whole)
                yield row._replace(apart=True) if alone and headed else row
            headed = not alone
        files = sum(group.files for group in groups)
        total = f"Total: {count_entries(len(self.entries))}"
        yield Row(total, (size(whole), "", f"{files:,}", "", ""), style="bold", head=True)

    def _sum(self, rest: Group, whole: int) -> Row:
        return Row(rest.label, self._sums(rest, whole), (rest.states,) if rest.states else (), "…")

    def _sums(self, group: Group, whole: int) -> tuple[str, ...]:
        return size(group.disk_bytes), cells.bar(group.disk_bytes, whole), f"{group.files:,}", "", ""

    def _row(self, entry: Entry, whole: int) -> Row:
        taken, files, age = cells.facts(entry, self.now)
        share = cells.bar(cells.disk_bytes(entry), whole)
        return Row(
            label=shown(cells.path(self.root, entry), self.screen.encoding),
            cells=(taken, share, files, age, cells.maker(entry, self.screen)),
            notes=cells.state_notes(entry, self.screen),
            shape=cells.SHAPES[entry.state],
            style=cells.STYLES[entry.state],
            link=cells.link(entry, self.screen),
        )

    def _legend(self) -> str:
        states = dict.fromkeys(entry.state for entry in self.entries)
        return "  ".join(f"{cells.SHAPES[state]} {cells.word(state)}" for state in states)
