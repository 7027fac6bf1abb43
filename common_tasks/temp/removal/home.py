"""Puts entries back that an interrupted clean has moved (see `aside`), if they stay."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import groupby

from ...fs.directory import Directory
from ...fs.syscalls import open_on_same_mount, rename_without_replacing
from ...fs.values import complaint, printable
from ..base import make_folder
from ..entry import Decision
from .folders import Folders


def made_again(base: Directory, parts: tuple[str, ...]) -> Directory:
    """Return the open folder at `parts` in an open base, making it if needed. The caller closes it. Raises OSError."""
    for length, name in enumerate(parts):
        with base.descend(parts[:length]) as above, contextlib.suppress(FileExistsError):
            make_folder(above, name)
    return base.descend(parts)


def put_home(folders: Folders, decisions: Sequence[Decision]) -> Iterator[Decision]:
    """Put entries that stay back where they belong, unless their places are taken; yield all rows, with the result."""
    for moved, group in groupby(decisions, key=_way):
        rows = list(group)
        yield from _put_together(folders, rows) if moved else rows


def _way(row: Decision) -> tuple[object, ...]:
    """Return from where to where an entry has to go; empty if it is where it belongs."""
    entry = row.entry
    return (entry.folder, entry.parts[:-1], entry.home[:-1]) if entry.home else ()


def _put_together(folders: Folders, rows: Sequence[Decision]) -> list[Decision]:
    first = rows[0].entry
    try:
        base = folders.open(first)
        with base.descend(first.parts[:-1], open_on_same_mount) as aside, made_again(base, first.home[:-1]) as home:
            return [_put(aside, home, row) for row in rows]
    except OSError as error:
        return [_failed(row, error) for row in rows]


def _put(aside: Directory, home: Directory, row: Decision) -> Decision:
    own, *companions = row.entry.names
    try:
        rename_without_replacing(aside, own, home, row.entry.home[-1])
        for name in companions:
            rename_without_replacing(aside, name, home, name)
    except OSError as error:
        return _failed(row, error)
    return row._replace(reason=f"{row.reason}; it was put back as {_place(row)}")


def _failed(row: Decision, error: OSError) -> Decision:
    return row._replace(reason=f"{row.reason}; not put back as {_place(row)}: {complaint('', error)}")


def _place(row: Decision) -> str:
    return printable("/".join(row.entry.home))
