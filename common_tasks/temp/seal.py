"""Names that prove what they name, for directories that stand outside a base.

A sealed name ends in a random number and a digest of that number, of the name before it and of the
directory's own inode number. So a directory that we made is known again without a list kept anywhere,
a copy or a look-alike is not taken for one, and renaming a directory takes it out of our hands.
"""

import os
import re

_NONCE = 4
_DIGEST = 6
_SEALED = rf"(?s)(.+)_([0-9a-f]{{{2 * _NONCE}}})([0-9a-f]{{{2 * _DIGEST}}})"
SEAL_ROOM = 1 + 2 * (_NONCE + _DIGEST)


def seal(name: str, inode: int) -> str:
    """Return a new name that begins with `name` and belongs to the directory with this inode number alone."""
    nonce = os.urandom(_NONCE).hex()
    return f"{name}_{nonce}{_digest(name, nonce, inode)}"


def looks_sealed(name: str) -> bool:
    """Tell whether `name` has the form of a sealed one: worth asking for the inode."""
    return re.fullmatch(_SEALED, name) is not None


def unseal(sealed: str, inode: int) -> str | None:
    """Return the name that was sealed; None where `sealed` was not made for this inode."""
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
    return blake2s(text, digest_size=_DIGEST, person=b"cmntasks").hexdigest()
