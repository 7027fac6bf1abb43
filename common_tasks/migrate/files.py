"""The files of a repository that its own programs lie in, or that start them."""

import os
from collections.abc import Iterator
from pathlib import Path

from .place import is_foreign

_NEVER_ENTERED = frozenset({".git", "node_modules", "__pycache__", ".tmp", ".temp"})
_FOREIGN = frozenset({"pyvenv.cfg", "conda-meta", ".git"})  # an environment, or another repository


def list_files(root: Path) -> Iterator[Path]:
    """Yield the plain files of a repository; links are not followed, other people's code is not entered."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if here != root and not _FOREIGN.isdisjoint({*folders, *files}):
            folders.clear()
            continue
        folders[:] = sorted(set(folders) - _NEVER_ENTERED)
        for name in sorted(files):
            path = here / name
            if not is_foreign(path.relative_to(root)) and path.is_file() and not path.is_symlink():
                yield path
