"""The lock of a base: who holds it moves entries out of sight, or gives out one that was there before.

It is a lock on the base's tag: not on the base itself, which somebody may have locked for good reasons of their own.
Only as long as there is no tag, it is a lock on the base.
"""

import contextlib
import os
import time
from collections.abc import Iterator

from ..fs import lock
from ..fs.directory import VISITING, Directory
from ..fs.lock import Claim
from .tag import open_tag

PATIENCE = 2.0  # seconds without a sign that the holder of a lock works
CLEANS_PATIENCE = 300.0  # seconds that a clean waits for others that work


@contextlib.contextmanager
def locked(base: Directory, most: float | None = None) -> Iterator[bool]:
    """Hold the lock of an open base for the block: nobody else is given an entry that was there before.

    Yields False where others have had it for `most` seconds, else PATIENCE, or one that does not work for PATIENCE, say
    because it was stopped.
    """
    tag = open_tag(base)
    if tag is not None:
        with _waited_for(tag, most) as granted:
            yield granted
        return
    with lock_of(base, most) as granted:
        tag = open_tag(base)
        if tag is None:  # nobody is given anything in it before it has one, which waits for this lock
            yield granted
            return
        with _waited_for(tag, most) as granted:
            yield granted


@contextlib.contextmanager
def lock_of(directory: Directory, most: float | None = None) -> Iterator[bool]:
    """Hold the lock of a folder that is no marked base; yields as `locked` does."""
    with _waited_for(directory.open(".", VISITING), most) as granted:
        yield granted


@contextlib.contextmanager
def _waited_for(fd: int, most: float | None) -> Iterator[bool]:
    """Hold the exclusive lock of an open file for the block, and close it; yields as `locked` does."""
    try:
        granted = lock.own(fd)
        yield (_wait(fd, most) if granted is Claim.REFUSED else granted) is not Claim.REFUSED
    finally:
        os.close(fd)


def _wait(fd: int, most: float | None) -> Claim:
    from ..fs.kernel import work_of_holders  # where somebody has to be waited for

    end = time.monotonic() + (PATIENCE if most is None else most)
    look, work = time.monotonic() + PATIENCE, work_of_holders(fd)
    while (granted := lock.own(fd)) is Claim.REFUSED and (now := time.monotonic()) < end:
        if now >= look:
            before, work = work, work_of_holders(fd)
            look = now + PATIENCE
            if work == before:
                break
        time.sleep(0.005)
    return granted


@contextlib.contextmanager
def locked_at_once(base: Directory) -> Iterator[bool]:
    """Hold the lock for the block if nobody else has it; yields whether that is so."""
    tag = open_tag(base)
    if tag is None:
        yield False
        return
    try:
        yield lock.own(tag) is Claim.GRANTED
    finally:
        os.close(tag)
