"""The invoke tasks and `ns`: each task parses, calls, renders and exits."""

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

if TYPE_CHECKING:
    from .projects import Member
    from .scope import Scope
    from .temp.entry import Outcome, Plan
    from .temp.layout import Project

# Engine and drawing are imported where they are needed: `inv --list` pays for neither.

_AGE = "HOURS: remove only temporary directories without a change for so long; fractions and 0 are fine."
_HELP = {
    "max_age_hours": _AGE,
    "temp_age_hours": _AGE.replace("; ", "; artifacts go at any age; "),
    "keep_last": "NUMBER: keep the newest so many of each name, whatever their age; takes the place of all rules.",
    "max_size": "SIZE such as 2GB: the oldest of each category go while it holds more; takes the place of all rules.",
    "category": "NAME of a category, to clean that one alone; repeatable.",
    "no_rules": "Clean as if the configuration held no rules of retention.",
    "all_projects": "All projects of the monorepo, each by its own rules.",
    "pick": "Choose from a list what is removed.",
    "dry_run": "Remove nothing, only list what would be removed.",
    "force": "Also remove what is in use, and what holds a git repository; never what is kept or tracked by git.",
    "json": "Print one JSON document in place of tables.",
    "full": "Show each entry of a long list on a terminal, too; pipes and JSON always have all.",
}
_UNTYPED = ("max_age_hours", "temp_age_hours", "keep_last", "max_size")
# invoke casts a variable to the kind of value that the configuration holds, and where that is a list or a number ends
# in a traceback. So those that are ours are read by us, under another name; what is started from here finds them too.
_OURS = re.compile(r"INVOKE_(CLEAN_(ARTIFACTS|KEEP)|TEMP_RETENTION_.+_(MAX_AGE|MAX_SIZE|KEEP_LAST))")
for _name in [name for name in os.environ if _OURS.fullmatch(name)]:
    os.environ[f"COMMON_TASKS_{_name}"] = os.environ.pop(_name)


class _Task(Task[Any]):
    """A task whose help names no type where an option takes hours, and with which `-f` is `--force` alone."""

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return what an option is made of."""
        options = super().arg_opts(name, default, taken_names)
        if name in _UNTYPED:
            options["kind"] = _text
        if name == "full":
            options["names"] = [name]
        return options


def _text(text: str) -> str:
    """Take an option's text as it is: the task checks it. invoke's help calls a str STRING."""
    return text


def _task(*options: str, iterable: Iterable[str] = ()) -> Callable[[Callable[..., None]], Task[Any]]:
    """Return invoke's decorator with a help for each option; typed, so that the tasks can be called and added."""
    return task(help={option: _HELP[option] for option in options}, iterable=list(iterable), klass=_Task)


@_task("json", "full", "all_projects")
def temp_status(c: Context, json: bool = False, full: bool = False, all_projects: bool = False) -> None:
    """Show temporary directories: size, files, age, use."""
    from . import report
    from .scope import Looking

    with _refusals():
        scope = _scope(c, all_projects)
        _note_reserved(scope.project)
        with report.watch("Looking") as progress:
            look = scope.look(Looking(searched=not json, progress=progress, workers=_workers()))
        _show_status(c, scope, look.members, json, full)
        _tell_of_projects_below(c, look.below, temp_status)
        _exit(any(member.error for member in look.members))


_LIMITS = "keep_last", "max_size", "category", "no_rules", "all_projects"
_HOW = "dry_run", "force", "json", "full"


@_task("max_age_hours", *_HOW, *_LIMITS, "pick", iterable=["category"])
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
    category: Iterable[str] = (),
    no_rules: bool = False,
    pick: bool = False,
) -> None:
    """Remove temporary directories: all, by age, or by rules.

    Rules are the setting temp.retention, one for each category, and "default" for those without one. Entries older than
    max_age go; then, while the category holds more than max_size, the oldest go; the newest keep_last of a name stay:

    temp: {retention: {default: {max_age: 7d}, cache: {max_size: 2GB}, debug: {max_age: 7d, keep_last: 3}}}
    """
    with _refusals():
        limits = {"--max-age-hours": max_age_hours, "--keep-last": keep_last, "--max-size": max_size}
        how = _How(c, _is_dry(c, dry_run), force, json, full, pick)
        _clean(how, limits, category, no_rules, all_projects, swept=False)


@_task("temp_age_hours", *_HOW, *_LIMITS, iterable=["category"])
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
    category: Iterable[str] = (),
    no_rules: bool = False,
) -> None:
    """Remove build and test left-overs, and what temp-clean does.

    Left-overs ("artifacts") are __pycache__, *.pyc and the folders of pytest, mypy, ruff, hypothesis, tox and nox;
    and at the project's root build/, dist/, *.egg-info/, htmlcov/ and coverage data. They go at any age.

    The settings clean.artifacts and clean.keep change that. Both are lists of patterns as in a .gitignore, in
    invoke.yaml or ns.configure; "..." stands for the built-in ones:

    clean: {artifacts: ["...", "/out/"], keep: ["/dist/"]}
    """
    with _refusals():
        limits = {"--temp-age-hours": temp_age_hours, "--keep-last": keep_last, "--max-size": max_size}
        how = _How(c, _is_dry(c, dry_run), force, json, full, pick=False)
        _clean(how, limits, category, no_rules, all_projects, swept=True)


