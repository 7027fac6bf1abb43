"""Changes as a patch that `git apply` and `patch -p1` take, byte for byte."""

import difflib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .finding import Change


def make_patch(changes: Iterable[Change], root: Path) -> bytes:
    """Return the unified diff of `changes`, with paths relative to `root`."""
    return b"".join(line for change in changes for line in _patch(change, root))


def _patch(change: Change, root: Path) -> Iterator[bytes]:
    old, new = (_quoted(f"{side}/{change.path.relative_to(root).as_posix()}") for side in "ab")
    yield f"diff --git {old} {new}\n".encode()
    if change.before is None:
        yield b"new file mode 100644\n"
        old = "/dev/null"
    elif change.after is None:
        is_executable = change.path.stat().st_mode & 0o100
        yield f"deleted file mode {'100755' if is_executable else '100644'}\n".encode()
        new = "/dev/null"
    before, after = (io.BytesIO(data or b"").readlines() for data in (change.before, change.after))
    for line in difflib.diff_bytes(difflib.unified_diff, before, after, old.encode(), new.encode()):
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _quoted(name: str) -> str:
    """Write a name as git does: in quotes, with escapes, if it has any but plain characters."""
    raw = os.fsencode(name)
    escaped = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in raw)
    return name if escaped == name else f'"{escaped}"'
