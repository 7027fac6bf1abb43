"""Budgets: a bound on what all entries take up, and one on what stays free on their disks. Pure, like `retention`."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .cases import Case, let_oldest_go
from .entry import Shortfall
from .policy import Budget, Limit

Free = Mapping[int, int]  # the free bytes of disks, by device number


class _Bound(NamedTuple):
    """A bound of a budget, and the entries that it covers. `free`: what was free on their disk, if that counts."""

    name: str
    limit: Limit
    cases: Sequence[Case]
    free: int | None = None

    @property
    def missing(self) -> float:
        """How many more bytes have to be freed, after what was decided so far."""
        if self.free is None:
            return sum(case.held for case in self.cases) - self.limit.value
        return self.limit.value - self.free - sum(case.freed for case in self.cases)

    @property
    def reason(self) -> str:
        """The reason given for an entry that goes because of it."""
        return f"over {self.limit.words} in all" if self.free is None else f"less than {self.limit.words} free"


def _bounds(cases: Sequence[Case], budget: Budget, free: Free) -> Iterator[_Bound]:
    if budget.max_total:
        yield _Bound("max_total", budget.max_total, cases)
    if budget.keep_free:
        for device in sorted(free):
            there = [case for case in cases if case.entry.identity.device == device]
            yield _Bound("keep_free", budget.keep_free, there, free[device])


def meet(cases: Sequence[Case], budget: Budget, free: Free) -> None:
    """Let the oldest go, of all or of those on one disk, until the budget is met or nothing else may go."""
    for bound in _bounds(cases, budget, free):
        missing = bound.missing + budget.expected
        if missing > 0:
            let_oldest_go(bound.cases, missing + budget.margin * bound.limit.value, bound.reason)


def shortfalls(cases: Sequence[Case], budget: Budget, free: Free) -> tuple[Shortfall, ...]:
    """Return by how much a budget is missed, and what takes up the space."""
    return tuple(
        Shortfall(bound.name, bound.limit.words, math.ceil(bound.missing), _holders(bound.cases))
        for bound in _bounds(cases, budget, free)
        if bound.missing > 0
    )


def _holders(cases: Iterable[Case]) -> tuple[tuple[str, int], ...]:
    """Return why entries stay, in words, with the bytes that they take up, the largest first."""
    sums: dict[str, int] = {}
    for case in cases:
        if case.held:
            sums[case.why_held] = sums.get(case.why_held, 0) + case.held
    return tuple(sorted(sums.items(), key=lambda row: (-row[1], row[0])))
