"""Tables of things on disk, laid out for the width there is.

A row's label is a path, and never cut: it stands in one line with the rest if there is room, else in a line of its
own. Where room is short, columns are left out one after the other; last, the note is shortened or moves to a line
below. A pipe gets all columns, and nothing is cut. A column that is empty in every row is always left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple

from .console import Line, Screen, Span, prose
from .text import is_narrow, shorten, width

_GAP = 2
_SPACE = " " * _GAP
_INDENT = 4  # of what stands below its label
_LONGEST_NOTE = 48  # columns, on a terminal
_LONGEST_WORD = 16  # columns that a note asks for at least


class Column(NamedTuple):
    """A column between label and note. `yields`: where room is short, the highest is left out first, and 0 never is."""

    heading: str
    yields: int = 0
    left: bool = False
    style: str = ""


class Row(NamedTuple):
    """One thing, or with `head` the sum of those that follow.

    `notes`: the text of the last column, in full and in shorter forms. `shape` and `verb` say what the row is about,
    in one column: the shape on a terminal, the verb in a pipe. `link`: where a click on the label leads. `below`: what
    has to be said in full, whatever the width, so in a line of its own. `apart`: on a terminal an empty line comes
    before it.
    """

    label: str
    cells: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    shape: str = ""
    verb: str = ""
    style: str = ""
    link: str = ""
    below: str = ""
    head: bool = False
    apart: bool = False


class Table(NamedTuple):
    """What is to be laid out.

    `whole_notes`: a note that finds no room is said on a line below; else it is cut, or left to the shape.
    """

    label: str
    columns: Sequence[Column]
    note: str
    rows: Sequence[Row]
    whole_notes: bool = False


class _Widths:
    """The widths that a table's rows ask for: `note` and `word` those of the longest and the shortest forms."""

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
        self.mark = max([1, *map(len, {row.shape for row in rows})]) + 1
        self.verb = max(map(width, {row.verb for row in rows}), default=0)
        heading = width(table.note) if notes else 0
        self.note = max([heading, *(width(_best(each, _LONGEST_NOTE)) for each in notes)])
        self.word = max([heading, *(min(width(each[-1]), _LONGEST_WORD) for each in notes)])


class Layout(NamedTuple):
    """How wide everything is in `room` columns; None is room for all.

    A column of width 0 is left out. `label`: None where labels have their own lines.
    """

    room: int | None
    mark: int
    label: int | None
    cells: tuple[int, ...]
    note: int


def lay_out(table: Table, screen: Screen) -> Layout:
    """Find the widths for a screen."""
    widths = _Widths(table)
    if screen.width is None:
        return Layout(None, widths.verb + _GAP, max(widths.head, *widths.labels), tuple(widths.cells), widths.note)
    return _fit(table, widths, screen.width)


def lines(table: Table, layout: Layout) -> Iterator[Line]:
    """Return the lines of a table that is laid out."""
    if layout.room is None:
        yield from _plain_lines(layout, table)
        return
    if layout.label is not None:
        yield _in_one_line(layout, table, _headings(table, layout))
    for row in table.rows:
        yield from _lines_of(layout, table, row)


def _headings(table: Table, layout: Layout) -> Row:
    cells = tuple(column.heading for column in table.columns)
    return Row(table.label, cells, (table.note,) if layout.note else (), style="bold", head=True)


def _plain_lines(layout: Layout, table: Table) -> Iterator[Line]:
    """Return the lines for a pipe: each in one piece, because there is nothing to style, and there may be very many."""
    rooms = layout.mark + (layout.label or 0), *filter(None, layout.cells), 0
    lefts = True, *(column.left for column in compress(table.columns, layout.cells)), True
    template = _SPACE.join(f"%{'-' if left else ''}{room}s" for left, room in zip(lefts, rooms, strict=True))
    for row in (_headings(table, layout), *table.rows):
        label = row.label if row.head else row.verb.ljust(layout.mark) + row.label
        texts = label, *compress(row.cells, layout.cells), row.notes[0] if row.notes else ""
        text = template % texts
        if not is_narrow(text):
            cells = zip(texts, rooms, lefts, strict=True)
            text = _SPACE.join(_pad(cell, room, left=left) for cell, room, left in cells)
        yield (Span(text),)


