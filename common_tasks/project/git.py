"""What git tracks below a project's root: nothing of it is ever removed."""

import os
import stat
import subprocess
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

from ..errors import GuardFailed
from ..fs.values import printable

# Set for hooks; they would point git at another repository than the one the root lies in.
_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
# What lies in a repository may be anybody's: nothing that its configuration names is run, nothing is fetched.
_HARMLESS = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
}
_OPTIONS = ("--no-pager", "-c", "core.fsmonitor=", "-c", "core.hooksPath=/dev/null")
# Where a program reaps or ignores its children, a failed git looks successful: so success is written down.
_WITH_PROOF = '"$@" && printf //'
_PROOF = b"//"  # part of no path that git prints
_MOST_FOLDERS = 32  # git compares every file with each folder that it is asked about: all files are told sooner


class Tracked:
    """The files that git tracks; paths as in `git ls-files -z`.

    `unknown`: why that cannot be told, where git is missing.
    """

    def __init__(self, files: Iterable[bytes] = (), unknown: str | None = None) -> None:
        self.unknown = unknown
        self._files = sorted(files)

    def __contains__(self, parts: tuple[str, ...]) -> bool:
        """Tell whether the path made of `parts`, relative to the root, is tracked or holds what is."""
        path = os.fsencode("/".join(parts))
        first, below = self._first_from(path), path + b"/"
        # What begins with the path stands together, `path-2` before `path/file`.
        return bool(path) and first.startswith(path) and (first == path or self._first_from(below).startswith(below))

    def _first_from(self, path: bytes) -> bytes:
        """Return the first of the files that comes at or after `path` in order; empty where none does."""
        at = bisect_left(self._files, path)
        return self._files[at] if at < len(self._files) else b""


def ask_git(root: Path, *below: str) -> Tracked:
    """Return what git tracks in `root`, or at least in the folders `below` it: one `git ls-files` call.

    Nothing where there is no repository. Raises GuardFailed where there is one and git cannot read it
    (a broken index, somebody else's repository): guessing would risk tracked files.
    """
    if not in_repository(root):
        return Tracked()
    answer = run_git(root, "ls-files", "-z", "--", *(below if len(below) <= _MOST_FOLDERS else ()))
    if answer is None:
        return Tracked(unknown="git is not installed, so what it tracks cannot be told")
    return Tracked(filter(None, answer.split(b"\0")))


def run_git(root: Path, *words: str) -> bytes | None:
    """Return what a git command prints; None where git is not installed. Raises GuardFailed where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in _LOCAL} | _HARMLESS
    if not _is_installed("git", environment.get("PATH", os.defpath)):
        return None
    command = ["/bin/sh", "-c", _WITH_PROOF, "sh", "git", *_OPTIONS, *words]
    try:
        answer = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    except OSError as error:
        raise GuardFailed(f"git cannot be started: {error}") from error
    if not answer.stdout.endswith(_PROOF):
        lines = answer.stderr.decode(errors="backslashreplace").strip().splitlines() or ["no answer"]
        where, said = printable(os.fspath(root)), printable(lines[0])
        raise GuardFailed(f"git cannot answer in '{where}': {said}; nothing was touched")
    return answer.stdout.removesuffix(_PROOF)


def _is_installed(program: str, path: str) -> bool:
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in path.split(os.pathsep) if folder)


def in_repository(root: Path) -> bool:
    """Tell whether `root` lies in a git repository, as git itself would find it going upward.

    An empty `.git` is none, nor is one that a stranger put into a folder that everybody may write to.
    """
    return any(_is_repository(folder) for folder in (root, *root.parents))


def _is_repository(folder: Path) -> bool:
    mark = folder / ".git"
    try:
        found = mark.lstat()
        if stat.S_ISDIR(found.st_mode):
            (mark / "HEAD").lstat()
        return not _is_planted(folder, found)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # not to be looked into: git will say so
        return True


def _is_planted(folder: Path, found: os.stat_result) -> bool:
    return found.st_uid not in (os.geteuid(), 0) and bool(folder.stat().st_mode & stat.S_IWOTH)
