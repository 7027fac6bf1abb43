"""The lock of a base: it is held to move entries out of sight, or to give out an entry that was there before.

It is a lock on the base's tag, not on the base itself, which somebody may have locked for reasons of their own.
Only while there is no tag is it a lock on the base.
"""

import contextlib
import time
from collections.abc import Iterator

from ..fs import lock
from ..fs.directory import VISITING, Directory
from ..fs.lock import Claim
from .tag import opened_tag

PATIENCE = 2.0  # seconds to wait without a sign that the holder of a lock is working
CLEANS_PATIENCE = 300.0  # seconds that a clean waits for others that are working


@contextlib.contextmanager
def locked(base: Directory, most: float | None = None) -> Iterator[bool]:
    """Hold the lock of an open base for the block: meanwhile nobody else is given an entry that was there before.

    Yields False if others have held it for `most` seconds (by default PATIENCE), or if the holder has not worked for
    PATIENCE, for instance because it was stopped.
    """
    with contextlib.ExitStack() as stack:
        granted, tag = True, _open_tag(base, stack)
        if tag is None:  # nobody is given anything in it before it has a tag, and making that takes the folder's lock
            granted = stack.enter_context(lock_of(base, most))
            tag = _open_tag(base, stack)
        yield granted if tag is None else _obtain(tag, most)


def _open_tag(base: Directory, stack: contextlib.ExitStack) -> int | None:
    """Open the tag of a base until the stack is closed; None if there is none."""
    with contextlib.suppress(OSError):
        return stack.enter_context(opened_tag(base))
    return None


@contextlib.contextmanager
def lock_of(directory: Directory, most: float | None = None) -> Iterator[bool]:
    """Hold the lock of a folder that is not a marked base; yields as `locked` does."""
    with directory.opened(".", VISITING) as fd:
        yield _obtain(fd, most)


def _obtain(fd: int, most: float | None) -> bool:
    """Get the exclusive lock of an open file, until that is closed; tell whether it was given, as `locked` does."""
    if lock.own(fd) is not Claim.REFUSED:
        return True
    from ..fs.kernel import work_of_holders  # only needed if there is somebody to wait for

    end = time.monotonic() + (PATIENCE if most is None else most)
    look, work = time.monotonic() + PATIENCE, work_of_holders(fd)
    while lock.own(fd) is Claim.REFUSED:
        now = time.monotonic()
        if now >= end:
            return False
        if now >= look:
            before, work = work, work_of_holders(fd)
            look = now + PATIENCE
            if work == before:
                return False
        time.sleep(0.005)
    return True


@contextlib.contextmanager
def locked_at_once(base: Directory) -> Iterator[bool]:
    """Hold the lock for the block if nobody else has it; yields whether it was granted."""
    with contextlib.ExitStack() as stack:
        tag = _open_tag(base, stack)
        yield tag is not None and lock.own(tag) is Claim.GRANTED
