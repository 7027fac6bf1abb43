"""Finds the legacy uses of whole projects, and what they have to do with each other."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ..fs.workers import MOST_PIECES, Workers, divide, part
from ..monorepo.members import find_roots
from . import elsewhere, legacy_helper, project_files, shadowing
from .finding import Finding, Left
from .kinds import is_foreign, is_sample_project
from .look import look_at
from .repository import Repository
from .result import Audit as Audit
from .result import Scope as Scope

_Result = TypeVar("_Result")
_FEW = 64  # with fewer files, no worker is worth starting


def choose_projects(root: Path, here: Path, *, every: bool) -> tuple[Path, ...]:
    """Return the projects to audit: `here`, or with `every` those in the monorepo for which `is_own_work` holds."""
    return tuple(p for p in find_roots(root) if is_own_work(p, root)) if every else (here,)


def is_own_work(project: Path, root: Path) -> bool:
    """Tell whether a project is not a sample, a template or test data, and not a package inside another project."""
    below = project.relative_to(root)
    is_package = project != root and (project / "__init__.py").exists()
    return not (is_sample_project(below) or is_foreign(below) or is_package)


def audit(scope: Scope, workers: Workers) -> Audit:
    """Look through the projects. Raises GuardFailed if git cannot tell what it ignores."""
    every = choose_projects(scope.root, scope.root, every=True)
    repository = Repository(scope.root, frozenset({*scope.projects, *every}))
    rows = _look(scope, repository, workers)
    found = [row for row in rows if isinstance(row, Finding)]
    findings: dict[Path, list[Finding]] = {project: [] for project in scope.projects}
    for row in (*found, *_check_projects(scope, repository, found)):
        if (home := repository.home(row.path)) in findings:
            findings[home].append(row)
    by_project = {project: tuple(sorted(each, key=_order)) for project, each in findings.items()}
    left = Counter(row.what for row in rows if isinstance(row, Left))
    return held_together(Audit(scope, repository, by_project, left))


def _look(scope: Scope, repository: Repository, workers: Workers) -> list[Finding | Left]:
    """Return what is in the files of the projects."""
    wanted = [path for path in repository.programs if repository.home(path) in scope.projects]
    helpers = scope.helpers | legacy_helper.find_helpers(repository)
    repository.read()
    elsewhere.loaded_elsewhere(repository)
    rows = share(lambda path: look_at(path, repository, helpers), wanted, workers)
    return [row for each in rows for row in each]


def share(work: Callable[[Path], _Result], paths: Sequence[Path], workers: Workers) -> list[_Result]:
    """Do `work` for each path, shared among the workers if that is worth it; return the results in order."""
    pieces = min(MOST_PIECES, len(paths))
    processes = workers.processes if len(paths) >= _FEW else 1
    chunks = divide(pieces, lambda piece: [work(paths[n]) for n in part(piece, pieces, len(paths))], processes)
    workers.progress(len(paths))
    return [result for chunk in chunks for result in chunk]


def _check_projects(scope: Scope, repository: Repository, found: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the findings about whole projects: the modules that hide ours, and the checklist's files."""
    users = [row.path for row in found if row.code == shadowing.CODE]
    yield from (shadowing.check_module(path, users, repository) for path in repository.shadows)
    yield from project_files.check_ignored(scope.projects, scope.root)
    for project in scope.projects:
        yield from project_files.check_tasks(project, repository)


def _order(finding: Finding) -> tuple[Path, int, int, str]:
    return finding.path, finding.line, finding.column, finding.code


def held_together(found: Audit) -> Audit:
    """Return the audit without the steps that are right only together with a step that is not taken."""
    if stop := _why_not_renamed(found):
        found = found.with_each(lambda row: _waiting(row, stop))
    rows = [row for each in found.findings.values() for row in each]
    return found.with_each(lambda row: _held_definition(row, rows, found.repository))


def _why_not_renamed(found: Audit) -> str | None:
    """Return why a module that hides ours cannot be renamed, such as a step that is not taken; None if it can be."""
    steps = [row for each in found.findings.values() for row in each if row.code == shadowing.CODE]
    for row in steps:
        if row.safety == "report":
            return f"{row.path.name} line {row.line}: {row.message.rpartition('; ')[2]}"
        if not found.scope.shows(row.path):
            return "--paths leaves out files that name it"
    outside = found.repository.shadows and found.repository.projects != frozenset(found.findings)
    return "it lies outside the projects asked for" if outside else None


def _waiting(row: Finding, stop: str) -> Finding:
    if row.code == shadowing.CODE:
        return row.refused(f"the renaming is stopped: {stop}")
    return row.refused(f"common_tasks.py has to be renamed first, and cannot be: {stop}") if row.imports else row


def _held_definition(row: Finding, rows: Sequence[Finding], repository: Repository) -> Finding:
    """Keep the definition of a helper if a file goes on using it; doubt its removal if a use of it is unsafe."""
    if not legacy_helper.is_definition(row):
        return row
    uses = [each for each in rows if each.code == legacy_helper.CODE and each is not row]
    moving = {row.path, *(each.path for each in uses)} - {each.path for each in uses if each.safety == "report"}
    for path in (row.path, *repository.who_mentions(row.path, legacy_helper.HELPER)):
        if path not in moving:
            return row.refused(f"{path.name} still uses it")
    unsafe = next((each for each in uses if each.safety == "unsafe"), None)
    where = f"line {unsafe.line} of {unsafe.path.name}" if unsafe else ""
    return row.doubted(f"{where} may change how the program behaves") if unsafe else row
