"""Where a clean puts entries until it has decided that they may go. The place says where each belongs.

::

    .trash/.aside_<seal>/top/<name>             at the top of the base
    .trash/.aside_<seal>/in/<category>/<name>   in a category
    .trash/.aside_<seal>/<number>               nowhere else: it was in the trash before
    .aside.<category>:<name>_<seal>             used if there was no room for a folder in the trash

So one rename takes an entry out of sight and records where it goes back to, whenever the clean is killed. As long as
the clean runs, it holds the lock of its folder, and nobody else touches what is in there.
"""

import os
import stat
from collections.abc import Iterator

from ..fs.directory import Directory
from .layout import Base
from .names import SEAL_ROOM, TRASH, UNDECIDED, seal

TOP, IN = "top", "in"
_MOST_NAME = 255  # bytes, on almost every file system


def place_for(base: Base, home: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names that lead, in a clean's folder, to the folder for an entry that belongs at `home`."""
    if len(home) > 2 or base.reserves(home[0]):
        return ()
    return (IN, home[0]) if len(home) == 2 else (TOP,)


def home_of(place: tuple[str, ...], name: str) -> tuple[str, ...]:
    """Return where in the base something called `name` in such a folder belongs; empty if nowhere else."""
    return (*place[1:], name) if place else ()


def places_in(batch: Directory) -> Iterator[tuple[str, ...]]:
    """Yield the folders for entries in the open folder of a clean, without the folder itself."""
    if batch.has(TOP):
        yield (TOP,)
    if batch.has(IN):
        with batch.enter(IN) as categories:
            yield from ((IN, name) for name in categories.subdirectories())


def seal_alone(home: tuple[str, ...], inode: int) -> str:
    """Return the name for an entry that belongs at `home`, to take it out of sight in the base itself."""
    category, name = ("", *home)[-2:]
    text = f"{UNDECIDED}.{category}:{name}"
    known = len(home) <= 2 and home[0] != TRASH and ":" not in category
    fits = len(os.fsencode(text)) + SEAL_ROOM <= _MOST_NAME
    return seal(text if known and fits else UNDECIDED, inode)


def home_of_alone(unsealed: str) -> tuple[str, ...]:
    """Return where an entry with such a name belongs; empty if that is not known."""
    category, colon, name = unsealed.removeprefix(f"{UNDECIDED}.").partition(":")
    return tuple(filter(None, (category, name))) if colon else ()


def is_trusted(found: os.stat_result, base: Directory) -> bool:
    """Tell whether what records where entries belong is owned by this user, by root or by the base's owner.

    If not, another user could have his own entries put among those of others.
    """
    return found.st_uid in (os.geteuid(), 0, base.status().st_uid)


def is_private(batch: os.stat_result, base: Directory) -> bool:
    """Tell whether only those who may write to the base can have put anything into the folder of a clean.

    A file system that has no modes of its own shows both as open to everybody.
    """
    return not batch.st_mode & ~base.status().st_mode & (stat.S_IWGRP | stat.S_IWOTH)
