"""The invoke tasks, `ns` and its configuration: each task parses, calls, renders and exits."""

import contextlib
import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from .patterns import ARTIFACTS, Patterns

if TYPE_CHECKING:
    from .migrate import audit
    from .migrate.finding import Change
    from .temp.layout import Project
    from .temp.retention import Plan

# Engine and drawing are imported where they are needed: `inv --list` pays for neither.

_AGE = "Remove only temporary directories without a change for this many hours; fractions and 0 are fine."
_DRY_RUN = "Remove nothing, only list what would be removed."
_FORCE = "Also remove what is in use by a running process; never what is kept or tracked by git."
_JSON = "Print one JSON document in place of tables."


@task(help={"json": _JSON})
def temp_status(c: Context, json: bool = False) -> None:
    """Show temporary directories: size, files, age, use."""
    from . import report
    from .temp import inventory, layout

    with _refusals():
        project = layout.find_project()
        with report.watch("Looking") as tick:
            entries = inventory.take([project], tick=tick, workers=_workers())
        report.show_status(project.root, entries, time.time(), as_json=json)


@task(help={"max-age-hours": _AGE, "dry-run": _DRY_RUN, "force": _FORCE, "json": _JSON})
def temp_clean(
    c: Context, max_age_hours: str | None = None, dry_run: bool = False, force: bool = False, json: bool = False
) -> None:
    """Remove temporary directories, all or by age."""
    from .temp import layout

    with _refusals():
        max_age = _seconds("--max-age-hours", max_age_hours)
        project = layout.find_project()
        plan = _plan_temp(project, max_age, force, dry_run)
        _finish(project, plan, dry_run, json)


@task(help={"temp-age-hours": _AGE, "dry-run": _DRY_RUN, "force": _FORCE, "json": _JSON})
def clean(
    c: Context, temp_age_hours: str | None = None, dry_run: bool = False, force: bool = False, json: bool = False
) -> None:
    """Remove build and test left-overs, and what temp-clean does."""
    from .temp import layout

    with _refusals():
        max_age = _seconds("--temp-age-hours", temp_age_hours)
        patterns = _patterns(c, "artifacts", ARTIFACTS), _patterns(c, "keep", ())
        project = layout.find_project()
        plan = _plan_temp(project, max_age, force, dry_run) + _plan_artifacts(project, *patterns, force, dry_run)
        _finish(project, plan, dry_run, json)


@task(
    iterable=["paths"],
    help={
        "paths": "Look only at this file or folder; may be given several times.",
        "all-projects": "Look at every project of the monorepo.",
        "diff": "Show what would change, as a patch; nothing is written.",
        "write": "Change the files: what is safe, with --unsafe the doubtful too.",
        "unsafe": "With --diff or --write: include what may change how the program behaves.",
        "force": "With --write: also write files with uncommitted changes.",
        "check": "End with exit code 1 while anything is open.",
        "json": _JSON,
    },
)
def temp_migrate(
    c: Context,
    paths: list[str] | None = None,
    all_projects: bool = False,
    diff: bool = False,
    write: bool = False,
    unsafe: bool = False,
    force: bool = False,
    check: bool = False,
    json: bool = False,
) -> None:
    """Find legacy temporary directories, and rewrite what is safe."""
    with _refusals():
        _check_migration(diff, write)
        scope = _migration_scope(_existing(paths or []), all_projects, _helpers(c))
        from . import report, report_migration
        from .migrate import audit

        with report.watch("Looking") as tick:
            found = audit.audit(scope, tick, _workers())
        changes: tuple[Change, ...] = ()
        failed: tuple[str, ...] = ()
        if diff or write:
            found, changes = _plan_migration(found, unsafe)
        if write:
            found, failed = _write_migration(found, changes, force)
        if diff and not json:
            report_migration.show_patch(changes, scope.root)
        else:
            report_migration.show_audit(found, failed, as_json=json)
    if failed or (check and not all(item.done for item in found.checklist)):
        raise Exit(code=1)


def _plan_migration(found: "audit.Audit", unsafe: bool) -> "tuple[audit.Audit, tuple[Change, ...]]":
    from . import report
    from .migrate import change

    with report.watch("Rewriting") as tick:
        return change.plan(found, unsafe=unsafe, tick=tick, workers=_workers())


def _write_migration(
    found: "audit.Audit", changes: "tuple[Change, ...]", force: bool
) -> "tuple[audit.Audit, tuple[str, ...]]":
    from .migrate import change

    root = found.scope.root
    try:
        files = () if force else change.find_uncommitted(changes, root)
    except change.Refused as error:
        raise Exit(f"{error}; --force writes all the same", code=2) from None
    if files:
        named = str(files[0].relative_to(root)) + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        raise Exit(f"uncommitted changes in {named}: commit them first, or give --force", code=2)
    return change.write(found, changes)


