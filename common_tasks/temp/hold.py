"""Holds: shared locks on directories that this process lends for a block, or keeps for a test.

A directory in the system's temporary location has a lock of its own, since systemd-tmpfiles and our own cleans look for
that there. What lies in a base is told by leases: see `lease`.
"""

import contextlib
import os
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start

from ..fs import lock
from ..fs.directory import Directory
from ..fs.lock import Claim
from ..fs.values import Key


class Hold(namedtuple("Hold", "key fd")):
    """A shared lock on one directory, held through the descriptor `fd`.

    It is the protocol of systemd-tmpfiles: a cleaner passes by what somebody has locked.
    """

    __slots__ = ()
    key: Key
    fd: int

    def release(self) -> None:
        """Close the descriptor, which gives the lock back; in a forked child it stays the parent's.

        Only if it still is what was opened: a program may have closed all its descriptors, to run as a
        daemon, and the number may be another file's by now.
        """
        with contextlib.suppress(OSError):
            if lock.key_of(self.fd) == self.key:
                os.close(self.fd)


_holds: dict[Key, Hold] = {}


def share(directory: Directory) -> Hold | None:
    """Put a directory of its own to use; None where a cleaner is about to take it.

    Takes the descriptor over: a hold closes it on release, a refusal at once.
    """
    try:
        granted = lock.share(directory.fd)
        held = Hold(directory.key(), directory.fd)
    except OSError:
        directory.close()
        raise
    if granted is Claim.REFUSED:
        directory.close()
        return None
    return held


def hold(held: Hold) -> None:
    """Keep a hold until `drop`, or until this process ends."""
    _holds[held.key] = held


def held_here(identity: Key) -> bool:
    """Tell whether this very process holds a directory."""
    return identity in _holds


def drop(identity: Key) -> None:
    """Let go of a directory, if this process holds it."""
    held = _holds.pop(identity, None)
    if held:
        held.release()
