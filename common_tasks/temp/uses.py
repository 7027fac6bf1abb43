"""Who uses entries: by the leases, by the kernel's tables and, if these do not tell, by a closer look and by a lock."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..fs import lock, probe, processes
from ..fs.directory import Directory
from ..fs.lock import Claim
from ..fs.places import Place
from ..fs.probe import Suspect
from ..fs.uses import NOTHING_UNSEEN, Unseen, Uses, describe, describe_pids
from ..fs.workers import ALONE, Workers
from .base import open_base
from .entry import Decision, Entry, Plan
from .leased import Leased

_NOTHING_TOLD = Unseen(nothing_told=True)


class EntryUses(NamedTuple):
    """Who uses what in some open folders; `uses` is None if the system does not tell."""

    uses: Uses | None

    def of_entry(self, folder: Directory, entry: Entry, leased: Leased | None) -> str | None:
        """Say who uses an entry that is still where it was found, or its companions; None if nobody is seen."""
        given_to = leased.users(entry.belongs) if leased else None
        if given_to is not None:
            return describe_pids(given_to)
        if self.uses is None:
            return _try_lock(folder, entry) if entry.identity.directory else None
        if not self.any_below(folder):
            return None
        # If a process works in the folder of an entry that was made by hand, it works with what is in that folder.
        around = self.at(folder, entry.parts[:-1]) if entry.in_category and not entry.made else None
        return around or self.of(folder, [(*entry.parts[:-1], name) for name in entry.names], entry.identity.inode)

    def may_name_any(self, folder: Directory, leased: Leased | None) -> bool:
        """Tell whether `of_entry` may name a user of any entry in a folder, by its leases or otherwise."""
        return bool(leased) or self.uses is None or self.any_below(folder)

    def any_below(self, folder: Directory, parts: tuple[str, ...] = ()) -> bool:
        """Tell whether anybody may use anything below `parts`. If not, nothing there need be asked about."""
        if self.uses is None:
            return False
        return not self.uses.covers(folder) or self.uses.any_below(folder, parts)

    def of(self, folder: Directory, places: Iterable[tuple[str, ...]], inode: int) -> str | None:
        """Say who uses anything at `places`, the first of which has that inode; None if nobody is seen."""
        if self.uses is None:
            return None
        if not self.uses.covers(folder):  # it could not be opened when the uses were looked at
            return "it cannot be told whether it is in use"
        users = set()
        for parts in places:
            users |= self.uses.of(folder, parts, inode)
            inode = 0
        return describe(users) if users else None

    def at(self, folder: Directory, parts: tuple[str, ...]) -> str | None:
        """Say who uses the directory at `parts` itself, a category or a base, not only something in it."""
        users = self.uses.at(folder, parts) if self.uses else None
        return describe(users) if users else None

    def unseen(self, folder: Directory) -> Unseen:
        """Return what has still to be found out about the entries of a folder; see `settled`."""
        return self.uses.unseen(folder) if self.uses else _NOTHING_TOLD


def look_at_uses(folders: Iterable[Directory]) -> EntryUses:
    """Look once at who uses what in some open folders. Raises OSError if this process cannot open any more files."""
    distinct = {folder.fd: folder for folder in folders}
    return EntryUses(processes.look(list(distinct.values())) if distinct else None)


def settled(plan: Plan, workers: Workers = ALONE) -> Plan:
    """Return a plan that also keeps entries which a closer look shows to be in use, or possibly in use.

    Every file of these entries may have to be looked at. So this is done only for entries that would go, not for all
    that are there, and `workers` share it.
    """
    doubtful = [] if plan.force else [row for row in plan.remove if row.entry.unseen]
    if not doubtful:
        return plan
    users = dict(zip((row.entry.key for row in doubtful), _find_users(doubtful, workers), strict=True))
    remove = [row for row in plan.remove if not users.get(row.entry.key)]
    kept = [_kept(row.entry, user) for row in doubtful if (user := users[row.entry.key])]
    return plan._replace(remove=tuple(remove), keep=(*plan.keep, *kept))


def _kept(entry: Entry, user: str) -> Decision:
    return Decision(entry=entry._replace(state="in-use", reason=user), reason=user)


def _find_users(doubtful: Sequence[Decision], workers: Workers) -> list[str | None]:
    with contextlib.ExitStack() as stack:
        each = {row.entry.folder: row.entry for row in doubtful}
        opened = {folder: _open(entry, stack) for folder, entry in each.items()}
        folders = [opened[row.entry.folder] for row in doubtful]
        suspects = [_suspect(folder, row.entry) for folder, row in zip(folders, doubtful, strict=True)]
        found = probe.find_uses(suspects, workers)
        return [user or _untold(folder, row) for folder, row, user in zip(folders, doubtful, found, strict=True)]


def _open(entry: Entry, stack: contextlib.ExitStack) -> Directory | None:
    try:
        folder = open_base(entry.base) if entry.base else Directory.at(entry.folder, follow=True)
    except OSError:  # a clean will say so
        return None
    return stack.enter_context(folder) if folder else None


def _suspect(folder: Directory | None, entry: Entry) -> Suspect:
    if folder is None:
        return Suspect((), NOTHING_UNSEEN)
    own = Place(folder, entry.parts)
    return Suspect([own, *map(own.beside, entry.companions)], entry.unseen)


def _untold(folder: Directory | None, row: Decision) -> str | None:
    """Say that it cannot be told whether an entry is in use, if neither the system nor a lock tells; else None."""
    if folder is None or not row.entry.unseen.nothing_told:
        return None
    # If the engine made it, leases tell who uses it. If it goes by its age, nobody has changed it for that long.
    told = row.entry.made or row.by_age or lock.can_lock(folder.fd)
    return None if told else "it cannot be told whether it is in use: there are no locks here, and no /proc"


def _try_lock(folder: Directory, entry: Entry) -> str | None:
    """Try the lock of a directory for an instant, because the system does not tell who uses it."""
    try:
        directory = folder.descend(entry.parts)
    except OSError:  # vanished, or cannot be opened: a clean will say so
        return None
    with directory, lock.claim(directory.fd) as granted:
        return describe(()) if granted is Claim.REFUSED else None
