"""What there is, by category."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..temp.entry import Entry
from ..temp.retention import Due
from . import cells, document
from .console import Line, Screen, line, prose
from .outlook import outlook
from .selection import Sum, choose
from .table import Row, Rows, Table, lay_out, lines
from .text import entries as count_entries
from .text import shown, size

_COLUMNS = (cells.SIZE, cells.SHARE, cells.FILES, cells.AGE)


def show_status(
    root: Path,
    entries: Sequence[Entry],
    now: float,
    *,
    as_json: bool,
    full: bool = False,
    due: Sequence[Due] = (),
    clean: str | None = None,
) -> None:
    """Print what there is, on standard output. `now`: seconds since 1970.

    On a terminal long lists are summed up, unless `full`. `due`: what a clean lets go when; `clean`: the command that
    cleans, to be proposed.
    """
    if as_json:
        document.write(document.status(root, entries))
        return
    screen = Screen()
    if entries:
        screen.show(_Status(root, sorted(entries, key=cells.order), now, full, screen).lines(due, clean))
    else:
        screen.show([line(f"No temporary directories in {shown(root, screen.encoding)}")])


@dataclass(frozen=True, slots=True)
class _Status:
    """Entries, sorted, and what it takes to draw them."""

    root: Path
    entries: Sequence[Entry]
    now: float
    full: bool
    screen: Screen

    def lines(self, due: Sequence[Due], clean: str | None) -> Iterator[Line]:
        """Draw all of it."""
        table = Table(label="Entry", columns=_COLUMNS, note="State", rows=Rows(self._rows))
        layout = lay_out(table, self.screen)
        yield line(shown(self.root, self.screen.encoding), "bold")
        yield from lines(table, layout)
        if not layout.note:
            yield from prose(self._legend(), self.screen.width)
        yield from outlook([due], clean, self.screen.width)

    def _rows(self) -> Iterator[Row]:
        whole = sum(map(cells.disk_bytes, self.entries))
        for category, group in groupby(self.entries, key=lambda entry: entry.category):
            members = list(group)
            yield self._head(shown(cells.HEADINGS.get(category, category), self.screen.encoding), members, whole)
            for each in choose(members, full=self.full or not self.screen.is_terminal):
                yield self._sum(each, whole) if isinstance(each, Sum) else self._row(each, whole)
        yield self._head(f"Total: {count_entries(len(self.entries))}", self.entries, whole)._replace(
            cells=(size(whole), "", f"{sum(map(cells.files, self.entries)):,}", "")
        )

    def _head(self, label: str, members: Sequence[Entry], whole: int) -> Row:
        return Row(label, self._sums(members, whole), style="bold", head=True)

    def _sum(self, rest: Sum, whole: int) -> Row:
        return Row(rest.label, self._sums(rest.entries, whole), (rest.states,) if rest.states else (), "…")

    def _sums(self, members: Sequence[Entry], whole: int) -> tuple[str, ...]:
        taken = sum(map(cells.disk_bytes, members))
        return size(taken), cells.bar(taken, whole), f"{sum(map(cells.files, members)):,}", ""

    def _row(self, entry: Entry, whole: int) -> Row:
        taken, files, age = cells.facts(entry, self.now)
        return Row(
            label=shown(cells.path(self.root, entry), self.screen.encoding),
            cells=(taken, cells.bar(cells.disk_bytes(entry), whole), files, age),
            notes=cells.state_notes(entry, self.screen),
            shape=cells.SHAPES[entry.state],
            style=cells.STYLES[entry.state],
            link=cells.link(entry, self.screen),
        )

    def _legend(self) -> str:
        states = dict.fromkeys(entry.state for entry in self.entries)
        return "  ".join(f"{cells.SHAPES[state]} {cells.word(state)}" for state in states)
