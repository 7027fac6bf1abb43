"""The projects that a task runs for, what lies in them, and what options and rules make of that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from ..fs.values import Progress, no_progress
from ..fs.workers import Workers
from ..temp import inventory, retention
from ..temp.entry import Plan
from ..temp.layout import Project
from ..temp.retention import Due, Policy
from ..temp.uses import settled
from . import artifacts, projects, search
from .projects import Member
from .settings import Rules, Settings, Sources


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
        """Return what a clean of a project lets go now, within a day and within a week."""
        return retention.forecast(member.entries, self.policy(member.settings), now)


BARE = Choice()


class Look(NamedTuple):
    """What a look at the projects of a scope found. `below`: further projects, where only one was looked at."""

    members: tuple[Member, ...]
    below: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """One project, or with `whole` all of the monorepo. `root`: of the one or the other."""

    root: Path
    project: Project
    sources: Sources
    whole: bool

    def look(self, options: "Looking") -> Look:
        """Look at entries, and at artifacts and projects below if that is asked for.

        Raises InvalidSetting, and what `inventory.scan` raises; of a monorepo's projects that is each one's `error`.
        """
        return self._look_at_all(options) if self.whole else self._look_at_one(options)

    def _look_at_all(self, options: "Looking") -> Look:
        self.sources.of(self.root)  # what is wrong there is wrong for all
        members = projects.find_members(
            self.root,
            self.sources.of,
            swept=options.swept,
            measured=options.measured,
            progress=options.progress,
            workers=options.workers,
        )
        return Look(projects.with_entries(members, progress=options.progress, workers=options.workers))

    def _look_at_one(self, options: "Looking") -> Look:
        settings = self.sources.of(self.project.root)
        entries = inventory.scan([self.project], workers=Workers(options.workers, options.progress))
        member = Member(project=self.project, settings=settings, entries=entries)
        if not (options.swept or options.searched):
            return Look((member,))
        found = artifacts.survey(
            self.root,
            projects.Asking(self.root, self.sources.of),
            everywhere=search.Sweep.of(settings.artifacts, settings.keep),
            bases=[base.path for base in self.project.bases],
            listed=options.swept,
            measured=options.measured,
            progress=options.progress,
            workers=options.workers,
        )
        return Look(
            (replace(member, artifacts=found.artifacts),), projects.below(self.root, found.projects, self.sources.of)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How to look: whether for artifacts (`swept`), and for projects below a single one (`searched`).

    Sizes are there only if `measured`, or where the rules need them.
    """

    swept: bool = False
    searched: bool = False
    choice: Choice = BARE
    measured: bool = True
    progress: Progress = no_progress
    workers: int = 1
