"""Finds the build and test left-overs that `clean` sweeps, in one project's tree or in a monorepo's."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..fs.directory import Directory
from ..fs.values import Progress, no_progress
from ..fs.walk import Position, Visitor, walk
from ..fs.workers import Workers
from ..project.git import Tracked, ask_git, find_new
from ..project.patterns import Patterns
from ..temp.entry import ARTIFACT, Entry, State
from ..temp.inventory import with_usage
from ..temp.states import Located, with_states
from .search import Artifact, AskProject, Kept, Search, Sweep

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
    ask: AskProject | None,
    *,
    everywhere: Sweep | None = None,
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
    search = Search(root, everywhere, bases, ask)
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
        found = with_states(with_usage(located, workers=Workers(workers, progress)))
    return Survey(tuple(sorted(parts for parts, _ in projects)), tuple(found))


def _entry(root: Path, artifact: Artifact, tracked: Tracked) -> Entry:
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


def _new_to_git(root: Path, entries: Iterable[Entry]) -> Tracked:
    """Return what git would list as untracked among doubtful entries."""
    return find_new(root, ["/".join(e.parts) for e in entries if e.state == "idle" and e.name in _DOUBTFUL])


def _at_and_above(parts: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (parts[:length] for length in range(len(parts), -1, -1))


class _Guard:
    """Tells which artifacts are to be kept though nothing tracks or pins them."""

    def __init__(self, top: Directory, sweeps: Mapping[tuple[str, ...], Sweep], new_to_git: Tracked) -> None:
        self._top = top
        self._sweeps = sweeps  # by the root that each holds below
        self._new_to_git = new_to_git
        self._is_root = os.geteuid() == 0

    def check(self, entry: Entry, exposed: bool) -> Entry:
        """Return an entry, as kept where there is a reason for that; `exposed` as of the artifact."""
        if entry.state != "idle":
            return entry
        if entry.name in _DOUBTFUL and entry.parts in self._new_to_git:
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
