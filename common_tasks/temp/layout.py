"""Where a directory belongs: project root, bases, categories, names.

Pure, but for looking upward for the root. On disk::

    <root>/.tmp/<category>/<name>_<unix>/     made here, or under COMMON_TASKS_TMP
    <root>/.temp/...                          legacy: shown and cleaned, never written
"""

import os
import re
import stat
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from .errors import InvalidAge, InvalidName

VARIABLE = "COMMON_TASKS_TMP"
UNCATEGORIZED = "uncategorized"
LEGACY = "legacy"
KEEP = ".keep"
TRASH = ".trash"
TAG = "CACHEDIR.TAG"
GITIGNORE = ".gitignore"
# What a base holds beside its entries; `.keep` in a base or a category keeps the folder, not its neighbours.
RESERVED = frozenset({TAG, GITIGNORE, TRASH, KEEP})

_MARKERS = ("pyproject.toml", "setup.py", ".git")
_USES_INVOKE = re.compile(rb"^[ \t]*(?:from|import)\b.*\b(?:invoke|common_tasks)\b", re.MULTILINE)
# Nine digits and more: a count or a date that ends a hand-made name is no time of creation.
_ENTRY = re.compile(r"(?s)(.+)_(\d{9,12})(?:-(\d{1,9}))?")
_TASKS_READ = 2**20
_STAMP_ROOM = len("_169634880000-999999999")


class Base(NamedTuple):
    """A folder of entries.

    `needs_tag`: it lies outside the project, so only our tag makes it ours.
    `legacy`: it is shown and cleaned, never written, and all that lies in it is of the category legacy.
    """

    path: Path
    needs_tag: bool = False
    legacy: bool = False


class Project(NamedTuple):
    """A root and the bases that belong to it, the one that is written to first."""

    root: Path
    bases: tuple[Base, ...]


def find_root(start: Path) -> Path:
    """Return the nearest folder at or above the absolute path `start` that a project begins in.

    That is one with `pyproject.toml`, `setup.py`, `.git`, or a `tasks.py` that uses invoke;
    `start` itself where there is none.
    """
    return Path(_find_root(os.fspath(start)))


def _find_root(start: str) -> str:
    folder = start
    while True:
        if any(os.path.lexists(f"{folder}/{marker}") for marker in _MARKERS) or _has_tasks(folder):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return start
        folder = parent


def _has_tasks(folder: str) -> bool:
    try:
        fd = os.open(os.path.join(folder, "tasks.py"), os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # absent or unreadable: not a project's task file
        return False
    with open(fd, "rb") as file:
        # A pipe of that name, which anybody can put above a folder, must not keep us waiting.
        return stat.S_ISREG(os.fstat(fd).st_mode) and _USES_INVOKE.search(file.read(_TASKS_READ)) is not None


def find_project(start: Path | None = None) -> Project:
    """Return the project of `start` (the working directory where it is None) with its bases.

    `COMMON_TASKS_TMP`, unless unset or empty, takes the place of `<root>/.tmp`; relative, it is
    relative to the root.
    """
    root = _find_root(os.getcwd() if start is None else os.fspath(start))
    return _project_at(root, os.environ.get(VARIABLE) or "")


@lru_cache(maxsize=64)
def _project_at(root: str, elsewhere: str) -> Project:
    written = Base(Path(root, ".tmp"))
    if elsewhere:
        path = Path(os.path.normpath(os.path.join(root, elsewhere)))
        written = Base(path, needs_tag=path != written.path)
    legacy = Base(Path(root, ".temp"), legacy=True)
    return Project(Path(root), (written,) if written.path == legacy.path else (written, legacy))


def check_name(name: str, what: str, folder: Path) -> None:
    """Raise InvalidName unless `name` can begin an entry's name (or be a category) in `folder`.

    Refused: nothing at all, a leading dot, a path separator, NUL, text that is no file name, and
    more bytes than the file system of the existing `folder` takes once the time is appended.
    """
    _check_name(name, what, _name_limit(folder) - _STAMP_ROOM)


@lru_cache(maxsize=256)
def _check_name(name: str, what: str, room: int) -> None:
    check_part(name, what)
    if not name:
        raise InvalidName(f"{what} is empty: give it at least one character")
    if name.startswith("."):
        raise InvalidName(f"{what} {name!r} starts with a dot: hidden names are not for entries")
    try:
        size = len(os.fsencode(name))
    except UnicodeEncodeError:
        raise InvalidName(f"{what} {name!r} cannot be written as a file name") from None
    if size > room:
        raise InvalidName(f"{what} {name[:20]!r}… is {size} bytes long: at most {room} fit here")


@lru_cache(maxsize=64)
def _name_limit(folder: Path) -> int:
    return os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255


def check_category(category: str, folder: Path) -> None:
    """Raise InvalidName unless `category` can be one in a base below `folder`.

    As for names, and it must not look like an entry: a legacy `.tmp/demo_1696348800/` is one, whole.
    """
    check_name(category, "the category", folder)
    if parse_name(category):
        raise InvalidName(f"the category {category!r} ends like an entry, in a time: give a plain name")


def check_part(text: str, what: str) -> None:
    """Raise InvalidName where `text` would leave the folder it is used in, or be no text to the system."""
    if not isinstance(text, str):
        raise TypeError(f"{what} takes text, not {type(text).__name__}")
    if any(separator in text for separator in (os.sep, os.altsep) if separator):
        raise InvalidName(f"{what} {text!r} holds a path separator: give a plain name")
    if "\0" in text:
        raise InvalidName(f"{what} {text!r} holds a NUL character: give a plain name")


def entry_name(name: str, unix: int, number: int = 1) -> str:
    """Return the name of the `number`-th entry called `name` made in the second `unix`."""
    stamp = f"{name}_{max(unix, 0):09d}"  # the digits that parse_name asks for, however wrong the clock
    return stamp if number == 1 else f"{stamp}-{number}"


class Stamped(NamedTuple):
    """An entry's name, taken apart; sorts by time of creation among entries of one name."""

    name: str
    created: int
    number: int


def parse_name(text: str) -> Stamped | None:
    """Take an entry's name apart; None where it does not end in a time of creation."""
    match = _ENTRY.fullmatch(text)
    return Stamped(match[1], int(match[2]), int(match[3] or 1)) if match else None


def seconds(hours: float) -> float:
    """Turn an age in hours into seconds. Raises InvalidAge unless it is a finite number from 0 up."""
    if isinstance(hours, bool) or not isinstance(hours, int | float):
        raise InvalidAge(f"an age is a number of hours, not {hours!r}")
    result = hours * 3600.0
    if not 0 <= result < float("inf"):
        raise InvalidAge(f"an age is a number of hours from 0 up, not {hours!r}")
    return result


def counts_ctimes() -> bool:
    """Tell whether changes of a file's state count for its age: not where COMMON_TASKS_AGE is `modified`.

    Raises InvalidAge for another value.
    """
    value = os.environ.get("COMMON_TASKS_AGE") or ""
    if value not in ("", "modified"):
        raise InvalidAge(f"COMMON_TASKS_AGE takes 'modified' or nothing, not {value!r}")
    return not value
