"""The only module that calls git: what is tracked, ignored, saved. No program that a repository names is run.

A repository may be anybody's: its configuration can name programs (hooks, fsmonitor, filters, textconv, pagers,
transports). Only commands that read the index, trees and patterns are used, with all of these switched off. Variables
that send git elsewhere (GIT_DIR and the like, set in hooks) are removed.
"""

import os
import stat
import subprocess
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ..fs.values import printable
from . import marks
from .errors import GuardFailed

# The user's own configuration files; any other git variable could send git to another repository, or make it write or
# run something.
_ALLOWED = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_HARMLESS = {
    "GIT_ALLOW_PROTOCOL": "none",  # nothing is fetched: a transport is a program
    "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1",  # a project may be mounted below its work tree
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_OPTIONS = (
    "--no-pager",
    *("-c", "core.fsmonitor="),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "safe.bareRepository=explicit"),  # a folder that only looks like a repository must not be taken for one
)
# If a program reaps or ignores its children, a failed git looks successful: so success is marked in the output.
_WITH_PROOF = 'most=$1; shift; "$@"; [ $? -le "$most" ] && printf //'
_PROOF = b"//"  # occurs in no path that git prints
_READ_BY_GIT = (".gitignore", ".gitattributes", ".git/info/exclude", ".git/info/attributes")
# git compares every file with each folder that it is asked about: with more folders, listing all files is faster.
MOST_FOLDERS = 32


class Tracked:
    """The files that git tracks; paths as in `git ls-files -z`.

    `unknown`: why that cannot be told, if git is missing.
    """

    def __init__(self, files: Iterable[bytes] = (), unknown: str | None = None) -> None:
        self.unknown = unknown
        self._files = sorted(files)

    def __bool__(self) -> bool:
        """Whether git tracks anything, or that cannot be told."""
        return bool(self._files or self.unknown)

    def __contains__(self, parts: tuple[str, ...]) -> bool:
        """Tell whether the path made of `parts`, relative to the root, is tracked or holds something that is."""
        path = os.fsencode("/".join(parts))
        first, below = self._first_from(path), path + b"/"
        # All that begins with the path is contiguous in the list, with `path-2` before `path/file`.
        return bool(path) and first.startswith(path) and (first == path or self._first_from(below).startswith(below))

    def _first_from(self, path: bytes) -> bytes:
        """Return the first of the sorted files that is `path` or comes after it; empty if there is none."""
        at = bisect_left(self._files, path)
        return self._files[at] if at < len(self._files) else b""


def ask_git(root: Path, *below: str) -> Tracked:
    """Return what git tracks in `root`, or at least in the folders `below` it: one `git ls-files` call.

    Nothing if there is no repository. Raises GuardFailed if there is one and git cannot read it
    (a broken index, somebody else's repository): guessing would risk tracked files.
    """
    if not in_repository(root):
        return Tracked()
    folders = below if len(below) <= MOST_FOLDERS else ()
    answer = _run(root, "ls-files", "-z", "--", *folders)
    if answer is None:
        return Tracked(unknown="git is not installed, so what it tracks is unknown")
    return Tracked(_split(answer))


def find_new(root: Path, paths: Collection[str]) -> Tracked:
    """Return the files below `paths`, relative to `root`, that git neither tracks nor ignores.

    Nothing if there is no repository, or no git. Raises GuardFailed if git cannot tell.
    """
    if not _has_answers(root, paths):
        return Tracked()
    words = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
    listed = _split(_run(root, *words, "--", *paths) or b"")
    return Tracked(path.rstrip(b"/") for path in listed)


def find_ignored(root: Path, paths: Collection[str]) -> frozenset[str]:
    """Return those of `paths`, relative to `root`, that git ignores; what it tracks is not ignored.

    Nothing if there is no repository, or no git. Raises GuardFailed if git cannot tell.
    """
    if not _has_answers(root, paths):
        return frozenset()
    # With "./" in front no name is taken for a pattern; this command refuses GIT_LITERAL_PATHSPECS.
    answer = _run(root, "check-ignore", "-z", "--stdin", given=_join(f"./{path}" for path in paths), most=1)
    return frozenset(os.fsdecode(path[2:]) for path in _split(answer or b""))


def find_unsaved(root: Path, paths: Collection[str]) -> dict[str, str]:
    """Return those of `paths`, files relative to `root`, that the newest commit does not hold as they are, and why.

    The content itself is compared, so neither a flag in the index (assume-unchanged, skip-worktree) nor a time counts,
    and no filter is run: a file that goes through one counts as unsaved. Line endings may differ if all of them are
    CRLF. Outside a repository, without git or before the first commit, everything counts as unsaved. Raises
    GuardFailed if git cannot tell.
    """
    if not _has_answers(root, paths):
        return dict.fromkeys(paths, "not in a git repository")
    committed, filtered = _read_commit(root), _find_filtered(root, paths)
    reasons = {path: "changed by a filter" if path in filtered else _compare(root, path, committed) for path in paths}
    return {path: reason for path, reason in reasons.items() if reason}


