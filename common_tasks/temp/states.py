"""What affects an entry's removal: who uses it, what keeps it, what prevents it."""

import contextlib
import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..fs.directory import Directory
from ..fs.kernel import Mounts
from ..fs.places import Place
from ..fs.uses import Unseen
from ..fs.values import used_up
from . import names
from .entry import Entry
from .leased import Leased
from .names import TAG
from .tag import is_tagged
from .uses import EntryUses, look_at_uses


class Listed(NamedTuple):
    """The entries in an open folder, and what the leases there say (None outside the bases).

    There may be very many. A function that turns them into new entries empties the list as it goes, to save memory.
    """

    folder: Directory
    entries: list[Entry]
    leased: Leased | None = None

    def places(self) -> Iterator[Place]:
        """Yield the places of all names of the entries; the entry's own name comes before its companions."""
        for entry in self.entries:
            own = Place(self.folder, entry.parts, entry.guarded)
            yield own
            yield from map(own.beside, entry.companions)


# What is in a directory that may be somebody's work: see `belongs_to_others`.
WORK_MARKS = frozenset({".git", "HEAD", TAG})
_BARE = frozenset({"objects", "refs"})


def belongs_to_others(directory: Directory, names: Collection[str]) -> str | None:
    """Name what makes an open directory somebody's work: a git repository or work tree, or a base.

    `names`: what is in it, or at least those of WORK_MARKS that are.
    """
    if ".git" in names:
        return ".git"
    if "HEAD" in names and _BARE.issubset(directory.subdirectories()):
        return "HEAD"
    return TAG if TAG in names and is_tagged(directory) else None


def with_states(listed: Sequence[Listed]) -> list[Entry]:
    """Return entries with their states, reasons and obstacles."""
    asked = [each for each in listed if each.entries]
    uses, mounts, rights = look_at_uses([each.folder for each in asked]), Mounts(), _Rights()
    return [entry for each in asked for entry in _in_folder(each, uses, mounts, rights)]


def _in_folder(listed: Listed, uses: EntryUses, mounts: Mounts, rights: "_Rights") -> Iterator[Entry]:
    """Yield the entries of one folder with their states. Checks that cannot concern any of them are skipped."""
    folder, entries, leased = listed
    may_be_used = uses.may_name_any(folder, leased)
    unseen = uses.unseen(folder)
    may_hold_mounts = mounts.inside(folder) is not None
    for entry in used_up(entries):
        holder = uses.of_entry(folder, entry, leased) if may_be_used else None
        found = _with_state(entry, holder, unseen)
        yield rights.check(folder, _with_mounts(mounts, folder, found) if may_hold_mounts else found)


def _with_state(entry: Entry, holder: str | None, unseen: Unseen) -> Entry:
    if entry.state == "tracked":
        return entry
    if entry.state == "kept":
        return entry._replace(reason=entry.reason or f"kept: {names.KEEP} of {entry.belongs[0]}")
    if not entry.in_trash and entry.usage.marked and not (holder and not entry.base):
        return entry._replace(state="kept", reason=f"kept: {names.KEEP}")
    if holder:
        return entry._replace(state="in-use", reason=holder)
    if entry.in_trash:
        return entry._replace(reason="left by an interrupted clean")
    if entry.usage.holds:
        return entry._replace(state="kept", reason=f"kept: holds {describe_held(entry.usage.holds)}", forceable=True)
    if entry.state == "orphaned":
        return entry._replace(reason="left by a process that ended")
    if entry.usage.fault:
        entry = entry._replace(reason=f"cannot be read in full: {entry.usage.fault}")
    return entry._replace(unseen=unseen) if unseen else entry


def describe_held(path: str) -> str:
    """Say in words what `belongs_to_others` found at a path."""
    folder, _, name = path.rpartition("/")
    what = "the temporary directories of another project" if name == TAG else "a git repository"
    return f"{what} in {folder}" if folder else what


def _with_mounts(mounts: Mounts, folder: Directory, entry: Entry) -> Entry:
    """Return an entry; if there is a mount inside, that is its obstacle."""
    mounted = mounts.inside(folder, entry.parts)
    return entry._replace(obstacle=f"a mount point is inside: {mounted}") if mounted else entry


class _Rights:
    """Whether this user may take entries out of their folders, each folder asked once."""

    def __init__(self) -> None:
        self._folders: dict[tuple[int, tuple[str, ...]], bool] = {}
        self._root = os.geteuid() == 0

    def check(self, folder: Directory, entry: Entry) -> Entry:
        """Return an entry; if it has no obstacle yet and rights are missing, that is its obstacle."""
        if entry.obstacle:
            return entry
        obstacle = entry.usage.obstacle or (None if self._root else self._find_obstacle(folder, entry))
        return entry._replace(obstacle=obstacle) if obstacle else entry

    def _find_obstacle(self, folder: Directory, entry: Entry) -> str | None:
        for parts in {(), entry.parts[:-1]}:
            if not self._may_change(folder, parts):
                return f"this user may not change {entry.folder.joinpath(*parts)}: Permission denied"
        if _is_anothers(folder, entry):
            return "it belongs to another user: Operation not permitted"
        if entry.identity.directory and not entry.in_trash and not _may_move(folder, entry):
            return "it belongs to another user: Permission denied"
        return None

    def _may_change(self, folder: Directory, parts: tuple[str, ...]) -> bool:
        key = folder.fd, parts
        if key not in self._folders:
            self._folders[key] = _may(folder, "/".join(parts) or ".", os.W_OK | os.X_OK)
        return self._folders[key]


def _is_anothers(folder: Directory, entry: Entry) -> bool:
    """Tell whether an entry belongs to another user, and is in a sticky folder of another user's."""
    with contextlib.suppress(OSError):
        around = folder.look("/".join(entry.parts[:-1]) or ".")
        if around.st_mode & stat.S_ISVTX and around.st_uid != os.geteuid():
            return folder.owner("/".join(entry.parts)) != os.geteuid()
    return False


def _may(folder: Directory, path: str, mode: int) -> bool:
    return folder.allows(mode, path) or _is_gone(folder, path)  # being gone is not an obstacle: a clean will say so


def _is_gone(folder: Directory, path: str) -> bool:
    try:
        folder.look(path)
    except OSError as error:
        return error.errno == errno.ENOENT
    return False


def _may_move(folder: Directory, entry: Entry) -> bool:
    """Tell whether this user may move a directory: to do so, a user must own it or be allowed to write to it."""
    path = "/".join(entry.parts)
    with contextlib.suppress(OSError):
        return folder.look(path).st_uid == os.geteuid() or _may(folder, path, os.W_OK)
    return True


def is_pinned(folder: Directory, parts: tuple[str, ...] = ()) -> bool:
    """Tell whether the directory at `parts` below the open `folder` has a file named `.keep` at its top.

    Raises OSError if that cannot be told.
    """
    try:
        folder.look("/".join((*parts, names.KEEP)))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