class _How(NamedTuple):
    """How a clean is done and shown."""

    c: Context
    dry_run: bool
    force: bool
    as_json: bool
    full: bool
    pick: bool


def _clean(
    how: _How, limits: dict[str, Any], category: Iterable[str], no_rules: bool, all_projects: bool, *, swept: bool
) -> None:
    from . import report, settings
    from .scope import Choice, Looking

    if how.pick:
        _refuse_to_ask(how.as_json)
    categories = frozenset([category] if isinstance(category, str) else category)
    choice = Choice(settings.read_limits(limits), no_rules, categories, how.force)
    scope = _scope(how.c, all_projects)
    if swept:
        _refuse_reserved(scope.project, how.force)
    else:
        _note_reserved(scope.project)
    with report.watch("Looking") as progress:
        # What goes whatever its age need not be measured first: that can wait until it is out of sight.
        measured = how.dry_run or how.pick
        look = scope.look(Looking(swept=swept, choice=choice, measured=measured, progress=progress, workers=_workers()))
    plans = choice.plans(look.members, time.time())
    if how.pick:
        plans = report.pick(scope.root, plans, time.time())
    outcomes = _carry_out(plans, how.dry_run)
    _show_outcomes(how, scope, look.members, outcomes)
    if swept and not how.as_json:
        _tell_of_projects_below(how.c, look.below, clean)
    _exit(any(outcome.failed for outcome in outcomes) or any(member.error for member in look.members))


def _carry_out(plans: list["Plan"], dry_run: bool) -> Sequence["Outcome"]:
    from . import projects, report
    from .temp.entry import Outcome

    if dry_run:
        return [Outcome(removed=plan.remove, kept=plan.keep, failed=plan.fail) for plan in plans]
    with report.watch("Removing") as progress:
        return projects.carry_out(plans, progress=progress, workers=_workers())


def _show_status(c: Context, scope: "Scope", members: Sequence["Member"], as_json: bool, full: bool) -> None:
    from . import report
    from .scope import BARE

    now = time.time()
    command = _command(c, temp_clean, temp_status)
    due = [BARE.due(member, now) for member in members]
    if not scope.whole:
        report.show_status(scope.root, members[0].entries, now, as_json=as_json, full=full, due=due[0], clean=command)
        return
    rows = [
        report.ProjectStatus(member.project.root, member.entries, when, member.error)
        for member, when in zip(members, due, strict=True)
    ]
    report.show_projects(scope.root, rows, now, as_json=as_json, clean=command and f"{command} --all-projects")


def _show_outcomes(how: _How, scope: "Scope", members: Sequence["Member"], outcomes: Sequence["Outcome"]) -> None:
    from . import report

    now, shown = time.time(), {"dry_run": how.dry_run, "as_json": how.as_json, "full": how.full}
    if not scope.whole:
        report.show_outcome(scope.root, outcomes[0], now, **shown)
        return
    rows = [
        report.ProjectOutcome(member.project.root, outcome, member.error)
        for member, outcome in zip(members, outcomes, strict=True)
    ]
    report.show_outcomes(scope.root, rows, now, **shown)


def _tell_of_projects_below(c: Context, members: Sequence["Member"], current: Task[Any]) -> None:
    """Say in one line what the projects below a single one hold."""
    from . import projects, report

    if not members:
        return
    with report.watch("Looking") as progress:
        looked = projects.with_entries(members, orphans=False, progress=progress, workers=_workers())
    entries = [member.entries for member in looked if member.entries]
    report.show_hint(entries, _command(c, temp_status, current))


def _exit(failed: bool) -> None:
    if failed:
        raise Exit(code=1)


def _is_dry(c: Context, dry_run: bool) -> bool:
    return dry_run or bool(c.config.run.dry)


def _refuse_to_ask(as_json: bool) -> None:
    if as_json:
        raise Exit("--pick shows a list to choose from, so it takes no --json", code=2)
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty()):
        raise Exit("--pick asks what is to be removed, so it needs a terminal", code=2)


def _scope(c: Context, all_projects: bool) -> "Scope":
    """Return the projects to act on: one, or all of its monorepo."""
    from . import projects
    from .scope import Scope
    from .settings import Sources

    project = _project(c)
    monorepo = projects.monorepo_root(project.root)
    tasks = _tasks_folder(c)
    sources = Sources(c.config, None if tasks is None else Path(tasks), project.root, monorepo)
    if all_projects and project.reserved:
        folder = os.fspath(project.root)
        raise Exit(f"{folder!r} is {project.reserved}, no monorepo: --all-projects needs a project's folder", code=2)
    return Scope(root=monorepo if all_projects else project.root, project=project, sources=sources, whole=all_projects)


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


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn what is refused into one line on standard error and exit code 2."""
    from .settings import InvalidSetting
    from .temp import TempError

    try:
        yield
    except (TempError, InvalidSetting) as error:
        raise Exit(str(error), code=2) from None
    except OSError as error:
        raise Exit(f"the system refused: {error}", code=1) from None
    except KeyboardInterrupt:
        raise Exit(code=130) from None


ns = Collection(temp_status, temp_clean, clean)
