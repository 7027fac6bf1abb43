"""Looks into trees for uses that the kernel's tables do not show, or not with a path (see `uses.Unseen`)."""

import errno
import fcntl
import os
import signal
import stat
import time
from collections.abc import Sequence
from typing import NamedTuple

from . import workers as pool
from .directory import Directory
from .kernel import raise_if_short
from .places import Parents, Place
from .syscalls import open_on_same_mount
from .uses import Unseen
from .walk import Position, Visitor, walk
from .workers import ALONE, Workers

_HARMLESS = signal.SIGURG  # what the kernel sends to the holder of a lease; the default, SIGIO, ends a process
PAUSES = (0.0, *(0.002 * 2**number for number in range(8)))  # seconds before each try, half a second in all


class Suspect(NamedTuple):
    """Trees that go together, and which `unseen` uses they may have."""

    places: Sequence[Place]
    unseen: Unseen


def find_uses(suspects: Sequence[Suspect], workers: Workers = ALONE) -> list[str | None]:
    """Say for each, in words, who uses one of its trees, or None. See `find_use`. `workers` share the work."""
    pieces = min(len(suspects), pool.MOST_PIECES)

    def work(piece: int) -> list[str | None]:
        with Parents(open_on_same_mount) as parents:
            return [_find_first(parents, suspects[number]) for number in pool.part(piece, pieces, len(suspects))]

    worth_forking = sum(suspect.unseen.in_trees for suspect in suspects) >= pool.ENOUGH_BRANCHES
    parts = pool.divide(pieces, work, workers.processes if worth_forking else 1)
    return [found for part in parts for found in part]


def _find_first(parents: Parents, suspect: Suspect) -> str | None:
    for place in suspect.places if suspect.unseen.in_trees else ():
        try:
            parent = parents.open(place)
        except OSError:  # vanished, or cannot be opened: a clean will say so
            continue
        found = find_use(parent, place.name, suspect.unseen)
        if found:
            return found
    return None


def find_use(parent: Directory, name: str, unseen: Unseen) -> str | None:
    """Say in words who uses `name` in an open directory, or something in it; None if nobody does.

    A directory that cannot be looked into tells nothing. Whether a file is open is found out by taking a lease on it
    for an instant (see `is_open_elsewhere`); neither its content nor its times are touched.
    """
    if not unseen.in_trees:
        return None
    try:
        found = parent.look(name)
        if stat.S_ISDIR(found.st_mode):
            looking = _Looking(unseen)
            walk(parent, name, looking)
            return looking.found
    except OSError as error:
        raise_if_short(error)
        return None
    if found.st_ino in unseen.sockets and stat.S_ISSOCK(found.st_mode):
        return _BOUND
    if unseen.files and stat.S_ISREG(found.st_mode) and _is_written_to(parent.fd, name):
        return "in use: it is open for writing"
    return None


_BOUND = "in use: a socket is bound in it"


class _Looking(Visitor):
    """Finds the first use in a tree."""

    def __init__(self, unseen: Unseen) -> None:
        self.found: str | None = None
        self._unseen = unseen

    def enter(self, position: Position, name: str) -> list[str] | None:
        """Look into a directory; see `Visitor`."""
        if self.found:
            return None
        try:
            position.enter(name)
        except OSError as error:
            raise_if_short(error)
            return None
        below = []
        try:
            with position.directory.scan() as rows:
                for row in rows:
                    if row.is_dir(follow_symlinks=False):
                        below.append(row.name)
                    elif self._is_used(position.directory, row):
                        return []
        except OSError as error:
            raise_if_short(error)
        return below

    def _is_used(self, directory: Directory, row: "os.DirEntry[str]") -> bool:
        if row.inode() in self._unseen.sockets:
            self.found = _BOUND
        elif self._unseen.files and row.is_file(follow_symlinks=False) and is_open_elsewhere(directory.fd, row.name):
            self.found = f"in use: {row.name} is open in a process that cannot be looked into"
        return self.found is not None


def is_open_elsewhere(parent: int, name: str) -> bool:
    """Tell whether anybody has a regular file open or mapped, or runs it; what cannot be told counts as no.

    A write lease (fcntl(2), F_SETLEASE) is granted to the owner of a file, and to root, if nobody else has it open, and
    is given back at once. A process that opens the file in that instant waits until then, or fails if it asked not to
    wait. Trying again for half a second tells a user from others that probe the same file at this moment.
    """
    for pause in PAUSES:
        time.sleep(pause)
        if _try_lease(parent, name, fcntl.F_WRLCK) is not False:
            return False
    return True


def _is_written_to(parent: int, name: str) -> bool:
    """Tell whether anybody has a regular file open for writing; this process may have it open for reading."""
    return _try_lease(parent, name, fcntl.F_RDLCK) is False


def _try_lease(parent: int, name: str, kind: int) -> bool | None:
    """Tell whether a lease was granted; None if it was refused for a reason that tells nothing."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except BlockingIOError:  # somebody else has a lease on it
        return False
    except OSError as error:
        raise_if_short(error)
        return None
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, _HARMLESS)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    finally:
        os.close(fd)
    return True
