"""What a removal checks before an entry moves: that it is what was planned for, and that nobody needs it."""

import contextlib
import errno
import os
from typing import NamedTuple

from ...fs import lock
from ...fs.directory import GONE, Directory, MountPoint
from ...fs.lock import Claim
from ...fs.modes import accessible, enter_restricted
from ...fs.uses import describe
from ...fs.walk import Position, Visitor, walk
from .. import names
from ..entry import ARTIFACT, Identity
from ..leased import Leased
from ..listing import files_beside, is_category
from ..names import KEEP, LEGACY
from ..states import WORK_MARKS, belongs_to_others, describe_held, is_pinned
from ..uses import EntryUses
from .folders import Folders
from .move import Move
from .verdict import AS_PLANNED, CHANGED, Stays


class Known(NamedTuple):
    """What is needed to verify entries.

    `force`: they go even if somebody uses them or has a repository in them. `locks`: holds, until it is closed, the
    directories' own locks. `uses`, `leased`: who uses what; `uses` is None if that need not be asked. `mounted`:
    something may be mounted inside them.
    """

    folders: Folders
    locks: contextlib.ExitStack
    force: bool
    uses: EntryUses | None
    leased: Leased = Leased()
    mounted: bool = True

    def of(self, folder: Directory, leased: Leased) -> "Known":
        """Return this for one folder, without the checks that cannot concern any entry in it."""
        uses = self.uses if self.uses and self.uses.may_name_any(folder, leased) else None
        return self._replace(uses=uses, leased=leased, mounted=self.folders.mounts.inside(folder) is not None)


def verify(move: Move, known: Known) -> None:
    """Check that an entry is what was planned for, and that nobody uses it.

    Raises Stays or Gone, or OSError if it cannot be removed.
    """
    entry = move.entry
    if known.mounted and (mounted := known.folders.mounts.inside(move.folder, entry.parts)):
        raise OSError(errno.EBUSY, "a mount point is inside", mounted)
    if known.uses and (user := known.uses.of_entry(move.folder, entry, known.leased)):
        raise Stays(user)
    if not entry.base and entry.category != ARTIFACT:
        _lock(move, known.locks, force=known.force)
    if not entry.in_trash:
        _refuse_changed(known.folders, move, force=known.force)


def _lock(move: Move, locks: contextlib.ExitStack, *, force: bool) -> None:
    """Take the lock that a directory lent for a block has of its own. Raises Stays if its user holds it."""
    if not move.entry.identity.directory:
        return
    with AS_PLANNED:
        directory = locks.enter_context(move.parent.enter(move.name))
    granted = locks.enter_context(lock.claim(directory.fd))
    if granted is Claim.REFUSED and not force:
        raise Stays(describe(()))


def _refuse_changed(folders: Folders, move: Move, *, force: bool) -> None:
    """Check that an entry is what was planned for. Raises Stays or Gone.

    More than its time is compared: two changes may fall within one tick of the file system's clock.
    """
    entry = move.entry
    with AS_PLANNED:
        if entry.identity.directory and is_pinned_folder(move.parent, move.name):
            raise Stays(f"kept: {KEEP}")
        found = move.parent.look(move.name)
    if Identity.of(found) != entry.identity:
        raise Stays(CHANGED)
    if entry.in_category and folders.is_kept(move.parent):
        raise Stays(f"kept: {KEEP} of {entry.parts[0]}")
    if not entry.identity.directory:
        _refuse_new_companions(move)
        return
    if entry.category == LEGACY:
        _refuse_category(move)
    unread = entry.usage.fault is not None
    if entry.guarded and not force and (unread or entry.category == LEGACY):
        with WorkBelow(repair=unread) as visitor:
            walk(move.parent, move.name, visitor)


def _refuse_new_companions(move: Move) -> None:
    """Check that a database has no new journal, which may hold what the database does not have yet. Raises Stays."""
    planned, there = set(move.entry.companions), files_beside(move.parent, move.name)
    if there - planned or any(move.parent.has(name) for name in planned - there):
        raise Stays(CHANGED)


def _refuse_category(move: Move) -> None:
    """Check that a hand-made folder has not become a category, and that nothing in it has a `.keep`. Raises Stays."""
    with AS_PLANNED, accessible(move.parent, move.name) as directory:
        entry = move.entry
        at_top = entry.base and not entry.base.legacy and len(entry.parts) == 1
        if at_top and is_category(move.folder, move.name, directory.names()):
            raise Stays("now a category, with entries of its own")
        if any(is_pinned_folder(directory, name) for name in directory.subdirectories()):
            raise Stays(f"kept: {KEEP} of an entry inside")


def is_pinned_folder(directory: Directory, name: str) -> bool:
    """Tell whether the directory `name` in an open one has a `.keep`, whatever its mode."""
    try:
        return is_pinned(directory, (name,))
    except PermissionError:
        with accessible(directory, name) as opened:
            return is_pinned(opened)


class WorkBelow(Visitor):
    """Looks below a hand-made folder for somebody's work, and for entries that somebody has lent. Raises Stays.

    Processes in other containers can be seen only by their locks. With `repair`, folders that may not be looked into
    get another mode, as their owner may set it; each gets its mode back when the walk leaves it, or after the block.
    """

    def __init__(self, *, repair: bool) -> None:
        self._repair = repair and os.geteuid() != 0
        self._repaired: list[tuple[int, Directory, int]] = []  # depth, the folder, its mode

    def __enter__(self) -> "WorkBelow":
        return self

    def __exit__(self, *_: object) -> None:
        while self._repaired:
            self._restore()

    def enter(self, position: Position, name: str) -> list[str] | None:
        """Look into a directory; see `Visitor`. Raises Stays."""
        try:
            self._go_down(position, name)
        except OSError as error:
            if error.errno in GONE or isinstance(error, MountPoint):  # the deletion stops at a mount
                return None
            raise
        where = position.where.partition("/")[2]
        with position.directory.scan() as rows:
            # There may be very many files, so only the marks among them are remembered.
            notable = [row for row in rows if row.is_dir(follow_symlinks=False) or row.name in WORK_MARKS]
        held = belongs_to_others(position.directory, {row.name for row in notable})
        if held:
            raise Stays(f"kept: holds {describe_held(f'{where}/{held}' if where else held)}")
        if where and (names.parse_name(name) or names.looks_sealed(name)):
            with lock.claim(position.directory.fd) as granted:  # a process that was lent it holds its shared lock
                if granted is Claim.REFUSED:
                    raise Stays(f"in use: {where}")
        return [row.name for row in notable if row.is_dir(follow_symlinks=False)]

    def _go_down(self, position: Position, name: str) -> None:
        if self._repair:
            folder, mode = enter_restricted(position.directory, name)
            if mode is None:
                folder.close()
            else:
                self._repaired.append((position.depth + 1, folder, mode))
        position.enter(name)

    def left(self, position: Position, name: str) -> bool:  # noqa: ARG002  # as any visitor's
        """Give the directory back the mode that it had."""
        while self._repaired and self._repaired[-1][0] > position.depth:
            self._restore()
        return True

    def _restore(self) -> None:
        _, folder, mode = self._repaired.pop()
        with folder:
            os.fchmod(folder.fd, mode)
