"""The one rule for which folder is a project's root. Scripts and tasks search upward by it, a monorepo downward.

A root holds `pyproject.toml`, a `setup.py` that calls `setup`, a git repository, or a `tasks.py` or `tasks/` that
invoke can load. A marker that a stranger could have put there marks nothing.
"""

import codecs
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

# A file of tasks is invoke's if it imports invoke or this package, or brings a collection under a name that invoke
# looks for. Files of other programs, celery among them, are called `tasks.py`, too.
_USES_INVOKE = rb"""(?mx)
         ^[ \t]*(?:from|import)\b.*\b(?:invoke|common_tasks)\b
       | ^from[ \t]+[\w.]+[ \t]+import\b(?:[^\n(]*|[ \t]*\([^)]*)\b(?:ns|namespace)\b
       | ^(?:ns|namespace)[ \t]*=[ \t]*\w"""
# A module may be called `setup` and have nothing to do with packaging: a setup script imports `setup` and calls it.
_IMPORTS_SETUP = rb"""(?mx)
         ^[ \t]*(?:from|import)[ \t]+[\w., \t]*\b(?:setuptools|distutils)\b
       | ^[ \t]*from[ \t]+[\w.]+[ \t]+import\b(?:[^\n(]*|[ \t]*\([^)]*)\bsetup\b"""
_CALLS_SETUP = rb"(?m)^(?![ \t]*(?:#|(?:async[ \t]+)?def\b)).*\bsetup[ \t]*\("
SETUP = "setup.py"
TASKS = ("tasks.py", "tasks/__init__.py")
# The names in a folder that may mark it: worth a call of `begins_project`.
NAMES = frozenset({"pyproject.toml", SETUP, ".git", "tasks.py", "tasks"})
_MOST_READ = 2**20
_SYSTEM_FOLDERS = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108  (where `tempfile` looks)


def find_root(start: "str | os.PathLike[str] | None" = None) -> str:
    """Return the root of a script that works in the absolute path `start` (the working directory if it is None).

    It is the nearest folder at or above it that begins a project, but never a home folder, the system's temporary
    folder or `/`; `start` itself if there is none.
    """
    folder = os.getcwd() if start is None else os.fspath(start)
    return _nearest(folder, _TOP) or folder


def find_root_of_tasks(tasks: str, working: str, *, named: bool) -> str:
    """Return the root that tasks act on: the folder they were loaded from, or one between that and `working`.

    All are absolute paths without links. `named`: the user asked for `tasks`, so it was not found by going upward
    from the working directory; then it is the root.
    """
    if named or tasks not in _ancestors(working):
        return tasks
    return _nearest(working, _ancestors(tasks)) or tasks


def find_root_below(sent: str, above: str) -> str:
    """Return the root for work that is sent to a folder: the nearest at or above it, but none that holds `above`.

    `sent`, the folder itself, if there is none.
    """
    return _nearest(sent, _ancestors(above)) or sent


def monorepo_root(start: Path) -> Path:
    """Return the git top level at or above the absolute path `start`, else the outermost project's root there.

    `start` itself if there is neither. Home folders, the system's temporary folder and `/` do not count, and nothing
    above them is looked at.
    """
    folders = [start]
    if not what_is_reserved(str(start)):
        folders += takewhile(lambda folder: not what_is_reserved(str(folder)), start.parents)
    top_levels = (folder for folder in folders if _is_there(holds_repository, str(folder)))
    roots = (folder for folder in reversed(folders) if begins_project(str(folder)))
    return next(top_levels, next(roots, start))


def _ancestors(folder: str) -> frozenset[str]:
    return frozenset({folder, *map(str, Path(folder).parents)})


_TOP = frozenset({"/"})


def _nearest(start: str, stops: frozenset[str]) -> str | None:
    """Return the nearest project's root at or above `start`; search only up to the first of the `stops`, without it."""
    folder = start
    while folder not in stops:
        if begins_project(folder) and (folder is start or not what_is_reserved(folder)):
            return folder
        folder = os.path.dirname(folder)
    return None


def begins_project(folder: str, *, exposed: bool = False) -> bool:
    """Tell whether a folder is a project's root.

    `exposed`: a folder on the way there is open to strangers, so any marker of another user's may have been moved in.
    """
    marks = (_has_pyproject, holds_repository, _has_setup, _has_tasks)
    return any(_is_there(mark, folder, exposed=exposed) for mark in marks)


def _is_there(mark: Callable[..., bool], folder: str, *, exposed: bool = False) -> bool:
    with suppress(OSError):  # what cannot be read marks nothing
        return mark(folder, exposed=exposed)
    return False


def _has_pyproject(folder: str, *, exposed: bool) -> bool:
    found = os.lstat(f"{folder}/pyproject.toml")
    return not stat.S_ISDIR(found.st_mode) and not is_planted(folder, found, exposed=exposed)


