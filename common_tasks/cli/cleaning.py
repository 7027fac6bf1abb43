"""A clean of the projects that are asked for: look, choose, carry out, show."""

import sys
import time
from collections.abc import Iterable, Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from .. import report
from ..monorepo import members
from ..monorepo.choice import Choice, Limits, narrow
from ..monorepo.members import Aim, Member, Scope
from ..monorepo.quantities import parse_category
from ..report import View
from ..temp.entry import Outcome, Plan
from .context import exit_if
from .looking import look, tell_of_projects_below
from .scope import check_reserved, find_scope, is_dry, workers_for


def choose(limits: Limits, category: Iterable[str] | None, *, no_rules: bool, force: bool) -> Choice:
    """Return what the options of a clean say. Raises InvalidSetting if one has a wrong value."""
    return Choice(limits.policy(), no_rules, named(category), force)


def named(category: Iterable[str] | None) -> frozenset[str]:
    """Return the categories that were asked for. Raises InvalidSetting if one cannot be the name of a folder."""
    names = sorted([category] if isinstance(category, str) else category or ())
    return frozenset(parse_category("--category", name) for name in names)


def clean_projects(
    c: Context, choice: Choice, view: View, *, dry_run: bool, swept: bool, status: str | None, pick: bool = False
) -> None:
    """Remove what the options chose, or with `dry_run` only show it. Ends with exit code 1 if something failed.

    `swept`: remove artifacts, too. `pick`: the user chooses from a list. `status`: the command that shows a project.
    """
    if pick:
        _refuse_to_ask(view)
    scope, dry_run = find_scope(c, all_projects=view.whole), is_dry(c, dry_run=dry_run)
    check_reserved(scope.project, swept=swept, force=choice.force)
    aim = Aim(cleaned=True, swept=swept)
    found, looked = look(scope, aim)
    _note_unknown(choice.categories, looked)
    plans = choice.plans(looked, time.time(), workers_for())
    if pick:
        picked = report.pick(scope.root, plans, time.time(), view)
        found, looked = look(scope, aim)  # much may have happened while the prompt waited
        plans = [narrow(plan, picked) for plan in choice.plans(looked, time.time(), workers_for())]
    outcomes = carry_out(plans, dry_run=dry_run)
    rows = [
        report.ProjectOutcome(member.project.root, outcome, member.error, plan.shortfalls)
        for member, plan, outcome in zip(looked, plans, outcomes, strict=True)
    ]
    forceable = _count_forceable(choice, looked, outcomes)
    report.show_outcome(scope.root, rows, time.time(), view, dry_run=dry_run, forceable=forceable)
    _note_unswept(scope, found)
    if not view.as_json and not scope.project.reserved:
        if not swept and not any(plan.remove or plan.keep or plan.fail for plan in plans):
            found = members.find(scope, Aim(searched=True), workers_for())
        tell_of_projects_below(scope, found, status)
    exit_if(failed=any(outcome.failed for outcome in outcomes) or any(member.error for member in looked))


def carry_out(plans: list[Plan], *, dry_run: bool) -> Sequence[Outcome]:
    """Carry out plans, or with `dry_run` only return what would become of each entry."""
    if dry_run:
        return [Outcome(removed=plan.remove, kept=plan.keep, failed=plan.fail) for plan in plans]
    with report.watch("Removing") as progress:
        return members.carry_out(plans, workers_for(progress))


def _note_unswept(scope: Scope, found: Sequence[Member]) -> None:
    """Say on standard error which projects below a single project kept their artifacts, and why."""
    for member in () if scope.whole else found[1:]:
        if member.error:
            print(f"not swept: {member.project.root}: {member.error}", file=sys.stderr)


def _note_unknown(categories: frozenset[str], looked: Sequence[Member]) -> None:
    """Say on standard error which of the named categories hold nothing: the name may be misspelled."""
    there = {entry.category for member in looked for entry in (*member.entries, *member.artifacts)}
    for name in sorted(categories - there):
        others = ", ".join(sorted(there)) or "none"
        print(f"--category: there is nothing in {name!r}; the categories here are {others}", file=sys.stderr)


def _count_forceable(choice: Choice, looked: Sequence[Member], outcomes: Sequence[Outcome]) -> int:
    """Return how many of the kept entries the same clean would remove with `--force`."""
    kept = [row.entry for outcome in outcomes for row in outcome.kept]
    held = {entry.key for entry in kept if entry.state == "in-use" or entry.forceable}
    if choice.force or not held:
        return 0
    plans = choice._replace(force=True).plans(looked, time.time())
    return sum(row.entry.key in held for plan in plans for row in plan.remove)


def _refuse_to_ask(view: View) -> None:
    """End with exit code 2 if nobody can answer."""
    if view.as_json:
        raise Exit("--pick shows a list to choose from, so it takes no --json", code=2)
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise Exit("--pick asks what to remove, so it needs a terminal", code=2)
