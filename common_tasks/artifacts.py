"""Finds the build and test left-overs that `clean` sweeps out of a project's tree."""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from .patterns import Patterns
from .temp import layout
from .temp.base import is_tagged
from .temp.entry import ARTIFACT, Entry, Identity, State
from .temp.inventory import Located, with_states, with_usage
from .temp.seal import looks_sealed, unseal
from .temp.tracked import Tracked, ask_git, in_repository, run_git
from .tree import workers as pool
from .tree.directory import Directory
from .tree.usage import BLOCK
from .tree.values import Progress, Usage, no_progress
from .tree.walk import Position, Visitor, walk

# Bases are cleaned as such, this project's and those of the projects below it.
_NEVER_ENTERED = frozenset({".git", "node_modules", ".tmp", ".temp"})
# A virtual environment of Python or conda, or another repository: somebody's work.
_FOREIGN = frozenset({"pyvenv.cfg", "conda-meta", ".git"})
# People give these names to folders of sources, too.
_DOUBTFUL = frozenset({"build", "dist"})
_NEW_TO_GIT = "kept: git neither tracks nor ignores it, so it may be sources; put it in .gitignore to have it cleaned"


def find(
    root: Path,
    patterns: Patterns,
    keep: Patterns,
    bases: Iterable[Path],
    *,
    measured: bool = True,
    progress: Progress = no_progress,
    workers: int = 1,
) -> tuple[Entry, ...]:
    """Return the artifacts below `root`, sorted by path, each with what bears on its removal.

    Links are neither artifacts nor followed. Not entered: what `keep` matches, `bases` and those of
    other projects, `.git`, `node_modules`, virtual environments, other git repositories. What an
    interrupted sweep left is found again as `unfinished`. Up to so many processes, `workers`, share the
    work. Raises GuardFailed where git cannot tell what it tracks.

    Kept, with the reason: what holds something that `keep` matches; a `build` or `dist` that git would have somebody
    add, since it may be sources; for root, what lies in a folder that everybody may write to.
    """
    with Directory.at(root, follow=True) as top:
        found = sorted(_Search(root, patterns, keep, bases).run(top, workers), key=lambda artifact: artifact.parts)
        tracked = ask_git(root) if found else Tracked()
        entries = [_entry(root, artifact, tracked) for artifact in found]
        guard = _Guard(top, keep, _new_to_git(root, entries))
        located = [Located(top, guard.check(entry)) for entry in entries]
        return tuple(with_states(with_usage(located, measured=measured, progress=progress, workers=workers)))


class _Artifact(NamedTuple):
    parts: tuple[str, ...]
    identity: Identity
    usage: Usage | None
    in_trash: bool


def _entry(root: Path, artifact: _Artifact, tracked: Tracked) -> Entry:
    state: State = "unfinished" if artifact.in_trash else "idle"
    reason = None
    if artifact.parts in tracked:
        state, reason = "tracked", "tracked by git"
    elif tracked.unknown and not artifact.in_trash:
        state, reason = "kept", f"kept: {tracked.unknown}"
    return Entry(
        folder=root,
        parts=artifact.parts,
        base=None,
        category=ARTIFACT,
        name=artifact.parts[-1],
        identity=artifact.identity,
        usage=artifact.usage,
        in_trash=artifact.in_trash,
        state=state,
        reason=reason,
    )


def _new_to_git(root: Path, entries: Iterable[Entry]) -> frozenset[bytes]:
    """Return the paths, among those of doubtful entries, that git would list as untracked."""
    doubtful = ["/".join(entry.parts) for entry in entries if entry.state == "idle" and entry.name in _DOUBTFUL]
    if not doubtful or not in_repository(root):
        return frozenset()
    words = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory")
    listed = run_git(root, *words, "--", *doubtful) or b""
    paths = [path.split(b"/") for path in listed.split(b"\0") if path]
    return frozenset(b"/".join(parts[:length]) for parts in paths for length in range(1, len(parts) + 1))


