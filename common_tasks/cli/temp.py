"""The tasks that look at temporary directories, and remove them."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task

from .context import (
    allow_descriptors,
    command_for,
    exit_if,
    few_collections,
    find_scope,
    is_dry,
    note_reserved,
    refusals,
    refuse_reserved,
    workers_for,
)
from .options import named, temp_task
from .system import clean_system, refuse_with_system, show_system

if TYPE_CHECKING:
    from ..monorepo.choice import Choice
    from ..monorepo.members import Aim, Member, Scope
    from ..monorepo.settings import Limits
    from ..report import View
    from ..temp.entry import Outcome, Plan


@temp_task("all_projects", "sort", "full", "json", "by", "system")
def temp_status(
    c: Context,
    all_projects: bool = False,
    sort: str = "size",
    full: bool = False,
    json: bool = False,
    by: str | None = None,
    system: bool = False,
) -> None:
    """Show temporary directories: size, files, age, use."""
    from ..monorepo.members import Aim

    with refusals(), few_collections():
        view = _view(all_projects=all_projects, sort=sort, full=full, as_json=json)
        if by not in (None, "maker"):
            raise Exit(f"--by takes maker, not {by!r}", code=2)
        scope = find_scope(c, all_projects=all_projects)
        if system:
            show_system(scope, view, by)
            return
        note_reserved(scope.project)
        found, looked = _look(scope, Aim(searched=not json and not scope.project.reserved))
        _refuse_alone(scope, looked)
        _show_status(c, scope, looked, view, by)
        if not json:
            _tell_of_projects_below(c, scope, found, temp_status)
        exit_if(failed=any(member.error for member in looked))


_LIMITS = "max_age", "keep_last", "max_size", "max_total", "keep_free", "category", "no_rules", "all_projects"
_HOW = "dry_run", "force", "json", "full", "sort"


@temp_task("max_age_hours", *_HOW, *_LIMITS, "pick", "system", iterable=["category"])
def temp_clean(
    c: Context,
    max_age_hours: str | float | None = None,
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
    full: bool = False,
    all_projects: bool = False,
    keep_last: str | int | None = None,
    max_size: str | None = None,
    category: Iterable[str] | None = None,
    no_rules: bool = False,
    pick: bool = False,
    max_age: str | None = None,
    sort: str = "size",
    max_total: str | None = None,
    keep_free: str | None = None,
    system: bool = False,
) -> None:
    """Remove temporary directories: all, by age, or by rules.

    A good habit, because it spares what is new: temp-clean --max-age 1d
    Without an age or a rule, everything is removed that is not in use, kept or
    tracked by git, even if it is only seconds old.

    Rules are the setting temp.retention: one for each category, and "default"
    for the others. Entries older than max_age are removed. If a category holds
    more than max_size, its oldest entries are removed. The newest keep_last of
    each name always stay.

    temp:
      retention:
        default: {max_age: 7d}
        debug: {max_age: 7d, keep_last: 3}
        cache: {max_size: 2GB}
      max_total: 20GB   # of everything together: beyond that, the oldest go
      keep_free: 10GB   # on the disk
      auto: daily       # clean automatically: off, hourly, daily or weekly
    """
    from ..monorepo.settings import Limits

    with refusals(), few_collections():
        sizes = {"max_size": max_size, "max_total": max_total, "keep_free": keep_free}
        limits = Limits(max_age_hours=max_age_hours, max_age=max_age, keep_last=keep_last, **sizes)
        view = _view(all_projects=all_projects, sort=sort, full=full, as_json=json)
        if system:
            refused = {"--force": force, "--all-projects": all_projects, "--no-rules": no_rules, "--pick": pick}
            refuse_with_system([name for name, given in refused.items() if given])
            clean_system(find_scope(c, all_projects=False), view, limits, category, dry_run=is_dry(c, dry_run=dry_run))
            return
        _clean(_How(c, is_dry(c, dry_run=dry_run), force, view, pick), limits, category, no_rules, swept=False)


@temp_task("temp_age_hours", *_HOW, *_LIMITS, iterable=["category"])
def clean(
    c: Context,
    temp_age_hours: str | float | None = None,
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
    full: bool = False,
    all_projects: bool = False,
    keep_last: str | int | None = None,
    max_size: str | None = None,
    category: Iterable[str] | None = None,
    no_rules: bool = False,
    max_age: str | None = None,
    sort: str = "size",
    max_total: str | None = None,
    keep_free: str | None = None,
) -> None:
    """Remove build and test leftovers, and what temp-clean removes.

    Leftovers ("artifacts") are __pycache__, *.pyc and the folders of pytest,
    mypy, ruff, hypothesis, tox and nox; at the project's root also build/,
    dist/, *.egg-info/, htmlcov/ and coverage data, whatever their age.

    The settings clean.artifacts and clean.keep change that. Both are lists of
    patterns as in a .gitignore; "..." stands for the built-in ones:

    clean:
      artifacts: ["...", "/out/"]
      keep: ["/dist/"]
    """
    from ..monorepo.settings import Limits

    with refusals(), few_collections():
        sizes = {"max_size": max_size, "max_total": max_total, "keep_free": keep_free}
        limits = Limits(temp_age_hours=temp_age_hours, max_age=max_age, keep_last=keep_last, **sizes)
        view = _view(all_projects=all_projects, sort=sort, full=full, as_json=json)
        _clean(_How(c, is_dry(c, dry_run=dry_run), force, view, pick=False), limits, category, no_rules, swept=True)


class _How(NamedTuple):
    """How a clean is done and shown."""

    c: Context
    dry_run: bool
    force: bool
    view: "View"
    pick: bool


def _view(*, all_projects: bool, sort: str, full: bool, as_json: bool) -> "View":
    from ..report import View
    from ..report.view import SORTS

    order = next((each for each in SORTS if each == sort), None)
    if order is None:
        raise Exit(f"--sort takes size, age or name, not {sort!r}", code=2)
    return View(as_json=as_json, full=full, whole=all_projects, sort=order)


def _clean(how: _How, limits: "Limits", category: Iterable[str] | None, no_rules: bool, *, swept: bool) -> None:
    from .. import report
    from ..monorepo import members
    from ..monorepo.choice import Choice
    from ..monorepo.members import Aim
    from ..monorepo.picked import narrow

    if how.pick:
        _refuse_to_ask(how.view.as_json)
    categories = named(category)
    choice = Choice(limits.policy(), no_rules, categories, how.force)
    scope = find_scope(how.c, all_projects=how.view.whole)
    if swept:
        refuse_reserved(scope.project, force=how.force)
    else:
        note_reserved(scope.project)
    aim = Aim(cleaned=True, swept=swept)
    found, looked = _look(scope, aim)
    _refuse_alone(scope, looked)
    _note_unknown(categories, looked)
    plans = choice.plans(looked, time.time())
    if how.pick:
        picked = report.pick(scope.root, plans, time.time(), how.view)
        found, looked = _look(scope, aim)  # much may have happened while the prompt waited
        plans = [narrow(plan, picked) for plan in choice.plans(looked, time.time())]
    outcomes = _carry_out(plans, how.dry_run)
    forceable = _count_forceable(choice, looked, outcomes)
    rows = [
        report.ProjectOutcome(member.project.root, outcome, member.error, plan.shortfalls)
        for member, plan, outcome in zip(looked, plans, outcomes, strict=True)
    ]
    report.show_outcome(scope.root, rows, time.time(), how.view, dry_run=how.dry_run, forceable=forceable)
    for member in () if scope.whole else found[1:]:
        if member.error:
            print(f"not swept: {member.project.root}: {member.error}", file=sys.stderr)
    if not how.view.as_json and not scope.project.reserved:
        if not swept and not any(plan.remove or plan.keep or plan.fail for plan in plans):
            found = members.find(scope, Aim(searched=True), workers_for())
        _tell_of_projects_below(how.c, scope, found, clean if swept else temp_clean)
    exit_if(failed=any(outcome.failed for outcome in outcomes) or any(member.error for member in looked))


def _look(scope: "Scope", aim: "Aim") -> "tuple[Sequence[Member], Sequence[Member]]":
    """Return the projects that were found, and those of them that are asked for, with their entries."""
    from .. import report
    from ..monorepo import members

    with report.watch("Looking") as progress:
        workers = workers_for(progress)
        found = members.find(scope, aim, workers)
        return found, members.with_entries(members.asked_for(scope, found), workers=workers)


def _refuse_alone(scope: "Scope", looked: "Sequence[Member]") -> None:
    """End with exit code 2 where the one project asked for is left alone; one of many is reported as one of many."""
    if not scope.whole and looked[0].error and not looked[0].artifacts:
        raise Exit(looked[0].error, code=2)
    if looked[0].settings is None:
        raise Exit(looked[0].error or "", code=2)  # what is wrong at the root is wrong for all


def _note_unknown(categories: frozenset[str], members: Sequence["Member"]) -> None:
    """Say on standard error where nothing is of a category that was named: the name may be a wrong one."""
    there = {entry.category for member in members for entry in (*member.entries, *member.artifacts)}
    for name in sorted(categories - there):
        others = ", ".join(sorted(there)) or "none"
        print(f"--category: nothing is of the category {name!r}; categories here: {others}", file=sys.stderr)


def _carry_out(plans: list["Plan"], dry_run: bool) -> Sequence["Outcome"]:
    from .. import report
    from ..monorepo import members
    from ..temp.entry import Outcome

    if dry_run:
        return [Outcome(removed=plan.remove, kept=plan.keep, failed=plan.fail) for plan in plans]
    allow_descriptors()
    with report.watch("Removing") as progress:
        return members.carry_out(plans, workers_for(progress))


def _show_status(c: Context, scope: "Scope", members: Sequence["Member"], view: "View", by: str | None) -> None:
    from .. import report
    from ..monorepo import by_itself
    from ..monorepo.choice import BARE
    from ..temp.maker import with_makers

    now = time.time()
    command = command_for(c, temp_clean, temp_status)
    rows = [
        report.ProjectStatus(
            member.project.root,
            tuple(with_makers(member.entries)),
            due,
            member.error,
            by_itself.last_report(member.project),
            by_itself.waits_for_hand(member),
        )
        for member, due in zip(members, BARE.due(members, now), strict=True)
    ]
    if by:
        report.show_makers(scope.root, rows, now, view)
        return
    report.show_status(scope.root, rows, now, view, clean=command and f"{command}{' -a' if scope.whole else ''}")


def _count_forceable(choice: "Choice", members: Sequence["Member"], outcomes: Sequence["Outcome"]) -> int:
    """Return how many of the kept entries the same clean would remove with `--force`."""
    kept = [row.entry for outcome in outcomes for row in outcome.kept]
    held = {entry.key for entry in kept if entry.state == "in-use" or entry.forceable}
    if choice.force or not held:
        return 0
    plans = replace(choice, force=True).plans(members, time.time())
    return sum(row.entry.key in held for plan in plans for row in plan.remove)


def _tell_of_projects_below(c: Context, scope: "Scope", found: "Sequence[Member]", current: Task[Any]) -> None:
    """Say in one line what the projects below a single one hold."""
    from .. import report
    from ..monorepo import members

    if scope.whole or len(found) < 2:
        return
    with report.watch("Looking") as progress:
        looked = members.with_entries(found[1:], orphans=False, workers=workers_for(progress))
    entries = [member.entries for member in looked if member.entries]
    report.show_hint(entries, command_for(c, temp_status, current))


def _refuse_to_ask(as_json: bool) -> None:
    if as_json:
        raise Exit("--pick shows a list to choose from, so it takes no --json", code=2)
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise Exit("--pick asks what to remove, so it needs a terminal", code=2)
