"""The tasks that look at temporary directories, and remove them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from .cleaning import clean_projects
from .commands import command_for
from .context import check_reserved, exit_if, find_scope, is_dry, no_collections, refusals
from .looking import look, show_status, tell_of_projects_below
from .options import named, temp_task
from .system import clean_system, refuse_with_system, show_system

if TYPE_CHECKING:
    from ..report import View


@temp_task
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
    with refusals(), no_collections():
        from ..monorepo.members import Aim

        if by not in (None, "maker"):
            raise Exit(f"--by takes maker, not {by!r}", code=2)
        view = _view(all_projects=all_projects, sort=sort, full=full, as_json=json)._replace(by_maker=bool(by))
        scope = find_scope(c, all_projects=all_projects)
        command = command_for(c, temp_clean, temp_status)
        if system:
            show_system(scope, view, clean=command)
            return
        check_reserved(scope.project)
        found, looked = look(scope, Aim(searched=not json and not scope.project.reserved))
        show_status(scope, looked, view, clean=command)
        if not json:
            tell_of_projects_below(scope, found, command_for(c, temp_status, temp_status))
        exit_if(failed=any(member.error for member in looked))


@temp_task
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

    A good habit, which keeps what is new:
    temp-clean --max-age 1d

    Without an age or a rule, everything goes that is not
    in use, kept or tracked by git, even if it is only
    seconds old.

    Rules are the setting temp.retention: one for each
    category, and "default" for the others. Entries older
    than max_age are removed. If a category holds more than
    max_size, its oldest entries are removed. The newest
    keep_last of each name always stay.

    temp:
      retention:
        default: {max_age: 7d}
        debug: {max_age: 7d, keep_last: 3}
        cache: {max_size: 2GB}
      max_total: 20GB  # of everything together
      keep_free: 10GB  # on the disk
      auto: daily      # or off, hourly, weekly
    """
    with refusals(), no_collections():
        from ..monorepo.choice import Choice
        from ..monorepo.limits import Limits

        sizes = {"max_size": max_size, "max_total": max_total, "keep_free": keep_free}
        limits = Limits(max_age_hours=max_age_hours, max_age=max_age, keep_last=keep_last, **sizes)
        view = _view(all_projects=all_projects, sort=sort, full=full, as_json=json)
        dry = is_dry(c, dry_run=dry_run)
        if system:
            refused = {"--force": force, "--all-projects": all_projects, "--no-rules": no_rules, "--pick": pick}
            refuse_with_system([name for name, given in refused.items() if given])
            clean_system(find_scope(c, all_projects=False), view, limits, named(category), dry_run=dry)
            return
        choice = Choice(limits.policy(), no_rules, named(category), force)
        status = command_for(c, temp_status, temp_clean)
        clean_projects(c, choice, view, dry_run=dry, swept=False, status=status, pick=pick)


@temp_task
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
    """Remove build and test leftovers, and what temp-clean does.

    Leftovers ("artifacts") are __pycache__, *.pyc,
    .ipynb_checkpoints and the folders of pytest, mypy, ruff
    and hypothesis; at the project's root also build/, dist/,
    *.egg-info/, .eggs/, htmlcov/, coverage data and the
    folders of tox and nox. They go at any age.

    The settings clean.artifacts and clean.keep change that.
    Both are lists of patterns as in a .gitignore; "..."
    stands for the built-in ones:

    clean:
      artifacts: ["...", "/out/"]
      keep: ["/dist/"]
    """
    with refusals(), no_collections():
        from ..monorepo.choice import Choice
        from ..monorepo.limits import Limits

        sizes = {"max_size": max_size, "max_total": max_total, "keep_free": keep_free}
        limits = Limits(temp_age_hours=temp_age_hours, max_age=max_age, keep_last=keep_last, **sizes)
        view = _view(all_projects=all_projects, sort=sort, full=full, as_json=json)
        choice = Choice(limits.policy(), no_rules, named(category), force)
        status = command_for(c, temp_status, clean)
        clean_projects(c, choice, view, dry_run=is_dry(c, dry_run=dry_run), swept=True, status=status)


def _view(*, all_projects: bool, sort: str, full: bool, as_json: bool) -> "View":
    from ..report import View
    from ..report.view import SORTS

    order = next((each for each in SORTS if each == sort), None)
    if order is None:
        raise Exit(f"--sort takes size, age or name, not {sort!r}", code=2)
    return View(as_json=as_json, full=full, whole=all_projects, sort=order)
