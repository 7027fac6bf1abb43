"""What git tracks below a project's root: nothing of it is ever removed."""

import subprocess
from pathlib import Path

from ._os import os
from .errors import GuardFailed

# Set for hooks; they would point git at another repository than the one the root lies in.
_LOCAL = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


class Tracked:
    """The files that git tracks, and every folder on the way to one; paths as in `git ls-files -z`."""

    def __init__(self, files: list[bytes] | None = None) -> None:
        self._paths: set[bytes] = set()
        for file in files or ():
            while file and file not in self._paths:
                self._paths.add(file)
                file = file.rpartition(b"/")[0]

    def __contains__(self, parts: tuple[str, ...]) -> bool:
        """Tell whether the path made of `parts`, relative to the root, is tracked or holds what is."""
        return os.fsencode("/".join(parts)) in self._paths


def ask_git(root: Path, *below: str) -> Tracked:
    """Return what git tracks in `root`, or only in the folders `below` it: one `git ls-files` call.

    Nothing where there is no repository or no git. Raises GuardFailed where there is one and git
    cannot read it (a broken index, somebody else's repository): guessing would risk tracked files.
    """
    if not _in_repository(root):
        return Tracked()
    environment = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    environment["GIT_LITERAL_PATHSPECS"] = "1"
    try:
        answer = subprocess.run(
            ["git", "ls-files", "-z", "--", *below], cwd=root, env=environment, capture_output=True, check=False
        )
    except FileNotFoundError:
        return Tracked()
    except OSError as error:
        raise GuardFailed(f"git cannot be started: {error}") from error
    if answer.returncode:
        said = answer.stderr.decode(errors="backslashreplace").strip().splitlines() or ["no answer"]
        raise GuardFailed(f"git cannot say what it tracks in {os.fspath(root)!r}: {said[0]}")
    return Tracked(answer.stdout.split(b"\0"))


def _in_repository(root: Path) -> bool:
    return any(os.path.lexists(folder / ".git") for folder in (root, *root.parents))
