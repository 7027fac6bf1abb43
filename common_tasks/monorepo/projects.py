"""The projects of a monorepo: where it begins, which folders in it are projects, and what lies in each."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..fs.directory import most_descriptors
from ..fs.values import Progress, no_progress
from ..fs.workers import Workers
from ..project import marks
from ..project.patterns import ARTIFACTS, Patterns
from ..temp import inventory, layout, removal
from ..temp.entry import Decision, Entry, Outcome, Plan
from ..temp.layout import Base, Project
from . import artifacts
from .settings import InvalidSetting, Settings

_BASES = (".tmp", ".temp")
_TELLING = marks.NAMES | {*_BASES}
# How many folders a project keeps open at most: its bases while it is looked at, their trashes too while it is cleaned.
_OPEN_TO_LOOK = 2
_OPEN_TO_CLEAN = 4
_RESERVE = 32  # descriptors for everything else

SettingsOf = Callable[[Path], Settings]  # of a project, by its root; raises InvalidSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A project of a monorepo, and what lies in it. `error`: why it was left alone, in words."""

    project: Project
    settings: Settings | None = None
    entries: tuple[Entry, ...] = ()
    artifacts: tuple[Entry, ...] = ()
    error: str | None = None


def find_projects(root: Path) -> tuple[Path, ...]:
    """Return the folders at and below `root` that hold a project's marker or a base, sorted by path.

    Not entered: `.git`, `node_modules`, bases, environments, other repositories, what builds and tests leave; links
    are not followed.
    """
    return tuple(member.project.root for member in find_members(root, _built_in))


def find_members(
    root: Path,
    settings_of: SettingsOf,
    *,
    swept: bool = False,
    measured: bool = False,
    progress: Progress = no_progress,
    workers: int = 1,
) -> tuple[Member, ...]:
    """Return the projects of the monorepo at `root`, sorted by path, with their settings, and artifacts if `swept`.

    It is one walk; `root` itself is always one of them. A project whose settings are wrong has that as its error,
    and no artifacts. Raises GuardFailed where git cannot tell what it tracks.
    """
    ask = Asking(root, settings_of)
    found = artifacts.survey(root, ask, listed=swept, measured=measured, progress=progress, workers=workers)
    members = {parts: _member(root.joinpath(*parts), settings_of) for parts in found.projects}
    above_bases = _at_and_above(root, (base for member in members.values() for base in member.project.bases))
    owned: dict[tuple[str, ...], list[Entry]] = {parts: [] for parts in members}
    for artifact in found.artifacts:
        if artifact.parts not in above_bases:
            owned[_owner(artifact.parts, members)].append(artifact)
    return tuple(replace(member, artifacts=tuple(owned[parts])) for parts, member in members.items())


def with_entries(
    members: Sequence[Member],
    *,
    orphans: bool = True,
    measured: bool = True,
    progress: Progress = no_progress,
    workers: int = 1,
) -> tuple[Member, ...]:
    """Return the projects with their entries; those that killed processes left elsewhere, if asked for, in the first.

    All share the workers. A base that two projects have is the first one's. A project that cannot be read has that as
    its error, and nothing in it. Raises GuardFailed where git cannot tell what it tracks.
    """
    looked: list[Member] = []
    options = _Scanning(members[0].project.root, measured, progress, workers)
    sound = _with_bases_of_their_own(member for member in members if not member.error)
    at_once = _most_at_once(_OPEN_TO_LOOK)
    for start in range(0, len(sound), at_once):
        looked += options.scan(sound[start : start + at_once], orphans=orphans and not start)
    by_root = {member.project.root: member for member in (*members, *looked)}
    return tuple(by_root[member.project.root] for member in members)


def below(root: Path, parts: Iterable[tuple[str, ...]], settings_of: SettingsOf) -> tuple[Member, ...]:
    """Return the projects at `parts` below `root`, but not the one at `root` itself."""
    return tuple(_member(root.joinpath(*names), settings_of) for names in parts if names)


class Asking:
    """Tells of a folder what is swept there, if a project begins in it; what is built in, where nobody else says."""

    marks = _TELLING

    def __init__(self, root: Path, settings_of: "SettingsOf | None" = None) -> None:
        self._root = root
        self._settings_of = settings_of or _built_in

    def __call__(self, parts: tuple[str, ...], names: Collection[str]) -> tuple[Patterns, Patterns] | None:
        """Return the patterns of what is swept and of what is kept; None where it is no project's root."""
        if parts and not self._is_project(parts, names):
            return None
        try:
            settings = self._settings_of(self._root.joinpath(*parts))
        except InvalidSetting:  # told later, once: nothing is swept there
            return _NOTHING, _NOTHING
        return settings.artifacts, settings.keep

    def _is_project(self, parts: tuple[str, ...], names: Collection[str]) -> bool:
        if _TELLING.isdisjoint(names):
            return False
        folder = os.path.join(self._root, *parts)
        if any(name in names and os.path.isdir(os.path.join(folder, name)) for name in _BASES):
            return True
        return not marks.NAMES.isdisjoint(names) and marks.begins_project(folder)


