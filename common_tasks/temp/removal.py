"""Carries a plan out: with `sweep`, the only code that deletes.

An entry is first renamed out of sight, into `.trash/` of its base or, outside the bases, to a sealed
name beside it; then it is deleted there. So it is whole or gone whenever the process is killed, and the
next clean finds and finishes what is left. All of it goes by descriptor (see `descent`).
"""

import contextlib
import errno
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from . import layout, lease
from ._os import os
from .base import DIRECTORY, NOFOLLOW, open_base
from .descent import Mounts, directories
from .errors import Unremovable
from .inventory import Entry, Identity, is_pinned
from .retention import Decision, Plan
from .seal import seal
from .sweep import allow_owner, delete_together, delete_tree, open_directory
from .usage import WORTH_FORKING, Tick, Top, complaint, measure, no_tick, open_parent

_TRIES = 8
_SWAPPED = {errno.ENOTDIR, errno.ELOOP}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a plan. What another process removed first is in `kept`, with that reason."""

    removed: tuple[Decision, ...]
    kept: tuple[Decision, ...]
    failed: tuple[Decision, ...]

    @property
    def freed_bytes(self) -> int:
        """What the disk got back."""
        return sum(row.entry.usage.disk_bytes for row in self.removed if row.entry.usage)


class _Stays(Exception):
    """An entry is not what was planned for: it stays, and this says why."""


class _Trashed(NamedTuple):
    """An entry out of sight: where it lies now, below the open `folder`."""

    row: Decision
    folder: int
    parts: tuple[str, ...]


def carry_out(plan: Plan, tick: Tick = no_tick, workers: int = 1) -> Outcome:
    """Remove what `plan` says: first all of it out of sight, then off the disk.

    Under the exclusive lock each entry has to be what was planned for (the same inode, unchanged at
    its top, not pinned meanwhile), else it stays. A fault on one entry never stops the others: it is
    in `failed`, with the reason. `tick` is called with the numbers of files deleted. Up to so many
    processes, `workers`, share the deleting if it is big enough to repay forking them (see `crew`).
    """
    kept, failed, removed = list(plan.keep), list(plan.fail), []
    trashed: list[_Trashed] = []
    with contextlib.ExitStack() as stack:
        folders = _Folders(stack)
        for row in plan.remove:
            try:
                trashed.append(_take_out(folders, row, plan.force))
            except _Stays as stays:
                kept.append(replace(row, reason=str(stays)))
            except OSError as error:
                failed.append(replace(row, reason=complaint("", error)))
        trashed = _measured(trashed, workers)
        if workers > 1 and _files(trashed) >= WORTH_FORKING:
            # Every fault, and what was left, is met again below.
            delete_together([Top(item.folder, item.parts) for item in trashed], tick, workers - 1)
        for item in trashed:
            fault = _delete(item, tick)
            if fault is None:
                removed.append(item.row)
            else:
                failed.append(replace(item.row, reason=f"{fault}; what is left waits in the trash"))
        folders.tidy(removed)
        kept, failed = _measured_in_place(folders, kept), _measured_in_place(folders, failed)
    return Outcome(tuple(removed), tuple(kept), tuple(failed))


def discard(folder: Path, name: str, inode: int, maker: int) -> None:
    """Remove the directory `name`, known by its `inode`, from `folder`: whole or not at all.

    For a directory outside the bases that the process `maker` made: any other, a forked child of it,
    removes nothing. Nothing happens either where it is gone, or has made room for another. Raises
    Unremovable, naming the first thing that stood in the way.
    """
    if os.getpid() != maker:
        return
    parent = os.open(folder, DIRECTORY)
    try:
        if os.lstat(name, dir_fd=parent).st_ino == inode:
            _discard(parent, name, inode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unremovable(f"{os.fspath(folder / name)!r} was not removed: {complaint('', error)}") from error
    finally:
        os.close(parent)


def _discard(parent: int, name: str, inode: int) -> None:
    _refuse_mounts(Mounts(), parent, (name,))
    trash = seal(layout.TRASH, inode)
    os.rename(name, trash, src_dir_fd=parent, dst_dir_fd=parent)
    fault = delete_tree(parent, trash, no_tick)
    if fault:
        raise OSError(errno.EBUSY, fault, trash)


class _Folders:
    """The folders that entries stand in, each opened once, as strictly as for looking."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.mounts = Mounts()
        self._stack = stack
        self._open: dict[Path, int] = {}
        self._bases: list[int] = []
        self._trashes: dict[int, int] = {}

    def open(self, entry: Entry) -> int:
        """Open an entry's folder. Raises BaseRefused where a base is no longer ours."""
        fd = self._open.get(entry.folder)
        if fd is None:
            opened = open_base(entry.base) if entry.base else os.open(entry.folder, DIRECTORY)
            if opened is None:
                raise _Stays("gone before its turn")
            fd = self._open[entry.folder] = self._closed_later(opened)
            self._bases += [fd] if entry.base else []
        return fd

    def move_to_trash(self, folder: int, parent: int, name: str) -> tuple[str, ...]:
        """Rename `name` in the open `parent` into the trash of the base `folder`; return its new place."""
        place = os.urandom(8).hex()
        for _ in range(_TRIES):
            try:
                os.rename(name, place, src_dir_fd=parent, dst_dir_fd=self._trash(folder))
            except FileNotFoundError:  # the entry, or a trash that another clean has tidied away
                with _as_planned():
                    os.lstat(name, dir_fd=parent)
                self._trashes.pop(folder, None)
                continue
            return layout.TRASH, place
        raise OSError(errno.ENOENT, "the trash vanishes again and again", layout.TRASH)

    def _trash(self, folder: int) -> int:
        if folder not in self._trashes:
            with contextlib.suppress(FileExistsError):
                os.mkdir(layout.TRASH, 0o700, dir_fd=folder)
            opened = os.open(layout.TRASH, DIRECTORY | NOFOLLOW, dir_fd=folder)
            self._trashes[folder] = self._closed_later(opened)
        return self._trashes[folder]

    def _closed_later(self, fd: int) -> int:
        self._stack.callback(os.close, fd)
        return fd

    def tidy(self, removed: list[Decision]) -> None:
        """Remove the categories that a clean has emptied, and the trash."""
        emptied = {(row.entry.folder, row.entry.parts[0]) for row in removed if row.entry.base and row.entry.parts[1:]}
        for folder, name in emptied:
            # Not empty, or in use as a mount: an empty folder left standing harms nobody.
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=self._open[folder])
        for fd in self._bases:
            with contextlib.suppress(OSError):
                os.rmdir(layout.TRASH, dir_fd=fd)


