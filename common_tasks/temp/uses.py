"""Who uses entries: by the leases, by the kernel's tables, and where these do not tell, by looking and by a lock."""

import contextlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ..fs import lock, probe, processes
from ..fs.directory import Directory
from ..fs.lock import Claim
from ..fs.places import Parents, Place
from ..fs.syscalls import open_on_same_mount
from ..fs.uses import Unseen, Uses, describe, describe_pids
from .base import open_base
from .entry import Decision, Entry, Plan
from .leased import Leased

_NOTHING_TOLD = Unseen(nothing_told=True)


class EntryUses(NamedTuple):
    """Who uses what in some open folders; `uses` is None where the system does not tell."""

    uses: Uses | None

    def of_entry(self, folder: Directory, entry: Entry, leased: Leased | None) -> str | None:
        """Say who uses an entry that stands where it was found, or what goes with it; None for nobody seen."""
        given_to = leased.users(entry.belongs) if leased else None
        if given_to is not None:
            return describe_pids(given_to)
        if self.uses is None:
            return _try_lock(folder, entry) if entry.identity.directory else None
        if not self.any_in(folder):
            return None
        # Who works in a folder that was made by hand works with what is in it.
        around = self.at(folder, entry.parts[:-1]) if entry.in_category and not entry.made else None
        return around or self.of(folder, [(*entry.parts[:-1], name) for name in entry.names], entry.identity.inode)

    def any_in(self, folder: Directory, parts: tuple[str, ...] = ()) -> bool:
        """Tell whether anybody may use anything at or below `parts`. If not, nothing there need be asked."""
        if self.uses is None:
            return False
        return not self.uses.covers(folder) or self.uses.any_in(folder, parts)

    def of(self, folder: Directory, places: Iterable[tuple[str, ...]], inode: int) -> str | None:
        """Say who uses what stands at `places`, the first of which has that inode; None for nobody seen."""
        if self.uses is None:
            return None
        if not self.uses.covers(folder):  # it could not be opened then
            return "it cannot be told whether it is in use"
        users = set()
        for parts in places:
            users |= self.uses.of(folder, parts, inode)
            inode = 0
        return describe(users) if users else None

    def at(self, folder: Directory, parts: tuple[str, ...]) -> str | None:
        """Say who uses the very directory at `parts`, a category or a base, not only something in it."""
        users = self.uses.at(folder, parts) if self.uses else None
        return describe(users) if users else None

    def unseen(self, folder: Directory) -> Unseen:
        """Return what has still to be found out about the entries of a folder; see `settled`."""
        return self.uses.unseen(folder) if self.uses else _NOTHING_TOLD


def look_at_uses(folders: Iterable[Directory]) -> EntryUses:
    """Look once at who uses what in some open folders. Raises OSError where this process may open no more files."""
    distinct = {folder.fd: folder for folder in folders}
    return EntryUses(processes.look(list(distinct.values())) if distinct else None)


def look_inside(parents: Parents, places: Iterable[Place], unseen: Unseen) -> str | None:
    """Look into what stands at `places` for uses that are `unseen` otherwise; see `fs.probe`."""
    if not unseen.in_trees:
        return None
    return next(filter(None, (_look_inside(parents, place, unseen) for place in places)), None)


def _look_inside(parents: Parents, place: Place, unseen: Unseen) -> str | None:
    try:
        parent = parents.open(place)
    except OSError:  # vanished, or not to be opened: a clean will say so
        return None
    return probe.find_use(parent, place.name, unseen)


def settled(plan: Plan) -> Plan:
    """Return a plan that keeps what turns out to be in use, or may be, where only a closer look at it can tell.

    Every file of these entries may have to be looked at: so it is done for what is to go, and not for what is there.
    """
    if plan.force:
        return plan
    remove, keep = [], list(plan.keep)
    with contextlib.ExitStack() as stack:
        folders: dict[Path, Directory | None] = {}
        parents = stack.enter_context(Parents(open_on_same_mount))
        for row in plan.remove:
            if not row.entry.unseen:
                remove.append(row)
                continue
            if row.entry.folder not in folders:
                folders[row.entry.folder] = _open(row.entry, stack)
            folder = folders[row.entry.folder]
            user = _unseen_user(parents, folder, row) if folder else None
            if user:
                keep.append(Decision(entry=row.entry._replace(state="in-use", reason=user), reason=user))
            else:
                remove.append(row)
    return replace(plan, remove=tuple(remove), keep=tuple(keep)) if len(keep) > len(plan.keep) else plan


def _open(entry: Entry, stack: contextlib.ExitStack) -> Directory | None:
    try:
        folder = open_base(entry.base) if entry.base else Directory.at(entry.folder, follow=True)
    except OSError:  # a clean will say so
        return None
    return stack.enter_context(folder) if folder else None


def _unseen_user(parents: Parents, folder: Directory, row: Decision) -> str | None:
    entry = row.entry
    if entry.unseen.nothing_told:
        # Leases tell who uses what the engine made. What goes by its age has not been changed for that long.
        told = entry.made or row.by_age or lock.can_lock(folder.fd)
        return None if told else "it cannot be told whether it is in use: there are no locks here, and no /proc"
    own = Place(folder, entry.parts)
    return look_inside(parents, [own, *map(own.beside, entry.companions)], entry.unseen)


def _try_lock(folder: Directory, entry: Entry) -> str | None:
    """Try the lock of a directory for an instant, where the system does not tell who uses it."""
    try:
        directory = folder.descend(entry.parts)
    except OSError:  # vanished, or not to be opened: a clean will say so
        return None
    with directory, lock.claim(directory.fd) as granted:
        return describe(()) if granted is Claim.REFUSED else None
