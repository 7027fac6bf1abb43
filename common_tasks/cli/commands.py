"""The command that a user types to run a task, in the working directory."""

import os
import shlex
import sys
from types import ModuleType
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task

# Programs that start another one again and again, or for each thing that they read: never proposed.
_REPEATERS = frozenset({"entr", "watch", "watchexec", "xargs"})


def command_for(c: Context, wanted: Task[Any], current: Task[Any]) -> str | None:
    """Return the command line that runs the task `wanted` in the same way as the task `current` was run.

    None if another task called `current`, or sent it to another folder (`c.cd`).
    """
    module = loaded_tasks(c)
    if c.command_cwds or module is None:
        return None
    tasks = Collection.from_module(module, auto_dash_names=c.config.tasks.auto_dash_names)
    names = list(tasks.task_names)
    name = next((name for name in names if tasks[name] == wanted), None)
    words = sys.argv[1:]
    before = next((words[:at] for at, word in enumerate(words) if word in names and tasks[word] == current), words)
    if name is None or any(word in names for word in before):
        return None
    path = os.environ.get("PATH", "")
    return shlex.join([*(_launcher(path) or _program(sys.argv[0], path)), *before, name])


def loaded_tasks(c: Context) -> ModuleType | None:
    """Return the module of the tasks that run; None if invoke has loaded none.

    A task is not told which collection it is in, but invoke imports the module under the configured name.
    """
    return sys.modules.get(c.config.tasks.collection_name)


def _launcher(path: str) -> list[str]:
    """Return the words up to this program's name if another program, such as `uv run` or `sudo`, was told to run it.

    Without them the shell may find no such program, or another one. They are known on Linux only.
    """
    try:
        with open(f"/proc/{os.getppid()}/cmdline", encoding="utf-8", errors="surrogateescape") as file:
            words = file.read().split("\0")[:-1]
    except OSError:
        return []
    if words[1:3] == ["tool", "uvx"]:  # what `uvx` becomes
        words[:3] = [os.path.join(os.path.dirname(words[0]), "uvx")]
    start = len(words) - len(sys.argv)
    if start < 1 or words[start + 1 :] != sys.argv[1:] or os.path.basename(words[0]) in _REPEATERS:
        return []
    if os.path.basename(words[start]) != os.path.basename(sys.argv[0]):
        return []
    return [*_program(words[0], path), *words[1 : start + 1]]


def _program(started: str, path: str) -> list[str]:
    """Return the words to type for a program that was started as `started`."""
    folder, name = os.path.split(started)
    if name == "__main__.py":
        return [*_program(sys.executable, path), "-m", os.path.basename(folder)]
    first = next((each for each in path.split(os.pathsep) if os.access(os.path.join(each, name), os.X_OK)), None)
    if folder in (first, ""):
        return [name]
    relative = os.path.relpath(started)
    return [started if relative.startswith("..") else relative]
