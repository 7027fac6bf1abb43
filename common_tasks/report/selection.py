"""Which of many rows are shown one by one, and how the rest are summed up."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TypeVar

from ..temp.entry import ARTIFACT, Entry
from . import cells
from .text import count
from .view import View

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
        return sum(map(cells.disk_bytes, self.entries))

    @cached_property
    def files(self) -> int:
        """How many files there are."""
        return sum(entry.usage.files for entry in self.entries if entry.usage)

    @property
    def states(self) -> str:
        """What is not simply idle among them: "2 in use, 1 kept"."""
        numbers = Counter(entry.state for entry in self.entries if entry.state != "idle")
        return ", ".join(f"{number:,} {cells.word(state)}" for state, number in numbers.most_common())


def grouped(things: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    """Return things by the labels before them, in the order in which each label was first met."""
    groups: dict[str, list[T]] = {}
    for label, thing in things:
        groups.setdefault(label, []).append(thing)
    return groups


def by_category(entries: Iterable[Entry], view: View) -> list[Group]:
    """Return the entries by category; categories and entries in the order of the view."""
    found = grouped((entry.category, entry) for entry in sorted(entries, key=view.key))
    groups = [Group(*each) for each in found.items()]
    return sorted(groups, key=lambda group: (-group.disk_bytes, group.label)) if view.sort == "size" else groups


def choose(entries: Sequence[Entry], *, full: bool) -> Iterator[Entry | Group]:
    """Return what to show of the entries of one group, which are sorted: the first, and a sum of the rest.

    Artifacts are summed up by kind. All of them where the list is to be `full`, or is short.
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
    """Return the rows to be shown one by one, and those to be summed up: none where only one would be left."""
    return (rows, ()) if full or len(rows) <= MOST + 1 else (rows[:MOST], rows[MOST:])


def _by_kind(artifacts: Sequence[Entry]) -> list[Entry | Group]:
    kinds = [Group(*each) for each in grouped((_kind(artifact), artifact) for artifact in artifacts).items()]
    return [_sum_of_kind(kind) for kind in sorted(kinds, key=lambda kind: (-kind.disk_bytes, kind.label))]


def _sum_of_kind(kind: Group) -> Entry | Group:
    if len(kind.entries) == 1:
        return kind.entries[0]
    what = count(len(kind.entries), "folder" if kind.entries[0].identity.directory else "file")
    return Group(f"{kind.label}: {what}", kind.entries)


def _kind(artifact: Entry) -> str:
    """Return what an artifact is called, or for a file, the pattern of its ending."""
    name = artifact.parts[-1]
    stem, dot, ending = name.rpartition(".")
    return name if artifact.identity.directory or not stem else f"*{dot}{ending}"
