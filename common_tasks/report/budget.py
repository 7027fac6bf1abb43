"""Budgets that are not met, and what holds them up, in words."""

from collections.abc import Iterable, Iterator

from ..temp.entry import Shortfall
from .console import Line, prose
from .text import size


def shortfall_lines(shortfalls: Iterable[Shortfall], room: int | None) -> Iterator[Line]:
    """Say by how much each budget is not met, and what stays. `room`: columns; None is room for all."""
    for shortfall in shortfalls:
        told = f"{shortfall.bound} {shortfall.words} is not met: {size(shortfall.missing)} too much"
        if shortfall.bound == "keep_free":
            told = f"{shortfall.bound} {shortfall.words} is not met: {size(shortfall.missing)} more should be free"
        held = ", ".join(f"{size(taken)} {why}" for why, taken in shortfall.held)
        yield from prose(f"{told}. {f'What stays: {held}' if held else 'Nothing is left to remove'}.", room)
