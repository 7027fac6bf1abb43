"""How entries, times and names are written for a person to read."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import Entry
from . import facts
from .console import Line, Screen, line
from .table import Column, Row
from .text import age, shorten, shown, size, width
from .view import View

SIZE, SHARE, FILES, AGE = Column("Size"), Column("Share", 3, left=True, style="cyan"), Column("Files", 2), Column("Age")
MAKER = Column("Made by", 4, left=True)
_HOLDER = 24  # columns for the command of a process that uses something
_MAKER = 28  # columns for who made something
_BAR = 10  # columns


class Mark(NamedTuple):
    """What a row begins with on a terminal, and the style of its text."""

    shape: str
    style: str = ""


STATES = {
    "idle": Mark("○"),
    "in-use": Mark("●", "green"),
    "kept": Mark("■", "cyan"),
    "tracked": Mark("◆", "blue"),
    "orphaned": Mark("△", "yellow"),
    "unfinished": Mark("◐", "red"),
}


class Page(NamedTuple):
    """Where and when things are shown: paths relative to `root`, ages at the time `now`, in seconds since 1970."""

    root: Path
    now: float
    view: View
    screen: Screen

    @property
    def full(self) -> bool:
        """Whether every entry has a line of its own, as it always has in a pipe."""
        return self.view.full or not self.screen.is_terminal

    def shown(self, text: str | Path) -> str:
        """Return a name as it may be shown; see `text.shown`."""
        return shown(text, self.screen.encoding)

    def title(self) -> Line:
        """Return the line above everything else."""
        return line(self.shown(self.root), "bold")

    def gap(self) -> Iterator[Line]:
        """Return an empty line on a terminal; a pipe has none."""
        if self.screen.is_terminal:
            yield ()

    def age(self, since: float | None) -> str:
        """Say how long ago a time was; "?" if it is not known."""
        return "?" if since is None else age(self.now - since)

    def figures(self, entry: Entry) -> tuple[str, str, str]:
        """Return size, files and age in words."""
        return size(entry.usage.disk_bytes), f"{entry.usage.files:,}", self.age(facts.changed(entry))

    def maker(self, entry: Entry) -> str:
        """Return who made an entry, if that is known. A terminal gets only the end of a long path, which says most."""
        if entry.made_by is None:
            return ""
        told = self.shown(entry.made_by)
        return told if not self.screen.is_terminal or width(told) <= _MAKER else f"…{told[1 - _MAKER :]}"

    def reasons(self, entry: Entry, reason: str) -> tuple[str, ...]:
        """Return a reason in full and, if it names a process, in shorter forms with less of its command."""
        return _reasons(reason, entry.state, self.screen.encoding)

    def states(self, entry: Entry) -> tuple[str, ...]:
        """Return the reason for an entry's state in the same forms, and the state itself as the shortest."""
        return _states(entry.reason, entry.state, self.screen.encoding)

    def link(self, path: Path) -> str:
        """Return what a click opens, in rich's words; only on a terminal."""
        return f"link {path.as_uri()}" if self.screen.is_terminal else ""

    def row(
        self, entry: Entry, cells: tuple[str, ...], notes: tuple[str, ...], *, mark: Mark | None = None, verb: str = ""
    ) -> Row:
        """Return the row of an entry. On a terminal it has a mark, by default that of its state; in a pipe a verb."""
        label = self.shown(facts.path(self.root, entry))
        if not self.screen.is_terminal:
            return Row(label, _shared(cells), notes, verb)
        shape, style = mark or STATES[entry.state]
        return Row(label, _shared(cells), notes, shape, style, self.link(entry.path))


@lru_cache(maxsize=4096)
def _shared(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Return the same tuple for all entries with the same cells, which saves memory."""
    return cells


@lru_cache(maxsize=4096)
def bar(part: int, whole: int) -> str:
    """Draw a share of the whole."""
    halves = round(2 * _BAR * part / whole) if whole else 0
    return "━" * (halves // 2) + "╸" * (halves % 2)


@lru_cache(maxsize=64)  # the reason of very many entries is often the same
def _reasons(reason: str, state: str, encoding: str) -> tuple[str, ...]:
    full = shown(reason, encoding)
    holder, bracket, command = full.partition(" (")
    if state != "in-use" or not bracket:
        return (full,)
    return full, f"{holder} ({shorten(command.rstrip(')'), _HOLDER)})", holder


@lru_cache(maxsize=64)
def _states(reason: str | None, state: str, encoding: str) -> tuple[str, ...]:
    return *(() if reason is None else _reasons(reason, state, encoding)), word(state)


def word(state: str) -> str:
    """Return a state in words."""
    return state.replace("-", " ")
