"""Choosing by hand what a clean removes: a numbered list, and an answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ..temp.entry import Decision, Plan
from . import cells
from .console import Line, Screen, line, prose
from .table import Column, Row, Table, lay_out, lines
from .text import entries as count_entries
from .text import shown, size
from .view import View

_COLUMNS = (cells.SIZE, Column("Total", 1), cells.FILES, cells.AGE)
_TAKES = "Type numbers and ranges such as 1,3-5, or * for all. Enter keeps everything."


def pick(root: Path, plans: Sequence[Plan], now: float, view: View) -> tuple[Decision, ...]:
    """Let the user choose, on the terminal, from what the plans remove; return what was chosen.

    The largest comes first unless the view says otherwise, each with the total so far. What stays in any case is
    shown, too, with its reason. The end of input chooses nothing.
    """
    rows = sorted((row for plan in plans for row in plan.remove), key=lambda row: view.key(row.entry))
    staying = sorted((row for plan in plans for row in (*plan.keep, *plan.fail)), key=lambda row: view.key(row.entry))
    screen = Screen()
    screen.show(_Choices(root, rows, staying, now, screen).lines())
    numbers = _ask(len(rows), screen) if rows else frozenset[int]()
    picked = tuple(row for number, row in enumerate(rows, start=1) if number in numbers)
    screen.show(prose(_said(picked), screen.width))
    return picked


def parse(answer: str, most: int) -> frozenset[int]:
    """Return the numbers that an answer names, from 1 to `most`. Raises ValueError for another answer."""
    if answer.strip() == "*":
        return frozenset(range(1, most + 1))
    numbers: set[int] = set()
    for part in filter(None, re.split(r"[,\s]+", answer)):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= most:
            raise ValueError(f"{part!r} is not a number or range from 1 to {most}")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _ask(most: int, screen: Screen) -> frozenset[int]:
    screen.show(prose(_TAKES, screen.width))
    while True:
        try:
            return parse(input("Remove: "), most)
        except ValueError as error:
            screen.show(prose(f"{error}. {_TAKES}", screen.width))
        except EOFError:
            print()
            return frozenset()


def _said(picked: Sequence[Decision]) -> str:
    if not picked:
        return "Nothing was picked: everything stays."
    taken = sum(cells.disk_bytes(row.entry) for row in picked)
    return f"Picked: {count_entries(len(picked))}, {size(taken)}."


@dataclass(frozen=True, slots=True)
class _Choices:
    """What may go and what stays, and what it takes to draw it."""

    root: Path
    rows: Sequence[Decision]
    staying: Sequence[Decision]
    now: float
    screen: Screen

    def lines(self) -> Iterator[Line]:
        """Draw all of it."""
        yield line(shown(self.root, self.screen.encoding), "bold")
        if not self.rows and not self.staying:
            yield line("There is nothing to choose from")
            return
        table = Table(label="Entry", columns=_COLUMNS, note="Why", rows=tuple(self._rows()), whole_notes=True)
        yield from lines(table, lay_out(table, self.screen))
        yield ()

    def _rows(self) -> Iterator[Row]:
        totals = accumulate(cells.disk_bytes(row.entry) for row in self.rows)
        differ = len({row.reason for row in self.rows}) > 1
        digits = len(str(len(self.rows)))
        for number, (row, total) in enumerate(zip(self.rows, totals, strict=True), start=1):
            drawn = self._row(row, size(total))._replace(shape=f"{number:{digits}}", style="")
            yield drawn if differ else drawn._replace(notes=())  # one reason for all tells nothing about any
        for number, row in enumerate(self.staying):
            yield self._row(row, "")._replace(apart=not number and bool(self.rows))

    def _row(self, row: Decision, total: str) -> Row:
        taken, files, age = cells.facts(row.entry, self.now)
        return Row(
            label=shown(cells.path(self.root, row.entry), self.screen.encoding),
            cells=(taken, total, files, age),
            notes=cells.reason_notes(row.entry, row.reason, self.screen),
            shape=cells.SHAPES[row.entry.state],
            style=cells.STYLES[row.entry.state],
            link=cells.link(row.entry, self.screen),
        )
