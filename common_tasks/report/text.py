"""Names and numbers in words that are safe to show.

Names come from others: whatever could move the cursor or hide something is written as an escape.
"""

import os
import re
from functools import lru_cache
from pathlib import Path

import humanize

from ..fs.values import printable

_NARROW = re.compile("[ -~━╸…]*")
_UNITS = (("year", 365 * 86400), ("day", 86400), ("hour", 3600))


def shown(text: str | Path, encoding: str) -> str:
    """Return a name as it may be shown: whatever is not a plain character of `encoding` is escaped."""
    plain = os.fspath(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return printable(plain).encode(encoding, "backslashreplace").decode(encoding)


def width(text: str) -> int:
    """Return how many columns a text takes up on a terminal."""
    if is_narrow(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def is_narrow(text: str) -> bool:
    """Tell whether a text is known to take up one column for each character."""
    return text.isascii() or _NARROW.fullmatch(text) is not None


def shorten(text: str, room: int) -> str:
    """Cut a text down to `room` columns."""
    if width(text) <= room:
        return text
    while text and width(text) >= room:
        text = text[:-1]
    return text + "…"


def wrap(text: str, room: int | None, indent: str = "", start: str = "") -> list[str]:
    """Break a sentence between words into lines of `room` columns; None means one line.

    Lines begin with `indent`, except that the first one begins with `start` if there is one.
    """
    start = start or indent
    if room is None or width(start + text) <= room:
        return [start + text]
    from textwrap import TextWrapper

    return TextWrapper(
        room, initial_indent=start, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ).wrap(text)


@lru_cache(maxsize=4096)
def size(number: int) -> str:
    """Say how many bytes these are, in at most four digits and a unit."""
    text = humanize.naturalsize(number, binary=True)
    return f"{number} B" if number < 1024 else re.sub(r"(?<=\d{3})\.\d", "", text)


def age(seconds: float) -> str:
    """Say how long a time is, in its largest unit; a negative one counts as 0."""
    for unit, length in _UNITS:
        if seconds >= length:
            return count(int(seconds // length), unit)
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{max(0, int(seconds))} s"


def count(number: int, one: str, many: str = "") -> str:
    """Say how many: "1 day", "2 days", "3 entries"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def count_entries(number: int) -> str:
    """Say how many entries."""
    return count(number, "entry", "entries")
