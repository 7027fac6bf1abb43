"""Looks at the projects that are asked for, and shows what lies in them."""

import time
from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from .. import report
from ..monorepo import by_itself, members
from ..monorepo.choice import Choice
from ..monorepo.members import Aim, Member, Scope
from ..report import View
from ..report.view import SORTS
from ..temp.maker import with_makers
from .context import exit_if
from .scope import check_reserved, find_scope, workers_for


def choose_view(*, whole: bool, sort: str, full: bool, as_json: bool, by: str | None = None) -> View:
    """Return how results are shown. Ends with exit code 2 if `sort` or `by` has a wrong value."""
    if by not in (None, "maker"):
        raise Exit(f"--by takes maker, not {by!r}", code=2)
    if sort not in SORTS:
        raise Exit(f"--sort takes size, age or name, not {sort!r}", code=2)
    return View(as_json=as_json, full=full, whole=whole, sort=sort, by_maker=bool(by))


def show_projects(c: Context, view: View, *, clean: str | None, status: str | None) -> None:
    """Print what there is. `clean` and `status`: the commands to propose for cleaning and for showing a project."""
    scope = find_scope(c, all_projects=view.whole)
    check_reserved(scope.project)
    found, looked = look(scope, Aim(searched=not view.as_json and not scope.project.reserved))
    now = time.time()
    rows = [
        report.ProjectStatus(
            member.project.root,
            tuple(with_makers(member.entries)),
            due,
            member.error,
            by_itself.last_report(member.project),
            by_itself.waits_for_hand(member),
        )
        for member, due in zip(looked, Choice().due(looked, now), strict=True)
    ]
    report.show_status(scope.root, rows, now, view, clean=clean and f"{clean}{' -a' if scope.whole else ''}")
    if not view.as_json:
        tell_of_projects_below(scope, found, status)
    exit_if(failed=any(member.error for member in looked))


def look(scope: Scope, aim: Aim) -> tuple[Sequence[Member], Sequence[Member]]:
    """Return the projects that were found, and those of them that are asked for, with their entries.

    Ends with exit code 2 if the only project that is asked for is left alone, or if the settings at the root are
    wrong: those apply to all projects.
    """
    with report.watch("Looking") as progress:
        workers = workers_for(progress)
        found = members.find(scope, aim, workers)
        looked = members.with_entries(members.asked_for(scope, found), workers=workers)
    first = looked[0]
    if first.settings is None or (first.error and not scope.whole and not first.artifacts):
        raise Exit(first.error or "", code=2)
    return found, looked


def tell_of_projects_below(scope: Scope, found: Sequence[Member], status: str | None) -> None:
    """Say in one line what the projects below a single project hold. `status`: the command that shows a project."""
    if scope.whole or len(found) < 2:
        return
    with report.watch("Looking") as progress:
        looked = members.with_entries(found[1:], orphans=False, workers=workers_for(progress))
    report.show_hint([member.entries for member in looked if member.entries], status)
