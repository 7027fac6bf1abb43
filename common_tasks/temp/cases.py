"""An entry while its removal is being decided: what retention works with, from the first rule to the last."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from .entry import Entry


class Ruling(NamedTuple):
    """What was decided on an entry. `firm`: what protects it from a budget, in a word or two."""

    goes: bool
    reason: str
    by_age: bool = False
    firm: str = ""


_ruling = lru_cache(Ruling)  # there may be very many entries, and few reasons


class Case:
    """An entry, and what was decided on it so far."""

    __slots__ = ("entry", "ruling")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.ruling: Ruling | None = None

    @property
    def open(self) -> bool:
        """Whether it may still be let go."""
        return self.ruling is None or not (self.ruling.goes or self.ruling.firm)

    @property
    def freed(self) -> int:
        """What the disk will get back."""
        goes = self.ruling is not None and self.ruling.goes and not self.entry.obstacle
        return self.entry.usage.disk_bytes if goes else 0

    @property
    def held(self) -> int:
        """What it will go on taking up."""
        return self.entry.usage.disk_bytes - self.freed

    @property
    def why_held(self) -> str:
        """Why it stays, in a word or two."""
        if self.ruling and self.ruling.goes:
            return "cannot be removed"
        return (self.ruling.firm if self.ruling else "") or "of unknown age"

    def let_go(self, reason: str, *, by_age: bool) -> None:
        """Let it go; if that is forced, say so."""
        if self.entry.state in ("in-use", "kept"):
            reason = f"forced, {(self.entry.reason or '').removeprefix('kept: ')}"
        self.ruling = _ruling(goes=True, reason=reason, by_age=by_age)

    def stay(self, reason: str, firm: str = "") -> None:
        """Let it stay."""
        self.ruling = _ruling(goes=False, reason=reason, firm=firm)


def is_undecided(case: Case) -> bool:
    """Tell whether nothing was decided on an entry yet."""
    return case.ruling is None


def let_oldest_go(cases: Iterable[Case], excess: float, reason: str) -> None:
    """Let the oldest go until `excess` bytes are freed. Empty ones stay; those that cannot be removed free nothing."""
    aged = [case for case in cases if case.open and not case.entry.usage.fault]
    for case in sorted(aged, key=lambda case: newest_first(case.entry), reverse=True):
        if excess <= 0:
            return
        if case.entry.usage.disk_bytes:
            case.let_go(reason, by_age=True)
            excess -= case.freed


def newest_first(entry: Entry) -> tuple[float, int, str, tuple[str, ...]]:
    """Return a sort key that puts the newest first, in the same order however the entries are listed."""
    return -entry.usage.changed, -(entry.created or 0), str(entry.folder), entry.parts
