"""Carries a plan out.

In a row, for each entry: its directory is opened and locked, verified to be what was planned for, renamed out of
sight (into `.trash/` of its base or, outside the bases, to a sealed name beside it) and verified again. Then, for
many entries at once: what is in use or has changed meanwhile is put back, the rest is renamed once more, as decided,
and the locks are given up. Last, what is out of sight is deleted.

So an entry is whole or gone whenever the process is killed. The next clean finds what is left: it finishes what was
decided, and looks at the rest as at any other entry.
All of it goes by descriptor (see `tree.directory`).
"""

import contextlib
import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..fs import processes
from ..fs import workers as pool
from ..fs.deletion import delete_together, delete_tree
from ..fs.directory import Directory, Parents, Place, allow_owner, enter_restricted
from ..fs.syscalls import open_on_same_mount, rename_without_replacing  # now: later no descriptor may be free
from ..fs.usage import measure
from ..fs.values import Progress, complaint, no_progress
from ..fs.walk import walk
from . import layout, lease, names
from .entry import Decision, Entry, Identity, Outcome, Plan
from .folders import Folders
from .inventory import files_beside, is_category
from .lent import is_unnamed
from .names import seal
from .states import is_pinned, look_at_uses
from .verification import CHANGED, AsPlanned, Stays, WorkBelow, is_pinned_folder

_TRIES = 8
_MOST_AT_ONCE = 4096  # entries that are locked at the same time, if there are descriptors for so many
_LOOKS = 2  # at who uses what is out of sight: during the first, a file may be on its way to being opened


@dataclass(slots=True, kw_only=True)
class _Moving:
    """An entry on its way out of sight.

    `parent`: where it stands. `directory`: itself, open. `mode`: what its mode was, if it had to be changed.
    `target`: where it was moved to. `places`: where its names are now, its own first.
    """

    decision: Decision
    folder: Directory
    parent: Directory
    target: Directory
    directory: Directory | None = None
    mode: int | None = None
    places: dict[str, Place] = field(default_factory=dict)

    @property
    def entry(self) -> Entry:
        """The entry."""
        return self.decision.entry

    @property
    def name(self) -> str:
        """The name by which it was planned."""
        return self.entry.parts[-1]

    @property
    def place(self) -> Place:
        """Where it is now."""
        return self.places[self.name]

    @property
    def stands(self) -> bool:
        """Whether it is where it was planned, in sight."""
        return self.place.name == self.name and not self.entry.in_trash

    def restore_mode(self) -> None:
        """Give the directory the mode that it had."""
        if self.directory is not None and self.mode is not None:
            os.fchmod(self.directory.fd, self.mode)


class _Record(NamedTuple):
    """What became of the plan so far."""

    removed: list[Decision]
    kept: list[Decision]
    failed: list[Decision]

    def keep(self, decision: Decision, reason: str) -> None:
        """Note that an entry stays after all."""
        self.kept.append(decision._replace(reason=reason))

    def fail(self, decision: Decision, reason: str) -> None:
        """Note that an entry could not be removed."""
        self.failed.append(decision._replace(reason=reason))


