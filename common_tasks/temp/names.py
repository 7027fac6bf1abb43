"""Names on disk: of entries and categories, and the sealed names of what is outside a base or out of sight.

A sealed name ends in a random number and a digest of that number, of the name before it and of the directory's own
inode number. So a directory that we made is recognized without a list kept anywhere, a copy or a look-alike is not
mistaken for one, and a directory that somebody renames is no longer ours. The ending is short, because it takes up
some of the 104 bytes that a Unix socket's path may have: 50 bits in base 32 (RFC 4648, in lower case).
"""

import os
import re
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start
from functools import lru_cache
from pathlib import Path

from ..project.errors import InvalidName

UNCATEGORIZED = "uncategorized"
LEGACY = "legacy"
KEEP = ".keep"
TRASH = ".trash"
UNDECIDED = ".aside"  # how the name begins of what is out of sight, but may still be put back
LEASES = ".leases"  # which processes were given which entries: see `lease`
TAG = "CACHEDIR.TAG"
GITIGNORE = ".gitignore"
AUTO = ".auto"  # when a base is cleaned by itself: see `mark`
# What a base contains besides its entries; `.keep` in a base or a category is a mark, and not an entry.
RESERVED = frozenset({TAG, GITIGNORE, TRASH, KEEP, LEASES, AUTO})
# At least nine digits: a number or a date at the end of a hand-made name is not a time of creation.
_ENTRY = re.compile(r"(.+)_(\d{9,12})(?:-(\d{1,9}))?", re.DOTALL)
_STAMP_ROOM = len("_169634880000-999999999")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_NONCE = 3
_DIGEST = 7
_SEALED = rf"(?s)(.+)_([{_ALPHABET}]{{{_NONCE}}})([{_ALPHABET}]{{{_DIGEST}}})"
SEAL_ROOM = 1 + _NONCE + _DIGEST


def check_name(name: str, what: str, folder: Path) -> None:
    """Raise InvalidName unless `name` can begin an entry's name (or be a category) in `folder`.

    Refused: an empty name, a leading dot, a path separator, NUL, text that cannot be a file name, and
    more bytes than the file system of the existing `folder` allows once the time is appended.
    """
    _check_name(name, what, _name_limit(folder) - _STAMP_ROOM)


@lru_cache(maxsize=256)
def _check_name(name: str, what: str, room: int) -> None:
    check_part(name, what)
    if not name:
        raise InvalidName(f"{what} is empty: give it at least one character")
    if name.startswith("."):
        raise InvalidName(f"{what} {name!r} starts with a dot: hidden names are not for entries")
    try:
        size = len(os.fsencode(name))
    except UnicodeEncodeError:
        raise InvalidName(f"{what} {name!r} cannot be written as a file name") from None
    if size > room:
        raise InvalidName(f"{what} {name[:20]!r}… is {size} bytes long: at most {room} fit here")


@lru_cache(maxsize=64)
def _name_limit(folder: Path) -> int:
    return os.pathconf(folder, "PC_NAME_MAX")


def check_category(category: str, folder: Path) -> None:
    """Raise InvalidName unless `category` can be a category in a base below `folder`.

    The rules are those for names, and it must not look like an entry, as a legacy `.tmp/demo_1696348800/` does.
    """
    check_name(category, "the category", folder)
    if is_stamped(category):
        raise InvalidName(f"the category {category!r} ends in a time, like an entry: give a plain name")


def check_part(text: str, what: str) -> None:
    """Raise InvalidName if `text` cannot be part of a name: it has a path separator or NUL. TypeError if not text."""
    if not isinstance(text, str):
        raise TypeError(f"{what} takes text, not {type(text).__name__}")
    if "/" in text:
        raise InvalidName(f"{what} {text!r} holds a path separator: give a plain name")
    if "\0" in text:
        raise InvalidName(f"{what} {text!r} holds a NUL character: give a plain name")


def entry_name(name: str, unix: int, number: int = 1) -> str:
    """Return the name of the `number`-th entry called `name` made in the second `unix`."""
    stamp = f"{name}_{max(unix, 0):09d}"  # as many digits as parse_name needs, however wrong the clock is
    return stamp if number == 1 else f"{stamp}-{number}"


class Stamped(namedtuple("Stamped", "name created number")):
    """The parts of an entry's name; they sort by time of creation among entries of one name."""

    __slots__ = ()
    name: str
    created: int
    number: int


def parse_name(text: str) -> Stamped | None:
    """Take an entry's name apart; None if it does not end in a time of creation."""
    match = _ENTRY.fullmatch(text)
    return Stamped(match[1], int(match[2]), int(match[3] or 1)) if match else None


def is_stamped(text: str) -> bool:
    """Tell whether a name ends in a time of creation, as an entry's does."""
    return _ENTRY.fullmatch(text) is not None


def seal(name: str, inode: int) -> str:
    """Return a new name that begins with `name` and is valid only for the directory with this inode number."""
    nonce = _letters(os.urandom(_NONCE))
    return f"{name}_{nonce}{_digest(name, nonce, inode)}"


def looks_sealed(name: str) -> bool:
    """Tell whether `name` looks like a sealed one, so that it is worth checking the inode."""
    return re.fullmatch(_SEALED, name) is not None


def unseal(sealed: str, inode: int) -> str | None:
    """Return the name that was sealed; None if `sealed` was not made for this inode."""
    match = re.fullmatch(_SEALED, sealed)
    if match and match[3] == _digest(match[1], match[2], inode):
        return match[1]
    return None


def _digest(name: str, nonce: str, inode: int) -> str:
    try:
        from _blake2 import blake2s  # `hashlib` would load OpenSSL, many times the rest of this
    except ImportError:  # another Python than CPython
        from hashlib import blake2s

    text = os.fsencode(f"{nonce}/{inode}/{name}")
    return _letters(blake2s(text, digest_size=_DIGEST, person=b"cmntasks").digest())


def _letters(random: bytes) -> str:
    """Return one letter for each byte, made of five of its bits."""
    return "".join([_ALPHABET[byte & 31] for byte in random])
