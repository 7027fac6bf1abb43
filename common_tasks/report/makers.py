"""Who made what there is: a line for each program or test."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import Entry
from . import cells, document
from .console import Line, Screen, line
from .text import age, shown, size
from .text import entries as count_entries
from .view import ProjectStatus, View

_UNKNOWN = "unknown"


class _Made(NamedTuple):
    """What one program or test made."""

    maker: str | None
    entries: Sequence[Entry]

    @property
    def disk_bytes(self) -> int:
        return sum(map(cells.disk_bytes, self.entries))

    @property
    def newest(self) -> float | None:
        return max(filter(None, map(cells.changed, self.entries)), default=None)


def show_makers(root: Path, rows: Sequence[ProjectStatus], now: float, view: View) -> None:
    """Print what each program or test has made in projects, the largest first. `now`: seconds since 1970."""
    made = _by_maker(root, rows)
    if view.as_json:
        document.write(
            {"schema": document.SCHEMA, "root": document.plain(root), "makers": [_row(each) for each in made]}
        )
        return
    screen = Screen()
    screen.show(_lines(root, made, now, screen))


def _by_maker(root: Path, rows: Sequence[ProjectStatus]) -> list[_Made]:
    made: dict[str | None, list[Entry]] = {}
    for row in rows:
        for entry in row.entries:
            made.setdefault(_called(root, row.root, entry), []).append(entry)
    return sorted((_Made(maker, entries) for maker, entries in made.items()), key=lambda each: -each.disk_bytes)


def _called(root: Path, project: Path, entry: Entry) -> str | None:
    """Return who made an entry, as a path from the root where it is a program of a project below."""
    if entry.made_by is None or "/" not in entry.made_by or entry.made_by.startswith("/") or not entry.base:
        return entry.made_by
    below = project.relative_to(root).as_posix()
    return entry.made_by if below == "." else f"{below}/{entry.made_by}"


def _lines(root: Path, made: Sequence[_Made], now: float, screen: Screen) -> Iterator[Line]:
    where = shown(root, screen.encoding)
    if not made:
        yield line(f"No temporary directories in {where}")
        return
    yield line(where, "bold")
    for each in made:
        newest = "" if each.newest is None else f", the newest {age(now - each.newest)} ago"
        maker = shown(each.maker or _UNKNOWN, screen.encoding)
        yield line(f"{maker}: {count_entries(len(each.entries))}, {size(each.disk_bytes)}{newest}")


def _row(made: _Made) -> dict[str, object]:
    return {
        "made_by": None if made.maker is None else document.plain(made.maker),
        "entries": len(made.entries),
        "disk_bytes": made.disk_bytes,
        "newest": made.newest,
    }
