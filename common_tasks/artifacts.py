"""Finds the build and test left-overs that `clean` sweeps, in one project's tree or in a monorepo's."""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from .patterns import Patterns
from .temp import layout
from .temp.base import is_tagged
from .temp.entry import ARTIFACT, Entry, Identity, State
from .temp.inventory import with_usage
from .temp.seal import SEAL_ROOM, looks_sealed, unseal
from .temp.states import Located, with_states
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
_MOST_KNOWN = 10_000
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
    everywhere = Sweep.of(patterns, keep)
    found = survey(
        root, None, everywhere=everywhere, bases=bases, measured=measured, progress=progress, workers=workers
    )
    return found.artifacts


class Survey(NamedTuple):
    """What a walk over a monorepo found: the roots of its projects, as names below its own, and the artifacts."""

    projects: tuple[tuple[str, ...], ...]
    artifacts: tuple[Entry, ...]


def survey(
    root: Path,
    ask: "AskProject | None",
    *,
    everywhere: "Sweep | None" = None,
    bases: Iterable[Path] = (),
    listed: bool = True,
    measured: bool = True,
    progress: Progress = no_progress,
    workers: int = 1,
) -> Survey:
    """Find the projects below `root` by asking `ask` about each folder, and artifacts if `listed`, in one walk.

    Both are sorted by path. What `ask` says of a project holds below that, to where the next one begins, and what is
    kept stays kept in all projects below. Where `everywhere` is given, that is swept in all of them, but for those
    that have nothing swept, and besides what each keeps. Not entered, and raised: as for `find`.
    """
    search = _Search(root, everywhere, bases, ask)
    with Directory.at(root, follow=True) as top:
        artifacts, projects = search.run(top, workers)
        artifacts = sorted(artifacts, key=lambda artifact: artifact.parts) if listed else []
        tracked = ask_git(root) if artifacts else Tracked()
        entries = [_entry(root, artifact, tracked) for artifact in artifacts]
        sweeps = dict([((), everywhere)] if everywhere else []) | dict(projects)
        guard = _Guard(top, sweeps, _new_to_git(root, entries))
        located = [
            Located(top, guard.check(entry, artifact.exposed))
            for artifact, entry in zip(artifacts, entries, strict=True)
        ]
        found = with_states(with_usage(located, measured=measured, progress=progress, workers=workers))
    return Survey(tuple(sorted(parts for parts, _ in projects)), tuple(found))


class Kept(NamedTuple):
    """What is left alone below a root that is `depth` names below the top."""

    depth: int
    patterns: Patterns


class Sweep(NamedTuple):
    """What is swept in a project whose root is `depth` names below the top, and what is left alone there."""

    patterns: Patterns
    kept: tuple["Kept", ...] = ()
    depth: int = 0

    @classmethod
    def of(cls, patterns: Patterns, keep: Patterns, depth: int = 0, around: "Sweep | None" = None) -> Self:
        """Return what holds in a project; what is kept in the one `around` it is kept here, too."""
        own = (Kept(depth, keep),) if keep else ()
        return cls(patterns, own + (around.kept if around else ()), depth)

    def within(self, patterns: Patterns, keep: Patterns, depth: int) -> Self:
        """Return what holds in a project inside that has these patterns, if it is swept with the one around it."""
        own = (Kept(depth, keep),) if keep else ()
        return self._replace(patterns=self.patterns if patterns else patterns, kept=own + self.kept)

    def keeps(self, path: Sequence[str], name: str, *, directory: bool) -> bool:
        """Tell whether something is left alone."""
        return any(each.patterns.match(path[each.depth :], name, directory=directory) for each in self.kept)


_NOTHING = Sweep(Patterns(()))


class AskProject(Protocol):
    """Tells what is swept in a folder, and what is kept, if it is a project's root. `marks`: names that may say so."""

    marks: frozenset[str]

    def __call__(self, parts: tuple[str, ...], names: Collection[str], /) -> tuple[Patterns, Patterns] | None:
        """Tell by the names that lead to it and by the names in it; None where it is no project's root."""


class _Found(NamedTuple):
    """What a search found."""

    artifacts: list["_Artifact"]
    projects: list[tuple[tuple[str, ...], Sweep]]


class _Artifact(NamedTuple):
    """An artifact. `exposed`: everybody may write to the folder it is in, or to one on the way there."""

    parts: tuple[str, ...]
    identity: Identity
    usage: Usage | None
    in_trash: bool
    exposed: bool


class _Here(NamedTuple):
    """What holds in a folder: what is swept, and whether artifacts in it are `exposed`."""

    sweep: Sweep
    exposed: bool

    def within(self, mode: int) -> "_Here":
        """Return what holds in a folder inside it that has this mode."""
        return self if self.exposed or not mode & stat.S_IWOTH else self._replace(exposed=True)


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


