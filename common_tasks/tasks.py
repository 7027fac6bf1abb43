"""The invoke tasks, `ns` and its configuration: each task parses, calls, renders and exits."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from .patterns import ARTIFACTS, Patterns

if TYPE_CHECKING:
    from .temp.entry import Plan
    from .temp.layout import Project

# Engine and drawing are imported where they are needed: `inv --list` pays for neither.

_AGE = "HOURS: remove only temporary directories without a change for so long; fractions and 0 are fine."
_TEMP_AGE = _AGE.replace("; ", "; artifacts go at any age; ")
_DRY_RUN = "Remove nothing, only list what would be removed."
_FORCE = "Also remove what is in use by a running process; never what is kept or tracked by git."
_JSON = "Print one JSON document in place of tables."
_FULL = "Show each entry of a long list on a terminal, too; pipes and JSON always have all."


class _Task(Task[Any]):
    """A task whose help names no type where an option takes hours, and with which `-f` is `--force` alone."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return what an option is made of."""
        options = super().arg_opts(name, default, taken_names)
        if name.endswith("_hours"):
            options["kind"] = _hours
        if name == "full":
            options["names"] = [name]
        return options


def _hours(text: str) -> str:
    """Take an option's text as it is: the task checks it. invoke's help calls a str STRING."""
    return text


def _task(**options: str) -> Callable[[Callable[..., None]], Task[Any]]:
    """Return invoke's decorator with a help for each option; typed, so that the tasks can be called and added."""
    return task(help=options, klass=_Task)


@_task(json=_JSON, full=_FULL)
def temp_status(c: Context, json: bool = False, full: bool = False) -> None:
    """Show temporary directories: size, files, age, use."""
    from . import report
    from .temp import inventory

    with _refusals():
        project = _project(c)
        _note_reserved(project)
        with report.watch("Looking") as progress:
            entries = inventory.scan([project], progress=progress, workers=_workers())
        command = _command(c, temp_clean, temp_status)
        report.show_status(project.root, entries, time.time(), as_json=json, full=full, clean=command)


@_task(max_age_hours=_AGE, dry_run=_DRY_RUN, force=_FORCE, json=_JSON, full=_FULL)
def temp_clean(
    c: Context,
    max_age_hours: str | float | None = None,
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
    full: bool = False,
) -> None:
    """Remove temporary directories, all or by age."""
    with _refusals():
        dry_run = dry_run or bool(c.config.run.dry)
        max_age = _seconds("--max-age-hours", max_age_hours)
        project = _project(c)
        _note_reserved(project)
        plan = _plan_temp(project, max_age, force, dry_run)
        _finish(project, plan, dry_run, json, full)


@_task(temp_age_hours=_TEMP_AGE, dry_run=_DRY_RUN, force=_FORCE, json=_JSON, full=_FULL)
def clean(
    c: Context,
    temp_age_hours: str | float | None = None,
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
    full: bool = False,
) -> None:
    """Remove build and test left-overs, and what temp-clean does.

    Left-overs ("artifacts") are __pycache__, *.pyc and the folders of pytest, mypy, ruff, hypothesis, tox and nox;
    and at the project's root build/, dist/, *.egg-info/, htmlcov/ and coverage data. They go at any age.

    The settings clean.artifacts and clean.keep change that. Both are lists of patterns as in a .gitignore, in
    invoke.yaml or ns.configure; "..." stands for the built-in ones:

    clean: {artifacts: ["...", "/out/"], keep: ["/dist/"]}
    """
    with _refusals():
        dry_run = dry_run or bool(c.config.run.dry)
        max_age = _seconds("--temp-age-hours", temp_age_hours)
        patterns = _patterns(c, "artifacts", ARTIFACTS), _patterns(c, "keep", ())
        project = _project(c)
        _refuse_reserved(project, force)
        plan = _plan_temp(project, max_age, force, dry_run) + _plan_artifacts(project, *patterns, force, dry_run)
        _finish(project, plan, dry_run, json, full)


