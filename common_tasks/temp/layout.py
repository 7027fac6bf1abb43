"""Where a directory belongs: project root, bases, categories, names.

Pure, but for looking upward for the root. On disk::

    <root>/.tmp/<category>/<name>_<unix>/     made here; where COMMON_TASKS_TMP is set:
    $COMMON_TASKS_TMP/<root's name>@<digest>/<category>/<name>_<unix>/
    $COMMON_TASKS_TMP/<category>/...          if it carries our tag: shown and cleaned, never written
    <root>/.temp/...                          legacy: shown and cleaned, never written
"""

import os
import re
import stat
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from .errors import BaseRefused, InvalidAge, InvalidName

VARIABLE = "COMMON_TASKS_TMP"
_FROM_VARIABLE = f"from {VARIABLE}"
UNCATEGORIZED = "uncategorized"
LEGACY = "legacy"
KEEP = ".keep"
TRASH = ".trash"
UNDECIDED = ".aside"  # what is out of sight, and may yet be put back, has a name that begins so
TAG = "CACHEDIR.TAG"
GITIGNORE = ".gitignore"
# What a base holds beside its entries; `.keep` in a base or a category keeps the folder, not its neighbours.
RESERVED = frozenset({TAG, GITIGNORE, TRASH, KEEP})

_MARKERS = ("pyproject.toml", "setup.py", ".git")
# A file of tasks is invoke's if it imports invoke or this package, or brings a collection under a name that invoke
# looks for. Others, celery among them, call their files `tasks.py`, too.
_USES_INVOKE = rb"""(?mx)
         ^[ \t]*(?:from|import)\b.*\b(?:invoke|common_tasks)\b
       | ^from[ \t]+[\w.]+[ \t]+import\b(?:[^\n(]*|[ \t]*\([^)]*)\b(?:ns|namespace)\b
       | ^(?:ns|namespace)[ \t]*=[ \t]*\w"""
_TASKS = ("tasks.py", "tasks/__init__.py")
# Nine digits and more: a count or a date that ends a hand-made name is no time of creation.
_ENTRY = r"(?s)(.+)_(\d{9,12})(?:-(\d{1,9}))?"
# The folder of a project below the one that COMMON_TASKS_TMP names.
_OF_A_PROJECT = r"(?s).+@[0-9a-f]{10}"
_TASKS_READ = 2**20
_STAMP_ROOM = len("_169634880000-999999999")


class Base(namedtuple("Base", "path origin shared legacy", defaults=("", False, False))):
    """A folder of entries.

    `origin`: what makes it the project's, in words, where it is not simply inside; then only our tag makes it ours.
    `shared`: others use the folder, too: without our tag it is passed over, not refused, and other projects'
    bases in it are no entries.
    `legacy`: it is shown and cleaned, never written, and all that lies in it is of the category legacy.
    """

    __slots__ = ()
    path: Path
    origin: str
    shared: bool
    legacy: bool

    @property
    def needs_tag(self) -> bool:
        """Whether only our tag makes it ours."""
        return bool(self.origin)

    def reserves(self, name: str) -> bool:
        """Tell whether what bears this name in it is no entry."""
        return name in RESERVED or (self.shared and re.fullmatch(_OF_A_PROJECT, name) is not None)


class Project(namedtuple("Project", "root bases reserved", defaults=("",))):
    """A root and the bases that belong to it, the one that is written to first.

    `reserved`: what the root is in words, where it is a folder for everything: no project's alone.
    """

    __slots__ = ()
    root: Path
    bases: tuple[Base, ...]
    reserved: str


def find_project(start: Path | None = None) -> Project:
    """Return the project of a script that works in the absolute path `start` (the working directory where it is None).

    Its root is the nearest folder at or above with `pyproject.toml`, `setup.py`, `.git`, or a `tasks.py` or `tasks/` of
    invoke's, but never the home folder, the system's temporary folder or `/`; `start` itself where there is none.
    `COMMON_TASKS_TMP`, unless unset or empty, names a folder in which each project has one of its own in place
    of `<root>/.tmp`; `~` is the home folder, and a relative path is relative to the root. Raises BaseRefused
    where it begins with the home folder of a user that there is not.
    """
    return project_at(_find_root(os.getcwd() if start is None else os.fspath(start)))


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


def _find_root(start: str) -> str:
    return _nearest(start, _TOP) or start


