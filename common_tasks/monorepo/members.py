"""The projects that a task acts on, with what lies in them. A single project is a monorepo of one.

Looking and removing work the same way, whether a task acts on one project or on all those of a monorepo.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..fs.directory import most_descriptors
from ..fs.workers import ALONE, Workers
from ..project.errors import InvalidSetting
from ..project.patterns import Patterns
from ..temp import inventory, layout, removal
from ..temp.entry import Decision, Entry, Outcome, Plan
from ..temp.layout import Base, Project
from . import artifacts
from .kept import mark_kept
from .orphans import find_bases, mark_orphaned
from .search import Sweep
from .settings import Settings

# The most folders that a project keeps open: its bases while it is looked at, their trashes too while it is cleaned.
_OPEN_TO_LOOK = 2
_OPEN_TO_CLEAN = 4
_RESERVE = 32  # descriptors for everything else

T = TypeVar("T")


class Member(NamedTuple):
    """A project, and what lies in it.

    `settings`: None if they are wrong. `error`: why the project, or a part of it, was left alone, in words.
    """

    project: Project
    settings: Settings | None = None
    entries: tuple[Entry, ...] = ()
    artifacts: tuple[Entry, ...] = ()
    error: str | None = None


class Scope(NamedTuple):
    """What a task acts on: `project` alone, or with `whole` all projects of the monorepo that it belongs to.

    `root`: of that project, or of the monorepo. `settings_of`: a project's settings by its root; raises InvalidSetting.
    """

    root: Path
    project: Project
    settings_of: Callable[[Path], Settings]
    whole: bool = False


class Aim(NamedTuple):
    """What a task looks for.

    `cleaned`: it removes, so it leaves alone a project whose settings are not certain. `swept`: it also wants
    artifacts, including those of projects below a single one. `searched`: it wants the projects below a single project.
    """

    cleaned: bool = False
    swept: bool = False
    searched: bool = False


def find(scope: Scope, aim: Aim, workers: Workers = ALONE) -> tuple[Member, ...]:
    """Return the projects of a scope and below, the one at its root first, with their settings and artifacts.

    They are sorted by path, and found in one walk; a single project needs no walk unless the aim asks for more. A
    project with wrong settings has that as its error. Raises GuardFailed if git cannot tell what it tracks.
    """
    root = scope.root
    if not (scope.whole or aim.swept or aim.searched):
        return (_member(scope, aim, root),)
    found = artifacts.survey(root, partial(_sweep, scope, aim), listed=aim.swept, workers=workers)
    members = [_member(scope, aim, root.joinpath(*parts))._replace(artifacts=rows) for parts, rows in found.items()]
    return _without_bases(root, members)


def find_roots(root: Path) -> tuple[Path, ...]:
    """Return the roots of the projects at and below `root`, sorted by path; no settings are read."""
    found = artifacts.survey(root, lambda _: Sweep(), listed=False, workers=ALONE)
    return tuple(root.joinpath(*parts) for parts in found)


def asked_for(scope: Scope, members: Sequence[Member]) -> tuple[Member, ...]:
    """Return the members that a task acts on; a single project gets the artifacts of those below it, too."""
    if scope.whole:
        return tuple(members)
    together = tuple(artifact for member in members for artifact in member.artifacts)
    return (members[0]._replace(artifacts=together),)


def with_entries(members: Sequence[Member], *, orphans: bool = True, workers: Workers = ALONE) -> tuple[Member, ...]:
    """Return the projects with their entries; the first also gets `orphans`, which killed processes left elsewhere.

    All share the workers. A base that two projects have counts for the first. A project that cannot be read has that as
    its error, and no entries. Raises GuardFailed if git cannot tell what it tracks.
    """
    looked: list[Member] = []
    root = members[0].project.root
    sound = _with_bases_of_their_own(member for member in members if not member.error)
    for number, part in enumerate(_batches(sound, _OPEN_TO_LOOK)):
        looked += _scan(part, root, workers, orphans=orphans and not number)
    by_root = {member.project.root: member for member in (*members, *looked)}
    return tuple(by_root[member.project.root] for member in members)


def carry_out(plans: Sequence[Plan], workers: Workers = ALONE) -> tuple[Outcome, ...]:
    """Carry out the plans of projects, many at once; return an outcome for each, in order. See `removal.carry_out`."""
    outcomes: list[Outcome] = []
    for part in _batches(plans, _OPEN_TO_CLEAN):
        outcomes += _split(removal.carry_out(Plan.joined(part), workers), part)
    return tuple(outcomes)


def _sweep(scope: Scope, aim: Aim, root: Path) -> Sweep:
    """Return what is swept and kept in the project at `root`.

    Nothing is swept if its settings are wrong or uncertain, or in a home below the root of the scope.
    """
    member = _member(scope, aim, root)
    if member.settings is None or member.error or (root != scope.root and member.project.reserved):
        return Sweep()
    return Sweep(member.settings.artifacts, member.settings.keep)


def _member(scope: Scope, aim: Aim, root: Path) -> Member:
    """Return the project at `root`, with its settings, or with what is wrong with them."""
    project = layout.project_at(os.fspath(root))
    try:
        settings = scope.settings_of(root)
    except InvalidSetting as error:
        return Member(project=project, error=str(error))
    return Member(project=project, settings=settings, error=settings.uncertain if aim.cleaned else None)


def _without_bases(root: Path, members: Sequence[Member]) -> tuple[Member, ...]:
    """Drop the artifacts that are bases, or contain one."""
    bases = [base.path for member in members for base in member.project.bases]
    below = [path.relative_to(root).parts for path in bases if path.is_relative_to(root)]
    above = {parts[:length] for parts in below for length in range(len(parts) + 1)}
    return tuple(
        member._replace(artifacts=tuple(entry for entry in member.artifacts if entry.parts not in above))
        for member in members
    )


def _scan(members: Sequence[Member], root: Path, workers: Workers, *, orphans: bool) -> list[Member]:
    """Look at the entries of several projects at once, or of each separately if one of them cannot be read."""
    # As one project with many bases: git is asked once.
    gone = tuple(find_bases(members[0].project)) if orphans else ()
    together = Project(root, (*(base for member in members for base in member.project.bases), *gone))
    try:
        entries = inventory.scan([together], orphans=orphans, workers=workers)
    except OSError as error:
        if len(members) == 1:
            return [members[0]._replace(error=str(error))]
        half = len(members) // 2
        first = _scan(members[:half], root, workers, orphans=orphans)
        return first + _scan(members[half:], root, workers, orphans=False)
    return _shared_out(members, mark_orphaned(entries, gone))


def _shared_out(members: Sequence[Member], entries: Iterable[Entry]) -> list[Member]:
    """Give each project its entries, as kept if its settings say so."""
    owners = {base: number for number, member in enumerate(members) for base in member.project.bases}
    lists: list[list[Entry]] = [[] for _ in members]
    for base, found in groupby(entries, key=attrgetter("base")):
        lists[owners.get(base, 0) if base else 0] += found
    return [
        member._replace(entries=mark_kept(own, member.settings.keep if member.settings else Patterns(())))
        for member, own in zip(members, lists, strict=True)
    ]


def _with_bases_of_their_own(members: Iterable[Member]) -> list[Member]:
    """Let a base that several projects have belong to the first of them only."""
    taken: set[Base] = set()
    own = []
    for member in members:
        bases = tuple(base for base in member.project.bases if base not in taken)
        taken.update(bases)
        own.append(member._replace(project=member.project._replace(bases=bases)))
    return own


def _batches(things: Sequence[T], folders: int) -> Iterator[Sequence[T]]:
    """Yield batches of as many as can be handled at once if each keeps that many `folders` open.

    A removal takes the same number of descriptors again; see `removal.carry_out`.
    """
    most = max(1, (most_descriptors() - _RESERVE) // 2 // folders)
    yield from (things[start : start + most] for start in range(0, len(things), most))


def _split(together: Outcome, plans: Sequence[Plan]) -> list[Outcome]:
    """Give each plan its part of the outcome of all."""
    owner = {
        row.entry.key: number for number, plan in enumerate(plans) for row in (*plan.remove, *plan.keep, *plan.fail)
    }
    parts: list[tuple[list[Decision], ...]] = [([], [], []) for _ in plans]
    for became, rows in enumerate(together):
        for row in rows:
            parts[owner[row.entry.key]][became].append(row)
    return [Outcome(*map(tuple, part)) for part in parts]