def _project(c: Context) -> "Project":
    """Return the project that the context was sent to, or whose tasks invoke loaded; else a script's."""
    from .temp import layout

    tasks, working = _tasks_folder(c), os.getcwd()
    if c.command_cwds:
        sent = os.path.realpath(os.path.join(working, *map(os.path.expanduser, c.command_cwds)), strict=True)
        return layout.project_at(layout.find_root_below(sent, tasks or working))
    if tasks is None:
        return layout.find_project()
    return layout.project_at(layout.find_root_of_tasks(tasks, working, named=_is_named(c, tasks)))


def _tasks_folder(c: Context) -> str | None:
    prefix = c.config._project_prefix  # invoke keeps there, and only there, where it found the tasks
    return None if prefix is None else os.path.realpath(prefix, strict=True)


def _is_named(c: Context, tasks: str) -> bool:
    """Tell whether `inv -r` or `inv -c` named the tasks: they are not those that a plain `inv` looks for."""
    name = c.config.tasks.collection_name
    file = getattr(sys.modules.get(name), "__file__", None)
    plain = file is not None and os.path.dirname(file) in (tasks, os.path.join(tasks, name))
    return not plain or not os.path.isabs(c.config._project_prefix)


def _note_reserved(project: "Project") -> None:
    if project.reserved:
        folder = os.fspath(project.root)
        print(f"{folder!r} is {project.reserved}: only a .tmp that common-tasks made counts there", file=sys.stderr)


def _refuse_reserved(project: "Project", force: bool) -> None:
    if project.reserved and not force:
        folder = os.fspath(project.root)
        raise Exit(f"{folder!r} is {project.reserved}, no project: clean sweeps it only with --force", code=2)


def _plan_temp(project: "Project", max_age: float | None, force: bool, dry_run: bool) -> "Plan":
    from . import report
    from .temp import inventory, retention

    # What goes whatever its age need not be measured first: that can wait until it is out of sight.
    with report.watch("Looking") as progress:
        entries = inventory.scan(
            [project], measured=dry_run or max_age is not None, progress=progress, workers=_workers()
        )
    return retention.make_plan(entries, retention.Policy(max_age=max_age, force=force), time.time())


def _plan_artifacts(project: "Project", patterns: Patterns, keep: Patterns, force: bool, dry_run: bool) -> "Plan":
    from . import artifacts, report
    from .temp import retention

    bases = [base.path for base in project.bases]
    with report.watch("Looking") as progress:
        found = artifacts.find(
            project.root, patterns, keep, bases, measured=dry_run, progress=progress, workers=_workers()
        )
    policy = retention.Policy(force=force, because="left by a build or a test")
    return retention.make_plan(found, policy, time.time())


def _command(c: Context, wanted: Task[Any], current: Task[Any]) -> str | None:
    """Return the words that run the task `wanted` on the project that `current` acts on, if there are any."""
    from .commands import command

    module = sys.modules.get(c.config.tasks.collection_name)
    if c.command_cwds or module is None:
        return None
    tasks = Collection.from_module(module, auto_dash_names=c.config.tasks.auto_dash_names)
    names = {name: tasks[name] for name in tasks.task_names}
    return command(names, wanted, current)


def _workers() -> int:
    """Return how many processes may share the work: one a core of ours, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return min(4, cores)


def _finish(project: "Project", plan: "Plan", dry_run: bool, as_json: bool, full: bool) -> None:
    """Carry a plan out, or only show it; the exit code is 1 where something could not be removed."""
    from . import report
    from .temp import removal
    from .temp.entry import Outcome

    if dry_run:
        outcome = Outcome(removed=plan.remove, kept=plan.keep, failed=plan.fail)
    else:
        with report.watch("Removing") as progress:
            outcome = removal.carry_out(plan, progress=progress, workers=_workers())
    report.show_outcome(project.root, outcome, time.time(), dry_run=dry_run, as_json=as_json, full=full)
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
    from .temp import TempError

    try:
        yield
    except TempError as error:
        raise Exit(str(error), code=2) from None
    except OSError as error:
        raise Exit(f"the system refused: {error}", code=1) from None
    except KeyboardInterrupt:
        raise Exit(code=130) from None


ns = Collection(temp_status, temp_clean, clean)
ns.configure({"clean": {"artifacts": list(ARTIFACTS), "keep": []}})
