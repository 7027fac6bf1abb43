"""`--system`: what this user's Python programs left in the system's temporary location, shown and cleaned."""

import time
from collections.abc import Iterable, Sequence

from invoke.context import Context
from invoke.exceptions import Exit

from .. import report
from ..monorepo.choice import Limits
from ..report import View
from ..temp import retention, system
from ..temp.entry import Entry
from ..temp.lent import system_folder
from ..temp.maker import with_makers
from ..temp.uses import settled
from .cleaning import carry_out, named
from .context import exit_if
from .scope import find_scope, is_dry, workers_for


def refuse_with_system(options: Sequence[str]) -> None:
    """End with exit code 2 if options were given that make no sense with `--system`."""
    if options:
        raise Exit(f"--system takes no {options[0]}", code=2)


def show_system(c: Context, view: View, *, clean: str | None) -> None:
    """Show what is there. `clean`: the command that cleans a project."""
    refuse_with_system(["--all-projects"] if view.whole else [])
    entries, now = _look(c), time.time()
    row = report.ProjectStatus(system_folder(), entries, retention.forecast(entries, system.policy(), now))
    report.show_status(row.root, [row], now, view, clean=clean and f"{clean} --system")


def clean_system(c: Context, view: View, limits: Limits, category: Iterable[str] | None, *, dry_run: bool) -> None:
    """Remove what has not changed for a day, or for as long as the options say."""
    policy, dry_run = system.policy(_hours(limits), named(category)), is_dry(c, dry_run=dry_run)
    plan = settled(retention.make_plan(_look(c), policy, time.time()), workers_for())
    [outcome] = carry_out([plan], dry_run=dry_run)
    row = report.ProjectOutcome(system_folder(), outcome)
    report.show_outcome(row.root, [row], time.time(), view, dry_run=dry_run)
    exit_if(failed=bool(outcome.failed))


def _look(c: Context) -> tuple[Entry, ...]:
    scope = find_scope(c, all_projects=False)
    settings = scope.settings_of(scope.root)
    with report.watch("Looking") as progress:
        return tuple(with_makers(system.scan(settings.system, workers=workers_for(progress))))


def _hours(limits: Limits) -> float:
    """Return the age in hours that the options ask for. Raises InvalidSetting; ends if they ask for anything else."""
    refuse_with_system([option for name, option in limits.given.items() if "_age" not in name])
    age = limits.read().get("max_age")
    if age is None:
        return system.MAX_AGE
    if age.value < 3600 * system.LEAST_AGE:
        [option] = limits.given.values()
        raise Exit(f"{option} takes an age from 1 hour up with --system, not {age.words!r}", code=2)
    return float(age.value / 3600)