def _nearest(start: str, stops: frozenset[str]) -> str | None:
    """Return the nearest folder at or above `start` with a marker, but for the `stops` and all above the first."""
    folder = start
    while folder not in stops:
        if _has_marker(folder) and (folder is start or not _is_reserved(folder)):
            return folder
        folder = os.path.dirname(folder)
    return None


def _is_reserved(folder: str) -> bool:
    return folder in _reserved(_variable("HOME"), _variable("TMPDIR"))


def _has_marker(folder: str) -> bool:
    for marker in _MARKERS:
        with suppress(OSError):
            if not _is_planted(folder, os.lstat(f"{folder}/{marker}")):
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
            if stat.S_ISREG(found.st_mode) and not _is_planted(folder, found):
                yield path, os.read(fd, _TASKS_READ)
        finally:
            os.close(fd)


def _is_planted(folder: str, found: os.stat_result) -> bool:
    """Tell whether a stranger put a file into a folder that everybody may write to: it marks no project."""
    return found.st_uid not in (os.geteuid(), 0) and bool(os.stat(folder).st_mode & stat.S_IWOTH)


def _variable(name: str) -> str:
    return os.environ[name] if name in os.environ else ""  # noqa: SIM401  (`get` takes longer where it is unset)


@lru_cache(maxsize=16)
def _reserved(home: str, temporary: str) -> dict[str, str]:
    """Return the folders that hold everybody's and everything's files, each with what it is."""
    system = (temporary, _variable("TEMP"), _variable("TMP"), "/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108  (as tempfile)
    return {
        **{os.path.realpath(folder): "the system's temporary folder" for folder in system if folder},
        os.path.realpath(home or os.path.expanduser("~")): "the home folder",
        "/": "the top of the file system",
    }


def project_at(root: str) -> Project:
    """Return the project that begins in the folder `root`, an absolute path."""
    return _project_at(root, _variable(VARIABLE), _variable("HOME"), _variable("TMPDIR"))


@lru_cache(maxsize=64)
def _project_at(root: str, variable: str, home: str, temporary: str) -> Project:
    reserved = _reserved(home, temporary).get(root, "")
    inside, legacy = Path(root, ".tmp"), Base(Path(root, ".temp"), legacy=True)
    bases: tuple[Base, ...] = (Base(inside, f"in {reserved}", shared=True) if reserved else Base(inside),)
    elsewhere = _expand(root, variable) if variable else inside
    if elsewhere not in (inside, legacy.path):
        own = elsewhere / _name_of_project(root)
        bases = (Base(own, _FROM_VARIABLE), Base(elsewhere, _FROM_VARIABLE, shared=True))
    return Project(Path(root), bases if reserved else (*bases, legacy), reserved)


def _expand(root: str, variable: str) -> Path:
    expanded = os.path.expanduser(variable)
    if expanded.startswith("~"):
        raise BaseRefused(variable, f"from {VARIABLE} names the home folder of nobody here; nothing was touched")
    return Path(os.path.normpath(os.path.join(root, expanded)))


def _name_of_project(root: str) -> str:
    """Return the name of its root, and what tells it from namesakes: the digest of where it stands."""
    import hashlib  # loads OpenSSL: only those who set the variable pay for that

    where = os.fsencode(os.path.realpath(root))
    name = os.path.basename(where)[:100].decode("utf-8", "ignore").lstrip(".")
    return f"{name or 'root'}@{hashlib.blake2s(where, digest_size=5).hexdigest()}"


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
    return os.pathconf(folder, "PC_NAME_MAX")


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
    if "/" in text:
        raise InvalidName(f"{what} {text!r} holds a path separator: give a plain name")
    if "\0" in text:
        raise InvalidName(f"{what} {text!r} holds a NUL character: give a plain name")


def entry_name(name: str, unix: int, number: int = 1) -> str:
    """Return the name of the `number`-th entry called `name` made in the second `unix`."""
    stamp = f"{name}_{max(unix, 0):09d}"  # the digits that parse_name asks for, however wrong the clock
    return stamp if number == 1 else f"{stamp}-{number}"


class Stamped(namedtuple("Stamped", "name created number")):
    """An entry's name, taken apart; sorts by time of creation among entries of one name."""

    __slots__ = ()
    name: str
    created: int
    number: int


def parse_name(text: str) -> Stamped | None:
    """Take an entry's name apart; None where it does not end in a time of creation."""
    match = re.fullmatch(_ENTRY, text)
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