@dataclass(frozen=True, slots=True)
class _Scanning:
    """How entries are looked at."""

    root: Path
    measured: bool
    progress: Progress
    workers: int

    def scan(self, members: Sequence[Member], *, orphans: bool) -> list[Member]:
        """Look at the entries of several projects at once, and of each apart where one of them cannot be read."""
        # As one project with many bases: git is asked once.
        together = Project(self.root, tuple(base for member in members for base in member.project.bases))
        try:
            entries = inventory.scan([together], orphans=orphans, workers=Workers(self.workers, self.progress))
        except OSError as error:
            if len(members) == 1:
                return [replace(members[0], error=str(error), artifacts=())]
            half = len(members) // 2
            return self.scan(members[:half], orphans=orphans) + self.scan(members[half:], orphans=False)
        return _shared_out(members, entries)


def carry_out(plans: Sequence[Plan], *, progress: Progress = no_progress, workers: int = 1) -> tuple[Outcome, ...]:
    """Carry out the plans of projects, many at once; return an outcome for each, in order. See `removal.carry_out`."""
    outcomes: list[Outcome] = []
    at_once = _most_at_once(_OPEN_TO_CLEAN)
    for start in range(0, len(plans), at_once):
        part = plans[start : start + at_once]
        together = removal.carry_out(sum(part[1:], part[0]), Workers(workers, progress))
        outcomes += _split(together, part)
    return tuple(outcomes)


def _most_at_once(folders: int) -> int:
    """Return how many projects may be dealt with at once, if each keeps so many folders open.

    A removal takes as many descriptors again; see `removal.carry_out`.
    """
    return max(1, (most_descriptors() - _RESERVE) // 2 // folders)


def _split(together: Outcome, plans: Sequence[Plan]) -> list[Outcome]:
    """Give each plan its part of what became of all."""
    owner = {_place(row): number for number, plan in enumerate(plans) for row in (*plan.remove, *plan.keep, *plan.fail)}
    parts: list[dict[str, list[Decision]]] = [{"removed": [], "kept": [], "failed": []} for _ in plans]
    for became in parts[0]:
        for row in getattr(together, became):
            parts[owner[_place(row)]][became].append(row)
    return [Outcome(**{became: tuple(rows) for became, rows in part.items()}) for part in parts]


def _place(row: Decision) -> tuple[Path, tuple[str, ...]]:
    return row.entry.folder, row.entry.parts


def _shared_out(members: Sequence[Member], entries: Iterable[Entry]) -> list[Member]:
    owners = {base: number for number, member in enumerate(members) for base in member.project.bases}
    lists: list[list[Entry]] = [[] for _ in members]
    for entry in entries:
        lists[owners[entry.base] if entry.base else 0].append(entry)
    return [replace(member, entries=tuple(found)) for member, found in zip(members, lists, strict=True)]


def _with_bases_of_their_own(members: Iterable[Member]) -> list[Member]:
    """Leave a base that several projects have to the first of them."""
    taken: set[Base] = set()
    own = []
    for member in members:
        bases = tuple(base for base in member.project.bases if base not in taken)
        taken.update(bases)
        own.append(replace(member, project=member.project._replace(bases=bases)))
    return own


def _member(root: Path, settings_of: SettingsOf) -> Member:
    project = layout.project_at(os.fspath(root))
    try:
        return Member(project=project, settings=settings_of(root))
    except InvalidSetting as error:
        return Member(project=project, error=str(error))


def _owner(parts: tuple[str, ...], members: Collection[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the root of the project that something lies in: the nearest one above it."""
    return next(above for length in range(len(parts) - 1, -1, -1) if (above := parts[:length]) in members)


def _at_and_above(root: Path, bases: Iterable[Base]) -> set[tuple[str, ...]]:
    """Return the bases below `root`, and the folders on the way to them, as names that lead there."""
    below = [base.path.relative_to(root).parts for base in bases if base.path.is_relative_to(root)]
    return {parts[:length] for parts in below for length in range(len(parts) + 1)}


_NOTHING = Patterns(())
_BUILT_IN = Settings(artifacts=Patterns(ARTIFACTS), keep=_NOTHING)


def _built_in(_: Path) -> Settings:
    return _BUILT_IN
