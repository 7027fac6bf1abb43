"""Looks at the projects that are asked for, and shows what lies in them."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from .context import workers_for

if TYPE_CHECKING:
    from ..monorepo.members import Aim, Member, Scope
    from ..report import View


def look(scope: "Scope", aim: "Aim") -> "tuple[Sequence[Member], Sequence[Member]]":
    """Return the projects that were found, and those of them that are asked for, with their entries.

    Ends with exit code 2 where the only project that is asked for is left alone, and where the settings at the root
    are wrong: those hold for all.
    """
    from .. import report
    from ..monorepo import members

    with report.watch("Looking") as progress:
        workers = workers_for(progress)
        found = members.find(scope, aim, workers)
        looked = members.with_entries(members.asked_for(scope, found), workers=workers)
    first = looked[0]
    if first.settings is None or (first.error and not scope.whole and not first.artifacts):
        raise Exit(first.error or "", code=2)
    return found, looked


def show_status(scope: "Scope", members: Sequence["Member"], view: "View", *, clean: str | None) -> None:
    """Print what there is. `clean`: the command that cleans it, to be proposed."""
    from .. import report
    from ..monorepo import by_itself
    from ..monorepo.choice import BARE
    from ..temp.maker import with_makers

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
        for member, due in zip(members, BARE.due(members, now), strict=True)
    ]
    report.show_status(scope.root, rows, now, view, clean=clean and f"{clean}{' -a' if scope.whole else ''}")


def tell_of_projects_below(scope: "Scope", found: "Sequence[Member]", status: str | None) -> None:
    """Say in one line what the projects below a single one hold. `status`: the command that shows a project."""
    from .. import report
    from ..monorepo import members

    if scope.whole or len(found) < 2:
        return
    with report.watch("Looking") as progress:
        looked = members.with_entries(found[1:], orphans=False, workers=workers_for(progress))
    report.show_hint([member.entries for member in looked if member.entries], status)
