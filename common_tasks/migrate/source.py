"""A Python file, read and written byte for byte."""

import codecs
import io
import itertools
import os
import re
import stat
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SKIP = re.compile(r"#\s*temp-migrate:\s*skip\b")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#;]*)|import[ \t]+([\w.][^\n#;]*))", re.MULTILINE
)
_BOM = codecs.BOM_UTF8
_PRAGMA = re.compile(r"#\s*(?:noqa\b|type:\s*ignore|nosec\b|(?:pylint|pyright|mypy|isort|ruff):)")


class Unreadable(ValueError):
    """A file whose text cannot be read; the message is the reason."""


# What reading and parsing a file raises if it is not a program: each becomes a finding, none ends the audit.
UNREADABLE = (OSError, SyntaxError, ValueError, RecursionError, MemoryError)


class Source(NamedTuple):
    """A file's text, with what it takes to write it back as it was."""

    text: str
    encoding: str
    bom: bytes

    def encode(self, text: str) -> bytes:
        """Return `text` as bytes in the file's own encoding. Raises UnicodeEncodeError if that cannot express it."""
        return self.bom + text.encode(self.encoding)


def read_bytes(path: Path) -> bytes:
    """Return what a regular file holds. Raises Unreadable for a pipe or a device, which might keep us waiting."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Unreadable("it is not a regular file")
        return file.read()


def read(path: Path) -> Source:
    """Read a file as Python would. Raises Unreadable if it is not text in its own encoding, or not a regular file."""
    return decode(read_bytes(path))


def decode(data: bytes) -> Source:
    """Return the text of a file from its bytes; raises Unreadable as `read` does."""
    bom = _BOM if data.startswith(_BOM) else b""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        plain = "utf-8" if encoding == "utf-8-sig" else encoding
        source = Source(data.removeprefix(bom).decode(plain), plain, bom)
        faithful = source.encode(source.text) == data
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise Unreadable(f"it is not text in its own encoding: {error}") from None
    if not faithful:
        raise Unreadable(f"{encoding} does not write it back as it was")
    return source


def split_lines(text: str) -> list[str]:
    """Return the lines of a program, each with its end, as Python counts them: a form feed ends none."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$", text)


def is_pragma(comment: str) -> bool:
    """Tell whether a comment is a note to a linter about its own line."""
    return _PRAGMA.match(comment) is not None


def comments(text: str) -> list[tuple[int, str]]:
    """Return the comments of a program, each with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="").readline)
    return [(token.start[0], token.string.strip()) for token in tokens if token.type == tokenize.COMMENT]


def skipped_lines(text: str) -> frozenset[int]:
    """Return the lines that carry the comment which silences a finding."""
    found = comments(text) if _SKIP.search(text) else []
    return frozenset(line for line, comment in found if _SKIP.search(comment))


def is_skipped(path: Path) -> bool:
    """Tell whether a file, perhaps not a program, has that comment among those that it begins with."""
    try:
        lines = split_lines(read_bytes(path).decode("latin-1"))
    except (OSError, Unreadable):
        return False
    head = itertools.takewhile(lambda line: not line.strip() or line.startswith("#"), lines)
    return any(_SKIP.search(line) for line in head)


def line_of(text: str, at: int) -> int:
    """Return the number of the line that a character of a text is in."""
    return text.count("\n", 0, at) + 1


def imports(text: str) -> Iterator[tuple[int, str]]:
    """Yield what a program may import: its place in the text, and its dotted name, with dots in front if relative."""
    for found in _IMPORT.finditer(text):
        home, names, modules = found.groups("")
        parts = [part.split()[0] for part in (names or modules).strip("()").split(",") if part.split()]
        joint = "." if home.strip(".") else ""
        yield from (
            (found.start(1), name) for name in ([home, *(f"{home}{joint}{part}" for part in parts)] if home else parts)
        )
