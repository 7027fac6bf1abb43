"""What a user may ask of a clean: ages, sizes, numbers and budgets, as values."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from .entry import Entry

DEFAULT = "default"  # the key of the rule for the categories that have none


class Limit(NamedTuple):
    """A bound: `value` in seconds or bytes, and the same in `words`."""

    value: float
    words: str


def hours(seconds: float) -> Limit:
    """Return an age as a bound that is said in hours."""
    return Limit(seconds, f"{seconds / 3600:.10g} h")


class Rule(NamedTuple):
    """What may go in a category: without a bound, all entries except the newest `keep_last` of each name."""

    max_age: Limit | None = None
    max_size: Limit | None = None
    keep_last: int = 0

    @property
    def compares(self) -> bool:
        """Whether ages or sizes decide: then an entry that could not be looked into in full stays."""
        return self.max_age is not None or self.max_size is not None or self.keep_last > 0


class Budget(NamedTuple):
    """What all entries together may take up (`max_total`), and what must stay free on their disks (`keep_free`).

    `expected`: the bytes that will be added before the next clean; a bound that these would break counts as broken.
    `margin`: the share of a broken bound that is freed in addition, so that it is not broken again at once.
    """

    max_total: Limit | None = None
    keep_free: Limit | None = None
    expected: int = 0
    margin: float = 0.0

    def __bool__(self) -> bool:
        """Whether there is a bound at all."""
        return self.max_total is not None or self.keep_free is not None

    def beyond(self, shared: "Budget") -> "Budget":
        """Return this budget with only the bounds that are tighter than those of a budget `shared` with others."""
        total, free = self.max_total, self.keep_free
        if total and shared.max_total and total.value >= shared.max_total.value:
            total = None
        if free and shared.keep_free and free.value <= shared.keep_free.value:
            free = None
        return self._replace(max_total=total, keep_free=free)


NO_BUDGET = Budget()


class Policy(NamedTuple):
    """Which entries may go: those that have not changed for `max_age` seconds, or all if it is None.

    If there are `rules`, by category, they replace `max_age`; if a category has no rule, and there is no DEFAULT, its
    entries stay unless the `budget` lets them go. The newest `keep_last` of each name stay, and so does what changed
    within the last `min_age` seconds, whatever the rules say. `categories` narrows a clean to these, if there are
    any. `force` takes what is in use, too; what is tracked or kept stays, unless it is `forceable`. `because`: the
    reason in words if there is no bound to name.
    """

    max_age: float | None = None
    rules: Mapping[str, Rule] | None = None
    budget: Budget = NO_BUDGET
    keep_last: int = 0
    min_age: float = 0.0
    categories: Collection[str] = frozenset()
    force: bool = False
    because: str = "not in use"

    @property
    def depends_on_time(self) -> bool:
        """Whether more may go later, though nothing changes."""
        rules = self.rules or {}
        return bool(self.max_age or self.min_age or any(rule.max_age for rule in rules.values()))

    def rule_for(self, category: str) -> Rule | None:
        """Return the rule for a category; None if it has none."""
        if self.rules is None:
            return Rule(max_age=None if self.max_age is None else hours(self.max_age))
        return self.rules.get(category, self.rules.get(DEFAULT))

    def covers(self, entry: Entry) -> bool:
        """Tell whether an entry is among those that the clean was narrowed to; entries in the trash always are."""
        return not self.categories or entry.in_trash or entry.category in self.categories
