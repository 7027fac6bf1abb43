"""Finds the build and test leftovers that `clean` sweeps, in one project's tree or in a monorepo's."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from ..fs.directory import Directory, open_on_same_mount
from ..fs.walk import Position, Visitor, walk
from ..fs.workers import Workers
from ..project.git import Tracked, ask_git, find_new
from ..project.patterns import ARTIFACTS, Patterns
from ..temp.entry import ARTIFACT, Entry, State
from ..temp.inventory import with_usage
from ..temp.states import Located, with_states
from .installs import Installs
from .search import Artifact, AskProject, Parts, Sweep, search

# At a project's root, or in its `src`, people give these names to sources, too.
_BY_PLACE = Patterns(pattern for pattern in ARTIFACTS if "/" in pattern.removesuffix("/"))
_NEW_TO_GIT = (
    "kept: git neither tracks nor ignores it, so it may be source code; add it to .gitignore to have it cleaned"
)
_EXPOSED = "kept: its folder is writable by everybody, and you are root"


def survey(root: Path, ask: AskProject, *, listed: bool, workers: Workers) -> dict[Parts, tuple[Entry, ...]]:
    """Find the projects at and below `root` by asking `ask` about each folder, and artifacts if `listed`, in one walk.

    Return the artifacts of each project, by the names that lead from `root` to it; both are sorted by path. What is
    swept in a folder is what `ask` says of the nearest project above it. Links are neither artifacts nor followed, and
    other mounts not entered. Not entered either: what is kept, bases, `.git`, `node_modules`, environments, other git
    repositories. What an interrupted sweep left is found again as `unfinished`. Raises GuardFailed where git cannot
    tell what it tracks.

    Kept, with the reason: what holds something that is to be kept; what an environment uses; at a project's root, what
    git would have somebody add, since it may be sources; for root, what lies in a folder that is open to strangers.
    """
    with Directory.at(root, follow=True) as top:
        found = search(top, ask, workers)
        artifacts = sorted(found.artifacts, key=lambda artifact: artifact.parts) if listed else []
        tracked = ask_git(root) if artifacts else Tracked()
        guard = _Guard(top, root, found.projects, found.environments, _new_to_git(root, artifacts, tracked))
        located = [Located(top, guard.check(artifact, _entry(root, artifact, tracked))) for artifact in artifacts]
        depths = {artifact.parts: artifact.depth for artifact in artifacts}
        entries = with_states(with_usage(located, workers=workers))
    projects: dict[Parts, list[Entry]] = {parts: [] for parts in sorted(found.projects)}
    for entry in entries:
        projects[entry.parts[: depths[entry.parts]]].append(entry)
    return {parts: tuple(rows) for parts, rows in projects.items()}


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
        in_trash=artifact.in_trash,
        state=state,
        reason=reason,
    )


def _is_by_place(artifact: Artifact) -> bool:
    """Tell whether the place of an artifact, not its name alone, makes it one."""
    below = artifact.parts[artifact.depth :]
    return _BY_PLACE.match(below[:-1], below[-1], directory=artifact.identity.directory)


def _new_to_git(root: Path, artifacts: Iterable[Artifact], tracked: Tracked) -> Tracked:
    """Return what git would list as untracked among what only its place makes an artifact."""
    doubtful = [each for each in artifacts if not each.in_trash and _is_by_place(each) and each.parts not in tracked]
    return find_new(root, ["/".join(each.parts) for each in doubtful])


class _Guard:
    """Tells which artifacts are to be kept though nothing tracks or pins them."""

    def __init__(
        self,
        top: Directory,
        root: Path,
        sweeps: Mapping[Parts, Sweep],
        environments: Iterable[Parts],
        new_to_git: Tracked,
    ) -> None:
        self._top = top
        self._root = root
        self._sweeps = sweeps  # by the root of the project that each holds in
        self._environments = environments
        self._new_to_git = new_to_git
        self._is_root = os.geteuid() == 0

    def check(self, artifact: Artifact, entry: Entry) -> Entry:
        """Return the entry of an artifact, as kept where there is a reason for that."""
        if entry.state != "idle":
            return entry
        reason = self._reason_of_place(artifact) or self._reason_inside(artifact)
        if reason:
            return entry._replace(state="kept", reason=reason)
        if artifact.exposed and self._is_root:
            return entry._replace(state="kept", reason=_EXPOSED, forceable=True)
        return entry

    def _reason_of_place(self, artifact: Artifact) -> str:
        if not _is_by_place(artifact):
            return ""
        if artifact.parts in self._new_to_git:
            return _NEW_TO_GIT
        user = self._installs.find_user(self._root.joinpath(*artifact.parts))
        return f"kept: an editable install in {user} uses it" if user else ""

    @cached_property
    def _installs(self) -> Installs:
        return Installs(self._root.joinpath(*parts) for parts in self._environments)

    def _reason_inside(self, artifact: Artifact) -> str:
        if not artifact.identity.directory:
            return ""
        keep = self._sweeps[artifact.parts[: artifact.depth]].keep
        inside = find_inside(self._top, artifact.parts, keep, artifact.parts[artifact.depth :])
        return f"kept: clean.keep names {inside} in it" if inside else ""


def find_inside(folder: Directory, parts: Sequence[str], patterns: Patterns, below: Sequence[str]) -> str:
    """Return the first thing inside the directory at `parts` that patterns match, as a path in it; empty without one.

    `below`: the names that lead to the directory from where the patterns begin.
    """
    if not patterns.may_match_below(below):
        return ""
    finding = _Finding(patterns, below[:-1])
    # What cannot be looked into is dealt with when it is to be removed.
    with contextlib.suppress(OSError), folder.descend(parts[:-1]) as parent:
        walk(parent, parts[-1], finding, open_on_same_mount)
    return "/".join(finding.found[len(below) :])


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
        del position, name
        self._path.pop()
        return True