def _take_out(folders: _Folders, row: Decision, force: bool) -> _Trashed:
    """Rename an entry out of sight. Raises _Stays where it is not as planned, OSError where it cannot be."""
    entry = row.entry
    folder = folders.open(entry)
    with _as_planned():
        parent = open_parent(Top(folder, entry.parts))
    try:
        return _Trashed(row, folder, _take_from(parent, folders, folder, entry, force))
    finally:
        os.close(parent)


@contextlib.contextmanager
def _as_planned() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise _Stays("gone before its turn") from None
    except OSError as error:
        if error.errno in _SWAPPED:
            raise _Stays("changed since it was looked at") from None
        raise


def _take_from(parent: int, folders: _Folders, folder: int, entry: Entry, force: bool) -> tuple[str, ...]:
    name = entry.parts[-1]

    def move() -> tuple[str, ...]:
        if entry.state == "unfinished":
            return entry.parts
        _refuse_change(parent, name, entry.identity)
        if entry.base:
            parts = folders.move_to_trash(folder, parent, name)
        elif not entry.identity.directory:
            os.unlink(name, dir_fd=parent)
            return entry.parts
        else:
            parts = (*entry.parts[:-1], seal(layout.TRASH, entry.identity.inode))
            os.rename(name, parts[-1], src_dir_fd=parent, dst_dir_fd=parent)
        _refuse_swap(folder, parts, parent, entry)
        return parts

    if not entry.identity.directory:
        return move()
    with _as_planned():
        before = os.lstat(name, dir_fd=parent)
        opened = open_directory(parent, name)
    try:
        _refuse_mounts(folders.mounts, folder, entry.parts)
        with lease.claim(opened) as granted:
            # What is in the trash has been taken from its users already.
            _refuse_use(opened, granted or force or entry.state == "unfinished")
            allow_owner(opened)
            if entry.state != "unfinished":
                _refuse_news(parent, opened, entry)
            parts = move()
        lease.drop(entry.identity.key)
        return parts
    except _Stays:
        if os.fstat(opened).st_mode != before.st_mode:
            os.fchmod(opened, stat.S_IMODE(before.st_mode))
        raise
    finally:
        os.close(opened)


