"""Marks the entries of bases that `clean.keep` names: what it names stays, in a base as elsewhere."""

import contextlib
from collections.abc import Iterable, Sequence

from ..fs.directory import Directory
from ..project.patterns import Patterns
from ..temp.entry import Entry
from .artifacts import find_inside


def mark_kept(entries: Iterable[Entry], keep: Patterns) -> tuple[Entry, ...]:
    """Return the entries of a project, as kept where its patterns name them, a folder around them, or part of them.

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
        reason = "kept: clean.keep names it"
    elif inside := _find_inside(entry, keep, path):
        reason = f"kept: clean.keep names {inside} in it"
    else:
        return entry
    return entry._replace(state="kept", reason=reason, forceable=False)


def _is_named(keep: Patterns, path: Sequence[str], entry: Entry) -> bool:
    is_entry = len(path) == len(entry.belongs) + 1
    return keep.match(path[:-1], path[-1], directory=entry.identity.directory or not is_entry)


def _find_inside(entry: Entry, keep: Patterns, path: Sequence[str]) -> str:
    if not entry.identity.directory or not keep.may_match_below(path):
        return ""
    with contextlib.suppress(OSError), Directory.at(entry.folder, follow=True) as folder:
        return find_inside(folder, entry.parts, keep, path)
    return ""
