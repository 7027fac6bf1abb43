"""The files of a repository that its own programs lie in, or that start them."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..monorepo.search import FOREIGN, NEVER_ENTERED
from .place import is_foreign


def list_files(root: Path) -> Iterator[Path]:
    """Yield the plain files of a repository; links are not followed, other people's code is not entered."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if here != root and not FOREIGN.isdisjoint({*folders, *files}):
            folders.clear()
            continue
        folders[:] = sorted(set(folders) - NEVER_ENTERED)
        for name in sorted(files):
            path = here / name
            if not is_foreign(path.relative_to(root)) and path.is_file() and not path.is_symlink():
                yield path
