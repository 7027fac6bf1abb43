"""Who made an entry: the program or test, in an extended attribute of the directory itself.

It is shown, but nothing relies on it. If the file system has no extended attributes, or a copy has lost them, no maker
is shown.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator

from ..fs.program import describe, program, running

TYPE_CHECKING = False  # see `temp`
if TYPE_CHECKING:
    from .entry import Entry

ATTRIBUTE = b"user.common-tasks.maker"
_MOST = 255  # bytes
_set_attribute = getattr(os, "setxattr", None)  # there is none on macOS
_get_attribute = getattr(os, "getxattr", None)
_labels: dict[str, bytes] = {}  # of this process's program, by the project's root


def sign(path: str, root: str) -> None:
    """Write down who made the directory at `path`; nothing happens if that cannot be done.

    A program is named relative to `root`; if that is `/`, by its absolute path. This costs one system call.
    """
    if _set_attribute is not None:
        with contextlib.suppress(OSError):  # there are no attributes here, or there is no room for one
            _set_attribute(path, ATTRIBUTE, _label(root))


def _label(root: str) -> bytes:
    if running.test:
        return os.fsencode(running.test)[:_MOST]
    if root not in _labels:
        maker = describe(program(), os.path.realpath(root), os.path.realpath(sys.prefix))
        _labels[root] = os.fsencode(maker)[:_MOST]
    return _labels[root]


def with_makers(entries: Iterable["Entry"]) -> "Iterator[Entry]":
    """Return entries with who made them, if that can be told; only those that the engine made are looked at."""
    known: dict[str, str] = {}  # many entries have few makers
    for entry in entries:
        made_by = read(f"{entry.folder}/{'/'.join(entry.parts)}") if entry.made and not entry.in_trash else None
        yield entry._replace(made_by=known.setdefault(made_by, made_by)) if made_by else entry


def read(path: str) -> str | None:
    """Return who made the directory at `path`; None if that cannot be told."""
    if _get_attribute is None:
        return None
    try:
        return os.fsdecode(_get_attribute(path, ATTRIBUTE, follow_symlinks=False)[:_MOST]) or None
    except OSError:  # never signed, copied without its attributes, or gone
        return None
