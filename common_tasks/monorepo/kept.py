"""What `clean.keep` names stays, in a base as well as elsewhere, and so does what holds it."""

import contextlib
import os
from collections.abc import Iterable, Sequence

from ..fs.directory import Directory, open_on_same_mount
from ..fs.walk import Position, Visitor, walk
from ..project.patterns import Patterns
from ..temp.entry import Entry


def mark_kept(entries: Iterable[Entry], keep: Patterns) -> tuple[Entry, ...]:
    """Return the entries of a project, as kept if its patterns name them, or something that they hold or lie in.

    A base that was moved elsewhere counts as the `.tmp` of the project.
    """
    if not keep:
        return tuple(entries)
    return tuple(_mark(entry, keep) for entry in entries)


def _mark(entry: Entry, keep: Patterns) -> Entry:
    if entry.base is None or entry.in_trash or entry.state == "tracked":
        return entry
    path = (".temp" if entry.base.legacy else ".tmp", *entry.belongs)
    if any(_is_named(keep, path[:length], entry) for length in range(1, len(path) + 1)):
        reason = "clean.keep names it"
    else:
        reason = reason_inside(entry, keep, path)
    return entry._replace(state="kept", reason=f"kept: {reason}", forceable=False) if reason else entry


def _is_named(keep: Patterns, path: Sequence[str], entry: Entry) -> bool:
    is_entry = len(path) == len(entry.belongs) + 1
    return keep.match(path[:-1], path[-1], directory=entry.identity.directory or not is_entry)


def reason_inside(entry: Entry, keep: Patterns, path: Sequence[str]) -> str:
    """Return why an entry stays if patterns match something inside it; else an empty text.

    `path`: the names that lead to the entry from the folder to which the patterns are relative.
    """
    if not entry.identity.directory or not keep.may_match_below(path):
        return ""
    *above, name = entry.parts
    finding = _Finding(keep, path[:-1])
    # What cannot be looked into is dealt with at its removal.
    with contextlib.suppress(OSError), Directory.at(entry.folder, follow=True) as top, top.descend(above) as parent:
        walk(parent, name, finding, open_on_same_mount)
    inside = "/".join(finding.found[len(path) :])
    return f"clean.keep names {inside} in it" if inside else ""


class _Finding(Visitor):
    """Finds the first thing in a tree that patterns match."""

    def __init__(self, patterns: Patterns, above: Sequence[str]) -> None:
        self.found: tuple[str, ...] = ()
        self._patterns = patterns
        self._above = above

    def enter(self, position: Position, name: str) -> list[str] | None:
        if self.found:
            return None
        try:
            position.enter(name)
        except OSError:
            return None
        path = (*self._above, *position.where.split("/"))
        with contextlib.suppress(OSError), position.directory.scan() as rows:
            return [row.name for row in rows if self._look(path, row)]
        return []

    def _look(self, path: tuple[str, ...], row: "os.DirEntry[str]") -> bool:
        """Note a match, and tell whether to look further inside."""
        is_directory = row.is_dir(follow_symlinks=False)
        if self._patterns.match(path, row.name, directory=is_directory):
            self.found = (*path, row.name)
        return is_directory
