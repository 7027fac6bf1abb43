"""What is there: the entries of projects, and what killed processes left in the system's temporary folder.

Looking takes no lock and changes nothing on disk.
"""

import contextlib
import errno
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import layout, lease
from ._os import os
from .base import DIRECTORY, NOFOLLOW, open_base
from .descent import Mounts, real_path
from .layout import Base, Project
from .seal import looks_sealed, unseal
from .tracked import Tracked, ask_git
from .usage import Tick, Top, Usage, measure, no_tick, open_parent

State = Literal["idle", "in-use", "kept", "tracked", "orphaned", "unfinished"]
ORPHANED = "orphaned"
SEALED_TRASH = layout.TRASH  # what a sealed name begins with, once the directory is to be removed


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether a path still names what was looked at, unchanged at its top."""

    device: int
    inode: int
    mtime_ns: int
    directory: bool

    @property
    def key(self) -> lease.Key:
        """What identifies it for as long as it exists."""
        return self.device, self.inode

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """Take what is needed out of a stat."""
        return cls(found.st_dev, found.st_ino, found.st_mtime_ns, stat.S_ISDIR(found.st_mode))


@dataclass(frozen=True, slots=True)
class Entry:
    """What is shown, aged and removed, always whole.

    It stands at `folder` / `parts`. `base` is None outside the bases. `usage` is None where nobody
    asked for it. `created`: seconds since 1970, from the name. `reason`: why `state` is what it is.
    `obstacle`: what can be seen to make a removal impossible.
    """

    folder: Path
    parts: tuple[str, ...]
    base: Base | None
    category: str
    name: str
    created: int | None
    identity: Identity
    usage: Usage | None = None
    state: State = "idle"
    reason: str | None = None
    obstacle: str | None = None

    @property
    def path(self) -> Path:
        """Where it stands."""
        return self.folder.joinpath(*self.parts)

    @property
    def in_category(self) -> bool:
        """Whether it stands in a category, whose `.keep` counts for it, too."""
        return self.base is not None and len(self.parts) > 1

    @property
    def may_be_category(self) -> bool:
        """Whether it is only for want of entries in it that it is not a category."""
        return bool(self.base and not self.base.legacy and len(self.parts) == 1 and not layout.parse_name(self.name))


Located = tuple[int, Entry]  # an entry, and its folder, open


def take(
    projects: Iterable[Project], *, orphans: bool = True, measured: bool = True, tick: Tick = no_tick, workers: int = 1
) -> tuple[Entry, ...]:
    """Return the entries of `projects`, sorted by base and name; then, if asked for, the orphans.

    With `measured` every entry has its usage: one walk over each tree. Raises BaseRefused where a
    base is not ours, GuardFailed where git is there but cannot tell what it tracks.
    """
    with contextlib.ExitStack() as stack:
        located: list[Located] = []
        for project in projects:
            here = []
            for base in project.bases:
                fd = open_base(base)
                if fd is not None:
                    stack.callback(os.close, fd)
                    here += [(fd, entry) for entry in _list_base(base, fd)]
            located += _with_tracked(project, here)
        if orphans:
            # Where the system's temporary folder is a base, an entry is listed once.
            listed = {entry.identity.key for _, entry in located}
            located += [each for each in _list_orphans(stack) if each[1].identity.key not in listed]
        entries = with_usage(located, tick, workers) if measured else located
        stated = with_states(entries)
    return tuple(entry for entry in stated if entry.base or not _is_lent(entry))


def _is_lent(entry: Entry) -> bool:
    """Tell whether a directory in the system's temporary folder is in use, by this process too: no orphan."""
    return entry.state == "in-use" or lease.held_here(entry.identity.key)


def _list_base(base: Base, fd: int) -> Iterator[Entry]:
    for name in sorted(os.listdir(fd)):
        if name == layout.TRASH:
            for left in _children(fd, name):
                yield from _entry(base, fd, (name, left), layout.TRASH, "unfinished")
        elif not base.reserves(name):
            yield from _list_top(base, fd, name)


def _list_top(base: Base, fd: int, name: str) -> Iterator[Entry]:
    """List a category's entries; what is no category is an entry itself.

    A category is told from a folder that somebody made by hand by the entries in it.
    """
    below = {} if base.legacy or layout.parse_name(name) else _children(fd, name)
    stamped = {child for child, directory in below.items() if directory and layout.parse_name(child)}
    if not stamped:
        pinned = any(directory and _seems_pinned(fd, (name, child)) for child, directory in below.items())
        yield from _entry(base, fd, (name,), layout.LEGACY, "kept" if pinned else "idle")
        return
    state: State = "kept" if layout.KEEP in below else "idle"
    for child in below:
        if child != layout.KEEP:
            yield from _entry(base, fd, (name, child), name if child in stamped else layout.LEGACY, state)


def _children(fd: int, name: str) -> dict[str, bool]:
    """Return what is in the folder `name`, sorted, and whether it is a directory."""
    try:
        below = os.open(name, DIRECTORY | NOFOLLOW, dir_fd=fd)
        try:
            os.stat(".", dir_fd=below)  # to list names is not enough
            with os.scandir(below) as rows:
                return dict(sorted((row.name, row.is_dir(follow_symlinks=False)) for row in rows))
        finally:
            os.close(below)
    except OSError as error:
        # No directory, or none to be read: an entry, whole. A clean looks again before it takes one.
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
            return {}
        raise


def _entry(base: Base, fd: int, parts: tuple[str, ...], category: str, state: State = "idle") -> Iterator[Entry]:
    try:
        found = os.lstat("/".join(parts), dir_fd=fd)
    except OSError:  # vanished or swapped meanwhile, or in a folder that only lists its names
        return
    stamped = layout.parse_name(parts[-1])
    name, created = (stamped.name, stamped.created) if stamped else (parts[-1], None)
    yield Entry(base.path, parts, base, category, name, created, Identity.of(found), None, state)


