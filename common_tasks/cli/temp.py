"""The tasks that look at temporary directories, and remove them."""

from collections.abc import Iterable

from invoke.context import Context

from .commands import command_for
from .context import no_collections, refusals
from .options import temp_task

# What a task needs is imported when it runs, so listing the tasks loads neither the engine nor what draws tables.


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
        from .looking import choose_view, show_projects
        from .system import show_system

        view = choose_view(whole=all_projects, sort=sort, full=full, as_json=json, by=by)
        command = command_for(c, temp_clean, temp_status)
        if system:
            show_system(c, view, clean=command)
        else:
            show_projects(c, view, clean=command, status=command_for(c, temp_status, temp_status))


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
        from ..monorepo.choice import Limits
        from .cleaning import choose, clean_projects
        from .looking import choose_view
        from .system import clean_system, refuse_with_system

        sizes = {"max_size": max_size, "max_total": max_total, "keep_free": keep_free}
        limits = Limits(max_age_hours=max_age_hours, max_age=max_age, keep_last=keep_last, **sizes)
        view = choose_view(whole=all_projects, sort=sort, full=full, as_json=json)
        if system:
            refused = {"--force": force, "--all-projects": all_projects, "--no-rules": no_rules, "--pick": pick}
            refuse_with_system([name for name, given in refused.items() if given])
            clean_system(c, view, limits, category, dry_run=dry_run)
            return
        choice = choose(limits, category, no_rules=no_rules, force=force)
        status = command_for(c, temp_status, temp_clean)
        clean_projects(c, choice, view, dry_run=dry_run, swept=False, status=status, pick=pick)


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
        from ..monorepo.choice import Limits
        from .cleaning import choose, clean_projects
        from .looking import choose_view

        sizes = {"max_size": max_size, "max_total": max_total, "keep_free": keep_free}
        limits = Limits(temp_age_hours=temp_age_hours, max_age=max_age, keep_last=keep_last, **sizes)
        view = choose_view(whole=all_projects, sort=sort, full=full, as_json=json)
        choice = choose(limits, category, no_rules=no_rules, force=force)
        status = command_for(c, temp_status, clean)
        clean_projects(c, choice, view, dry_run=dry_run, swept=True, status=status)