def carry_out(plan: Plan, progress: Progress = no_progress, workers: int = 1) -> Outcome:
    """Remove what `plan` says: first all of it out of sight, then off the disk.

    Under the exclusive lock each entry has to be what was planned for (the same inode, unchanged at its
    top, not pinned meanwhile), and out of sight it has to be unused and, where age decided, unchanged; else it
    stays. A fault on one entry never stops the others: it is in `failed`, with the reason. `progress` is called
    with the numbers of files deleted. Up to so many processes, `workers`, share the work if it is big enough.
    """
    record = _Record([], list(plan.keep), list(plan.fail))
    moved: list[_Moving] = []
    with contextlib.ExitStack() as stack:
        folders = Folders(stack)
        size = max(16, min(_MOST_AT_ONCE, lease.most_descriptors() // 6))
        for start in range(0, len(plan.remove), size):
            moved += _take_out(folders, plan.remove[start : start + size], plan.force, record, progress, workers)
        moved = _measured(moved, workers)
        _delete_all(moved, progress, workers, record)
        folders.tidy(record.removed)
        kept, failed = _measured_in_place(folders, record.kept), _measured_in_place(folders, record.failed)
    return Outcome(removed=tuple(record.removed), kept=tuple(kept), failed=tuple(failed))


def _take_out(
    folders: Folders,
    decisions: Sequence[Decision],
    force: bool,
    record: _Record,
    progress: Progress,
    workers: int,
) -> list[_Moving]:
    """Bring entries out of sight, and leave there what is neither used nor younger than planned.

    What cannot be renamed is deleted where it stands, while it still is locked.
    """
    moved: list[_Moving] = []
    with folders.parents_kept_open(), contextlib.ExitStack() as locks:
        try:
            for decision in decisions:
                try:
                    moved.append(_move_out(folders, locks, decision, force))
                except Stays as stays:
                    record.keep(decision, str(stays))
                except OSError as error:
                    record.fail(decision, complaint("", error))
            for _ in range(0 if force else _LOOKS):
                moved = _put_back_used(moved, record)
            moved = _put_back_changed(moved, record, workers)
        except BaseException:  # Ctrl-C, or no descriptor left to look with: nobody knows yet what may go
            _put_all_back(moved)
            raise
        for item in moved:
            with contextlib.suppress(OSError):  # what is wrong with it, its deletion says
                _decide(item)
        standing = [item for item in moved if item.stands]
        _delete_all(_measured(standing, workers), progress, workers, record)
    for item in moved:
        lease.drop(item.entry.identity.key)
    return [item for item in moved if not item.stands]


def _move_out(folders: Folders, locks: contextlib.ExitStack, decision: Decision, force: bool) -> _Moving:
    """Bring one entry out of sight. Raises Stays where it is not as planned, OSError where it cannot be moved."""
    moving = _begin(folders, decision)
    mounted = folders.mounts.inside(moving.folder, moving.entry.parts)
    if mounted:
        raise OSError(errno.EBUSY, "a mount point is inside", mounted)
    elsewhere = None if force else folders.mounts.elsewhere(moving.folder, moving.entry.parts)
    if elsewhere:
        raise Stays(f"in use: mounted at {elsewhere}")
    if moving.entry.identity.directory:
        with AsPlanned():
            moving.directory, moving.mode = enter_restricted(moving.parent, moving.name)
        locks.enter_context(moving.directory)
    try:
        _lock(locks, moving, force)
        if not moving.entry.in_trash:
            _verify(folders, moving, force)
            _move(folders, moving)
            _verify_moved(moving)
    except BaseException:
        _put_back(moving, "")
        raise
    return moving


def _begin(folders: Folders, decision: Decision) -> _Moving:
    entry = decision.entry
    with AsPlanned():
        folder = folders.open(entry)
        parent = folders.parent(folder, entry.parts[:-1])
    places = {name: Place(folder, (*entry.parts[:-1], name)) for name in entry.names}
    return _Moving(decision=decision, folder=folder, parent=parent, target=parent, places=places)


def _lock(locks: contextlib.ExitStack, moving: _Moving, force: bool) -> None:
    """Take the exclusive lock until it is decided. Raises Stays where somebody has a lock."""
    file = moving.directory.fd if moving.directory else _open_file(locks, moving)
    if file is None:
        return
    granted = locks.enter_context(lease.claim(file))
    if force or granted:
        return
    uses = look_at_uses([moving.parent])
    if granted is False:
        raise Stays(processes.describe(uses.holders(moving.parent, (moving.name,), moving.entry.identity)))
    if uses.uses is None and not moving.decision.by_age:
        raise Stays("it cannot be told whether it is in use: there are no locks here, and no /proc")


def _open_file(locks: contextlib.ExitStack, moving: _Moving) -> int | None:
    """Open a regular file to lock it; None for anything else, and where it may not be read."""
    if not moving.entry.identity.regular:
        return None
    try:
        file = moving.parent.open(moving.name, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # what is wrong with it, the next step says
        return None
    locks.callback(os.close, file)
    return file


def _verify(folders: Folders, moving: _Moving, force: bool) -> None:
    """See, now that nobody else can take it, that an entry is what was planned for. Raises Stays.

    More than its time is looked at: the clock of a file system may be coarser than a race.
    """
    entry = moving.entry
    if moving.directory and (is_pinned(moving.directory) or (entry.in_category and is_pinned(moving.parent))):
        raise Stays(f"kept: {names.KEEP}")
    with AsPlanned():
        found = moving.parent.look(moving.name)
    if Identity.of(found) != entry.identity:
        raise Stays(CHANGED)
    if moving.directory is None:
        _verify_companions(moving)
    elif entry.category == names.LEGACY:
        _verify_hand_made(folders, moving, moving.directory)
    unread = entry.usage is not None and entry.usage.fault is not None
    if entry.guarded and not force and (unread or entry.category == names.LEGACY):
        with WorkBelow(repair=unread) as visitor:
            walk(moving.parent, moving.name, visitor)


def _verify_companions(moving: _Moving) -> None:
    """See that no journal came to a database since: it holds what the database has not yet. Raises Stays."""
    planned, there = set(moving.entry.companions), files_beside(moving.parent, moving.name)
    if there - planned or any(moving.parent.has(name) for name in planned - there):
        raise Stays(CHANGED)


def _verify_hand_made(folders: Folders, moving: _Moving, directory: Directory) -> None:
    """See that a folder that somebody made is no category by now, and that nothing in it is pinned."""
    entry = moving.entry
    if entry.base and not entry.base.legacy and len(entry.parts) == 1:
        noted = folders.noted(moving.folder).get(moving.name) == entry.identity.inode
        if is_category(moving.name, directory.names(), made=noted):
            raise Stays("a category by now, with entries of its own")
    if any(is_pinned_folder(directory, name) for name in directory.subdirectories()):
        raise Stays(f"kept: {names.KEEP} of what is in it")


def _move(folders: Folders, moving: _Moving) -> None:
    """Rename an entry, and what goes with it, out of sight; where it cannot be renamed it stays where it is."""
    try:
        for name in moving.entry.names:
            _rename(folders, moving, name)
    except PermissionError:
        # A directory that its owner may not write to cannot be moved to another one.
        if moving.directory is None or moving.mode is not None:
            raise
        moving.mode = allow_owner(moving.directory)
        _rename(folders, moving, moving.name)
    except OSError as error:
        if error.errno != errno.EXDEV or moving.directory is None:
            raise
        # An overlay file system cannot rename a directory of a lower layer: it is deleted where it stands.


def _rename(folders: Folders, moving: _Moving, name: str) -> None:
    for _ in range(_TRIES):
        target, parts = _out_of_sight(folders, moving)
        try:
            moving.parent.rename(name, target, parts[-1])
        except FileNotFoundError:
            if name != moving.name:  # what goes with it is gone already
                return
            with AsPlanned():
                moving.parent.look(name)
            folders.forget_trash(moving.folder)  # another clean has tidied it away
            continue
        moving.target = target
        moving.places[name] = Place(moving.folder, parts)
        return
    raise OSError(errno.ENOENT, "the trash vanishes again and again", names.TRASH)


def _out_of_sight(folders: Folders, moving: _Moving) -> tuple[Directory, tuple[str, ...]]:
    """Return where an entry is to go: the open directory, and the names that lead there from its folder."""
    trash = folders.trash(moving.folder) if moving.entry.base else None
    if trash:
        return trash, (names.TRASH, f"{names.UNDECIDED}{os.urandom(8).hex()}")
    if moving.entry.base:  # its disk is full
        return moving.folder, (seal(names.UNDECIDED, moving.entry.identity.inode),)
    return moving.parent, (*moving.entry.parts[:-1], seal(names.TRASH, moving.entry.identity.inode))


def _decide(moving: _Moving) -> None:
    """Give what is out of sight the names by which the next clean finishes it whatever it is."""
    if moving.stands or moving.entry.in_trash or not moving.entry.base:
        return
    for name, place in moving.places.items():
        if place.name.startswith(names.UNDECIDED):
            in_trash = len(place.parts) > 1
            decided = place.name.removeprefix(names.UNDECIDED)
            new = decided if in_trash else seal(names.TRASH, moving.entry.identity.inode)
            moving.target.rename(place.name, moving.target, new)
            moving.places[name] = place._replace(parts=(*place.parts[:-1], new))


def _verify_moved(moving: _Moving) -> None:
    """See that what was renamed is what was planned for, not what was swapped in. Raises Stays."""
    found = Identity.of(moving.target.look(moving.place.name))
    planned = moving.entry.identity
    # An overlay file system may give a file another inode when it is renamed, but not another time.
    copied = found.regular and planned.regular and found.mtime_ns == planned.mtime_ns
    if found.key != planned.key and not copied:
        raise Stays(_put_back(moving, CHANGED))


def _put_back_used(moved: list[_Moving], record: _Record) -> list[_Moving]:
    """Look at who uses what is out of sight, and put that back; return the rest."""
    if not moved:
        return []
    uses = look_at_uses([item.folder for item in moved], locks=False)
    rest = []
    for item in moved:
        pids = {
            pid for place in item.places.values() for pid in uses.holders(item.folder, place.parts, item.entry.identity)
        }
        if pids:
            _put_back_or_fail(item, processes.describe(sorted(pids)), record)
        else:
            rest.append(item)
    return rest


def _put_back_changed(moved: list[_Moving], record: _Record, workers: int) -> list[_Moving]:
    """Measure again what goes because of its age, and put back what has changed meanwhile; return the rest."""
    aged = [item for item in moved if item.decision.by_age]
    places = [place for item in aged for place in item.places.values()]
    usages = iter(measure(places, workers=workers, moved=True, ctimes=layout.counts_ctimes()))
    changed = set()
    for item in aged:
        planned = item.entry.usage
        found = [usage for usage in [next(usages) for _ in item.places] if usage]
        if planned and any(usage.fault or usage.changed > planned.changed for usage in found):
            _put_back_or_fail(item, CHANGED, record)
            changed.add(id(item))
    return [item for item in moved if id(item) not in changed]


def _put_back_or_fail(moving: _Moving, why: str, record: _Record) -> None:
    try:
        record.keep(moving.decision, _put_back(moving, why))
    except OSError as error:
        record.fail(moving.decision, f"{why}, but it could not be put back and is in the trash: {complaint('', error)}")


def _put_all_back(moved: list[_Moving]) -> None:
    for item in moved:
        with contextlib.suppress(OSError):  # a worse fault is on its way
            _put_back(item, "")


def _put_back(moving: _Moving, why: str) -> str:
    """Put an entry back where it was, without replacing anything; return why it stays, and where if not there."""
    restored = moving.name
    for name, place in list(moving.places.items()):
        if place.name != name:
            try:
                stands = _rename_back(moving, moving.parent, place.name, name)
            except FileNotFoundError:  # another clean has tidied away the category that this left empty
                with _made_again(moving) as parent:
                    stands = _rename_back(moving, parent, place.name, name)
            moving.places[name] = place._replace(parts=(*moving.entry.parts[:-1], name))
            restored = stands if name == moving.name else restored
    moving.restore_mode()
    return why if restored == moving.name else f"{why}; its place was taken, so it is now called {restored}"


def _made_again(moving: _Moving) -> Directory:
    reached = moving.folder.descend(())
    for name in moving.entry.parts[:-1]:
        with reached:
            with contextlib.suppress(FileExistsError):
                reached.make(name)
            reached = reached.enter(name)
    return reached


def _rename_back(moving: _Moving, parent: Directory, name: str, wanted: str) -> str:
    free = wanted
    for number in range(2, 1000):
        try:
            rename_without_replacing(moving.target, name, parent, free)
        except FileExistsError:
            free = f"{wanted}-{number}"
        else:
            return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), wanted)


def _measured(moved: list[_Moving], workers: int) -> list[_Moving]:
    """Add the usage of those entries that nobody needed it of before."""
    blank = [item for item in moved if item.entry.usage is None]
    usages = measure([item.place for item in blank], workers=workers)
    for item, usage in zip(blank, usages, strict=True):
        item.decision = item.decision._replace(entry=item.entry._replace(usage=usage))
    return moved


def _measured_in_place(folders: Folders, decisions: list[Decision]) -> list[Decision]:
    """Add it for those that stayed, too."""
    measured = []
    for decision in decisions:
        if decision.entry.usage is None:
            # The reason why it stays is in the decision already.
            with contextlib.suppress(OSError):
                [usage] = measure([Place(folders.open(decision.entry), decision.entry.parts)])
                decision = decision._replace(entry=decision.entry._replace(usage=usage))
        measured.append(decision)
    return measured


def _delete_all(moved: list[_Moving], progress: Progress, workers: int, record: _Record) -> None:
    files = sum(item.entry.usage.files for item in moved if item.entry.usage)
    gone: set[Place] = set()
    if workers > 1 and files >= pool.WORTH_FORKING:
        # What is not gone then, and every fault, is met again below.
        places = [place for item in moved for place in item.places.values() if not is_unnamed(place.name)]
        gone = {places[number] for number in delete_together(places, progress, workers, open_on_same_mount)}
    with Parents() as parents:
        for item in moved:
            left = [place for place in item.places.values() if place not in gone]
            faults = [fault for place in left if (fault := _delete(parents, place, progress))]
            if faults:
                where = (
                    "waits in the trash" if item.place.name != item.name or item.entry.in_trash else "is still there"
                )
                record.fail(item.decision, f"{faults[0]}; what is left {where}")
            else:
                record.removed.append(item.decision)


def _delete(parents: Parents, place: Place, progress: Progress) -> str | None:
    try:
        parent = parents.open(place)
        if is_unnamed(place.name):  # ours only if it is empty
            parent.remove(place.name)
            return None
        return delete_tree(parent, place.name, progress, open_on_same_mount)
    except FileNotFoundError:  # another clean has finished it, and tidied up
        return None
    except OSError as error:
        return complaint("", error)