def _refuse_mounts(mounts: Mounts, folder: int, parts: tuple[str, ...]) -> None:
    """Raise OSError (EBUSY) where something is mounted on or inside what is about to go."""
    inside = mounts.inside(folder, parts)
    if inside:
        raise OSError(errno.EBUSY, "a mount point is inside", inside)


def _refuse_use(directory: int, granted: bool) -> None:
    if not granted:
        users = lease.look()
        raise _Stays(lease.describe(users.of(lease.key(directory)) if users else ()))


def _refuse_news(parent: int, directory: int, entry: Entry) -> None:
    """Look again, now that nobody else can come: the clock of a file system may be coarser than a race."""
    if is_pinned(directory) or (entry.in_category and is_pinned(parent)):
        raise _Stays(f"kept: {layout.KEEP}")
    if entry.may_be_category:
        below = directories(directory)
        if any(layout.parse_name(name) for name in below):
            raise _Stays("a category by now, with entries of its own")
        if any(_is_pinned_folder(directory, name) for name in below):
            raise _Stays(f"kept: {layout.KEEP} of what is in it")


def _is_pinned_folder(directory: int, name: str) -> bool:
    try:
        return is_pinned(directory, (name,))
    except PermissionError:
        opened = open_directory(directory, name)
    try:
        allow_owner(opened)
        return is_pinned(opened)
    finally:
        os.close(opened)


def _refuse_change(parent: int, name: str, planned: Identity) -> None:
    with _as_planned():
        found = os.lstat(name, dir_fd=parent)
    if Identity.of(found) != planned:
        raise _Stays("changed since it was looked at")


def _refuse_swap(folder: int, parts: tuple[str, ...], parent: int, entry: Entry) -> None:
    """Put back what was renamed if it is not what was planned for: swapped between look and rename."""
    trash = open_parent(Top(folder, parts))
    try:
        found = os.lstat(parts[-1], dir_fd=trash)
        if (found.st_dev, found.st_ino) == (entry.identity.device, entry.identity.inode):
            return
        with contextlib.suppress(FileNotFoundError):
            os.lstat(entry.parts[-1], dir_fd=parent)
            raise OSError(errno.EEXIST, "swapped while it was removed, and its place is taken")
        os.rename(parts[-1], entry.parts[-1], src_dir_fd=trash, dst_dir_fd=parent)
    finally:
        os.close(trash)
    raise _Stays("changed since it was looked at")


def _measured(trashed: list[_Trashed], workers: int) -> list[_Trashed]:
    """Add the usage of those entries that nobody needed it of before."""
    blank = [number for number, item in enumerate(trashed) if item.row.entry.usage is None]
    tops = [Top(trashed[number].folder, trashed[number].parts) for number in blank]
    usages = measure(tops, workers=workers)
    for number, usage in zip(blank, usages, strict=True):
        row = trashed[number].row
        trashed[number] = trashed[number]._replace(row=replace(row, entry=replace(row.entry, usage=usage)))
    return trashed


def _measured_in_place(folders: _Folders, rows: list[Decision]) -> list[Decision]:
    """Add it for those that stayed, too."""
    measured = []
    for row in rows:
        usage = row.entry.usage
        if usage is None:
            with contextlib.suppress(_Stays, OSError):  # its reason is in the row already
                [usage] = measure([Top(folders.open(row.entry), row.entry.parts)])
        measured.append(replace(row, entry=replace(row.entry, usage=usage)))
    return measured


def _files(trashed: list[_Trashed]) -> int:
    return sum(item.row.entry.usage.files for item in trashed if item.row.entry.usage)


def _delete(item: _Trashed, tick: Tick) -> str | None:
    try:
        parent = open_parent(Top(item.folder, item.parts))
        try:
            return delete_tree(parent, item.parts[-1], tick)
        finally:
            os.close(parent)
    except FileNotFoundError:  # another clean has finished it, and tidied up
        return None
    except OSError as error:
        return complaint("", error)
