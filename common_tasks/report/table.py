"""Tables of things on disk, laid out for the available width.

A row's label is a path, and is never cut: it shares a line with the rest if there is room, else it has a line of its
own. If room is short, columns are left out one after the other; last, the note is shortened or moves to a line
below. A pipe gets all columns, and nothing is cut. A column that is empty in every row is always left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, pairwise
from typing import NamedTuple

from .console import Line, Prose, Screen, Span
from .text import is_narrow, shorten, width

_GAP = 2
_SPACE = " " * _GAP
_INDENT = 4  # of what stands below its label
_LONGEST_NOTE = 48  # columns, on a terminal
_LONGEST_WORD = 16  # columns that a note asks for at least


class Column(NamedTuple):
    """A column between label and note. `yields`: if room is short, the highest is left out first, and 0 never."""

    heading: str
    yields: int = 0
    left: bool = False
    style: str = ""


class Row(NamedTuple):
    """One thing, or with `head` the sum of those that follow.

    `notes`: the text of the last column, in full and in shorter forms. `mark` stands before the label. `link`: what a
    click on the label opens, in rich's words. `below`: what has to be said in full, whatever the width, so on a line of
    its own. `apart`: it belongs to no sum above it, which an empty line shows on a terminal.
    """

    label: str
    cells: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mark: str = ""
    style: str = ""
    link: str = ""
    below: str = ""
    head: bool = False
    apart: bool = False


def head(label: str, cells: tuple[str, ...], notes: tuple[str, ...] = ()) -> Row:
    """Return the row of a heading, or of a sum."""
    return Row(label, cells, notes, style="bold", head=True)


class Table(NamedTuple):
    """What is to be laid out.

    `whole_notes`: a note for which there is no room goes on a line below. Otherwise it is cut; if there is no room
    for any note, the `legend` says what the marks mean.
    """

    label: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""
    whole_notes: bool = False
    legend: str = ""


def draw(table: Table, screen: Screen) -> Iterator[Line]:
    """Return the lines of a table, laid out for the screen."""
    widths = _Widths(table)
    return _plain_lines(table, widths) if screen.width is None else _Fitted(table, widths, screen.width).lines()


class _Widths:
    """The widths that a table's rows need. `note` and `word`: for notes in full and at their shortest."""

    def __init__(self, table: Table) -> None:
        # There may be very many rows, but what stands in their cells is often the same.
        rows = table.rows
        texts = [{row.cells[number] for row in rows} for number in range(len(table.columns))]
        notes = {row.notes for row in rows} - {()}
        self.head = max([width(table.label), *(width(row.label) for row in rows if row.head)])
        self.labels = Counter(map(width, [row.label for row in rows if not row.head]))
        self.cells = [
            max(map(width, {column.heading, *known})) if any(known) else 0
            for column, known in zip(table.columns, texts, strict=True)
        ]
        self.mark = max(map(width, {row.mark for row in rows}), default=0)
        heading = width(table.note) if notes else 0
        self.note = max([heading, *(width(_best(each, _LONGEST_NOTE)) for each in notes)])
        self.word = max([heading, *(min(width(each[-1]), _LONGEST_WORD) for each in notes)])


def _headings(table: Table) -> Row:
    return head(table.label, tuple(column.heading for column in table.columns), (table.note,))


def _plain_lines(table: Table, widths: _Widths) -> Iterator[Line]:
    """Return the lines for a pipe: each is one span, because nothing is styled and there may be very many."""
    mark = widths.mark + _GAP
    rooms = mark + max(widths.head, *widths.labels), *filter(None, widths.cells), 0
    lefts = True, *(column.left for column in compress(table.columns, widths.cells)), True
    template = _SPACE.join(f"%{'-' if left else ''}{room}s" for left, room in zip(lefts, rooms, strict=True))
    for row in (_headings(table), *table.rows):
        label = row.label if row.head else row.mark.ljust(mark) + row.label
        texts = label, *compress(row.cells, widths.cells), row.notes[0] if row.notes and widths.note else ""
        text = template % texts
        if not is_narrow(text):
            cells = zip(texts, rooms, lefts, strict=True)
            text = _SPACE.join(_pad(cell, room, left=left) for cell, room, left in cells)
        yield (Span(text),)


