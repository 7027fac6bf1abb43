"""Choosing by hand what a clean removes: a numbered list, and an answer."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from ..temp.entry import Decision, Plan
from . import facts
from .console import Line, Prose, Screen, line
from .page import AGE, FILES, SIZE, Mark, Page
from .table import Column, Row, Table, draw
from .text import count_entries, size
from .view import View

_COLUMNS = (SIZE, Column("Total", 1), FILES, AGE)
_TAKES = "Type numbers and ranges such as 1,3-5, or * for all. Enter keeps everything."


def pick(root: Path, plans: Sequence[Plan], now: float, view: View) -> tuple[Decision, ...]:
    """Let the user choose, on the terminal, from what the plans remove; return what was chosen.

    Each is shown with the total so far, the largest first unless the view says otherwise. What stays in any case is
    shown, too, with its reason. At the end of input, nothing is chosen.
    """
    rows = sorted((row for plan in plans for row in plan.remove), key=lambda row: view.key(row.entry))
    staying = sorted((row for plan in plans for row in (*plan.keep, *plan.fail)), key=lambda row: view.key(row.entry))
    screen = Screen()
    screen.show(_lines(rows, staying, Page(root, now, view, screen)))
    numbers = _ask(len(rows), screen) if rows else frozenset[int]()
    picked = tuple(row for number, row in enumerate(rows, start=1) if number in numbers)
    screen.show([Prose(_said(picked))])
    return picked


def parse(answer: str, most: int) -> frozenset[int]:
    """Return the numbers that an answer names, from 1 to `most`. Raises ValueError for any other answer."""
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
    screen.show([Prose(_TAKES)])
    while True:
        try:
            return parse(input("Remove: "), most)
        except ValueError as error:
            screen.show([Prose(f"{error}. {_TAKES}")])
        except EOFError:
            print()
            return frozenset()


def _said(picked: Sequence[Decision]) -> str:
    if not picked:
        return "Nothing was picked: everything stays."
    return f"Picked: {count_entries(len(picked))}, {size(facts.total(row.entry for row in picked))}."


def _lines(rows: Sequence[Decision], staying: Sequence[Decision], page: Page) -> Iterator[Line]:
    yield page.title()
    if not rows and not staying:
        yield line("There is nothing to choose from")
        return
    drawn = [*_numbered(rows, page), *(_row(row, "", page)._replace(apart=True) for row in staying)]
    yield from draw(Table(label="Entry", columns=_COLUMNS, note="Why", rows=drawn, whole_notes=True), page.screen)
    yield ()


def _numbered(rows: Sequence[Decision], page: Page) -> Iterator[Row]:
    totals = accumulate(facts.disk_bytes(row.entry) for row in rows)
    differ = len({row.reason for row in rows}) > 1
    digits = len(str(len(rows)))
    for number, (row, total) in enumerate(zip(rows, totals, strict=True), start=1):
        drawn = _row(row, size(total), page, Mark(f"{number:{digits}}"))
        yield drawn if differ else drawn._replace(notes=())  # a reason that all of them share says nothing


def _row(row: Decision, total: str, page: Page, mark: Mark | None = None) -> Row:
    taken, files, age = page.figures(row.entry)
    return page.row(row.entry, (taken, total, files, age), page.reasons(row.entry, row.reason), mark=mark)
