"""Which of many rows are shown one by one, and how the rest are summed up."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ..temp.entry import ARTIFACT, Entry
from . import cells
from .text import count

_MOST = 10  # entries of a group that are shown one by one


class Sum(NamedTuple):
    """Entries shown as one row, under a label."""

    label: str
    entries: Sequence[Entry]

    @property
    def states(self) -> str:
        """What is not simply idle among them: "2 in use, 1 kept"."""
        numbers = Counter(entry.state for entry in self.entries if entry.state != "idle")
        return ", ".join(f"{number:,} {cells.word(state)}" for state, number in numbers.most_common())


def choose(entries: Sequence[Entry], *, full: bool) -> Iterator[Entry | Sum]:
    """Return what to show of the entries of one group, which are sorted: the largest, and a sum of the rest.

    Artifacts are summed up by kind. All of them where the list is to be `full`, or is short.
    """
    if full or len(entries) <= _MOST + 1:
        yield from entries
    elif entries[0].category == ARTIFACT:
        yield from _by_kind(entries)
    else:
        yield from entries[:_MOST]
        yield Sum(f"{len(entries) - _MOST:,} more", entries[_MOST:])


def _by_kind(artifacts: Sequence[Entry]) -> Iterator[Entry | Sum]:
    kinds = [list(members) for _, members in groupby(sorted(artifacts, key=_kind), key=_kind)]
    for members in sorted(kinds, key=_total, reverse=True):
        what = count(len(members), "folder" if members[0].identity.directory else "file")
        yield Sum(f"{_kind(members[0])}: {what}", members) if len(members) > 1 else members[0]


def _kind(artifact: Entry) -> str:
    """Return what an artifact is called, or where it is a file, the pattern of its ending."""
    name = artifact.parts[-1]
    stem, dot, ending = name.rpartition(".")
    return name if artifact.identity.directory or not stem else f"*{dot}{ending}"


def _total(entries: Iterable[Entry]) -> int:
    return sum(map(cells.disk_bytes, entries))
