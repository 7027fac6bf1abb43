"""What a clean removes from projects: by its options, by the rules of retention, and what was picked by hand."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..fs.workers import ALONE, Workers
from ..project.errors import InvalidSetting
from ..temp import retention
from ..temp.disks import look_at_disks
from ..temp.entry import Decision, Entry, Plan
from ..temp.mark import HOUR
from ..temp.policy import DEFAULT, NO_BUDGET, Budget, Policy, Rule
from ..temp.retention import Due, Portion
from ..temp.uses import settled
from .members import Member
from .quantities import LIMITS, Parse, parse_hours, parse_size
from .settings import Settings

_PARSERS: Mapping[str, Parse] = {
    **LIMITS,
    "max_age_hours": parse_hours,
    "temp_age_hours": parse_hours,
    "max_total": parse_size,
    "keep_free": parse_size,
}
_MARGIN = 0.1  # of a broken budget: freed in addition, so that it is not broken again at once
_CHANGED = "changed since it was shown"


class Limits(NamedTuple):
    """What the options of a clean say, which replaces all rules; None for an option that is not given."""

    max_age_hours: Any = None
    temp_age_hours: Any = None
    max_age: Any = None
    keep_last: Any = None
    max_size: Any = None
    max_total: Any = None
    keep_free: Any = None

    @property
    def given(self) -> dict[str, str]:
        """The options that were given, as a user types them, by field."""
        return {name: f"--{name.replace('_', '-')}" for name in self._fields if getattr(self, name) is not None}

    def read(self) -> dict[str, Any]:
        """Return the given options as values: any age as `max_age`, the others by field. Raises InvalidSetting."""
        ages = [option for name, option in self.given.items() if "_age" in name]
        if len(ages) > 1:
            raise InvalidSetting(f"{' and '.join(ages)} mean the same: give one")
        found = {name: _PARSERS[name](option, getattr(self, name)) for name, option in self.given.items()}
        return {"max_age" if "_age" in name else name: value for name, value in found.items()}

    def policy(self) -> Policy | None:
        """Return the policy that they make; None if no option is given. Raises InvalidSetting.

        With a budget alone, nothing is removed unless the budget is broken.
        """
        found = self.read()
        if not found:
            return None
        budget = Budget(max_total=found.pop("max_total", None), keep_free=found.pop("keep_free", None))
        if budget and found.keys() <= {"keep_last"}:
            return Policy(rules={}, budget=budget, keep_last=found.get("keep_last", 0))
        return Policy(rules={DEFAULT: Rule(**found)}, budget=budget)


class Choice(NamedTuple):
    """What the options of a clean say.

    `limits`: the policy that replaces the configured rules. `categories`: only these, if any are named. `force`: also
    what is in use. `period`: for a clean by itself, the seconds until the next; such a clean follows rules and budgets
    only.
    """

    limits: Policy | None = None
    no_rules: bool = False
    categories: frozenset[str] = frozenset()
    force: bool = False
    period: float = 0.0

    def policy(self, settings: Settings | None) -> Policy:
        """Return the policy for a project with these settings."""
        configured = Policy() if self.no_rules or settings is None else settings.policy
        policy = (self.limits or configured)._replace(categories=self.categories, force=self.force)
        return policy._replace(rules=policy.rules or {}, min_age=HOUR) if self.period else policy

    def portions(self, members: Sequence[Member], now: float) -> tuple[list[Portion], Budget]:
        """Return the entries and the policy of each project, and the budget that they share: that of the first.

        The first is the monorepo's root, or the only one. A project whose settings are not certain has no entries
        here: a clean leaves it alone.
        """
        policies = [self.policy(member.settings) for member in members]
        shared = policies[0].budget if policies else NO_BUDGET
        portions: list[Portion] = []
        for member, policy in zip(members, policies, strict=True):
            entries = () if member.settings and member.settings.uncertain else member.entries
            budget = self._ahead(policy.budget.beyond(shared), entries, now)
            portions.append(Portion(entries, policy._replace(budget=budget)))
        return portions, self._ahead(shared, (entry for portion in portions for entry in portion.entries), now)

    def _ahead(self, budget: Budget, entries: Iterable[Entry], now: float) -> Budget:
        """Return a budget that expects as much to be made in the next period as was made in the last."""
        if not self.period:
            return budget
        new = (entry for entry in entries if entry.created and 0 <= now - entry.created < self.period)
        return budget._replace(expected=sum(entry.usage.disk_bytes for entry in new), margin=_MARGIN)

    def plans(self, members: Sequence[Member], now: float, workers: Workers = ALONE) -> list[Plan]:
        """Return a plan for each project, artifacts last: they go at any age. `now`: seconds since 1970.

        `workers` share what has to be looked at more closely.
        """
        portions, shared = self.portions(members, now)
        swept = Policy(categories=self.categories, force=self.force, because="left by a build or a test")
        plans = retention.make_plans(portions, now, _free(portions, shared), shared)
        return [
            settled(Plan.joined([plan, retention.make_plan(member.artifacts, swept, now)]), workers)
            for member, plan in zip(members, plans, strict=True)
        ]

    def due(self, members: Sequence[Member], now: float) -> tuple[tuple[Due, ...], ...]:
        """Return, for each project, what a clean would remove now, within a day and within a week."""
        portions, shared = self.portions(members, now)
        return retention.forecasts(portions, now, _free(portions, shared), shared)


def narrow(plan: Plan, picked: Iterable[Decision]) -> Plan:
    """Return the part of a plan that was picked. `plan`: made after the answer, for the same project, fully measured.

    Entries that have changed since they were shown stay; so do those that the new plan keeps.
    """
    shown = {row.entry.key: row.entry for row in picked}
    remove = [row for row in plan.remove if row.entry.key in shown]
    same = [row for row in remove if _is_same(row.entry, shown[row.entry.key])]
    changed = [row._replace(reason=_CHANGED) for row in remove if not _is_same(row.entry, shown[row.entry.key])]
    return Plan(
        # As if chosen by age: what changes from now on stays, too.
        remove=tuple(row._replace(by_age=True) for row in same),
        keep=tuple(row for row in plan.keep if row.entry.key in shown) + tuple(changed),
        fail=tuple(row for row in plan.fail if row.entry.key in shown),
        force=plan.force,
    )


def _is_same(now: Entry, then: Entry) -> bool:
    return now.identity == then.identity and now.usage == then.usage


def _free(portions: Sequence[Portion], shared: Budget) -> dict[int, int]:
    """Return how much is free on the disks, if a budget asks for that."""
    if not shared.keep_free and not any(portion.policy.budget.keep_free for portion in portions):
        return {}
    return look_at_disks(entry for portion in portions for entry in portion.entries)
