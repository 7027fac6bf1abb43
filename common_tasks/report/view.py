"""What is shown, with a row for each project, and how it is shown."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args

from ..temp.entry import Entry, Outcome, Shortfall
from ..temp.mark import Report
from ..temp.retention import Due
from . import facts

Sort = Literal["size", "age", "name"]
SORTS: tuple[Sort, ...] = get_args(Sort)
Name = TypeVar("Name", str, tuple[str, ...])


class ProjectStatus(NamedTuple):
    """What there is in one project, and what a clean would remove, and when.

    `error`: why it could not be looked at. `cleaned`: what the last clean by itself did. `waits_for_hand`: there are
    rules, but they apply only when somebody runs a clean.
    """

    root: Path
    entries: Sequence[Entry] = ()
    due: Sequence[Due] = ()
    error: str | None = None
    cleaned: Report | None = None
    waits_for_hand: bool = False

    @classmethod
    def joined(cls, root: Path, rows: Sequence["ProjectStatus"]) -> "ProjectStatus":
        """Return in one row what there is in several projects, and what a clean would remove, and when."""
        entries = [entry for row in rows for entry in row.entries]
        return cls(root, entries, [due for row in rows for due in row.due])


class ProjectOutcome(NamedTuple):
    """What a clean did in one project. `error`: why it was left alone. `shortfalls`: budgets that are not met."""

    root: Path
    outcome: Outcome
    error: str | None = None
    shortfalls: Sequence[Shortfall] = ()

    @classmethod
    def joined(cls, root: Path, rows: Sequence["ProjectOutcome"]) -> "ProjectOutcome":
        """Return in one row what a clean did in several projects."""
        outcomes = [row.outcome for row in rows]
        outcome = Outcome(
            removed=tuple(decision for each in outcomes for decision in each.removed),
            kept=tuple(decision for each in outcomes for decision in each.kept),
            failed=tuple(decision for each in outcomes for decision in each.failed),
        )
        return cls(root, outcome, shortfalls=[shortfall for row in rows for shortfall in row.shortfalls])


class View(NamedTuple):
    """How results are shown.

    `as_json`: one document in place of tables. `full`: long lists are not summed up on a terminal. `whole`: the
    results are those of a whole monorepo. `sort`: what decides the order: the largest, the oldest or the first name
    comes first. `by_maker`: a status is summed up for each program or test that made what there is.
    """

    as_json: bool = False
    full: bool = False
    whole: bool = False
    sort: Sort = "size"
    by_maker: bool = False

    def key(self, entry: Entry) -> tuple[float, tuple[str, ...]]:
        """Return what an entry is sorted by."""
        return self.order(facts.disk_bytes(entry), facts.changed(entry), entry.parts)

    def order(self, disk_bytes: int, changed: float | None, name: Name) -> tuple[float, Name]:
        """Return what something is sorted by; what changed at an unknown time comes last."""
        if self.sort == "size":
            return -disk_bytes, name
        return (inf if changed is None else changed) if self.sort == "age" else 0, name