def _pad(text: str, room: int, *, left: bool) -> str:
    """Fill a text up to `room` columns."""
    room += len(text) - width(text)
    return text.ljust(room) if left else text.rjust(room)


def _fit(table: Table, widths: _Widths, room: int) -> Layout:
    """Lay out for so many columns: the label first, then what never yields, then what yields last."""
    firm = _sum(cell for column, cell in zip(table.columns, widths.cells, strict=True) if not column.yields)
    longest = room - widths.mark - firm
    if 2 * sum(number for label, number in widths.labels.items() if label <= longest) < widths.labels.total():
        return Layout(room, widths.mark, None, *_share_out(table.columns, widths, room - _INDENT + _GAP))
    label = max(each for each in (*widths.labels, min(widths.head - widths.mark, longest)) if each <= longest)
    return Layout(room, widths.mark, label, *_share_out(table.columns, widths, room - widths.mark - label))


def _share_out(columns: Sequence[Column], widths: _Widths, room: int) -> tuple[tuple[int, ...], int]:
    """Return the widths of the cells, and of the note, that `room` columns have room for."""
    cells = list(widths.cells)
    for number in sorted(range(len(columns)), key=lambda number: -columns[number].yields):
        if columns[number].yields and _sum(cells) + _GAP + widths.note > room:
            cells[number] = 0
    note = min(widths.note, room - _sum(cells) - _GAP)
    return tuple(cells), note if note >= widths.word else 0


def _sum(cells: Iterable[int]) -> int:
    return sum(_GAP + cell for cell in cells if cell)


def _lines_of(layout: Layout, table: Table, row: Row) -> Iterator[Line]:
    if row.head or row.apart:
        yield ()
    if layout.label is not None and width(row.label) <= layout.label + (layout.mark if row.head else 0):
        yield _in_one_line(layout, table, row)
    elif row.head:
        yield from prose("  ".join([row.label, *row.cells[:1]]), layout.room, style=row.style)
    else:
        yield _start(layout, row)
        indent = _INDENT if layout.label is None else layout.mark + layout.label + _GAP
        yield Span(" " * (indent - _GAP)), *_details(layout, table, row)
    below = row.below or _note_below(layout, table, row)
    if below:
        yield from prose(below, layout.room, " " * _INDENT, row.style)


def _in_one_line(layout: Layout, table: Table, row: Row) -> Line:
    filler = " " * ((layout.label or 0) - width(row.label) + (layout.mark if row.head else 0))
    return *_start(layout, row), Span(filler), *_details(layout, table, row)


def _start(layout: Layout, row: Row) -> Line:
    label = Span(row.label, row.style, row.link)
    return (label,) if row.head else (Span(row.shape.ljust(layout.mark), row.style), label)


def _details(layout: Layout, table: Table, row: Row) -> Iterator[Span]:
    for column, cell, room in zip(table.columns, row.cells, layout.cells, strict=True):
        if room:
            yield Span(_SPACE + _pad(cell, room, left=column.left), row.style if row.head else column.style)
    if row.notes and (note := _note(layout, table, row)):
        yield Span(_SPACE + note, row.style)


def _note(layout: Layout, table: Table, row: Row) -> str:
    """Return the form of a row's note that there is room for; nothing where it is to be said elsewhere."""
    if not layout.note:
        return ""
    if table.whole_notes:
        return next((note for note in row.notes if width(note) <= layout.note), "")
    return _best(row.notes, layout.note)


def _note_below(layout: Layout, table: Table, row: Row) -> str:
    left_out = table.whole_notes and row.notes and not _note(layout, table, row)
    return row.notes[:2][-1] if left_out else ""


def _best(notes: Sequence[str], room: int) -> str:
    """Return the longest form that there is room for; where the only shorter one says very little, the full one cut."""
    best = next((note for note in notes if width(note) <= room), notes[-1])
    says_little = len(notes) == 2 and 2 * width(best) < room
    return shorten(notes[0], room) if says_little or width(best) > room else best
