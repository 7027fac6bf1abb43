"""What everything that is drawn for a person has in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import Entry
from . import cells
from .console import Line, Screen
from .table import Row, Table, lay_out, lines
from .text import age, shown, size
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

    def age(self, since: float | None) -> str:
        """Say how long ago a time was; "?" where it is not known."""
        return "?" if since is None else age(self.now - since)

    def facts(self, entry: Entry) -> tuple[str, ...]:
        """Return size, files and age in words; nothing where nobody measured."""
        if entry.usage is None:
            return "", "", ""
        return cells.figures(size(entry.usage.disk_bytes), f"{entry.usage.files:,}", self.age(cells.changed(entry)))

    def link(self, path: Path) -> str:
        """Return where a click on something leads; on a terminal alone."""
        return path.as_uri() if self.screen.is_terminal else ""

    def row(
        self,
        entry: Entry,
        figures: tuple[str, ...],
        notes: tuple[str, ...],
        *,
        verb: str = "",
        shape: str = "",
        style: str | None = None,
    ) -> Row:
        """Return the row of an entry, in the shape and style of its state unless others are given."""
        return Row(
            shown(cells.path(self.root, entry), self.screen.encoding),
            figures,
            notes,
            shape or cells.SHAPES[entry.state],
            verb,
            cells.STYLES[entry.state] if style is None else style,
            self.link(entry.path) if self.screen.is_terminal else "",
        )

    def draw(self, table: Table) -> Iterator[Line]:
        """Return the lines of a table, laid out for the screen."""
        return lines(table, lay_out(table, self.screen))

    def gap(self) -> Iterator[Line]:
        """Return an empty line on a terminal; a pipe has none."""
        if self.screen.is_terminal:
            yield ()
