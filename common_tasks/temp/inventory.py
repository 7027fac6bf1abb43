"""What is there: the entries of projects, and what killed processes left in the system's temporary location.

Looking takes no lock except a shared one on each lease, for an instant, and changes nothing on disk.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..fs.directory import Directory
from ..fs.usage import Probe, measure
from ..fs.values import Usage, used_up
from ..fs.workers import ALONE, Workers
from ..project.git import Tracked, ask_git
from . import hold, layout
from .base import open_base
from .entry import ORPHANED, Entry, Identity
from .layout import Project
from .lent import is_unnamed, system_folder
from .listing import BaseListing
from .names import KEEP, TRASH, looks_sealed, unseal
from .states import WORK_MARKS, Listed, belongs_to_others, with_states


def scan(projects: Iterable[Project], *, orphans: bool = True, workers: Workers = ALONE) -> tuple[Entry, ...]:
    """Return the entries of `projects`, sorted by base and name; then, if asked for, the orphans.

    Every entry has its usage, from one walk over each tree. Raises BaseRefused if a base is not ours, GuardFailed if
    git is there but cannot tell what it tracks, InvalidAge if COMMON_TASKS_AGE has a value that is not allowed.
    """
    with contextlib.ExitStack() as stack:
        listed: list[Listed] = []
        for project in projects:
            listed += _with_tracked(project, _list_project(project, stack))
        listed += _list_orphans(stack) if orphans else []
        entries = with_states(with_usage(listed, workers=workers))
    if not orphans:
        return tuple(entries)
    # If the system's temporary folder is a base, list each entry only once.
    in_bases = {entry.identity.key for entry in entries if entry.base}
    return tuple(entry for entry in entries if entry.base or not (entry.identity.key in in_bases or _is_lent(entry)))


def _is_lent(entry: Entry) -> bool:
    """Tell whether a directory in the system's temporary folder is in use, by this process too, so not orphaned."""
    if hold.held_here(entry.identity.key):
        return True
    return entry.state == "in-use" and (not entry.in_trash or is_unnamed(entry.parts[-1]))


def _list_project(project: Project, stack: contextlib.ExitStack) -> list[Listed]:
    listed: list[Listed] = []
    for base in project.bases:
        directory = open_base(base)
        if directory is not None:
            stack.enter_context(directory)
            listing = BaseListing.of(base, directory)
            listed.append(Listed(directory, list(listing.entries()), listing.leased))
    return listed


def _list_orphans(stack: contextlib.ExitStack) -> list[Listed]:
    """List the directories in the system's temporary folder that the engine made for this user, by sealed names."""
    folder = system_folder()
    try:
        directory = stack.enter_context(Directory.at(folder, follow=True))
        names = sorted(name for name in directory.names() if looks_sealed(name) or is_unnamed(name))
    except OSError:  # nowhere to make one, so nothing was left
        return []
    found = (_orphan(folder, directory, name) for name in names)
    return [Listed(directory, [orphan for orphan in found if orphan])]


def _orphan(folder: Path, directory: Directory, sealed: str) -> Entry | None:
    try:
        found = directory.look(sealed)
    except OSError:  # vanished meanwhile
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return None
    name = _unnamed(directory, sealed) if is_unnamed(sealed) else unseal(sealed, found.st_ino)
    if name is None:
        return None
    return Entry(
        folder=folder,
        parts=(sealed,),
        base=None,
        category=ORPHANED,
        name=name,
        made=True,
        in_trash=name == TRASH,
        identity=Identity.of(found),
        state="unfinished" if name == TRASH else "orphaned",
    )


def _unnamed(directory: Directory, name: str) -> str | None:
    """Return TRASH for an empty directory, whose process was killed before it had its name; None for any other."""
    with contextlib.suppress(OSError), directory.enter(name) as inside:
        return None if inside.names() else TRASH
    return None


def _with_tracked(project: Project, listed: list[Listed]) -> list[Listed]:
    folders = {each.entries[0].folder for each in listed if each.entries}
    if not folders:
        return listed
    tracked = _tracked(project, folders)
    if not any(tracked.values()):
        return listed
    return [each._replace(entries=[tracked[entry.folder].mark(entry) for entry in each.entries]) for each in listed]


def _tracked(project: Project, folders: set[Path]) -> dict[Path, "TrackedBelow"]:
    """Ask git once about the bases in the project, and once more about each that is elsewhere."""
    root = project.root.resolve()
    real = {folder: folder.resolve() for folder in folders}
    below = {folder: path.parts[len(root.parts) :] for folder, path in real.items() if path.is_relative_to(root)}
    answers: dict[Path, TrackedBelow] = {}
    if below:
        answer = ask_git(root, *("/".join(parts) for parts in below.values()))
        answers |= {folder: TrackedBelow(answer, parts) for folder, parts in below.items()}
    for folder in folders - below.keys():
        answers[folder] = TrackedBelow(ask_git(real[folder]), ())
    return answers


class TrackedBelow(NamedTuple):
    """What git tracks, for entries whose paths begin at `prefix` below the root."""

    tracked: Tracked
    prefix: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether git has anything to say of an entry."""
        return bool(self.tracked)

    def mark(self, entry: Entry) -> Entry:
        """Return the entry: tracked if git tracks anything in it, kept if that is unknown, else as it is."""
        above = (*self.prefix, *entry.belongs[:-1])
        if any((*above, name) in self.tracked for name in entry.names):
            return entry._replace(state="tracked", reason="tracked by git")
        if self.tracked.unknown and not entry.made and not entry.in_trash:
            return entry._replace(state="kept", reason=f"kept: {self.tracked.unknown}")
        return entry


def with_usage(listed: list[Listed], *, workers: Workers = ALONE) -> list[Listed]:
    """Return the entries that are still there, with what each takes up."""
    places = [place for each in listed for place in each.places()]
    probe = Probe(WORK_MARKS, belongs_to_others, KEEP)
    usages = used_up(measure(places, workers, probe=probe, ctimes=layout.counts_ctimes()))
    return [each._replace(entries=list(_measured(each.entries, usages))) for each in listed]


def _measured(entries: list[Entry], usages: Iterator[Usage | None]) -> Iterator[Entry]:
    for entry in used_up(entries):
        usage = next(usages)
        if entry.companions:
            usage = _sum_of(usage, [next(usages) for _ in entry.companions])
        if usage is not None:
            yield entry.measured(usage)


def _sum_of(own: Usage | None, companions: Sequence[Usage | None]) -> Usage | None:
    """Add up an entry and its companions; None if the entry itself is not there."""
    if own is None:
        return None
    there = [own, *filter(None, companions)]
    return own._replace(
        files=sum(usage.files for usage in there),
        disk_bytes=sum(usage.disk_bytes for usage in there),
        modified=max(usage.modified for usage in there),
        changed=max(usage.changed for usage in there),
        fault=next((usage.fault for usage in there if usage.fault), None),
        shared=tuple(link for usage in there for link in usage.shared),
    )
