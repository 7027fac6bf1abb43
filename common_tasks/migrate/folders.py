"""The folders of a repository that its own programs lie in."""

import os
from collections.abc import Iterator
from pathlib import Path

_NEVER_ENTERED = frozenset({".git", "node_modules", "__pycache__", ".tmp", ".temp"})
_FOREIGN = frozenset({"pyvenv.cfg", "conda-meta", ".git"})  # an environment, or another repository


def walk(root: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the folders at and below `root` with the names in them, those above first; links are not followed."""
    for folder, folders, files in os.walk(root):
        names = frozenset({*folders, *files})
        if folder != os.fspath(root) and not _FOREIGN.isdisjoint(names):
            folders.clear()
            continue
        yield folder, names
        folders[:] = sorted(set(folders) - _NEVER_ENTERED)
