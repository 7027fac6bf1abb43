"""What everything that is drawn for a person has in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import Entry
from . import cells
from .console import Line, Screen
from .table import Row, Table, lay_out, lines
from .text import age, shown
from .view import View


class Page(NamedTuple):
    """Where and when things are shown: paths relative to `root`, ages at the time `now`, in seconds since 1970."""

    root: Path
    now: float
    view: View
    screen: Screen

    def shown(self, text: str | Path) -> str:
        """Return a name as it may be shown; see `text.shown`."""
        return shown(text, self.screen.encoding)

    def age(self, since: float) -> str:
        """Say how long ago a time was."""
        return age(self.now - since)

    def link(self, path: Path) -> str:
        """Return where a click on something at `path` leads; on a terminal alone."""
        return path.as_uri() if self.screen.is_terminal else ""

    def row(
        self,
        entry: Entry,
        figures: tuple[str, ...],
        notes: tuple[str, ...],
        *,
        shape: str = "",
        style: str | None = None,
        verb: str = "",
        below: str = "",
    ) -> Row:
        """Return the row of an entry, in the shape and style of its state unless others are given."""
        return Row(
            shown(cells.path(self.root, entry), self.screen.encoding),
            figures,
            notes,
            shape or cells.SHAPES[entry.state],
            verb,
            cells.STYLES[entry.state] if style is None else style,
            entry.path.as_uri() if self.screen.is_terminal else "",
            below,
        )

    def draw(self, table: Table) -> Iterator[Line]:
        """Return the lines of a table, laid out for the screen."""
        return lines(table, lay_out(table, self.screen))

    def gap(self) -> Iterator[Line]:
        """Return an empty line on a terminal; a pipe has none."""
        if self.screen.is_terminal:
            yield ()
