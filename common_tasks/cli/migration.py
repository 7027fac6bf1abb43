"""The task that moves legacy temporary directories over."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from ..fs.workers import Workers
from ..project import marks
from .context import exit_if, find_project, refusals, workers_for
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
        _check_migration(diff, write)
        scope = _migration_scope(_existing(paths or []), all_projects, _helpers(c), c)
        from .. import report
        from ..migrate import audit
        from ..report import migration as report_migration

        with report.watch("Looking") as progress:
            found = audit.audit(scope, Workers(workers_for().processes, progress))
        changes: tuple[Change, ...] = ()
        failed: dict[Path, str] = {}
        if diff or write:
            found, changes, failed = _plan_migration(found, unsafe=unsafe, force=force or diff)
        if write:
            found, failed = _write_migration(found, changes, failed)
        if diff and not json:
            report_migration.show_patch(changes, scope.root)
        else:
            report_migration.show_audit(found, failed, as_json=json)
    exit_if(failed=(write and bool(failed)) or (check and not all(item.done for item in found.checklist)))


def _plan_migration(
    found: "audit.Audit", *, unsafe: bool, force: bool
) -> "tuple[audit.Audit, tuple[Change, ...], dict[Path, str]]":
    from .. import report
    from ..migrate import change
    from ..migrate.write import find_unwritable

    left = find_unwritable(change.wanted_files(found, unsafe=unsafe), found.scope.root, force=force)
    with report.watch("Rewriting") as progress:
        planned, changes = change.plan(found, left, unsafe=unsafe, workers=Workers(workers_for().processes, progress))
    return planned, changes, left


def _write_migration(
    found: "audit.Audit", changes: "tuple[Change, ...]", left: dict[Path, str]
) -> "tuple[audit.Audit, dict[Path, str]]":
    from ..migrate import change
    from ..migrate.write import write

    failed = write(changes)
    return change.settled(found, changes, failed), {**left, **failed}


def _check_migration(diff: bool, write: bool) -> None:
    if diff and write:
        raise Exit("--diff only shows and --write changes: give one of them", code=2)
    for module, name in (("libcst", "LibCST"), ("isort", "isort")):
        if not _is_there(module):
            raise Exit(f"temp-migrate needs {name}: pip install 'common-tasks[migrate]'", code=2)


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
        if not given or not path.exists():
            raise Exit(f"--paths takes files and folders that exist, not {given!r}", code=2)
    return found


def _migration_scope(paths: tuple[Path, ...], all_projects: bool, helpers: frozenset[str], c: Context) -> "audit.Scope":
    from ..migrate import audit

    here = find_project(c).root
    root = marks.monorepo_root(here)
    return audit.Scope(root, audit.choose_projects(root, here, every=all_projects), paths, helpers)
