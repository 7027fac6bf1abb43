"""Where a directory belongs: project root, bases, categories, names.

Pure, except that the root is looked for upward. On disk::

    <root>/.tmp/<category>/<name>_<unix>/     made here, unless COMMON_TASKS_TMP is set; then here:
    $COMMON_TASKS_TMP/<root's name>@<digest>/<category>/<name>_<unix>/
    $COMMON_TASKS_TMP/<category>/...          if it carries our tag: shown and cleaned, never written
    <root>/.temp/...                          legacy: shown and cleaned, never written
"""

import os
import re
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start
from functools import lru_cache
from pathlib import Path

from ..project import marks
from ..project.errors import BaseRefused, InvalidAge
from ..project.marks import variable
from .names import RESERVED, TAG

VARIABLE = "COMMON_TASKS_TMP"
INSIDE = (".tmp", ".temp")  # the names of a base inside its project
_FROM_VARIABLE = f"from {VARIABLE}"
# The folder of a project below the one that COMMON_TASKS_TMP names.
_OF_A_PROJECT = r"(?s).+@[0-9a-f]{10}"


class Base(namedtuple("Base", "path origin shared legacy root", defaults=("", False, False, ""))):
    """A folder of entries.

    `origin`: what makes it the project's, in words, if it is not simply inside; then only our tag makes it ours.
    `shared`: others use the folder, too: without our tag it is ignored, not refused, and other projects' bases in it
    are not entries.
    `legacy`: it is shown and cleaned, never written, and everything in it has the category legacy.
    `root`: the project's root, if the base is elsewhere: the base's tag names it.
    """

    __slots__ = ()
    path: Path
    origin: str
    shared: bool
    legacy: bool
    root: str

    @property
    def needs_tag(self) -> bool:
        """Whether only our tag makes it ours."""
        return bool(self.origin)

    def reserves(self, name: str) -> bool:
        """Tell whether something with this name in it is not an entry."""
        return name in RESERVED or (self.shared and re.fullmatch(_OF_A_PROJECT, name) is not None)


class Project(namedtuple("Project", "root bases reserved", defaults=("",))):
    """A root and its bases; the first is the one that is written to.

    `reserved`: what the root is, in words, if it is a folder for all kinds of things that belongs to no one project.
    """

    __slots__ = ()
    root: Path
    bases: tuple[Base, ...]
    reserved: str


def find_project(start: Path | None = None) -> Project:
    """Return the project of a script that works in the absolute path `start` (the working directory if it is None).

    Its root is the nearest folder at or above with `pyproject.toml`, `setup.py`, `.git`, or a `tasks.py` or `tasks/` of
    invoke's, but never the home folder, the system's temporary folder or `/`; if there is none, `start` itself.
    `COMMON_TASKS_TMP`, unless unset or empty, names a folder in which each project has its own folder in place
    of `<root>/.tmp`; `~` is the home folder, and a relative path is relative to the root. Raises BaseRefused
    if it begins with the home folder of a user that does not exist.
    """
    return project_at(marks.find_root(start))


def project_at(root: str) -> Project:
    """Return the project that begins in the folder `root`, an absolute path."""
    return _project_at(root, variable(VARIABLE), variable("HOME"), variable("TMPDIR"))


@lru_cache(maxsize=1024)  # a monorepo has hundreds
def _project_at(root: str, variable: str, _home: str, _temporary: str) -> Project:
    reserved = marks.what_is_reserved(root)
    inside, legacy = Path(root, ".tmp"), Base(Path(root, ".temp"), legacy=True)
    bases: tuple[Base, ...] = (Base(inside, f"in {reserved}", shared=True) if reserved else Base(inside),)
    elsewhere = _expand(root, variable) if variable else inside
    if elsewhere not in (inside, legacy.path):
        own = elsewhere / _name_of_project(root)
        bases = (Base(own, _FROM_VARIABLE, root=root), Base(elsewhere, _FROM_VARIABLE, shared=True))
    return Project(Path(root), bases if reserved else (*bases, legacy), reserved)


def _expand(root: str, variable: str) -> Path:
    expanded = os.path.expanduser(variable)
    if expanded.startswith("~"):
        raise BaseRefused(variable, f"from {VARIABLE} names the home folder of an unknown user; nothing was touched")
    path = Path(os.path.normpath(os.path.join(root, expanded)))
    real = path.resolve()
    for folder in (real, *real.parents):
        if folder.name in INSIDE and str(folder.parent) != os.path.realpath(root) and _is_base(folder):
            raise BaseRefused(variable, f"from {VARIABLE} names the base of another project; nothing was touched")
    return path


def _is_base(folder: Path) -> bool:
    """Tell whether a folder with a base's name is a project's base."""
    around = os.fspath(folder.parent)
    is_used = marks.begins_project(around) or os.path.lexists(folder / TAG)
    return is_used and not marks.what_is_reserved(around)


def orphaned_base(path: Path, root: str) -> Base | None:
    """Return the base at `path`, below the folder that COMMON_TASKS_TMP names, if the project at `root` is gone.

    `root`: as the base's tag names it. None if the project is still there, or the base belonged to another project.
    """
    if path.name != _name_of_project(root):
        return None
    try:
        os.lstat(root)
    except (FileNotFoundError, NotADirectoryError):
        return Base(path, _FROM_VARIABLE, root=root)
    except OSError:
        return None
    return None


def _name_of_project(root: str) -> str:
    """Return the name of the root, with a digest of its real path to tell it from others of that name."""
    import hashlib  # loads OpenSSL: only users who set the variable pay for that

    where = os.fsencode(os.path.realpath(root))
    name = os.path.basename(where)[:100].decode("utf-8", "ignore").lstrip(".")
    return f"{name or 'root'}@{hashlib.blake2s(where, digest_size=5).hexdigest()}"


def seconds(hours: float) -> float:
    """Turn an age in hours into seconds. Raises InvalidAge unless it is a finite number from 0 up."""
    if isinstance(hours, bool) or not isinstance(hours, int | float):
        raise InvalidAge(f"an age is a number of hours, not {hours!r}")
    result = hours * 3600.0
    if not 0 <= result < float("inf"):
        raise InvalidAge(f"an age is a number of hours from 0 up, not {hours!r}")
    return result


def counts_ctimes() -> bool:
    """Tell whether changes of a file's state (ctimes) count for its age: they do unless COMMON_TASKS_AGE is `modified`.

    Raises InvalidAge if it has any other value.
    """
    value = os.environ.get("COMMON_TASKS_AGE") or ""
    if value not in ("", "modified"):
        raise InvalidAge(f"COMMON_TASKS_AGE takes 'modified' or nothing, not {value!r}")
    return not value
