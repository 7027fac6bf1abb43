"""Which project a task acts on, and how a task ends where something is refused."""

import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from ..project import marks

if TYPE_CHECKING:
    from ..fs.values import Progress
    from ..fs.workers import Workers
    from ..monorepo.members import Scope
    from ..temp.layout import Project

_DESCRIPTORS = 16384
_FEWEST = 16  # descriptors that a task needs
_MOMENT = 0.001  # seconds: by then Python has left the code in which it ignores the interrupt

# Engine and drawing are imported where they are needed: `inv --list` pays for neither.


def exit_if(*, failed: bool) -> None:
    """End with exit code 1 where something failed."""
    if failed:
        raise Exit(code=1)


def is_dry(c: Context, *, dry_run: bool) -> bool:
    """Tell whether nothing is to be changed: by our own option, or by invoke's."""
    return dry_run or bool(c.config.run.dry)


def find_scope(c: Context, *, all_projects: bool) -> "Scope":
    """Return the projects to act on: one, or all of its monorepo."""
    from ..monorepo.members import Scope
    from ..monorepo.sources import Sources
    from .configuration import load

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


def find_project(c: Context) -> "Project":
    """Return the project that the context was sent to, or whose tasks invoke loaded; else a script's."""
    from ..temp import layout

    _refuse_missing_file(c)
    tasks, working = _tasks_folder(c), find_working_directory()
    if c.command_cwds:
        sent = os.path.realpath(os.path.join(working, *map(os.path.expanduser, c.command_cwds)), strict=True)
        return layout.project_at(marks.find_root_below(sent, tasks or working))
    if tasks is None:
        return layout.find_project()
    return layout.project_at(marks.find_root_of_tasks(tasks, working, named=_is_named(c, tasks)))


def find_working_directory() -> str:
    """Return the working directory. Ends with exit code 2 where it was deleted."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise Exit("the working directory no longer exists", code=2) from None


def _refuse_missing_file(c: Context) -> None:
    """End with exit code 2 where `-f` names no file: invoke passes over that, and settings in it would not hold."""
    config = c.config
    if config._runtime_path and not config._runtime_found:
        raise Exit(f"--config takes a file that exists, not {config._runtime_path!r}", code=2)


def _tasks_folder(c: Context) -> str | None:
    prefix = c.config._project_prefix  # invoke keeps there, and only there, where it found the tasks
    return None if prefix is None else os.path.realpath(prefix, strict=True)


def loaded_tasks(c: Context) -> ModuleType | None:
    """Return the module of the tasks that run; None where invoke has loaded none.

    A task is not told which collection it is in, but invoke imports that under the configured name.
    """
    return sys.modules.get(c.config.tasks.collection_name)


def _is_named(c: Context, tasks: str) -> bool:
    """Tell whether `inv -r` or `inv -c` named the tasks: a plain `inv` would not look for these."""
    file = getattr(loaded_tasks(c), "__file__", None)
    inside = os.path.join(tasks, c.config.tasks.collection_name)
    plain = file is not None and os.path.dirname(file) in (tasks, inside)
    return not plain or not os.path.isabs(c.config._project_prefix)


def check_reserved(project: "Project", *, swept: bool = False, force: bool = False) -> None:
    """Deal with a folder, such as a home, that is no project's alone: say so on standard error.

    Where it would be `swept`, end with exit code 2 unless there is `force`.
    """
    if not project.reserved:
        return
    where = f"{os.fspath(project.root)!r} is {project.reserved}"
    if not swept:
        print(f"{where}: only a .tmp that common-tasks made counts there", file=sys.stderr)
    elif not force:
        raise Exit(f"{where}, not a project: clean works there only with --force", code=2)


def allow_descriptors() -> None:
    """Let this process have as many files open as the system allows: a clean then deals with more projects at once."""
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _DESCRIPTORS)
    if 0 <= now < wanted:
        with contextlib.suppress(ValueError, OSError):  # macOS names a limit that it does not keep
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _need_descriptors() -> None:
    """End with exit code 2 where this process may open so few files that a task would see only part of what is there.

    Raises OSError where the system itself has no more.
    """
    taken: list[int] = []
    try:
        while len(taken) < _FEWEST:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        few = f"this process may open only {len(taken)} more files, and a task needs {_FEWEST}: see `ulimit -n`"
        raise Exit(f"{few}; nothing was touched", code=2) from None
    finally:
        for fd in taken:
            os.close(fd)


def workers_for(progress: "Progress | None" = None) -> "Workers":
    """Return the workers for a task, which report to `progress`: one for each core that we may use, four at most."""
    from ..fs.values import no_progress
    from ..fs.workers import Workers

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return Workers(min(4, cores), progress or no_progress)


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Switch off the search for reference cycles during the block: there may be very many entries, and no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Turn what is refused into one line on standard error and exit code 2."""
    with _interrupts_kept():
        allow_descriptors()
        _need_descriptors()
        from ..fs.values import complaint
        from ..monorepo.quantities import InvalidSetting
        from ..temp import TempError

        try:
            yield
        except (TempError, InvalidSetting) as error:
            raise Exit(str(error), code=2) from None
        except OSError as error:
            raise Exit(f"the system refused: {complaint('', error)}", code=1) from None
        except KeyboardInterrupt:
            raise Exit(code=130) from None


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Raise KeyboardInterrupt a moment later where Python reports and ignores it.

    It does so in finalizers and in the callbacks of weak references. One of those runs whenever a module is imported.
    """
    before = sys.unraisablehook

    def raise_again(ignored: "sys.UnraisableHookArgs") -> None:
        if issubclass(ignored.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            signal.setitimer(signal.ITIMER_REAL, _MOMENT)
        else:
            before(ignored)

    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = before
