"""The projects of a monorepo: where it begins, and which folders in it are projects."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .temp import layout

_MARKERS = frozenset({"pyproject.toml", "setup.py"})
_BASES = frozenset({".tmp", ".temp"})
_NEVER_ENTERED = frozenset({".git", "node_modules", "__pycache__", *_BASES})
_FOREIGN = frozenset({"pyvenv.cfg", ".git"})


def monorepo_root(start: Path) -> Path:
    """Return the git top level at or above the absolute path `start`, else the outermost project root there.

    The home, `/` and the system's temporary folder are never found by going upward.
    """
    folders = (start, *(folder for folder in start.parents if folder not in _never_found()))
    for folder in folders:
        if (folder / ".git").exists():
            return folder
    return next((folder for folder in reversed(folders) if _is_project(folder)), start)


def _never_found() -> frozenset[Path]:
    return frozenset({Path("/"), Path.home(), Path(tempfile.gettempdir())})


def find_projects(root: Path) -> tuple[Path, ...]:
    """Return the folders at and below `root` that hold a project marker or a base, sorted by path.

    Not entered: `.git`, `node_modules`, bases, environments, other repositories; links are not followed.
    """
    return tuple(sorted(Path(folder) for folder, names in walk(root) if _is_marked(folder, names)))


def walk(root: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the folders of a monorepo with the names in them, those above first."""
    for folder, folders, files in os.walk(root):
        names = frozenset({*folders, *files})
        if folder != os.fspath(root) and not _FOREIGN.isdisjoint(names):
            folders.clear()
            continue
        yield folder, names
        folders[:] = sorted(set(folders) - _NEVER_ENTERED)


def _is_project(folder: Path) -> bool:
    try:
        names = frozenset(os.listdir(folder))
    except OSError:  # a folder above that nobody may list
        return False
    return _is_marked(os.fspath(folder), names - _BASES)


def _is_marked(folder: str, names: frozenset[str]) -> bool:
    if not names.isdisjoint(_MARKERS | _BASES | {".git"}):
        return True
    # From below, so that a `tasks.py` that is not invoke's is passed by.
    return "tasks.py" in names and layout.find_root(Path(folder, "below")) == Path(folder)
