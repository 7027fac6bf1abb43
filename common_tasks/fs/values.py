"""The values that the file-system machinery takes and returns, and its wording of errors."""

import os
import stat
from collections import namedtuple  # see `temp.layout`
from collections.abc import Callable, Iterable

TYPE_CHECKING = False  # type checkers take this name for true
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeVar

    T = TypeVar("T")
    Row = tuple[Any, ...]  # the values of a usage

Key = tuple[int, int]  # device and inode: what a file is, whatever its name
Progress = Callable[[int], None]  # told how many files were dealt with since the last call


def no_progress(_: int) -> None:
    """Report nothing: for callers that show no progress."""


class Identity(namedtuple("Identity", "device inode mtime_ns directory regular", defaults=(0, 0, 0, True, False))):
    """What tells whether a path still names what was looked at, unchanged at its top.

    Before it is measured, only `directory` is known.
    """

    __slots__ = ()
    device: int
    inode: int
    mtime_ns: int
    directory: bool
    regular: bool

    @property
    def key(self) -> Key:
        """What identifies it for as long as it exists."""
        return self.device, self.inode

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """Take what is needed from a stat result."""
        kind = stat.S_IFMT(found.st_mode)
        return cls(found.st_dev, found.st_ino, found.st_mtime_ns, kind == stat.S_IFDIR, kind == stat.S_IFREG)


class Link(namedtuple("Link", "key disk_bytes links inside")):
    """A file with `links` links, only `inside` of them in a tree, so removing that tree alone does not free it."""

    __slots__ = ()
    key: Key
    disk_bytes: int
    links: int
    inside: int


class Usage(
    namedtuple(
        "Usage",
        "files disk_bytes modified changed fault holds obstacle shared marked identity",
        defaults=(None, None, None, (), False, None),
    )
):
    """What one tree takes up.

    `disk_bytes`: what the disk would give back if this tree alone were removed. `modified`: the newest mtime inside;
    `changed`: the newest of all mtimes and ctimes inside, except the ctime of a file with several links. Both in
    seconds since 1970; times in the future are ignored. `fault`: the first thing that could not be looked into.
    `holds`: the first git repository or marked folder inside, as a path from the top; None if there is none, or nobody
    asked. `obstacle`: the first thing that this user cannot remove. `shared`: files that have links outside the tree.
    `marked`: the name that was asked for is at its top. `identity`: the tree's; None if it could not be looked at.
    """

    __slots__ = ()
    files: int
    disk_bytes: int
    modified: float
    changed: float
    fault: str | None
    holds: str | None
    obstacle: str | None
    shared: tuple[Link, ...]
    marked: bool
    identity: Identity | None

    @classmethod
    def of(cls, row: "Row") -> "Usage":
        """Return the usage with these values; the last of them is the identity, as a plain tuple."""
        return cls._make((*row[:-1], row[-1] and Identity._make(row[-1])))


def freed_bytes(usages: Iterable[Usage]) -> int:
    """Return the bytes freed if all these trees are removed: a file counts if no link to it remains."""
    total = 0
    shared: dict[Key, Link] = {}
    for usage in usages:
        total += usage.disk_bytes
        for link in usage.shared:
            known = shared.get(link.key)
            shared[link.key] = link._replace(inside=known.inside + link.inside) if known else link
    return total + sum(link.disk_bytes for link in shared.values() if link.inside >= link.links)


def used_up(rows: "list[T]") -> "Iterator[T]":
    """Yield the items of a list in order, and remove each from it, so that memory is freed on the way."""
    rows.reverse()
    while rows:
        yield rows.pop()


def printable(text: str) -> str:
    """Return `text` with escapes for everything that could move a cursor or hide something."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # how Python represents a byte that cannot be decoded (PEP 383)
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def complaint(where: str, error: OSError) -> str:
    """Say what went wrong below a tree: the path inside it, and the system's words."""
    name = error.filename if isinstance(error.filename, str) else ""
    path = "/".join(filter(None, [where, name]))
    return printable(": ".join(filter(None, [path, error.strerror or str(error)])))