def holds_repository(folder: str, *, exposed: bool = False) -> bool:
    """Tell whether a folder is the top of a git work tree. An empty `.git` does not make it one.

    Raises OSError if the folder may not be looked into.
    """
    mark = f"{folder}/.git"
    try:
        found = os.lstat(mark)
        if stat.S_ISDIR(found.st_mode):
            os.lstat(f"{mark}/HEAD")
        return not is_planted(folder, found, exposed=exposed)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _has_setup(folder: str, *, exposed: bool) -> bool:
    text = read(folder, SETUP, exposed=exposed) or b""
    return bool(re.search(_IMPORTS_SETUP, text) and re.search(_CALLS_SETUP, text))


def _has_tasks(folder: str, *, exposed: bool) -> bool:
    return any(re.search(_USES_INVOKE, read(folder, name, exposed=exposed) or b"") for name in TASKS)


def read_whole(folder: str, name: str) -> bytes:
    """Return the text of a file as `read` does, empty if there is none. Raises OSError if it is over 1 MiB."""
    text = read(folder, name) or b""
    if text and os.stat(f"{folder}/{name}").st_size > _MOST_READ:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), f"{folder}/{name}")
    return text


def read(folder: str, name: str, *, exposed: bool = False) -> bytes | None:
    """Return the text of a file in a folder; of a file over 1 MiB, only the first mebibyte.

    None if there is no regular file of that name, or if a stranger could have put it there. Raises OSError if it cannot
    be read.
    """
    try:
        # A pipe of that name, which others may be able to put there, must not keep us waiting.
        fd = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or is_planted(folder, found, exposed=exposed):
            return None
        return os.read(fd, _MOST_READ).removeprefix(codecs.BOM_UTF8)
    finally:
        os.close(fd)


def is_planted(folder: str, found: os.stat_result, *, exposed: bool = False) -> bool:
    """Tell whether a stranger could have put a file into a folder. `found`: its status; `exposed`: see above."""
    if found.st_uid in (os.geteuid(), 0):
        return False
    return exposed or is_open_to_strangers(os.stat(folder).st_mode)


def is_open_to_strangers(mode: int) -> bool:
    """Tell whether users who do not trust each other may put files into a directory of this mode.

    That is one that everybody may write to or, if the sticky bit is set, a group. Without that bit, all who may write
    to it may also remove everything in it: that is how a team shares a folder.
    """
    return bool(mode & stat.S_IWOTH or (mode & stat.S_ISVTX and mode & stat.S_IWGRP))


def variable(name: str) -> str:
    """Return an environment variable; empty if it is unset."""
    return os.environ.get(name, "")


def what_is_reserved(folder: str) -> str:
    """Say what a folder is if it holds files of all kinds or of everybody, as a home does; empty for any other.

    Folders are compared by device and inode, so the path that led there does not matter.
    """
    try:
        found = os.stat(folder)
    except OSError:  # a folder that is not there yet
        return ""
    here = found.st_dev, found.st_ino
    return next((what for path, what in _reserved(folder, found.st_uid) if identify(path) == here), "")


def find_homes() -> frozenset[tuple[int, int]]:
    """Return device and inode of the home folders of this user, and of the one who called sudo."""
    homes = map(identify, (variable("HOME"), *map(_home, (os.geteuid(), *_callers()))))
    return frozenset(home for home in homes if home)


def identify(path: "str | os.PathLike[str]") -> tuple[int, int] | None:
    """Return device and inode of what a path leads to, through any links and mounts; None if that is nothing."""
    with suppress(OSError, ValueError):
        found = os.stat(path)
        return found.st_dev, found.st_ino
    return None


def _reserved(folder: str, owner: int) -> Iterator[tuple[str, str]]:
    """Yield the reserved paths, and what each is. `owner`: the owner of the folder that is compared with them."""
    yield "/", "the top of the file system"
    for path in (variable("TMPDIR"), variable("TEMP"), variable("TMP"), *_SYSTEM_FOLDERS):
        yield path, "the system's temporary folder"
    yield variable("HOME"), "the home folder"
    yield _home(os.geteuid()), "the home folder"
    yield _home(owner), "the home folder of its owner"
    for caller in _callers():
        home = _home(caller)
        # If the list of users names no home that exists, any folder of that user may be the home.
        is_known = caller != owner or os.path.isdir(home)
        yield home if is_known else folder, "the home folder of the user who called sudo"


def _callers() -> list[int]:
    """Return the user who called sudo, if anybody did."""
    caller = variable("SUDO_UID")
    return [int(caller)] if caller.isdecimal() else []


@lru_cache(maxsize=256)
def _home(user: int) -> str:
    """Return the home folder of a user from the system's list of users; empty if the user is not in it."""
    import pwd

    try:
        return pwd.getpwuid(user).pw_dir
    except (KeyError, OverflowError):
        return ""