def _check_migration(diff: bool, write: bool) -> None:
    if diff and write:
        raise Exit("--diff only shows and --write changes: give one of them", code=2)
    if not _is_there("libcst"):
        raise Exit("temp-migrate needs LibCST: pip install 'common-tasks[migrate]'", code=2)


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # switched off in sys.modules
        return False


def _helpers(c: Context) -> frozenset[str]:
    section: Any = c.config.get("migrate", {})
    names = section.get("helpers", ()) if hasattr(section, "get") else section
    dotted = isinstance(names, list | tuple) and all(isinstance(name, str) and "." in name for name in names)
    if not dotted:
        raise Exit(f"the setting migrate.helpers takes a list of dotted names, not {names!r}", code=2)
    return frozenset(names)


def _existing(paths: list[str]) -> tuple[Path, ...]:
    found = tuple(Path(path).absolute() for path in paths)
    for given, path in zip(paths, found, strict=True):
        if not path.exists():
            raise Exit(f"--paths takes files and folders that exist, not {given!r}", code=2)
    return found


def _migration_scope(paths: tuple[Path, ...], all_projects: bool, helpers: frozenset[str]) -> "audit.Scope":
    from . import projects
    from .migrate import audit
    from .temp import layout

    here = layout.find_project().root
    root = projects.monorepo_root(here)
    return audit.Scope(root, audit.choose_projects(root, here, every=all_projects), paths, helpers)


def _plan_temp(project: "Project", max_age: float | None, force: bool, dry_run: bool) -> "Plan":
    from . import report
    from .temp import inventory, retention

    # What goes whatever its age need not be measured first: that can wait until it is out of sight.
    with report.watch("Looking") as tick:
        entries = inventory.take([project], measured=dry_run or max_age is not None, tick=tick, workers=_workers())
    return retention.make_plan(entries, retention.Policy(max_age, force), time.time())


def _plan_artifacts(project: "Project", patterns: Patterns, keep: Patterns, force: bool, dry_run: bool) -> "Plan":
    from . import artifacts, report
    from .temp import retention

    bases = [base.path for base in project.bases]
    with report.watch("Looking") as tick:
        found = artifacts.find(project.root, patterns, keep, bases, measured=dry_run, tick=tick, workers=_workers())
    policy = retention.Policy(force=force, because="left by a build or a test")
    return retention.make_plan(found, policy, time.time())


def _workers() -> int:
    """Return how many processes may share the work: one a core of ours, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return min(4, cores)


def _finish(project: "Project", plan: "Plan", dry_run: bool, as_json: bool) -> None:
    """Carry a plan out, or only show it; the exit code is 1 where something could not be removed."""
    from . import report
    from .temp import removal

    if dry_run:
        outcome = removal.Outcome(removed=plan.remove, kept=plan.keep, failed=plan.fail)
    else:
        with report.watch("Removing") as tick:
            outcome = removal.carry_out(plan, tick=tick, workers=_workers())
    report.show_outcome(project.root, outcome, time.time(), dry_run=dry_run, as_json=as_json)
    if outcome.failed:
        raise Exit(code=1)


def _seconds(option: str, hours: str | float | None) -> float | None:
    from .temp import layout

    if hours is None:
        return None
    try:
        return layout.seconds(float(hours))
    except ValueError:
        message = f"{option} takes a number of hours from 0 up, such as 24 or 0.5, not {hours!r}"
        raise Exit(message, code=2) from None


def _patterns(c: Context, name: str, default: tuple[str, ...]) -> Patterns:
    section: Any = c.config.get("clean", {})
    patterns = section.get(name, default) if hasattr(section, "get") else section
    if not isinstance(patterns, list | tuple) or not all(isinstance(pattern, str) for pattern in patterns):
        raise Exit(f"the setting clean.{name} takes a list of patterns, not {patterns!r}", code=2)
    try:
        return Patterns(patterns)
    except ValueError as error:
        raise Exit(f"the setting clean.{name}: {error}", code=2) from None


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the engine refuses into one line on standard error and exit code 2."""
    from .temp import BaseRefused, GuardFailed

    try:
        yield
    except (BaseRefused, GuardFailed) as error:
        raise Exit(str(error), code=2) from None
    except OSError as error:
        raise Exit(f"the system refused: {error}", code=1) from None
    except KeyboardInterrupt:
        raise Exit(code=130) from None


ns = Collection(temp_status, temp_clean, clean, temp_migrate)
ns.configure({"clean": {"artifacts": list(ARTIFACTS), "keep": []}, "migrate": {"helpers": []}})
