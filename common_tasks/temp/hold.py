"""Holds: shared locks on directories that this process lends for a block, or keeps for a test.

A directory in the system's temporary location has a lock of its own, since systemd-tmpfiles and our own cleans look for
that there. What lies in a base is told by leases: see `lease`.
"""

import os

from ..fs import lock
from ..fs.directory import Directory
from ..fs.lock import Claim
from ..fs.values import Key


class Held:
    """A file or directory that this process keeps open.

    A program may close all its descriptors, to run as a daemon: then the number may be another file's by now.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.key: Key = lock.key_of(fd)

    def status(self) -> os.stat_result | None:
        """Look at it; None if it has been closed."""
        try:
            found = os.fstat(self.fd)
        except OSError:
            return None
        return found if (found.st_dev, found.st_ino) == self.key else None

    def close(self) -> None:
        """Close it, which gives its lock back; if a forked child does this, the parent keeps the lock."""
        if self.status():
            os.close(self.fd)
        self.fd = -1


_holds: dict[Key, Held] = {}


def share(directory: Directory) -> Key | None:
    """Put a directory in use until `drop`, or until this process ends, and return the key that identifies it.

    None if a clean is about to take it: as with systemd-tmpfiles, cleaners leave alone what somebody has locked.
    Takes over the descriptor, even if it raises OSError.
    """
    try:
        granted = lock.share(directory.fd)
        held = Held(directory.fd)
    except OSError:
        directory.close()
        raise
    if granted is Claim.REFUSED:
        directory.close()
        return None
    _holds[held.key] = held
    return held.key


def held_here(key: Key) -> bool:
    """Tell whether this process itself holds a directory."""
    return key in _holds


def drop(key: Key) -> None:
    """Let go of a directory, if this process holds it."""
    held = _holds.pop(key, None)
    if held:
        held.close()
