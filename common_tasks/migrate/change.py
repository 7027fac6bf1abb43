"""Turns an audit into changes of files, and writes them."""

import subprocess
from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from pathlib import Path

from ..fs.values import Progress
from . import source, t0_shadow, t6_files
from .audit import Audit, without_renaming
from .finding import Change, Finding, Safety
from .processes import share
from .references import References, read_references
from .rewrite import rewrite


class Refused(OSError):
    """Nothing is written, because nobody can tell what could not be had back."""


def plan(audit: Audit, *, unsafe: bool, progress: Progress, workers: int) -> tuple[Audit, tuple[Change, ...]]:
    """Return what is to change, and the audit with what cannot be rewritten after all turned into a report."""
    wanted: frozenset[Safety] = frozenset({"safe", "unsafe"} if unsafe else {"safe"})
    references = read_references(audit.repository.programs)
    chosen = _choose(audit, wanted)
    results = _rewrite_files(audit, chosen, references, progress, workers)
    failed = {path: result for path, result in results.items() if isinstance(result, str)}
    if less := _without_what_hangs_together(audit, chosen, references, failed):
        return plan(less, unsafe=unsafe, progress=progress, workers=workers)
    audit = _with_each(audit, partial(_failed, failed=failed))
    changes = {path: result for path, result in results.items() if isinstance(result, Change)}
    for finding in audit.rows:
        if finding.safety in wanted and finding.code == t6_files.CODE:
            changes[finding.path] = _complete(finding, changes.get(finding.path), audit.scope.root)
    every = [part for path in sorted(changes) for part in _moved(audit, changes[path])]
    return audit, tuple(change for change in every if change.before != change.after)


def _choose(audit: Audit, wanted: Container[Safety]) -> dict[Path, list[Finding]]:
    """Return what is to be rewritten in each program."""
    chosen: dict[Path, list[Finding]] = {}
    for finding in audit.rows:
        if finding.safety in wanted and finding.code != t6_files.CODE:
            chosen.setdefault(finding.path, []).append(finding)
    return chosen


def _rewrite_files(
    audit: Audit, chosen: dict[Path, list[Finding]], references: References, progress: Progress, workers: int
) -> dict[Path, Change | str]:
    renamed = frozenset(shadow.path for shadow in audit.repository.shadows)
    work = partial(_rewrite_file, chosen=chosen, engine=audit.engine, renamed=renamed, references=references)
    return dict(zip(chosen, share(work, list(chosen), progress, workers), strict=True))


def _without_what_hangs_together(
    audit: Audit, chosen: dict[Path, list[Finding]], references: References, failed: Container[Path]
) -> Audit | None:
    """Return the audit without steps that are only right together with one that failed; None where there is none."""
    if any(row.code == t0_shadow.CODE for path, rows in chosen.items() if path in failed for row in rows):
        return _with_each(audit, without_renaming)
    held = {row for row in audit.rows if row.edits and _takes_from(row, references, failed)}
    return _with_each(audit, partial(_held, held=held)) if held else None


def _takes_from(finding: Finding, references: References, failed: Container[Path]) -> bool:
    """Tell whether a definition would go that a file counts on which is not rewritten after all."""
    return any(path in failed for name in finding.removes for path in references.of(finding.path, name))


def _held(finding: Finding, *, held: Container[Finding]) -> Finding:
    return finding._replace(safety="report", edits=()) if finding in held else finding


def _with_each(audit: Audit, act: Callable[[Finding], Finding]) -> Audit:
    return audit._replace(findings={project: tuple(map(act, rows)) for project, rows in audit.findings.items()})


def _complete(finding: Finding, change: Change | None, root: Path) -> Change:
    """Add to a file of the checklist what it lacks, on top of what else changes in it."""
    path = finding.path
    before = change.before if change else path.read_bytes() if path.exists() else None
    base = change.after if change else before
    after = t6_files.complete(path, base, root) or base
    return Change(path, before, after, (*(change.findings if change else ()), finding))


def _moved(audit: Audit, change: Change) -> Iterator[Change]:
    """Split the change of a module that hides ours into a file that goes and one that comes."""
    shadow = next((shadow for shadow in audit.repository.shadows if shadow.path == change.path), None)
    if shadow is None or not any(finding.code == t0_shadow.CODE and finding.line == 1 for finding in change.findings):
        yield change
        return
    yield Change(change.path.with_name(f"{shadow.new_stem}.py"), None, change.after, change.findings)
    yield Change(change.path, change.before, None)


def _rewrite_file(
    path: Path, *, chosen: dict[Path, list[Finding]], engine: str, renamed: frozenset[Path], references: References
) -> Change | str:
    """Return the change of a file, or why there is none."""
    home = "common_tasks" if path in renamed else engine  # there are the tasks, too
    try:
        found = source.read(path)
        text = rewrite(found.text, chosen[path], home, lambda name: bool(references.of(path, name)))
        return Change(path, found.data, found.encode(text), tuple(chosen[path]))
    except (OSError, ValueError, SyntaxError, RecursionError) as error:  # ours are ValueErrors, LibCST's SyntaxErrors
        return str(error)


def _failed(finding: Finding, *, failed: dict[Path, str]) -> Finding:
    reason = failed.get(finding.path)
    if reason is None or not finding.edits:
        return finding
    return finding._replace(safety="report", message=f"{finding.message}; not rewritten: {reason}", edits=())


def find_uncommitted(changes: Sequence[Change], root: Path) -> tuple[Path, ...]:
    """Return the files of `changes` that git tracks and that differ from what is committed; none without git."""
    paths = [change.path for change in changes if change.before is not None]
    if not paths or not (root / ".git").exists():
        return ()
    command = ["git", "-C", str(root), "status", "--porcelain", "-z", "--untracked-files=no", "--"]
    try:
        done = subprocess.run([*command, *map(str, paths)], capture_output=True, check=False)
    except FileNotFoundError:
        raise Refused("git is not there to tell what is committed") from None
    if done.returncode:
        raise Refused(f"git cannot tell what is committed: {done.stderr.decode('utf-8', 'replace').strip()}")
    changed = {root / row[3:].decode("utf-8", "surrogateescape") for row in done.stdout.split(b"\0") if len(row) > 3}
    return tuple(sorted(changed & set(paths)))


def write(audit: Audit, changes: Sequence[Change]) -> tuple[Audit, tuple[str, ...]]:
    """Write the changes; return the audit with what is fixed, and what could not be written, in words."""
    written: set[Path] = set()
    failed: list[str] = []
    for change in changes:
        try:
            if change.after is None:
                change.path.unlink()
            else:
                source.replace(change.path, change.before, change.after)
            written.add(change.path)
        except OSError as error:
            failed.append(f"{change.path.relative_to(audit.scope.root)}: {error}")
    fixed = {finding for change in changes if change.path in written for finding in change.findings}
    return _with_each(audit, lambda finding: finding._replace(fixed=finding in fixed)), tuple(failed)
