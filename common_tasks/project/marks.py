"""Which folder is a project's root: the one rule, asked upward by scripts and tasks and downward in a monorepo."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_MARKERS = ("pyproject.toml", "setup.py", ".git")
# A file of tasks is invoke's if it imports invoke or this package, or brings a collection under a name that invoke
# looks for. Others, celery among them, call their files `tasks.py`, too.
_USES_INVOKE = rb"""(?mx)
         ^[ \t]*(?:from|import)\b.*\b(?:invoke|common_tasks)\b
       | ^from[ \t]+[\w.]+[ \t]+import\b(?:[^\n(]*|[ \t]*\([^)]*)\b(?:ns|namespace)\b
       | ^(?:ns|namespace)[ \t]*=[ \t]*\w"""
_TASKS = ("tasks.py", "tasks/__init__.py")
_TASKS_READ = 2**20


def find_root(start: "str | os.PathLike[str] | None" = None) -> str:
    """Return the root of a script that works in the absolute path `start` (the working directory where it is None).

    It is the nearest folder at or above with `pyproject.toml`, `setup.py`, `.git`, or a `tasks.py` or `tasks/` of
    invoke's, but never the home folder, the system's temporary folder or `/`; `start` itself where there is none.
    """
    folder = os.getcwd() if start is None else os.fspath(start)
    return _nearest(folder, _TOP) or folder


def find_root_of_tasks(tasks: str, working: str, *, named: bool) -> str:
    """Return the root that tasks act on: the folder they were loaded from, or one between that and `working`.

    All are absolute paths without links. `named`: `tasks` is what somebody asked for, and was not found by
    going upward from the working directory; then it is the root.
    """
    if named or tasks not in _ancestors(working):
        return tasks
    return _nearest(working, _ancestors(tasks)) or tasks


def find_root_below(sent: str, above: str) -> str:
    """Return the root that work is sent to: `sent`, or the nearest project's at or above that does not hold `above`."""
    return _nearest(sent, _ancestors(above)) or sent


def _ancestors(folder: str) -> frozenset[str]:
    return frozenset({folder, *map(str, Path(folder).parents)})


_TOP = frozenset({"/"})


def _nearest(start: str, stops: frozenset[str]) -> str | None:
    """Return the nearest folder at or above `start` with a marker, but for the `stops` and all above the first."""
    folder = start
    while folder not in stops:
        if _has_marker(folder) and (folder is start or not _is_reserved(folder)):
            return folder
        folder = os.path.dirname(folder)
    return None


def _is_reserved(folder: str) -> bool:
    return bool(what_is_reserved(folder))


def what_is_reserved(folder: str) -> str:
    """Say what a folder is that holds everybody's and everything's files; empty for any other."""
    return _reserved(variable("HOME"), variable("TMPDIR")).get(folder, "")


def _has_marker(folder: str) -> bool:
    for marker in _MARKERS:
        with suppress(OSError):
            if not is_planted(folder, os.lstat(f"{folder}/{marker}")):
                return True
    return has_tasks(folder)


def begins_project(folder: str) -> bool:
    """Tell whether a folder holds a project's marker; see `find_project`."""
    return _has_marker(folder)


def has_tasks(folder: str) -> bool:
    """Tell whether a folder holds a `tasks.py` or `tasks/` of invoke's."""
    with suppress(OSError):  # one that cannot be read is nobody's
        return any(re.search(_USES_INVOKE, text) for _, text in read_tasks(folder))
    return False


def read_tasks(folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and text of each file of tasks in a folder, of anybody's; of very long ones the first mebibyte.

    Passed over is what a stranger put into a folder that everybody may write to. Raises OSError where one cannot be
    read.
    """
    for name in _TASKS:
        path = f"{folder}/{name}"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            found = os.fstat(fd)
            # A pipe of that name, which anybody can put above a folder, must not keep us waiting.
            if stat.S_ISREG(found.st_mode) and not is_planted(folder, found):
                yield path, os.read(fd, _TASKS_READ)
        finally:
            os.close(fd)


def is_planted(folder: str, found: os.stat_result) -> bool:
    """Tell whether a stranger put a file into a folder that everybody may write to: it marks no project."""
    return found.st_uid not in (os.geteuid(), 0) and bool(os.stat(folder).st_mode & stat.S_IWOTH)


def variable(name: str) -> str:
    """Return a variable of the environment; empty where it is unset."""
    return os.environ[name] if name in os.environ else ""  # noqa: SIM401  (`get` takes longer where it is unset)


@lru_cache(maxsize=16)
def _reserved(home: str, temporary: str) -> dict[str, str]:
    """Return the folders that hold everybody's and everything's files, each with what it is."""
    system = (temporary, variable("TEMP"), variable("TMP"), "/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108  (as tempfile)
    return {
        **{os.path.realpath(folder): "the system's temporary folder" for folder in system if folder},
        os.path.realpath(home or os.path.expanduser("~")): "the home folder",
        "/": "the top of the file system",
    }
