"""What a clean removes from projects, by its options and the rules of retention."""

from collections.abc import Sequence
from typing import NamedTuple

from ..fs.workers import ALONE, Workers
from ..temp import retention
from ..temp.disks import look_at_disks
from ..temp.entry import Plan
from ..temp.policy import NO_BUDGET, Budget, Policy
from ..temp.retention import Due, Portion
from ..temp.uses import settled
from .members import Member
from .settings import Settings


class Choice(NamedTuple):
    """What the options of a clean say.

    `limits`: the policy that replaces the configured rules. `categories`: only these, if any are named. `force`: also
    what is in use.
    """

    limits: Policy | None = None
    no_rules: bool = False
    categories: frozenset[str] = frozenset()
    force: bool = False

    def policy(self, settings: Settings | None) -> Policy:
        """Return what decides in a project with these settings."""
        configured = Policy() if self.no_rules or settings is None else settings.policy
        return (self.limits or configured)._replace(categories=self.categories, force=self.force)

    def portions(self, members: Sequence[Member]) -> tuple[list[Portion], Budget]:
        """Return the entries and the policy of each project, and the budget that they share: that of the first.

        The first is the monorepo's root, or the only one. A project with settings that are not certain has no entries
        here: a clean leaves it alone.
        """
        policies = [self.policy(member.settings) for member in members]
        shared = policies[0].budget if policies else NO_BUDGET
        portions = [
            Portion(
                () if member.settings and member.settings.uncertain else member.entries,
                policy._replace(budget=policy.budget.beyond(shared)),
            )
            for member, policy in zip(members, policies, strict=True)
        ]
        return portions, shared

    def plans(self, members: Sequence[Member], now: float, workers: Workers = ALONE) -> list[Plan]:
        """Return a plan for each project, artifacts last: they go at any age. `now`: seconds since 1970.

        `workers` share what has to be looked at more closely.
        """
        portions, shared = self.portions(members)
        swept = Policy(categories=self.categories, force=self.force, because="left by a build or a test")
        plans = retention.make_plans(portions, now, _free(portions, shared), shared)
        return [
            settled(Plan.joined([plan, retention.make_plan(member.artifacts, swept, now)]), workers)
            for member, plan in zip(members, plans, strict=True)
        ]

    def due(self, members: Sequence[Member], now: float) -> tuple[tuple[Due, ...], ...]:
        """Return, for each project, what a clean lets go now, within a day and within a week."""
        portions, shared = self.portions(members)
        return retention.forecasts(portions, now, _free(portions, shared), shared)


def _free(portions: Sequence[Portion], shared: Budget) -> dict[int, int]:
    """Return what is free on the disks, if a budget asks for that."""
    if not shared.keep_free and not any(portion.policy.budget.keep_free for portion in portions):
        return {}
    return look_at_disks(entry for portion in portions for entry in portion.entries)


BARE = Choice()