class _Fitted:
    """A table fitted into a width: room goes to the label and to what never yields, then to what yields last.

    A column of width 0 is left out; `_label` is None if labels have their own lines.
    """

    def __init__(self, table: Table, widths: _Widths, room: int) -> None:
        self._table = table
        self._mark = max(widths.mark, 1) + 1
        self._label: int | None = None
        firm = _sum(cell for column, cell in zip(table.columns, widths.cells, strict=True) if not column.yields)
        longest = room - self._mark - firm
        short = [label for label in widths.labels if label <= longest]
        if 2 * sum(widths.labels[label] for label in short) >= widths.labels.total():
            self._label = max([*short, min(widths.head - self._mark, longest)])
        self._indent = _INDENT - _GAP if self._label is None else self._mark + self._label
        self._share_out(widths, room - self._indent)

    def _share_out(self, widths: _Widths, room: int) -> None:
        """Find out which columns there is room for, and how much is left for the note."""
        columns, self._cells = self._table.columns, list(widths.cells)
        for number in sorted(range(len(columns)), key=lambda number: -columns[number].yields):
            if columns[number].yields and _sum(self._cells) + _GAP + widths.note > room:
                self._cells[number] = 0
        note = min(widths.note, room - _sum(self._cells) - _GAP)
        self._note = note if note >= widths.word else 0

    def lines(self) -> Iterator[Line]:
        """Return the lines, with an empty one before each sum and before rows that belong to none."""
        if self._label is not None:
            yield self._in_one_line(_headings(self._table), self._table.note if self._note else "")
        for above, row in pairwise((Row("", apart=True), *self._table.rows)):
            if row.head or (row.apart and not above.apart):
                yield ()
            yield from self._lines_of(row)
        if self._table.legend and not self._note:
            yield Prose(self._table.legend)

    def _lines_of(self, row: Row) -> Iterator[Line]:
        note, below = self._placed(row)
        if self._label is not None and self._filler(row) >= 0:
            yield self._in_one_line(row, note)
        elif row.head:
            yield Prose("  ".join([row.label, *row.cells[:1]]), row.style)
        else:
            yield self._start(row)
            yield Span(" " * self._indent), *self._details(row, note)
        if below:
            yield Prose(below, row.style, " " * _INDENT)

    def _in_one_line(self, row: Row, note: str) -> Line:
        return *self._start(row), Span(" " * self._filler(row)), *self._details(row, note)

    def _filler(self, row: Row) -> int:
        """Return how many columns are left between a row's label and its cells; negative if there is no room."""
        return self._indent - width(row.label) - (0 if row.head else self._mark)

    def _start(self, row: Row) -> tuple[Span, ...]:
        label = Span(row.label, f"{row.style} {row.link}")
        return (label,) if row.head else (Span(row.mark.ljust(self._mark), row.style), label)

    def _details(self, row: Row, note: str) -> Iterator[Span]:
        for column, cell, room in zip(self._table.columns, row.cells, self._cells, strict=True):
            if room:
                yield Span(_SPACE + _pad(cell, room, left=column.left), row.style if row.head else column.style)
        if note:
            yield Span(_SPACE + note, row.style)

    def _placed(self, row: Row) -> tuple[str, str]:
        """Return the note that stands in a row's line, and the note below it."""
        if row.below or not row.notes:
            return "", row.below
        if not self._table.whole_notes:
            return _best(row.notes, self._note) if self._note else "", ""
        fits = next((note for note in row.notes if width(note) <= self._note), "")
        return fits, "" if fits else row.notes[:2][-1]


def _sum(cells: Iterable[int]) -> int:
    return sum(_GAP + cell for cell in cells if cell)


def _pad(text: str, room: int, *, left: bool) -> str:
    """Fill a text up to `room` columns."""
    room += len(text) - width(text)
    return text.ljust(room) if left else text.rjust(room)


def _best(notes: Sequence[str], room: int) -> str:
    """Return the longest form that fits. If the only shorter one says very little, return the full one, cut."""
    best = next((note for note in notes if width(note) <= room), notes[-1])
    says_little = len(notes) == 2 and 2 * width(best) < room
    return shorten(notes[0], room) if says_little or width(best) > room else best
