"""Finds the build and test leftovers that `clean` sweeps, in one project's tree or in a monorepo's."""

import os
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

from ..fs.directory import Directory
from ..fs.workers import Workers
from ..project.git import Tracked, ask_git, find_new
from ..project.marks import monorepo_root
from ..project.patterns import ARTIFACTS, Patterns
from ..temp.entry import ARTIFACT, Entry
from ..temp.inventory import with_usage
from ..temp.states import Listed, with_states
from .installs import Installs
from .kept import reason_inside
from .search import Artifact, Found, Parts, SweepOf, find_environments, search

# People also give these names to sources at a project's root, or in its `src`.
_BY_PLACE = Patterns(pattern for pattern in ARTIFACTS if "/" in pattern.removesuffix("/"))
_NEW_TO_GIT = "git neither tracks nor ignores it, so it may be source code; add it to .gitignore to have it cleaned"
_EXPOSED = "its folder is writable by everybody, and you are root"


def survey(root: Path, sweep_of: SweepOf, *, listed: bool, workers: Workers) -> dict[Parts, tuple[Entry, ...]]:
    """Find the projects at and below `root`, and artifacts if `listed`, in one walk.

    Return the artifacts of each project, by the names that lead from `root` to it; both are sorted by path. In each
    folder, `sweep_of` the nearest project above it says what is swept. Links are neither artifacts nor followed. Never
    entered: other mounts, what is kept, bases, `.git`, `node_modules`, environments, other git repositories. What an
    interrupted sweep left is found again as `unfinished`. Raises GuardFailed if git cannot tell what it tracks.

    These artifacts are kept, with the reason: those that hold something to be kept; those that an environment uses; at
    a project's root, those that git neither tracks nor ignores, since they may be source code; if the user is root,
    those in a folder that strangers can write to.
    """
    with Directory.at(root, follow=True) as top:
        found = search(root, top, sweep_of, workers)
        artifacts = sorted(found.artifacts, key=lambda artifact: artifact.parts) if listed else []
        judge = _Judge(root, found, artifacts, workers)
        there = Listed(top, [judge.entry(artifact) for artifact in artifacts])
        entries = with_states(with_usage([there], workers=workers))
    depths = {artifact.parts: artifact.depth for artifact in artifacts}
    projects: dict[Parts, list[Entry]] = {parts: [] for parts in sorted(found.projects)}
    for entry in entries:
        projects[entry.parts[: depths[entry.parts]]].append(entry)
    return {parts: tuple(rows) for parts, rows in projects.items()}


class _Judge:
    """Tells which artifacts stay, and why."""

    def __init__(self, root: Path, found: Found, artifacts: Sequence[Artifact], workers: Workers) -> None:
        self._root = root
        self._found = found
        self._workers = workers
        self._tracked = ask_git(root) if artifacts else Tracked()
        doubtful = [each.parts for each in artifacts if not each.in_trash and _is_by_place(each)]
        self._new = find_new(root, ["/".join(parts) for parts in doubtful if parts not in self._tracked])

    def entry(self, artifact: Artifact) -> Entry:
        """Return the entry of an artifact, with the reason if it stays."""
        entry = Entry(
            folder=self._root,
            parts=artifact.parts,
            base=None,
            category=ARTIFACT,
            name=artifact.parts[-1],
            identity=artifact.identity,
            in_trash=artifact.in_trash,
        )
        if artifact.parts in self._tracked:
            return entry._replace(state="tracked", reason="tracked by git")
        if artifact.in_trash:
            return entry._replace(state="unfinished")
        if reason := self._tracked.unknown or self._reason_of_place(artifact) or self._reason_inside(artifact, entry):
            return entry._replace(state="kept", reason=f"kept: {reason}")
        if artifact.exposed and os.geteuid() == 0:
            return entry._replace(state="kept", reason=f"kept: {_EXPOSED}", forceable=True)
        return entry

    def _reason_of_place(self, artifact: Artifact) -> str:
        if not _is_by_place(artifact):
            return ""
        if artifact.parts in self._new:
            return _NEW_TO_GIT
        if not artifact.identity.directory:
            return ""
        user = self._installs.find_user(self._root.joinpath(*artifact.parts))
        return f"the environment {user} uses it" if user else ""

    def _reason_inside(self, artifact: Artifact, entry: Entry) -> str:
        keep = self._found.projects[artifact.parts[: artifact.depth]].keep
        return reason_inside(entry, keep, artifact.parts[artifact.depth :])

    @cached_property
    def _installs(self) -> Installs:
        environments = [self._root.joinpath(*parts) for parts in self._found.environments]
        monorepo = monorepo_root(self._root)
        # Folders that the search has not entered.
        missed = [self._root.joinpath(*parts) for parts in self._found.kept] if monorepo == self._root else [monorepo]
        elsewhere = (find_environments(folder, self._workers) for folder in missed)
        return Installs(chain(environments, *elsewhere))


def _is_by_place(artifact: Artifact) -> bool:
    """Tell whether the place of an artifact, not its name alone, makes it one."""
    below = artifact.parts[artifact.depth :]
    return _BY_PLACE.match(below[:-1], below[-1], directory=artifact.identity.directory)
