"""Choosing by hand what a clean removes: a numbered list, and an answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..temp.entry import Decision, Plan
from . import cells
from .console import Line, Screen, line
from .table import Column, Row, Table, lay_out, lines
from .text import shown

_COLUMNS = (Column("Number"), cells.SIZE, cells.FILES, cells.AGE)
_TAKES = "Numbers and ranges such as 1,3-5, * for all, nothing to leave all"
_NOT_PICKED = "not picked"


def pick(root: Path, plans: Sequence[Plan], now: float) -> list[Plan]:
    """Let the user choose, on the terminal, of what the plans remove; return plans that keep the rest.

    What stays in any case is shown, too, with its reason. The end of input leaves all.
    """
    rows = [row for plan in plans for row in sorted(plan.remove, key=lambda row: cells.order(row.entry))]
    screen = Screen()
    screen.show(_Choices(root, rows, [row for plan in plans for row in (*plan.keep, *plan.fail)], now, screen).lines())
    numbers = _ask(len(rows)) if rows else frozenset[int]()
    picked = {id(row) for number, row in enumerate(rows, start=1) if number in numbers}
    return [_narrowed(plan, picked) for plan in plans]


def parse(answer: str, most: int) -> frozenset[int]:
    """Return the numbers that an answer names, from 1 to `most`. Raises ValueError for another answer."""
    if answer.strip() == "*":
        return frozenset(range(1, most + 1))
    numbers: set[int] = set()
    for part in filter(None, re.split(r"[,\s]+", answer)):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= most:
            raise ValueError(f"{part!r} is no number or range from 1 to {most}")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def _ask(most: int) -> frozenset[int]:
    print(f"{_TAKES}.")
    while True:
        try:
            return parse(input("Remove: "), most)
        except ValueError as error:
            print(f"{error}. {_TAKES}.")
        except EOFError:
            print()
            return frozenset()


def _narrowed(plan: Plan, picked: set[int]) -> Plan:
    left = tuple(row._replace(reason=_NOT_PICKED) for row in plan.remove if id(row) not in picked)
    return replace(plan, remove=tuple(row for row in plan.remove if id(row) in picked), keep=plan.keep + left)


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

    def _rows(self) -> Iterator[Row]:
        for number, row in enumerate(self.rows, start=1):
            yield self._row(row, str(number))
        for row in self.staying:
            yield self._row(row, "")

    def _row(self, row: Decision, number: str) -> Row:
        return Row(
            label=shown(cells.path(self.root, row.entry), self.screen.encoding),
            cells=(number, *cells.facts(row.entry, self.now)),
            notes=cells.reason_notes(row.entry, row.reason, self.screen),
            shape=cells.SHAPES[row.entry.state],
            style="" if number else cells.STYLES[row.entry.state],
            link=cells.link(row.entry, self.screen),
        )
