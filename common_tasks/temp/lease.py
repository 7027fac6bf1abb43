"""Who is using a directory: a shared lock on the directory itself.

The protocol is systemd-tmpfiles': whoever uses a directory holds `flock(LOCK_SH)` on it, a cleaner
takes `LOCK_EX | LOCK_NB` and passes by where that is refused. The kernel drops a lock with the last
descriptor of its open file, so there is nothing to go stale.

A forked child shares its parent's open files: the directory stays in use until both have ended. A
program started with `subprocess` inherits nothing: the directory is in use as long as its maker is.
"""

import contextlib
import errno
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from ._os import os
from .errors import EngineWarning

try:
    import fcntl
except ImportError:  # Windows: no leases
    fcntl = None  # type: ignore[assignment]

_LOCKS = "/proc/locks"
_PAGE_LEFT_OPEN = 3800  # of a page of 4096 bytes or more; a row has some 60
_NO_LOCKS = {
    errno.ENOLCK,
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.ENOSYS,
    errno.EBADF,
}  # EBADF: NFS wants a file open for writing
_MOST_HELD = 512

Key = tuple[int, int]


class Lease(NamedTuple):
    """A shared lock on one directory, held through the descriptor `fd`."""

    key: Key
    fd: int

    def release(self) -> None:
        """Close the descriptor, which gives the lock back; in a forked child it stays the parent's.

        Only if it still is what was opened: a program may have closed all its descriptors, to run as a
        daemon, and the number may be another file's by now.
        """
        with contextlib.suppress(OSError):
            if key(self.fd) == self.key:
                os.close(self.fd)


_held: OrderedDict[Key, Lease] = OrderedDict()  # until this process ends, or others push it out
_blocks: dict[Key, Lease] = {}  # until the block ends
_guard = threading.Lock()
_inherited = 0  # descriptors of leases that the ancestors of a forked child hold


def _start_anew() -> None:
    # What is held belongs to the parent; its descriptors stay open, so the child keeps it in use.
    global _guard, _inherited
    _guard = threading.Lock()
    _inherited += len(_held)
    _held.clear()
    _blocks.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


def key(fd: int) -> Key:
    """Return what identifies an open directory: device and inode."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def share(fd: int) -> Lease | None:
    """Put a directory to use; None where a cleaner is about to take it.

    Takes `fd` over: a lease closes it on release, a refusal at once.
    """
    if not _lock(fd, "LOCK_SH"):
        os.close(fd)
        return None
    return Lease(key(fd), fd)


def hold(lease: Lease) -> None:
    """Keep a lease until this process ends.

    A quarter of the descriptors the process may open, and 512 at the most, are spent on this. Past
    that the lease given first is dropped: that directory then relies on its age alone.
    """
    most = min(_MOST_HELD, _descriptors() // 4)
    with _guard:
        again = _held.pop(lease.key, None)  # one lock a directory: asking again makes it the latest
        _held[lease.key] = lease
        full = len(_held) + _inherited > most and len(_held) > 1
        oldest = _held.popitem(last=False)[1] if full else None
    for surplus in filter(None, (again, oldest)):
        surplus.release()


def _descriptors() -> int:
    return os.sysconf("SC_OPEN_MAX") if hasattr(os, "sysconf") else 2048


@contextlib.contextmanager
def held_for_block(lease: Lease) -> Iterator[None]:
    """Keep a lease until the block ends."""
    _blocks[lease.key] = lease
    try:
        yield
    finally:
        _blocks.pop(lease.key, None)
        lease.release()


def held_here(identity: Key) -> bool:
    """Tell whether this very process holds a lease on a directory."""
    return identity in _held or identity in _blocks


@contextlib.contextmanager
def claim(fd: int) -> Iterator[bool]:
    """Try to have a directory for oneself while the block lasts; yields whether that was granted.

    Never waits. A lease of this process does not stand in its own way: it is raised for the block,
    and what then still exists stays in use afterwards.
    """
    lock, own = _own_or(fd)
    try:
        yield _lock(lock, "LOCK_EX")
    finally:
        # A refused raise may have lost the shared lock too: flock(2) converts in two steps.
        _lock(lock, "LOCK_SH" if own else "LOCK_UN")
        os.close(lock)


def _own_or(fd: int) -> tuple[int, bool]:
    """Duplicate the descriptor of this process's own lease on a directory, else `fd`; tell which it was."""
    identity = key(fd)
    with _guard:  # another thread may drop the lease at any time
        own = _held.get(identity) or _blocks.get(identity)
        with contextlib.suppress(OSError):
            if own and key(own.fd) == identity:
                return os.dup(own.fd), True
    return os.dup(fd), False


