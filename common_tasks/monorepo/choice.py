"""What the options of a clean, and the rules of retention, make of what lies in projects."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..temp import retention
from ..temp.entry import Plan
from ..temp.policy import Policy
from ..temp.retention import Due
from ..temp.uses import settled
from .members import Member
from .settings import Rules, Settings


@dataclass(frozen=True, slots=True)
class Choice:
    """What the options of a clean say.

    `limits`: the rule that they make, in place of those of the configuration. `categories`: those alone, if there are
    any. `force`: what is in use, too.
    """

    limits: Rules | None = None
    no_rules: bool = False
    categories: frozenset[str] = frozenset()
    force: bool = False

    def policy(self, settings: Settings | None) -> Policy:
        """Return what decides in a project with these settings."""
        configured = None if self.no_rules or settings is None else settings.rules
        return Policy(rules=self.limits or configured, categories=self.categories, force=self.force)

    def plans(self, members: Sequence[Member], now: float) -> list[Plan]:
        """Return a plan for each project, artifacts last: they go at any age. `now`: seconds since 1970."""
        swept = Policy(categories=self.categories, force=self.force, because="left by a build or a test")
        return [
            settled(
                retention.make_plan(member.entries, self.policy(member.settings), now)
                + retention.make_plan(member.artifacts, swept, now)
            )
            for member in members
        ]

    def due(self, member: Member, now: float) -> tuple[Due, ...]:
        """Return what a clean of a project lets go now, within a day and within a week.

        Nothing where its settings are not certain: a clean leaves it alone.
        """
        if member.settings and member.settings.uncertain:
            return ()
        return retention.forecast(member.entries, self.policy(member.settings), now)


BARE = Choice()
