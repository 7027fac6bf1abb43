"""Which projects a task acts on."""

import os
import sys
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit

from ..fs.values import Progress, no_progress
from ..fs.workers import Workers
from ..monorepo.members import Scope
from ..monorepo.sources import Sources
from ..project import marks
from ..temp import layout
from ..temp.layout import Project
from .commands import loaded_tasks
from .configuration import load


def find_scope(c: Context, *, all_projects: bool) -> Scope:
    """Return the projects to act on: one, or all of its monorepo."""
    project = find_project(c)
    if all_projects and project.reserved:
        folder = os.fspath(project.root)
        raise Exit(f"{folder!r} is {project.reserved}, not a monorepo: --all-projects needs a project's folder", code=2)
    monorepo = marks.monorepo_root(project.root)
    tasks = None if c.config.tasks.collection_name == __package__ else _tasks_folder(c)
    loaded = None if tasks is None else Path(tasks)
    sources = Sources(c.config, load, loaded=loaded, current=project.root, monorepo=monorepo)
    root = monorepo if all_projects else project.root
    return Scope(root=root, project=project, settings_of=sources.of, whole=all_projects)


def find_project(c: Context) -> Project:
    """Return the project that the context was sent to, else the one whose tasks invoke loaded, else a script's."""
    _refuse_missing_file(c)
    tasks, working = _tasks_folder(c), os.getcwd()
    if c.command_cwds:
        sent = os.path.realpath(os.path.join(working, *map(os.path.expanduser, c.command_cwds)), strict=True)
        return layout.project_at(marks.find_root_below(sent, tasks or working))
    if tasks is None:
        return layout.find_project()
    return layout.project_at(marks.find_root_of_tasks(tasks, working, named=_is_named(c, tasks)))


def _refuse_missing_file(c: Context) -> None:
    """End with exit code 2 if `-f` names a missing file: invoke ignores that, and its settings would not apply."""
    config = c.config
    if config._runtime_path and not config._runtime_found:
        raise Exit(f"--config takes a file that exists, not {config._runtime_path!r}", code=2)


def _tasks_folder(c: Context) -> str | None:
    prefix = c.config._project_prefix  # the only place in which invoke keeps where it found the tasks
    return None if prefix is None else os.path.realpath(prefix, strict=True)


def _is_named(c: Context, tasks: str) -> bool:
    """Tell whether `inv -r` or `inv -c` named the tasks: a plain `inv` would not look for these."""
    file = getattr(loaded_tasks(c), "__file__", None)
    inside = os.path.join(tasks, c.config.tasks.collection_name)
    plain = file is not None and os.path.dirname(file) in (tasks, inside)
    return not plain or not os.path.isabs(c.config._project_prefix)


def check_reserved(project: Project, *, swept: bool = False, force: bool = False) -> None:
    """Say on standard error that a folder, such as a home, does not belong to one project alone.

    If it would be `swept`, end with exit code 2 instead, or with `force` say nothing.
    """
    if not project.reserved:
        return
    where = f"{os.fspath(project.root)!r} is {project.reserved}"
    if not swept:
        print(f"{where}: only a .tmp that common-tasks made counts there", file=sys.stderr)
    elif not force:
        raise Exit(f"{where}, not a project: clean works there only with --force", code=2)


def workers_for(progress: Progress = no_progress) -> Workers:
    """Return the workers for a task, which report to `progress`: one for each core that we may use, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return Workers(min(4, cores), progress)


def is_dry(c: Context, *, dry_run: bool) -> bool:
    """Tell whether this is a dry run, by our own option or by invoke's."""
    return dry_run or bool(c.config.run.dry)