def drop(identity: Key) -> None:
    """Let go of a directory that is no more."""
    with _guard:
        lease = _held.pop(identity, None)
    if lease:
        lease.release()


@contextlib.contextmanager
def alone(fd: int) -> Iterator[None]:
    """Keep every other process that asks for the same out of the block, waiting for them to leave it."""
    _lock(fd, "LOCK_EX", wait=True)
    try:
        yield
    finally:
        _lock(fd, "LOCK_UN")


def _lock(fd: int, operation: str, *, wait: bool = False) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(fd, getattr(fcntl, operation) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        _say_once(error)
    return True


def _say_once(error: OSError) -> None:
    if not _said:
        _said.append(True)
        warnings.warn(f"no locks here ({error.strerror}): directories in use are told by age only", EngineWarning, 4)


_said: list[bool] = []


class Users:
    """Which processes use which directories, at one moment.

    A use is found by the directory itself, and by its path from each directory above it.
    """

    def __init__(self) -> None:
        self._uses: dict[Key | str, list[tuple[int, Key]]] = {}

    def add(self, pid: int, identity: Key, path: str | None) -> None:
        """Note that `pid` holds a lock on the directory `identity`, which it knows as `path`."""
        self._uses.setdefault(identity, []).append((pid, identity))
        while path and path != "/":
            self._uses.setdefault(path, []).append((pid, identity))
            path = os.path.dirname(path)

    def of(self, identity: Key, path: str | None = None) -> tuple[int, ...]:
        """Return the processes other than this one that use a directory, or one below its real `path`."""
        uses = self._uses.get(identity, []) + (self._uses.get(path, []) if path else [])
        return tuple(sorted({pid for pid, found in uses if pid != os.getpid() or not held_here(found)}))


def look() -> Users | None:
    """Return who uses what, read from the kernel's table of locks; None where there is none.

    Takes no lock itself, so looking never makes a directory look used. Locks of other PID
    namespaces (containers) are not in the table: a claim meets them all the same.
    """
    try:
        rows = [row.split() for row in _read_table(_LOCKS).splitlines()]
    except OSError:
        return None
    users = Users()
    inodes: dict[int, set[int]] = {}
    for row in rows:
        if row[1] == "FLOCK":
            major, minor, inode = row[5].split(":")
            users.add(int(row[4]), (os.makedev(int(major, 16), int(minor, 16)), int(inode)), None)
            inodes.setdefault(int(row[4]), set()).add(int(inode))
    for pid, wanted in inodes.items():
        for identity, path in _open_directories(pid):
            if identity[1] in wanted:
                users.add(pid, identity, path)
    return users


def _read_table(path: str) -> str:
    """Read a table of the kernel's, which comes in pages.

    Each read of the table of locks stops all locking for a moment, and waits some milliseconds for
    that: so none is spent on learning that there is no more. A page that has room left was the last.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        text = part = os.read(fd, 2**16)
        while len(part) > _PAGE_LEFT_OPEN:
            part = os.read(fd, 2**16)
            text += part
        return text.decode("ascii")
    finally:
        os.close(fd)


def _open_directories(pid: int) -> Iterator[tuple[Key, str]]:
    """Yield what a process of ours has open: the table's device number is not everywhere that of stat (btrfs)."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):  # ended meanwhile, or another user's
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                path = os.readlink(f"{folder}/{fd}")
                if path.startswith("/"):
                    found = os.stat(f"{folder}/{fd}")
                    yield (found.st_dev, found.st_ino), path


def describe(pids: tuple[int, ...]) -> str:
    """Say who uses a directory: "in use by pid 4123 (inv test)", "… and 2 more"."""
    if not pids:
        return "in use"
    command = _command(pids[0])
    more = f" and {len(pids) - 1} more" if len(pids) > 1 else ""
    return f"in use by pid {pids[0]}" + (f" ({command})" if command else "") + more


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    except OSError:
        return ""
    if len(words) > 1 and os.path.basename(words[0]).startswith("python") and not words[1].startswith("-"):
        words = words[1:]
    text = " ".join([os.path.basename(word) for word in words[:1]] + words[1:])
    return text if len(text) <= 60 else text[:59] + "…"


def probe(fd: int) -> bool:
    """Tell whether somebody uses an open directory, where the kernel shows no table.

    Holds the lock for an instant: only for systems without `holders`.
    """
    with claim(fd) as granted:
        return not granted