class _Guard:
    """Tells which artifacts are to be kept though nothing tracks or pins them."""

    def __init__(self, top: Directory, keep: Patterns, new_to_git: frozenset[bytes]) -> None:
        self._top = top
        self._keep = keep
        self._new_to_git = new_to_git
        self._is_root = os.geteuid() == 0
        self._open: dict[tuple[str, ...], bool] = {}

    def check(self, entry: Entry) -> Entry:
        """Return an entry, as kept where there is a reason for that."""
        if entry.state != "idle":
            return entry
        if os.fsencode("/".join(entry.parts)) in self._new_to_git and entry.name in _DOUBTFUL:
            return replace(entry, state="kept", reason=_NEW_TO_GIT)
        inside = self._kept_inside(entry)
        if inside:
            return replace(entry, state="kept", reason=f"kept: clean.keep names {inside} in it")
        if self._is_root and self._is_open(entry.parts[:-1]):
            reason = "kept: everybody may write to the folder it is in, and this is root"
            return replace(entry, state="kept", reason=reason, forceable=True)
        return entry

    def _kept_inside(self, entry: Entry) -> str:
        if not entry.identity.directory or not self._keep.may_match_below(entry.parts):
            return ""
        finding = _Finding(self._keep, entry.parts[:-1])
        # What cannot be looked into is dealt with when it is to be removed.
        with contextlib.suppress(OSError), self._top.descend(entry.parts[:-1]) as parent:
            walk(parent, entry.parts[-1], finding)
        return "/".join(finding.found[len(entry.parts) :])

    def _is_open(self, folder: tuple[str, ...]) -> bool:
        """Tell whether everybody may write to a folder, or to one on the way to it."""
        return any(self._may_all_write(folder[:depth]) for depth in range(len(folder) + 1))

    def _may_all_write(self, folder: tuple[str, ...]) -> bool:
        if folder not in self._open:
            self._open[folder] = False
            with contextlib.suppress(OSError), self._top.descend(folder) as directory:
                self._open[folder] = bool(directory.status().st_mode & stat.S_IWOTH)
        return self._open[folder]


