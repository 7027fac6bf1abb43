"""What is shown, a row for each project, and how."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ..temp.entry import Entry, Outcome, Shortfall
from ..temp.mark import Report
from ..temp.retention import Due
from . import cells

Sort = Literal["size", "age", "name"]
SORTS: tuple[Sort, ...] = get_args(Sort)


class ProjectStatus(NamedTuple):
    """What there is in one project, and what a clean removes when.

    `error`: why it could not be looked at. `cleaned`: what the last clean by itself did. `waits_for_hand`: there are
    rules, but they do not apply by themselves.
    """

    root: Path
    entries: Sequence[Entry] = ()
    due: Sequence[Due] = ()
    error: str | None = None
    cleaned: Report | None = None
    waits_for_hand: bool = False


class ProjectOutcome(NamedTuple):
    """What a clean did in one project. `error`: why it was left alone. `shortfalls`: budgets that are not met."""

    root: Path
    outcome: Outcome
    error: str | None = None
    shortfalls: Sequence[Shortfall] = ()


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
        changed = cells.changed(entry)
        first = {"size": -cells.disk_bytes(entry), "age": float("inf") if changed is None else changed, "name": 0}
        return first[self.sort], entry.parts
