"""Changes as a patch that `git apply` and `patch -p1` take, byte for byte."""

import difflib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .finding import Change


def make_patch(changes: Iterable[Change], root: Path) -> bytes:
    """Return the unified diff of `changes`, with paths relative to `root`."""
    return b"".join(line for change in changes for line in _patch(change, root))


def _patch(change: Change, root: Path) -> Iterator[bytes]:
    old, new = (_quoted(f"{side}/{_relative(change.path, root)}") for side in "ab")
    yield f"diff --git {old} {new}\n".encode()
    if change.before is None:
        yield b"new file mode 100644\n"
        old = "/dev/null"
    elif change.after is None:
        mode = "100755" if os.access(change.path, os.X_OK) and _is_executable(change.path) else "100644"
        yield f"deleted file mode {mode}\n".encode()
        new = "/dev/null"
    yield f"--- {old}\n+++ {new}\n".encode()
    yield from _hunks(change.before or b"", change.after or b"")


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _quoted(name: str) -> str:
    """Write a name as git does: in quotes, with escapes, where it holds anything but plain characters."""
    raw = os.fsencode(name)
    escaped = "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}" for byte in raw)
    return name if escaped == name else f'"{escaped}"'


def _hunks(before: bytes, after: bytes) -> Iterator[bytes]:
    # Latin-1 gives each byte a character and back: the texts may be of any encoding.
    old, new = (data.decode("latin-1").split("\n") for data in (before, after))
    lines = difflib.unified_diff(_ended(old), _ended(new), lineterm="")
    for number, line in enumerate(lines):
        if number >= 2:  # the two lines that name the files are written above
            yield _ended_line(line).encode("latin-1")


def _ended(parts: list[str]) -> list[str]:
    """Return lines that each end in a line feed, except perhaps the last."""
    whole = [f"{part}\n" for part in parts[:-1]]
    return [*whole, parts[-1]] if parts[-1] else whole


def _ended_line(line: str) -> str:
    if line.startswith("@@") or line.endswith("\n"):
        return line.rstrip("\n") + "\n"
    return f"{line}\n\\ No newline at end of file\n"
