"""How the facts about an entry are written in a table."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ..temp.entry import Entry
from .console import Screen
from .table import Column
from .text import shorten, shown, width

SIZE, SHARE, FILES, AGE = Column("Size"), Column("Share", 3, left=True, style="cyan"), Column("Files", 2), Column("Age")
MAKER = Column("Made by", 4, left=True)
STYLES = {"idle": "", "in-use": "green", "kept": "cyan", "tracked": "blue", "orphaned": "yellow", "unfinished": "red"}
SHAPES = {"idle": "○", "in-use": "●", "kept": "■", "tracked": "◆", "orphaned": "△", "unfinished": "◐"}
_HOLDER = 24  # columns of the command of who uses something
_MAKER = 28  # columns of who made something
_BAR = 10  # columns


def disk_bytes(entry: Entry) -> int:
    """Return what an entry takes up; 0 where nobody measured it."""
    return entry.usage.disk_bytes if entry.usage else 0


def changed(entry: Entry) -> float | None:
    """Return when an entry changed last, in seconds since 1970; None where nobody measured it or could look into it."""
    usage = entry.usage
    return None if usage is None or (usage.fault is not None and usage.changed <= 0) else usage.changed


def newest(entries: Iterable[Entry]) -> float | None:
    """Return the last time at which one of these changed; None where that is known of none."""
    return max(filter(None, map(changed, entries)), default=None)


def oldest(entries: Iterable[Entry]) -> float | None:
    """Return the first of the times at which these changed last; None where that is known of none."""
    return min(filter(None, map(changed, entries)), default=None)


def path(root: Path, entry: Entry) -> str:
    """Return where an entry stands: relative to the root, absolute outside it."""
    above, below = _between(str(root), str(entry.folder))
    if below and entry.parts[: len(below)] == below:
        return "/".join(entry.parts[len(below) :])
    return above + "/".join(entry.parts)


@lru_cache(maxsize=64)
def _between(root: str, folder: str) -> tuple[str, tuple[str, ...]]:
    """Return the path from the root to a folder, and for a folder above the root, the names from there to the root."""
    top, below = Path(root), Path(folder)
    if below == top:
        return "", ()
    if below.is_relative_to(top):
        return f"{below.relative_to(top).as_posix()}/", ()
    return f"{folder.rstrip('/')}/", top.relative_to(below).parts if top.is_relative_to(below) else ()


def maker(entry: Entry, screen: Screen) -> str:
    """Return who made an entry, if that is known; on a terminal only the end of a long path, which says most."""
    if entry.made_by is None:
        return ""
    told = shown(entry.made_by, screen.encoding)
    return told if screen.width is None or width(told) <= _MAKER else f"…{told[1 - _MAKER :]}"


@lru_cache(maxsize=4096)
def figures(*texts: str) -> tuple[str, ...]:
    """Return the texts of some columns. Entries with the same texts share one tuple, which saves memory."""
    return texts


@lru_cache(maxsize=4096)
def bar(part: int, whole: int) -> str:
    """Draw a share of the whole."""
    halves = round(2 * _BAR * part / whole) if whole else 0
    return "━" * (halves // 2) + "╸" * (halves % 2)


def state_notes(entry: Entry, screen: Screen) -> tuple[str, ...]:
    """Return the reason of an entry's state in full and in shorter forms, the last of them the state itself."""
    state = _state_note(entry.state)
    return state if entry.reason is None else (*reason_notes(entry, entry.reason, screen), *state)


@lru_cache  # one for very many entries
def _state_note(state: str) -> tuple[str]:
    return (word(state),)


def reason_notes(entry: Entry, reason: str, screen: Screen) -> tuple[str, ...]:
    """Return a reason in full and, where it names a process, in shorter forms with less of its command."""
    return _forms(reason, screen.encoding, in_use=entry.state == "in-use")


@lru_cache(maxsize=64)  # the reason of very many entries is often the same
def _forms(reason: str, encoding: str, *, in_use: bool) -> tuple[str, ...]:
    full = shown(reason, encoding)
    holder, bracket, command = full.partition(" (")
    if not in_use or not bracket:
        return (full,)
    return full, f"{holder} ({shorten(command.rstrip(')'), _HOLDER)})", holder


def word(state: str) -> str:
    """Return a state in words."""
    return state.replace("-", " ")
