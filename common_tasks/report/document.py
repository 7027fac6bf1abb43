"""Entries and outcomes as JSON: the same facts as in tables, for programs."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..temp.entry import Decision, Entry, Outcome
from . import cells, console

SCHEMA = 1


def write(document: dict[str, Any]) -> None:
    """Print a document on standard output."""
    console.write(json.dumps(document) + "\n")


def status(root: Path, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the document of what there is."""
    total = {
        "entries": len(entries),
        "files": sum(map(cells.files, entries)),
        "disk_bytes": sum(map(cells.disk_bytes, entries)),
    }
    return {**_start(root), "entries": [_row(root, entry, entry.reason) for entry in entries], "total": total}


def outcome(root: Path, outcome: Outcome, *, dry_run: bool) -> dict[str, Any]:
    """Return the document of what a clean did."""
    return {
        **_start(root),
        "dry_run": dry_run,
        "removed": _rows(root, outcome.removed),
        "kept": _rows(root, outcome.kept),
        "failed": _rows(root, outcome.failed),
        "freed_bytes": outcome.freed_bytes,
    }


def _start(root: Path) -> dict[str, Any]:
    return {"schema": SCHEMA, "root": plain(root)}


def _rows(root: Path, decisions: Iterable[Decision]) -> list[dict[str, Any]]:
    return [_row(root, decision.entry, decision.reason) for decision in decisions]


def _row(root: Path, entry: Entry, reason: str | None) -> dict[str, Any]:
    usage, changed = entry.usage, cells.changed(entry)
    return {
        "path": plain(cells.path(root, entry)),
        "category": plain(entry.category),
        "name": plain(entry.name),
        "created": entry.created,
        "modified": None if usage is None or changed is None else usage.modified,
        "changed": changed,
        "files": usage.files if usage else None,
        "disk_bytes": usage.disk_bytes if usage else None,
        "state": entry.state,
        "reason": None if reason is None else plain(reason),
    }


def plain(text: str | Path) -> str:
    r"""Return text for JSON: a byte that is no UTF-8 as `\xNN`. The rest json itself escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