def _list_orphans(stack: contextlib.ExitStack) -> list[Located]:
    """List the directories in the system's temporary folder that are ours, of this user, and sealed."""
    try:
        folder = Path(tempfile.gettempdir())
        fd = os.open(folder, DIRECTORY)
    except OSError:  # nowhere to make one, so nothing was left
        return []
    stack.callback(os.close, fd)
    candidates = (_orphan(folder, fd, row) for row in sorted(os.listdir(fd)) if looks_sealed(row))
    return [(fd, orphan) for orphan in candidates if orphan]


def _orphan(folder: Path, fd: int, row: str) -> Entry | None:
    try:
        found = os.lstat(row, dir_fd=fd)
    except OSError:  # vanished meanwhile
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return None
    name = unseal(row, found.st_ino)
    if name is None:
        return None
    state: State = "unfinished" if name == SEALED_TRASH else "orphaned"
    return Entry(folder, (row,), None, ORPHANED, name, None, Identity.of(found), None, state)


def _with_tracked(project: Project, located: list[Located]) -> list[Located]:
    if not located:
        return []
    tracked = _tracked(project, {entry.folder for _, entry in located})
    return [
        (fd, replace(entry, state="tracked") if entry.parts in tracked[entry.folder] else entry)
        for fd, entry in located
    ]


def _tracked(project: Project, folders: set[Path]) -> dict[Path, "_Below"]:
    """Ask git once for the bases in the project, and once more for each that lies elsewhere."""
    root = project.root.resolve()
    inside = {folder: folder.resolve() for folder in folders if folder.resolve().is_relative_to(root)}
    below = {folder: real.relative_to(root).parts for folder, real in inside.items()}
    answers: dict[Path, _Below] = {}
    if inside:
        answer = ask_git(root, *("/".join(parts) for parts in below.values()))
        answers |= {folder: _Below(answer, parts) for folder, parts in below.items()}
    for folder in folders - inside.keys():
        answers[folder] = _Below(ask_git(folder.resolve()), ())
    return answers


@dataclass(frozen=True, slots=True)
class _Below:
    tracked: Tracked
    prefix: tuple[str, ...]

    def __contains__(self, parts: tuple[str, ...]) -> bool:
        return (*self.prefix, *parts) in self.tracked


def with_usage(located: Sequence[Located], tick: Tick = no_tick, workers: int = 1) -> list[Located]:
    """Return the entries that still are there with what each takes up; each comes with its open folder."""
    usages = measure([Top(fd, entry.parts) for fd, entry in located], tick, workers)
    return [(fd, replace(entry, usage=usage)) for (fd, entry), usage in zip(located, usages, strict=True) if usage]


def with_states(located: Sequence[Located]) -> list[Entry]:
    """Return entries with what bears on their removal; each comes with its open folder."""
    users, mounts = lease.look(), Mounts()
    tops = {fd: real_path(fd) for fd, _ in located} if users else {}
    return [_with_obstacle(fd, _with_state(fd, entry, users, tops.get(fd, "")), mounts) for fd, entry in located]


def _with_state(fd: int, entry: Entry, users: lease.Users | None, top: str) -> Entry:
    if entry.state == "tracked":
        return replace(entry, reason="tracked by git")
    if entry.state == "unfinished":
        return replace(entry, reason="left by an interrupted clean")
    if entry.state == "kept":
        of = entry.parts[0] if entry.in_category else "what is in it"
        return replace(entry, reason=f"kept: {layout.KEEP} of {of}")
    if not entry.identity.directory:
        return entry
    holder = _holder(fd, entry, users, top)
    if _seems_pinned(fd, entry.parts) and not (holder and entry.state == "orphaned"):
        return replace(entry, state="kept", reason=f"kept: {layout.KEEP}")
    if holder:
        return replace(entry, state="in-use", reason=holder)
    if entry.state == "orphaned":
        return replace(entry, reason="left by a process that ended")
    fault = entry.usage.fault if entry.usage else None
    return replace(entry, reason=f"cannot be read in full: {fault}") if fault else entry


def _with_obstacle(fd: int, entry: Entry, mounts: Mounts) -> Entry:
    mounted = mounts.inside(fd, entry.parts)
    return replace(entry, obstacle=f"a mount point is inside: {mounted}") if mounted else entry


def _seems_pinned(fd: int, parts: tuple[str, ...]) -> bool:
    try:
        return is_pinned(fd, parts)
    except OSError:  # not to be looked into: a clean, which may, looks again
        return False


def is_pinned(fd: int, parts: tuple[str, ...] = ()) -> bool:
    """Tell whether the directory at `parts` below the open `fd` holds a file named `.keep` at its top.

    Raises OSError where that cannot be told.
    """
    try:
        os.lstat("/".join((*parts, layout.KEEP)), dir_fd=fd)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _holder(fd: int, entry: Entry, users: lease.Users | None, top: str) -> str | None:
    if users is None:
        return _probe(fd, entry)
    pids = users.of(entry.identity.key, "/".join((top, *entry.parts)))
    return lease.describe(pids) if pids else None


def _probe(fd: int, entry: Entry) -> str | None:
    try:
        parent = open_parent(Top(fd, entry.parts))
        try:
            opened = os.open(entry.parts[-1], DIRECTORY | NOFOLLOW, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError:  # vanished, or not to be opened: a clean will say so
        return None
    try:
        return lease.describe(()) if lease.probe(opened) else None
    finally:
        os.close(opened)
