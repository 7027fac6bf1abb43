"""The files of a repository that its own programs lie in, or that start them."""

import os
from collections.abc import Iterator
from pathlib import Path

from ..monorepo.search import COMPILED_IN, FOREIGN, NEVER_ENTERED
from ..project import git
from .place import is_foreign


def list_files(root: Path) -> list[Path]:
    """Return the plain files of a repository, without copies, builds and caches: what git ignores, and `__pycache__`.

    Links are not followed, other people's code is not entered. Raises GuardFailed where git cannot tell.
    """
    files = {path.relative_to(root).as_posix(): path for path in _walk(root)}
    ignored = git.find_ignored(root, files)
    return [path for name, path in files.items() if name not in ignored]


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if here != root and not FOREIGN.isdisjoint({*folders, *files}):
            folders.clear()
            continue
        folders[:] = sorted({*folders} - {*NEVER_ENTERED, COMPILED_IN})
        for name in sorted(files):
            path = here / name
            if not is_foreign(path.relative_to(root)) and path.is_file() and not path.is_symlink():
                yield path
