"""What a clean lets go now and soon, in a line or two."""

from collections.abc import Iterator, Sequence

from ..temp.retention import Due
from . import cells
from .console import Line, line, prose
from .text import entries as count_entries
from .text import size


def outlook(projects: Sequence[Sequence[Due]], clean: str | None, room: int | None) -> Iterator[Line]:
    """Say what a clean of some projects lets go now, and what falls due later. `clean`: the command, if any.

    Sentences are broken to fit a room of so many columns, a command never: half of it would do something else.
    """
    amounts: dict[str, tuple[int, int]] = {}
    for due in (due for project in projects for due in project):
        entries, taken = amounts.get(due.when, (0, 0))
        amounts[due.when] = entries + len(due.rows), taken + sum(cells.disk_bytes(row.entry) for row in due.rows)
    now = amounts.pop("now", (0, 0))
    if now[0]:
        yield from prose(f"{clean or 'A clean'} would free {_said(now)}.", room)
    if now[0] and clean:
        yield line(f"To see which: {clean} --dry-run")
    later = [f"{when}: {_said(amount)}" for when, amount in amounts.items() if amount[0]]
    if later:
        yield from prose(f"Due {'; '.join(later)}.", room)


def _said(amount: tuple[int, int]) -> str:
    entries, taken = amount
    return f"{size(taken)} in {count_entries(entries)}"