def _at_and_above(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (parts[:length] for length in range(len(parts), -1, -1))


class _Guard:
    """Tells which artifacts are to be kept though nothing tracks or pins them."""

    def __init__(self, top: Directory, sweeps: Mapping[tuple[str, ...], Sweep], new_to_git: frozenset[bytes]) -> None:
        self._top = top
        self._sweeps = sweeps  # by the root that each holds below
        self._new_to_git = new_to_git
        self._is_root = os.geteuid() == 0

    def check(self, entry: Entry, exposed: bool) -> Entry:
        """Return an entry, as kept where there is a reason for that; `exposed` as of the artifact."""
        if entry.state != "idle":
            return entry
        if os.fsencode("/".join(entry.parts)) in self._new_to_git and entry.name in _DOUBTFUL:
            return entry._replace(state="kept", reason=_NEW_TO_GIT)
        inside = self._kept_inside(entry)
        if inside:
            return entry._replace(state="kept", reason=f"kept: clean.keep names {inside} in it")
        if exposed and self._is_root:
            reason = "kept: everybody may write to the folder it is in, and this is root"
            return entry._replace(state="kept", reason=reason, forceable=True)
        return entry

    def _kept_inside(self, entry: Entry) -> str:
        if not entry.identity.directory:
            return ""
        sweep = next(self._sweeps[root] for root in _at_and_above(entry.parts) if root in self._sweeps)
        return next((kept for each in sweep.kept if (kept := self._find_kept(entry, each))), "")

    def _find_kept(self, entry: Entry, kept: Kept) -> str:
        parts = entry.parts[kept.depth :]
        if not kept.patterns.may_match_below(parts):
            return ""
        finding = _Finding(kept.patterns, parts[:-1])
        # What cannot be looked into is dealt with when it is to be removed.
        with contextlib.suppress(OSError), self._top.descend(entry.parts[:-1]) as parent:
            walk(parent, entry.parts[-1], finding)
        return "/".join(finding.found[len(parts) :])


class _Search:
    """A search through a tree for what matches, and for projects if there is an `ask`."""

    def __init__(
        self, root: Path, everywhere: Sweep | None, bases: Iterable[Path], ask: AskProject | None = None
    ) -> None:
        self._everywhere = everywhere
        self._ask = ask
        top = root.resolve()
        below = [base.relative_to(top).parts for base in map(Path.resolve, bases) if base.is_relative_to(top)]
        self._bases = frozenset(below)
        self._above_bases = frozenset(parts[:length] for parts in below for length in range(len(parts)))
        # Names that tell of more than an artifact.
        self._marks = _FOREIGN | {layout.TAG} | (ask.marks if ask else frozenset())
        self._ordinary: dict[Patterns, set[str]] = {}

    def run(self, root: Directory, workers: int) -> _Found:
        """Search below the open root: the first levels here, then each branch, shared out if they are many."""
        found = _Found([], [])
        branches: deque[tuple[tuple[str, ...], _Here]] = deque(
            [((), _Here(self._everywhere or _NOTHING, exposed=False))]
        )
        while branches and len(branches) < pool.ENOUGH_BRANCHES * 4 and len(branches[0][0]) < pool.DEEP:
            path, around = branches.popleft()
            names, here = self._read_at(root, path, around, found)
            branches.extend(((*path, name), here) for name in names)
        pieces = min(len(branches), pool.MOST_PIECES)
        rest = list(branches)

        def work(piece: int) -> _Found:
            part = _Found([], [])
            for number in pool.part(piece, pieces, len(rest)):
                branch, around = rest[number]
                # What has vanished, was swapped or is mounted, or may not be read, is nothing of ours to sweep.
                with contextlib.suppress(OSError), root.descend(branch[:-1]) as parent:
                    walk(parent, branch[-1], _Searching(self, branch[:-1], around, part))
            return part

        for part in pool.divide(pieces, work, workers):
            found.artifacts.extend(part.artifacts)
            found.projects.extend(part.projects)
        return found

    def _read_at(self, root: Directory, path: tuple[str, ...], around: _Here, found: _Found) -> tuple[list[str], _Here]:
        with contextlib.suppress(OSError), root.descend(path) as directory:
            status = directory.status()
            if status.st_dev == root.status().st_dev:
                return self.read(directory, path, around.within(status.st_mode), found)
        return [], around

    def read(self, directory: Directory, path: Sequence[str], around: _Here, found: _Found) -> tuple[list[str], _Here]:
        """Collect what is in one folder; return the folders in it that are to be entered, and what holds there.

        `around`: what holds there unless it is a project's root.
        """
        ordinary = self._ordinary_files(path, around.sweep)
        with directory.scan() as rows:
            inside = list(rows)
        notable = [row for row in inside if row.is_dir(follow_symlinks=False) or row.name not in ordinary]
        if path and not notable:  # the top is told of, however empty it is
            return [], around
        here = around
        if not path or any(row.name in self._marks for row in notable):
            names = {row.name for row in inside}
            if path and (not _FOREIGN.isdisjoint(names) or (layout.TAG in names and is_tagged(directory))):
                return [], around
            here = around._replace(sweep=self._sweep_in(path, names, around.sweep, found))
            notable = inside
        return self._collect_from(directory, path, notable, here, found.artifacts), here

    def _ordinary_files(self, path: Sequence[str], sweep: Sweep) -> set[str]:
        """Return names that are known to mean nothing here if they are no directories': most are met often."""
        if len(path) - sweep.depth < sweep.patterns.deepest:
            return set()
        return self._ordinary.setdefault(sweep.patterns, set())

    def _collect_from(
        self,
        directory: Directory,
        path: Sequence[str],
        rows: Iterable["os.DirEntry[str]"],
        here: _Here,
        found: list[_Artifact],
    ) -> list[str]:
        """Collect those of the rows of a folder that are artifacts; return the folders that are to be entered."""
        sweep, exposed = here
        enter, below, ordinary = [], path[sweep.depth :], self._ordinary_files(path, sweep)
        for row in rows:
            name, is_directory = row.name, row.is_dir(follow_symlinks=False)
            swept = sweep.patterns.match(below, name, directory=is_directory)
            if len(name) > SEAL_ROOM and looks_sealed(name):
                # Any other sealed directory than one left by an interrupted sweep is somebody's working one.
                if _is_trash(directory, name):
                    _collect(directory, path, name, found, exposed, in_trash=True)
            elif swept and self._is_free(directory, path, row, sweep):
                _collect(directory, path, name, found, exposed)
            elif is_directory:
                if name not in _NEVER_ENTERED and not self._is_left_alone(path, name, sweep):
                    enter.append(name)
            elif not swept and name not in self._marks and len(ordinary) < _MOST_KNOWN:
                ordinary.add(name)
        return enter

    def _sweep_in(self, path: Sequence[str], names: Collection[str], around: Sweep, found: _Found) -> Sweep:
        said = self._ask(tuple(path), names) if self._ask else None
        if said is None:
            return around
        if not self._everywhere:
            sweep = Sweep.of(*said, len(path), around)
        else:
            sweep = around.within(*said, len(path)) if path else around
        found.projects.append((tuple(path), sweep))
        return sweep

    def _is_left_alone(self, path: Sequence[str], name: str, sweep: Sweep) -> bool:
        if not sweep.kept and not self._bases:
            return False
        return sweep.keeps(path, name, directory=True) or (*path, name) in self._bases

    def _is_free(self, directory: Directory, path: Sequence[str], row: "os.DirEntry[str]", sweep: Sweep) -> bool:
        """Tell whether what has the name of an artifact is one: no link, nobody's work, no base in it."""
        parts = (*path, row.name)
        is_directory = row.is_dir(follow_symlinks=False)
        if row.is_symlink() or parts in self._bases or parts in self._above_bases:
            return False
        if sweep.keeps(path, row.name, directory=is_directory):
            return False
        return not (is_directory and any(directory.has(f"{row.name}/{mark}") for mark in _FOREIGN))


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

    def __init__(self, search: _Search, above: tuple[str, ...], around: _Here, found: _Found) -> None:
        self._search = search
        self._path = list(above)
        self._holds = [around]  # in each folder on the way
        self._found = found

    def enter(self, position: Position, name: str) -> list[str] | None:
        try:
            mode = position.enter(name).st_mode
        except OSError:  # see `_Search.run`
            return None
        self._path.append(name)
        here = self._holds[-1].within(mode)
        try:
            names, here = self._search.read(position.directory, self._path, here, self._found)
        except OSError:
            names = []
        self._holds.append(here)
        return names

    def left(self, position: Position, name: str) -> bool:
        self._path.pop()
        self._holds.pop()
        return True


def _is_trash(directory: Directory, name: str) -> bool:
    """Tell whether a sealed name is one that a sweep has given."""
    with contextlib.suppress(OSError):
        return unseal(name, directory.look(name).st_ino) == layout.TRASH
    return False


def _collect(
    directory: Directory,
    path: Sequence[str],
    name: str,
    found: list[_Artifact],
    exposed: bool,
    *,
    in_trash: bool = False,
) -> None:
    with contextlib.suppress(OSError):  # vanished meanwhile, or in a folder that only lists its names
        seen = directory.look(name)
        identity = Identity.of(seen)
        usage = Usage(1, seen.st_blocks * BLOCK, seen.st_mtime, max(seen.st_mtime, seen.st_ctime))
        found.append(_Artifact((*path, name), identity, None if identity.directory else usage, in_trash, exposed))
