"""Entries and outcomes as JSON: the same facts as in tables, for programs."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..temp.entry import Decision, Entry, Shortfall
from . import console, facts
from .selection import by_maker
from .view import ProjectOutcome, ProjectStatus

_SCHEMA = 1


def write(document: dict[str, Any]) -> None:
    """Print a document on standard output."""
    console.write(json.dumps(document) + "\n")


def statuses(root: Path, rows: Sequence[ProjectStatus], *, whole: bool) -> dict[str, Any]:
    """Return the document of what there is in one project, or in a `whole` monorepo."""
    documents = [_status(row) for row in rows]
    return _of_monorepo(root, documents, rows) if whole else documents[0]


def outcomes(root: Path, rows: Sequence[ProjectOutcome], *, dry_run: bool, whole: bool) -> dict[str, Any]:
    """Return the document of what a clean did in one project, or in a `whole` monorepo."""
    documents = [_outcome(row, dry_run=dry_run) for row in rows]
    freed = sum(row.outcome.freed_bytes for row in rows)
    return _of_monorepo(root, documents, rows, dry_run=dry_run, freed_bytes=freed) if whole else documents[0]


def makers(root: Path, rows: Sequence[ProjectStatus]) -> dict[str, Any]:
    """Return the document of what each program or test has made in projects."""
    made = [
        {
            "made_by": plain(group.label or None),
            "entries": len(group.entries),
            "disk_bytes": group.disk_bytes,
            "newest": facts.newest(group.entries),
        }
        for group in by_maker(root, rows)
    ]
    return {**start(root), "makers": made}


def _of_monorepo(
    root: Path, documents: Sequence[dict[str, Any]], rows: Iterable[ProjectStatus | ProjectOutcome], **more: Any
) -> dict[str, Any]:
    every = [row for each in documents for row in each.get("entries", each.get("removed", ()))]
    projects = [{**each, "error": plain(row.error)} for each, row in zip(documents, rows, strict=True)]
    return {**start(root), **more, "projects": projects, "total": {"projects": len(projects), **_total(every)}}


def _total(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {"entries": len(rows), **{key: sum(row[key] or 0 for row in rows) for key in ("files", "disk_bytes")}}


def _status(row: ProjectStatus) -> dict[str, Any]:
    entries = [_row(row.root, entry, entry.reason) for entry in row.entries]
    return {**start(row.root), "entries": entries, "total": _total(entries)}


def _outcome(row: ProjectOutcome, *, dry_run: bool) -> dict[str, Any]:
    return {
        **start(row.root),
        "dry_run": dry_run,
        "removed": _rows(row.root, row.outcome.removed),
        "kept": _rows(row.root, row.outcome.kept),
        "failed": _rows(row.root, row.outcome.failed),
        "freed_bytes": row.outcome.freed_bytes,
        **({"unmet": [_shortfall(each) for each in row.shortfalls]} if row.shortfalls else {}),
    }


def _shortfall(shortfall: Shortfall) -> dict[str, Any]:
    """Return by how much a budget is not met, and how many bytes stay for each reason."""
    return {
        "setting": shortfall.bound,
        "value": shortfall.words,
        "missing_bytes": shortfall.missing,
        "held_bytes": dict(shortfall.held),
    }


def start(root: Path) -> dict[str, Any]:
    """Return what every document begins with."""
    return {"schema": _SCHEMA, "root": plain(root)}


def _rows(root: Path, decisions: Iterable[Decision]) -> list[dict[str, Any]]:
    return [_row(root, decision.entry, decision.reason) for decision in decisions]


def _row(root: Path, entry: Entry, reason: str | None) -> dict[str, Any]:
    changed = facts.changed(entry)
    return {
        "path": plain(facts.path(root, entry)),
        "category": plain(entry.category),
        "name": plain(entry.name),
        "created": entry.created,
        "modified": None if changed is None else entry.usage.modified,
        "changed": changed,
        "files": entry.usage.files,
        "disk_bytes": entry.usage.disk_bytes,
        "state": entry.state,
        "reason": plain(reason),
        "made_by": plain(entry.made_by),
    }


def plain(text: str | Path | None) -> str | None:
    r"""Return text for JSON: a byte that is not UTF-8 becomes `\xNN`; json itself escapes the rest. None stays None."""
    return None if text is None else os.fsencode(text).decode("utf-8", "backslashreplace")
