"""Turns an audit into changes to files: each file once, and what belongs together as a group."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..fs.workers import Workers
from . import legacy_helper, shadowing, source
from .audit import Audit, held_together, share
from .finding import Change, Finding
from .rewrite import append, rewrite
from .write import find_unwritable


def plan(
    audit: Audit, *, unsafe: bool, force: bool, workers: Workers
) -> tuple[Audit, tuple[Change, ...], dict[Path, str]]:
    """Return the audit, the changes, and the files that are left alone, each with the reason.

    In that audit, what cannot be rewritten after all is only reported: the findings in those files, and what belongs
    together with them. `force`: as in `find_unwritable`. Raises GuardFailed if git cannot tell.
    """
    done: dict[tuple[Path, tuple[Finding, ...]], list[Change]] = {}
    left = find_unwritable(sorted(_choose(audit, unsafe=unsafe)), audit.scope.root, force=force)
    failed, why = left, "not written"
    while True:
        audit = held_together(_without(audit, failed, why))
        chosen = _choose(audit, unsafe=unsafe)
        pending = [path for path, rows in chosen.items() if (path, rows) not in done]
        results = share(lambda path: _change(audit, path, chosen[path]), pending, workers)  # noqa: B023
        found = dict(zip(pending, results, strict=True))
        done |= {(path, chosen[path]): result for path, result in found.items() if not isinstance(result, str)}
        failed, why = {path: result for path, result in found.items() if isinstance(result, str)}, "not rewritten"
        if not failed:
            changes = [change for path in sorted(chosen) for change in done[path, chosen[path]]]
            return audit, _grouped(audit, [change for change in changes if change.before != change.after]), left


def _without(audit: Audit, files: Mapping[Path, str], what: str) -> Audit:
    """Return the audit with the findings of these files refused, each with the reason."""
    return audit.with_each(lambda row: row.refused(f"{what}: {files[row.path]}") if row.path in files else row)


def _choose(audit: Audit, *, unsafe: bool) -> dict[Path, tuple[Finding, ...]]:
    """Return what is to be changed in each file."""
    chosen: dict[Path, tuple[Finding, ...]] = {}
    for row in audit.rows:
        if row.safety == "safe" or (unsafe and row.safety == "unsafe"):
            chosen[row.path] = (*chosen.get(row.path, ()), row)
    return chosen


def _change(audit: Audit, path: Path, rows: tuple[Finding, ...]) -> list[Change] | str:
    """Return the change to a file, or two changes if it is renamed; or why it cannot be rewritten."""
    try:
        before = source.read_bytes(path) if path.exists() else None
        after = _rewrite(audit, path, before or b"", rows)
    except source.UNREADABLE as error:  # our own errors are ValueErrors, LibCST's are SyntaxErrors
        return str(error) or type(error).__name__
    if path in audit.repository.shadows and any(row.code == shadowing.CODE for row in rows):
        return [Change(path.with_name(f"{shadowing.NEW}.py"), None, after, rows), Change(path, before, None, rows)]
    return [Change(path, before, after, rows)]


def _rewrite(audit: Audit, path: Path, data: bytes, rows: tuple[Finding, ...]) -> bytes:
    if path.suffix != ".py":
        text = data.decode("latin-1")  # it maps each byte to one character and back
        return append(text, "".join(row.ending for row in rows)).encode("latin-1")
    found = source.decode(data)
    return found.encode(rewrite(path, found.text, rows, audit.repository))


def _grouped(audit: Audit, changes: list[Change]) -> tuple[Change, ...]:
    """Return the changes with their groups: a renaming with all that waits for it, a definition with all its users."""
    groups: dict[Path, str] = {}
    for change in changes:
        for row in change.findings:
            if legacy_helper.is_definition(row):
                users = audit.repository.who_mentions(row.path, legacy_helper.HELPER)
                groups.update(dict.fromkeys((row.path, *users), f"{legacy_helper.CODE} {row.path}"))
    if audit.repository.shadows:
        waiting = [
            change for change in changes if any(row.code == shadowing.CODE or row.imports for row in change.findings)
        ]
        groups.update({change.path: shadowing.CODE for change in waiting})
    return tuple(change._replace(group=groups.get(change.path, "")) for change in changes)


def settled(audit: Audit, changes: Iterable[Change], failed: Mapping[Path, str]) -> Audit:
    """Return the audit with what is fixed marked as such: the findings of all changes except those that failed."""
    changes = tuple(changes)
    broken = {row for change in changes if change.path in failed for row in change.findings}
    fixed = {row for change in changes for row in change.findings} - broken
    return audit.with_each(lambda row: row._replace(fixed=row in fixed))
