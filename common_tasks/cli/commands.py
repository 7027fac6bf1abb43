"""The words that a user types to run a task, from where he stands."""

import os
import shlex
import sys
from collections.abc import Mapping


def command(names: Mapping[str, object], wanted: object, current: object) -> str | None:
    """Return the command line that runs the task `wanted` as the one that runs now was run.

    `names`: the tasks there are, by their names. None where this process was not started to run `current`, by its name
    or by no name at all.
    """
    name = next((name for name, task in names.items() if task == wanted), None)
    called = [word for word, task in names.items() if task == current]
    words = sys.argv[1:]
    before = next((words[:at] for at, word in enumerate(words) if word in called), words)
    if name is None or any(word in names for word in before):
        return None
    return shlex.join([*_program(sys.argv[0], os.environ.get("PATH", "")), *before, name])


def _program(started: str, path: str) -> list[str]:
    """Return the words that start a program which was started as `started`."""
    folder, name = os.path.split(started)
    if name == "__main__.py":
        return [*_program(sys.executable, path), "-m", os.path.basename(folder)]
    first = next((each for each in path.split(os.pathsep) if os.access(os.path.join(each, name), os.X_OK)), None)
    if folder in (first, ""):
        return [name]
    relative = os.path.relpath(started)
    return [started if relative.startswith("..") else relative]
