"""The task that finds code which makes temporary directories by hand, and rewrites it."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from ..project import marks
from .context import exit_if, refusals
from .options import HELP, TempTask

if TYPE_CHECKING:
    from ..migrate import audit
    from ..migrate.finding import Change


@task(
    klass=TempTask,
    iterable=["paths"],
    help={
        "paths": "FILE or folder: look only there; can be repeated.",
        "all-projects": "Look at every project of the monorepo.",
        "diff": "Show what would change, as a patch; nothing is written.",
        "write": "Rewrite what is safe; with --unsafe, also what is not proved safe.",
        "unsafe": "With --diff or --write: include what may change how the program behaves.",
        "force": "With --write: also write files with uncommitted changes.",
        "check": "End with exit code 1 if anything is left to do.",
        "json": HELP["json"],
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
    with refusals():
        _refuse_unfit(diff=diff, write=write, unsafe=unsafe, force=force)
        _need("libcst", "LibCST")
        _need("isort", "isort")
        from .. import report
        from ..migrate import audit
        from ..report import migration as report_migration
        from .scope import find_project, workers_for

        here = find_project(c).root
        root = marks.monorepo_root(here)
        projects = audit.choose_projects(root, here, every=all_projects)
        scope = audit.Scope(root, projects, _existing(paths or []), _helpers(c))
        with report.watch("Looking") as progress:
            found = audit.audit(scope, workers_for(progress))
        changes: tuple[Change, ...] = ()
        failed: dict[Path, str] = {}
        if diff or write:
            found, changes, failed = _change(found, write=write, unsafe=unsafe, force=force or diff)
        if diff and not json:
            report_migration.show_patch(changes, scope.root)
        else:
            report_migration.show_audit(found, failed, as_json=json)
    exit_if(failed=(write and bool(failed)) or (check and not all(item.done for item in found.checklist)))


def _change(
    found: "audit.Audit", *, write: bool, unsafe: bool, force: bool
) -> "tuple[audit.Audit, tuple[Change, ...], dict[Path, str]]":
    """Plan the changes, and with `write` make them; return the new audit, the changes, and the files left alone."""
    from .. import report
    from ..migrate import change
    from ..migrate import write as writing
    from .scope import workers_for

    with report.watch("Rewriting") as progress:
        found, changes, left = change.plan(found, unsafe=unsafe, force=force, workers=workers_for(progress))
    if write:
        left |= writing.write(changes)
        found = change.settled(found, changes, left)
    return found, changes, left


def _refuse_unfit(*, diff: bool, write: bool, unsafe: bool, force: bool) -> None:
    """End with exit code 2 if options contradict each other, or do nothing."""
    if diff and write:
        raise Exit("--diff only shows and --write changes: give one of them", code=2)
    if unsafe and not (diff or write):
        raise Exit("--unsafe needs --diff or --write", code=2)
    if force and not (diff or write):
        raise Exit("--force needs --write", code=2)


def _need(module: str, name: str) -> None:
    """End with exit code 2 if a module is not installed."""
    try:
        there = importlib.util.find_spec(module) is not None
    except ValueError:  # switched off in sys.modules
        there = False
    if not there:
        raise Exit(f"temp-migrate needs {name}: pip install 'common-tasks[migrate]'", code=2)


def _helpers(c: Context) -> frozenset[str]:
    section: Any = c.config.get("migrate", {})
    names = section.get("helpers", ()) if hasattr(section, "get") else section
    dotted = isinstance(names, list | tuple) and all(isinstance(name, str) and "." in name for name in names)
    if not dotted:
        raise Exit(f"the setting migrate.helpers takes a list of dotted names, not {names!r}", code=2)
    return frozenset(names)


def _existing(paths: list[str]) -> tuple[Path, ...]:
    for path in paths:
        if not path or not Path(path).exists():
            raise Exit(f"--paths takes files and folders that exist, not {path!r}", code=2)
    return tuple(Path(path).resolve() for path in paths)
