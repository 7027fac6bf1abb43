"""Holding a directory, and claiming one: a lock on the directory itself.

The protocol is systemd-tmpfiles': whoever uses a directory holds `flock(LOCK_SH)` on it, a cleaner
takes `LOCK_EX | LOCK_NB` and passes by where that is refused. The kernel drops a lock with the last
descriptor of its open file, so there is nothing to go stale.

A forked child shares its parent's open files: the directory stays in use until both have ended. A
program started with `subprocess` inherits nothing: the directory is in use as long as its maker is.
"""

import contextlib
import errno
import fcntl
import os
import warnings
from _thread import allocate_lock  # `threading` itself takes longer to load than a lease takes
from collections import OrderedDict, namedtuple  # see `layout`
from collections.abc import Iterator

from ..errors import EngineWarning
from ..fs.directory import Directory
from ..fs.values import Key

_NO_LOCKS = frozenset(
    {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}  # EBADF: NFS asks for a file to write to
)
_MOST_HELD = 512


class Lease(namedtuple("Lease", "key fd")):
    """A shared lock on one directory, held through the descriptor `fd`."""

    __slots__ = ()
    key: Key
    fd: int

    def release(self) -> None:
        """Close the descriptor, which gives the lock back; in a forked child it stays the parent's.

        Only if it still is what was opened: a program may have closed all its descriptors, to run as a
        daemon, and the number may be another file's by now.
        """
        _forget(self.key, self.fd)
        with contextlib.suppress(OSError):
            if _key(self.fd) == self.key:
                os.close(self.fd)


_open: dict[Key, set[int]] = {}  # the descriptors of all leases and claims of this process
_held: OrderedDict[Key, Lease] = OrderedDict()  # until this process ends, or others push it out
_blocks: dict[Key, Lease] = {}  # until the block ends
_guard = allocate_lock()
_inherited = 0  # descriptors of leases that the ancestors of a forked child hold


def _start_anew() -> None:
    # What is held belongs to the parent; its descriptors stay open, so the child keeps it in use.
    global _guard, _inherited
    _guard = allocate_lock()
    _inherited += len(_held)
    _held.clear()
    _blocks.clear()
    _open.clear()


os.register_at_fork(after_in_child=_start_anew)


def _key(fd: int) -> Key:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def share(directory: Directory) -> Lease | None:
    """Put a directory to use; None where a cleaner is about to take it.

    Takes the descriptor over: a lease closes it on release, a refusal at once.
    """
    try:
        granted = _lock(directory.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        lease = Lease(directory.key(), directory.fd)
    except OSError:
        directory.close()
        raise
    if granted is False:
        directory.close()
        return None
    _note(lease.key, lease.fd)
    return lease


def _note(key: Key, fd: int) -> None:
    with _guard:
        _open.setdefault(key, set()).add(fd)


def _forget(key: Key, fd: int) -> None:
    with _guard:
        _open.get(key, set()).discard(fd)
        if not _open.get(key, True):
            del _open[key]


def hold(lease: Lease) -> None:
    """Keep a lease until this process ends.

    A quarter of the descriptors the process may open, and 512 at the most, are spent on this. Past
    that the lease given first is dropped: that directory then relies on its age alone.
    """
    most = min(_MOST_HELD, most_descriptors() // 4)
    with _guard:
        again = _held.pop(lease.key, None)  # one lock a directory: asking again makes it the latest
        _held[lease.key] = lease
        full = len(_held) + _inherited > most and len(_held) > 1
        oldest = _held.popitem(last=False)[1] if full else None
    for surplus in filter(None, (again, oldest)):
        surplus.release()


def most_descriptors() -> int:
    """Return how many descriptors this process may have open; a system that sets no limit says -1."""
    most = os.sysconf("SC_OPEN_MAX")
    return most if most > 0 else 4 * _MOST_HELD


def hold_for_block(lease: Lease) -> None:
    """Keep a lease until `drop`, outside the bound of `hold`."""
    _blocks[lease.key] = lease


def held_here(identity: Key) -> bool:
    """Tell whether this very process holds a lease on a directory."""
    return identity in _held or identity in _blocks


def descriptors() -> set[int]:
    """Return the descriptors that this process holds its leases and claims with, but for those of blocks.

    What a process made for good it may clean itself; what it has lent for a block that goes on is in use.
    """
    with _guard:
        lent = {lease.fd for lease in _blocks.values()}
        return {fd for fds in _open.values() for fd in fds} - lent


def drop(identity: Key) -> None:
    """Let go of a directory, if this process holds it."""
    with _guard:
        leases = _held.pop(identity, None), _blocks.pop(identity, None)
    for lease in filter(None, leases):
        lease.release()


@contextlib.contextmanager
def claim(file: int) -> Iterator[bool | None]:
    """Try to have an open file or directory for oneself while the block lasts; the caller keeps it open.

    Yields whether that was granted; None where locks do not work. Never waits. A lease of this process does
    not stand in its own way: it is raised for the block, and what then still exists stays in use afterwards.
    """
    key = _key(file)
    own = _duplicate_own(key)
    lock = file if own is None else own
    _note(key, lock)
    try:
        yield _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        _forget(key, lock)
        # A refused raise may have lost the shared lock too: flock(2) converts in two steps.
        _lock(lock, fcntl.LOCK_UN if own is None else fcntl.LOCK_SH | fcntl.LOCK_NB)
        if own is not None:
            os.close(own)


def _duplicate_own(key: Key) -> int | None:
    """Duplicate the descriptor of this process's own lease on a directory; None where it has none."""
    with _guard:  # another thread may drop the lease at any time
        for fd in _open.get(key, ()):
            with contextlib.suppress(OSError):
                if _key(fd) == key:
                    return os.dup(fd)
    return None


@contextlib.contextmanager
def alone(fd: int) -> Iterator[None]:
    """Keep every other process that asks for the same out of the block, waiting for them to leave it."""
    _lock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        _lock(fd, fcntl.LOCK_UN)


def _lock(fd: int, operation: int) -> bool | None:
    """Tell whether the lock was granted; None where there are no locks."""
    try:
        fcntl.flock(fd, operation)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _warn_once(error)
        return None
    return True


def _warn_once(error: OSError) -> None:
    if not _warned:
        _warned.append(True)
        warnings.warn(f"no locks here ({error.strerror}): see what uses a directory by its age only", EngineWarning, 4)


_warned: list[bool] = []
