"""Locks on open files and directories: flock(2). The kernel drops one with the last descriptor of its open file."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from enum import Enum

_NO_LOCKS = frozenset(
    {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}  # EBADF: NFS asks for a file to write to
)


class Claim(Enum):
    """What became of asking for a lock."""

    GRANTED = "granted"
    REFUSED = "refused"  # somebody else has it
    IMPOSSIBLE = "impossible"  # the file system has no locks


def share(fd: int) -> Claim:
    """Ask for a shared lock, without waiting. Raises OSError."""
    return _ask(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)


def own(fd: int) -> Claim:
    """Ask for the exclusive lock, without waiting. Raises OSError."""
    return _ask(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def wait(fd: int) -> Claim:
    """Get the exclusive lock, however long that takes. Raises OSError."""
    return _ask(fd, fcntl.LOCK_EX)


def give_back(fd: int) -> None:
    """Give a lock back. Raises OSError."""
    _ask(fd, fcntl.LOCK_UN)


@contextlib.contextmanager
def alone(fd: int) -> Iterator[None]:
    """Hold the exclusive lock for the block, after waiting until nobody else has one."""
    wait(fd)
    try:
        yield
    finally:
        give_back(fd)


@contextlib.contextmanager
def claim(fd: int) -> Iterator[Claim]:
    """Ask for the exclusive lock for the block, without waiting."""
    granted = own(fd)
    try:
        yield granted
    finally:
        if granted is Claim.GRANTED:
            give_back(fd)


def look(fd: int) -> Claim:
    """Ask for the shared lock on an open file, and tell what became of that. It is given back at once."""
    granted = share(fd)
    if granted is Claim.GRANTED:
        give_back(fd)
    return granted


def is_held(fd: int) -> bool:
    """Tell whether somebody holds the exclusive lock on an open file."""
    return look(fd) is Claim.REFUSED


def can_lock(fd: int) -> bool:
    """Tell whether the file system of an open file has locks."""
    return look(fd) is not Claim.IMPOSSIBLE


def _ask(fd: int, operation: int) -> Claim:
    try:
        fcntl.flock(fd, operation)
    except BlockingIOError:
        return Claim.REFUSED
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return Claim.IMPOSSIBLE
    return Claim.GRANTED


def key_of(fd: int) -> tuple[int, int]:
    """Return the device and inode of an open file. Raises OSError."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
