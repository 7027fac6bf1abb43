"""Which of many rows are shown one by one, and how the rest are summed up."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ..temp.entry import ARTIFACT, Entry
from . import facts
from .page import word
from .table import Row
from .text import count, size
from .view import ProjectStatus, View

MOST = 10  # rows of a list that are shown one by one
T = TypeVar("T")


class Group:
    """Entries under one label, and what they take up together, which is summed up once."""

    def __init__(self, label: str, entries: Sequence[Entry]) -> None:
        self.label = label
        self.entries = entries

    @cached_property
    def disk_bytes(self) -> int:
        """What the disk would give back."""
        return facts.total(self.entries)

    @property
    def figures(self) -> tuple[str, str, str]:
        """Size and files in words, and no age; nothing if there are no entries."""
        files = sum(entry.usage.files for entry in self.entries)
        return (size(self.disk_bytes), f"{files:,}", "") if self.entries else ("", "", "")

    @property
    def states(self) -> str:
        """What is not simply idle among them: "2 in use, 1 kept"."""
        numbers = Counter(entry.state for entry in self.entries if entry.state != "idle")
        return ", ".join(f"{number:,} {word(state)}" for state, number in numbers.most_common())


def grouped(labelled: Iterable[tuple[str, Entry]]) -> list[Group]:
    """Return the entries grouped by their labels, in the order in which the labels first occur."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for label, entry in labelled:
        groups[label].append(entry)
    return [Group(*each) for each in groups.items()]


def in_order(groups: Iterable[Group], view: View) -> list[Group]:
    """Return groups of sorted entries in the order of the view: by size, the one that takes up most comes first."""
    return sorted(groups, key=lambda group: -group.disk_bytes if view.sort == "size" else 0)


def by_category(entries: Iterable[Entry], view: View) -> list[Group]:
    """Return the entries by category; categories and entries in the order of the view."""
    return in_order(grouped((entry.category, entry) for entry in sorted(entries, key=view.key)), view)


def by_maker(root: Path, rows: Sequence[ProjectStatus]) -> list[Group]:
    """Return the entries by who made them, the largest group first. If that is unknown, the label is empty."""
    made = grouped((_maker(root, row.root, entry), entry) for row in rows for entry in row.entries)
    return sorted(made, key=lambda group: -group.disk_bytes)


def _maker(root: Path, project: Path, entry: Entry) -> str:
    """Return who made an entry, as a path from the root if it is a program of a project below."""
    if entry.made_by is None or "/" not in entry.made_by or entry.made_by.startswith("/") or not entry.base:
        return entry.made_by or ""
    below = facts.relative(root, project)
    return entry.made_by if below == "." else f"{below}/{entry.made_by}"


def choose(entries: Sequence[Entry], *, full: bool) -> Iterator[Entry | Group]:
    """Yield what to show of one group's entries, which are sorted: the first ones, and a sum of the rest.

    Artifacts are summed up by kind. Every entry is shown if the list is to be `full`, or is short.
    """
    if full or len(entries) <= MOST + 1:
        yield from entries
        return
    rows = _by_kind(entries) if all(entry.category == ARTIFACT for entry in entries) else list[Entry | Group](entries)
    shown, rest = split(rows, full=full)
    yield from shown
    if rest:
        hidden = [entry for row in rest for entry in (row.entries if isinstance(row, Group) else [row])]
        yield Group(f"{len(hidden):,} more (--full)", hidden)


def split(rows: Sequence[T], *, full: bool) -> tuple[Sequence[T], Sequence[T]]:
    """Return the rows to be shown one by one, and those to be summed up, which are none or at least two."""
    return (rows, ()) if full or len(rows) <= MOST + 1 else (rows[:MOST], rows[MOST:])


def under(heading: Row, group: Group, rows: Sequence[Row]) -> Sequence[Row]:
    """Return a heading with the rows of its group; one entry alone needs no heading, and stands apart."""
    return [heading, *rows] if len(group.entries) > 1 else [row._replace(apart=True) for row in rows]


def _by_kind(artifacts: Sequence[Entry]) -> list[Entry | Group]:
    kinds = sorted(
        grouped((_kind(artifact), artifact) for artifact in artifacts), key=lambda kind: (-kind.disk_bytes, kind.label)
    )
    return [_sum_of_kind(kind) if len(kind.entries) > 1 else kind.entries[0] for kind in kinds]


def _sum_of_kind(kind: Group) -> Group:
    what = count(len(kind.entries), "folder" if kind.entries[0].identity.directory else "file")
    return Group(f"{kind.label}: {what}", kind.entries)


def _kind(artifact: Entry) -> str:
    """Return what an artifact is called, or for a file, the pattern of its ending."""
    name = artifact.parts[-1]
    stem, dot, ending = name.rpartition(".")
    return name if artifact.identity.directory or not stem else f"*{dot}{ending}"