class _Search:
    """A search through a project's tree for what matches."""

    def __init__(self, root: Path, patterns: Patterns, keep: Patterns, bases: Iterable[Path]) -> None:
        self._patterns = patterns
        self._keep = keep
        top = root.resolve()
        below = [base.relative_to(top).parts for base in map(Path.resolve, bases) if base.is_relative_to(top)]
        self._bases = frozenset(below)
        self._above_bases = frozenset(parts[:length] for parts in below for length in range(len(parts)))

    def run(self, root: Directory, workers: int) -> list[_Artifact]:
        """Search below the open root: the first levels here, then each branch, shared out if they are many."""
        found: list[_Artifact] = []
        branches: deque[tuple[str, ...]] = deque([()])
        while branches and len(branches) < pool.ENOUGH_BRANCHES * 4 and len(branches[0]) < pool.DEEP:
            path = branches.popleft()
            branches.extend((*path, name) for name in self._read_at(root, path, found))
        pieces = min(len(branches), pool.MOST_PIECES)
        rest = list(branches)

        def work(piece: int) -> list[_Artifact]:
            part: list[_Artifact] = []
            for branch in rest[piece::pieces]:
                # What has vanished, was swapped or is mounted, or may not be read, is nothing of ours to sweep.
                with contextlib.suppress(OSError), root.descend(branch[:-1]) as parent:
                    walk(parent, branch[-1], _Searching(self, branch[:-1], part))
            return part

        return found + [artifact for part in pool.divide(pieces, work, workers) for artifact in part]

    def _read_at(self, root: Directory, path: tuple[str, ...], found: list[_Artifact]) -> list[str]:
        with contextlib.suppress(OSError), root.descend(path) as directory:
            if directory.status().st_dev == root.status().st_dev:
                return self.read(directory, path, found)
        return []

    def read(self, directory: Directory, path: tuple[str, ...], found: list[_Artifact]) -> list[str]:
        """Collect the artifacts of one folder, and return the folders in it that are to be entered."""
        with directory.scan() as rows:
            inside = {row.name: row for row in rows}
        if path and (not _FOREIGN.isdisjoint(inside) or (layout.TAG in inside and is_tagged(directory))):
            return []
        enter = []
        for name, row in inside.items():
            is_directory = row.is_dir(follow_symlinks=False)
            if looks_sealed(name):
                self._collect_trash(directory, path, name, found)
            elif self._patterns.match(path, name, directory=is_directory) and self._is_free(directory, path, row):
                _collect(directory, path, name, found)
            elif is_directory and name not in _NEVER_ENTERED and not self._is_left_alone(path, name):
                enter.append(name)
        return enter

    def _is_left_alone(self, path: Sequence[str], name: str) -> bool:
        return (*path, name) in self._bases or self._keep.match(path, name, directory=True)

    def _is_free(self, directory: Directory, path: Sequence[str], row: "os.DirEntry[str]") -> bool:
        """Tell whether what has the name of an artifact is one: no link, nobody's work, no base in it."""
        parts = (*path, row.name)
        is_directory = row.is_dir(follow_symlinks=False)
        if row.is_symlink() or parts in self._bases or parts in self._above_bases:
            return False
        if self._keep.match(path, row.name, directory=is_directory):
            return False
        return not (is_directory and any(directory.has(f"{row.name}/{mark}") for mark in _FOREIGN))

    @staticmethod
    def _collect_trash(directory: Directory, path: Sequence[str], name: str, found: list[_Artifact]) -> None:
        """Collect what an interrupted sweep left; any other sealed directory is somebody's working one."""
        with contextlib.suppress(OSError):
            if unseal(name, directory.look(name).st_ino) == layout.TRASH:
                _collect(directory, path, name, found, in_trash=True)


class _Finding(Visitor):
    """Finds the first thing in a tree that patterns match."""

    def __init__(self, patterns: Patterns, above: Sequence[str]) -> None:
        self.found: tuple[str, ...] = ()
        self._patterns = patterns
        self._path = list(above)

    def enter(self, position: Position, name: str) -> list[str] | None:
        if self.found:
            return None
        try:
            position.enter(name)
        except OSError:
            return None
        self._path.append(name)
        with contextlib.suppress(OSError), position.directory.scan() as rows:
            return [row.name for row in rows if self._look(row)]
        return []

    def _look(self, row: "os.DirEntry[str]") -> bool:
        """Note a match, and tell whether to look further inside."""
        is_directory = row.is_dir(follow_symlinks=False)
        if self._patterns.match(self._path, row.name, directory=is_directory):
            self.found = (*self._path, row.name)
        return is_directory

    def left(self, position: Position, name: str) -> bool:
        self._path.pop()
        return True


class _Searching(Visitor):
    """Searches a branch."""

    def __init__(self, search: _Search, above: tuple[str, ...], found: list[_Artifact]) -> None:
        self._search = search
        self._path = list(above)
        self._found = found

    def enter(self, position: Position, name: str) -> list[str] | None:
        try:
            position.enter(name)
        except OSError:  # see `_Search.run`
            return None
        self._path.append(name)
        try:
            return self._search.read(position.directory, tuple(self._path), self._found)
        except OSError:
            return []

    def left(self, position: Position, name: str) -> bool:
        self._path.pop()
        return True


def _collect(
    directory: Directory, path: Sequence[str], name: str, found: list[_Artifact], *, in_trash: bool = False
) -> None:
    with contextlib.suppress(OSError):  # vanished meanwhile, or in a folder that only lists its names
        seen = directory.look(name)
        identity = Identity.of(seen)
        usage = Usage(1, seen.st_blocks * BLOCK, seen.st_mtime, max(seen.st_mtime, seen.st_ctime))
        found.append(_Artifact((*path, name), identity, None if identity.directory else usage, in_trash))
