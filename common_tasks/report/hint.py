"""What the projects below the one that was looked at hold, in one line."""

from collections.abc import Sequence

from ..temp.entry import Entry
from . import cells
from .console import Screen, line
from .text import count, size


def show_hint(projects: Sequence[Sequence[Entry]], status: str | None) -> None:
    """Say in one line what the projects below hold, if anything. `status`: the command that shows a project."""
    if not projects:
        return
    taken = sum(cells.disk_bytes(entry) for entries in projects for entry in entries)
    hold = count(len(projects), "project below holds", "projects below hold")
    Screen().show([line(f"{hold} {size(taken)}: {status or 'temp-status'} -a")])
