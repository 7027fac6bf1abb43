"""Turns an audit into changes of files: each file once, and what hangs together as a group."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..fs.workers import Workers
from . import gitignore, legacy_helper, shadowing, source, task_files
from .audit import Audit, held_together, share
from .finding import Change, Finding, Safety
from .rewrite import rewrite
from .shadowing import Shadows
from .style import style_of

_Rewritten = dict[tuple[Path, tuple[Finding, ...]], "bytes | str"]


def wanted_files(audit: Audit, *, unsafe: bool) -> tuple[Path, ...]:
    """Return the files that are to be written, new ones too."""
    rows = [row for rows in _choose(audit, unsafe=unsafe).values() for row in rows]
    return tuple(sorted({row.path for row in rows}))


def plan(
    audit: Audit, unwritable: Mapping[Path, str], *, unsafe: bool, workers: Workers
) -> tuple[Audit, tuple[Change, ...]]:
    """Return what is to change, and the audit with what cannot be rewritten after all turned into a report.

    `unwritable`: files that are left alone, with the reason. What hangs together with one of them is left, too.
    """
    done: _Rewritten = {}
    shown = {path: reason for path, reason in unwritable.items() if audit.scope.shows(path)}
    audit = _without(audit, shown, "not written")
    while True:
        audit = held_together(_whole(audit, unsafe=unsafe))
        chosen = _choose(audit, unsafe=unsafe)
        _rewrite_files(audit, chosen, done, workers)
        failed = {path: result for path, rows in chosen.items() if isinstance(result := done[path, rows], str)}
        if not failed:
            changes = [change for path in sorted(chosen) for change in _changes(audit, path, chosen[path], done)]
            return audit, _grouped(audit, [change for change in changes if change.before != change.after])
        audit = _without(audit, failed, "not rewritten")


def _without(audit: Audit, files: Mapping[Path, str], what: str) -> Audit:
    """Return the audit with the findings of these files refused, each with the reason."""
    return audit.with_each(lambda row: row.refused(f"{what}: {files[row.path]}") if row.path in files else row)


def _whole(audit: Audit, *, unsafe: bool) -> Audit:
    """Return the audit without a renaming of which some step is not asked for (by --paths)."""
    steps = [row for rows in audit.findings.values() for row in rows if row.group == shadowing.CODE]
    if not unsafe or all(audit.scope.shows(row.path) for row in steps):
        return audit
    return audit.with_each(lambda row: row.refused("--paths leaves out files that name it") if row in steps else row)


def _choose(audit: Audit, *, unsafe: bool) -> dict[Path, tuple[Finding, ...]]:
    """Return what is to be changed in each file."""
    wanted: frozenset[Safety] = frozenset({"safe", "unsafe"} if unsafe else {"safe"})
    chosen: dict[Path, tuple[Finding, ...]] = {}
    for row in audit.rows:
        if row.safety in wanted:
            chosen[row.path] = (*chosen.get(row.path, ()), row)
    return chosen


def _rewrite_files(
    audit: Audit, chosen: Mapping[Path, tuple[Finding, ...]], done: _Rewritten, workers: Workers
) -> None:
    """Add to `done` what becomes of each file, or why it cannot be rewritten."""
    pending = [path for path, rows in chosen.items() if (path, rows) not in done]
    results = share(lambda path: _rewrite_file(audit, path, chosen[path]), pending, workers)
    done.update(((path, chosen[path]), result) for path, result in zip(pending, results, strict=True))


def _rewrite_file(audit: Audit, path: Path, rows: tuple[Finding, ...]) -> bytes | str:
    try:
        data = source.read_bytes(path) if path.exists() else None
        if data is not None and path.suffix == ".py":
            data = _rewrite_program(audit, path, data, [row for row in rows if row.code != task_files.CODE])
        for row in rows:
            data = _complete(audit, row, data)
        return data or b""
    except source.UNREADABLE as error:  # our own errors are ValueErrors, LibCST's are SyntaxErrors
        return str(error) or type(error).__name__


def _rewrite_program(audit: Audit, path: Path, data: bytes, rows: list[Finding]) -> bytes:
    if not any(row.edits or row.imports for row in rows):
        return data
    found = source.decode(path, data)
    repository, style = audit.repository, style_of(path.parent, audit.scope.root)

    def is_needed(name: str) -> bool:
        return bool(repository.users_of(path, name))

    return found.encode(rewrite(found.text, rows, audit.engine, style, is_needed))


def _complete(audit: Audit, row: Finding, data: bytes | None) -> bytes | None:
    """Add to a file of the checklist what it lacks, on top of what else changes in it."""
    if row.code != task_files.CODE:
        return data
    if row.path.name == gitignore.NAME:
        return gitignore.complete(data, row)
    shadows = audit.repository.shadows
    renamed = Shadows((), shadows.kept, shadows.replaced)  # what imports us is written only once nothing hides us
    return task_files.complete(data, renamed, style_of(row.path.parent, audit.scope.root))


def _changes(audit: Audit, path: Path, rows: tuple[Finding, ...], done: _Rewritten) -> Iterator[Change]:
    """Yield the change of a file; that of a module which hides ours is one that goes and one that comes."""
    after = done[path, rows]
    assert isinstance(after, bytes)  # noqa: S101  (`plan` goes on only if nothing failed)
    before = source.read_bytes(path) if path.exists() else None
    if path not in audit.repository.shadows.paths or not any(row.group == shadowing.CODE for row in rows):
        yield Change(path, before, after, rows)
        return
    yield Change(path.with_name(f"{shadowing.NEW}.py"), None, after, rows)
    yield Change(path, before, None, rows)


def _grouped(audit: Audit, changes: list[Change]) -> tuple[Change, ...]:
    """Return the changes with their groups: a renaming with all that waits for it, a definition with all its users."""
    groups: dict[Path, str] = {}
    for change in changes:
        for row in change.findings:
            if legacy_helper.HELPER in row.removes:
                users = audit.repository.users_of(row.path, legacy_helper.HELPER)
                groups.update(dict.fromkeys((row.path, *users), f"{legacy_helper.CODE} {row.path}"))
    if any(row.group == shadowing.CODE for change in changes for row in change.findings):
        groups.update({change.path: shadowing.CODE for change in changes if _waits(change.findings)})
    return tuple(change._replace(group=groups.get(change.path, "")) for change in changes)


def _waits(rows: Iterable[Finding]) -> bool:
    return any(row.group == shadowing.CODE or row.imports for row in rows)


def settled(audit: Audit, changes: Iterable[Change], failed: Mapping[Path, str]) -> Audit:
    """Return the audit with what is fixed, now that all changes but the failed are written."""
    fixed = {row for change in changes if change.path not in failed for row in change.findings}
    broken = {row for change in changes if change.path in failed for row in change.findings}
    return audit.with_each(lambda row: row._replace(fixed=row in fixed and row not in broken))