def _has_answers(root: Path, paths: Collection[str]) -> bool:
    """Tell whether git can be asked about paths, which it cannot outside a repository.

    Raises GuardFailed if git would wait forever on a pipe: it opens files with certain names whatever they are.
    """
    if not paths or not in_repository(root):
        return False
    folders = {folder for path in paths for folder in (root / path, *(root / path).parents)}
    for file in (folder / name for folder in folders for name in _READ_BY_GIT):
        with suppress(OSError):
            if stat.S_ISFIFO(file.stat().st_mode):
                raise GuardFailed(f"git cannot answer in '{printable(str(root))}': '{printable(str(file))}' is a pipe")
    return True


def _read_commit(root: Path) -> Mapping[bytes, bytes]:
    """Return the hash of each file below `root` in the newest commit; none without git, or before the first commit."""
    if not _run(root, "rev-parse", "--revs-only", "HEAD"):
        return {}
    rows = (row.split(b"\t", 1) for row in _split(_run(root, "ls-tree", "-r", "-z", "HEAD") or b""))
    return {path: facts.split()[2] for facts, path in rows if facts.startswith(b"100")}  # regular files


def _find_filtered(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Return the paths whose content git changes by a filter, an encoding or a keyword."""
    words = ("check-attr", "-z", "--stdin", "filter", "working-tree-encoding", "ident")
    fields = _split(_run(root, *words, given=_join(paths)) or b"")
    rows = zip(fields[::3], fields[2::3], strict=True)
    return frozenset(os.fsdecode(path) for path, value in rows if value not in (b"unspecified", b"unset"))


def _compare(root: Path, path: str, committed: Mapping[bytes, bytes]) -> str:
    """Say why a file is not saved; empty if it is. Raises OSError if it cannot be read."""
    known = committed.get(os.fsencode(path))
    if known is None:
        return "not committed"
    file = root / path
    if not stat.S_ISREG(file.lstat().st_mode):
        return "not a regular file"
    data = file.read_bytes()
    plain = data.replace(b"\r\n", b"\n")
    is_crlf = len(data) - len(plain) == plain.count(b"\n")
    same = known in (_hash(data, known), _hash(plain, known) if is_crlf else b"")
    return "" if same else "uncommitted changes"


def _hash(data: bytes, like: bytes) -> bytes:
    """Return git's hash of a file's content, by the same algorithm as the hash `like`."""
    import hashlib  # loads OpenSSL, which most callers do not need

    algorithm = "sha1" if len(like) == 40 else "sha256"
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest().encode()


def _split(answer: bytes) -> list[bytes]:
    return answer.split(b"\0")[:-1]


def _join(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _run(root: Path, *words: str, given: bytes = b"", most: int = 0) -> bytes | None:
    """Return what a git command prints; None if git is not installed.

    `given`: its standard input; `most`: the highest exit code that is an answer. Raises GuardFailed if it fails.
    """
    stays = (name for name in os.environ if not name.startswith("GIT_") or name in _ALLOWED)
    environment = {name: os.environ[name] for name in stays} | _HARMLESS
    if not _is_installed("git", environment.get("PATH", os.defpath)):
        return None
    if words[0] == "check-ignore":
        del environment["GIT_LITERAL_PATHSPECS"]
    command = ["/bin/sh", "-c", _WITH_PROOF, "sh", str(most), "git", *_OPTIONS, *words]
    try:
        answer = subprocess.run(command, cwd=root, env=environment, input=given, capture_output=True, check=False)
    except OSError as error:
        raise GuardFailed(f"git cannot be started: {error}") from error
    if not answer.stdout.endswith(_PROOF):
        where, said = printable(os.fspath(root)), printable(_summary(answer.stderr))
        raise GuardFailed(f"git cannot answer in '{where}': {said}; nothing was touched")
    return answer.stdout.removesuffix(_PROOF)


def _summary(said: bytes) -> str:
    """Return the first line of what git says, and the command that it advises, in one line."""
    lines = said.decode(errors="backslashreplace").strip().splitlines() or ["no answer"]
    advice = next((line.strip() for line in lines[1:] if line.strip().startswith("git config ")), "")
    return f"{lines[0]}; if you trust it: {advice}" if advice else lines[0]


def _is_installed(program: str, path: str) -> bool:
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in path.split(os.pathsep) if folder)


def in_repository(root: Path) -> bool:
    """Tell whether `root` lies in a git work tree, as git itself would find it going upward; see `marks`."""
    return any(_holds_repository(folder) for folder in (root, *root.parents))


def _holds_repository(folder: Path) -> bool:
    try:
        return marks.holds_repository(os.fspath(folder))
    except OSError:  # it may not be looked into: git will say so
        return True
