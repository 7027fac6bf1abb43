"""Finds the legacy uses of whole projects, and what they have to do with each other."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from ..fs.workers import MOST_PIECES, Workers, divide, part
from ..monorepo.members import find_roots
from . import files, gitignore, legacy_helper, place, shadowing, task_files
from .finding import Finding, Left
from .look import look_at
from .names import Module
from .repository import Repository
from .result import Audit as Audit
from .result import Scope as Scope

_Result = TypeVar("_Result")


def choose_projects(root: Path, here: Path, *, every: bool) -> tuple[Path, ...]:
    """Return the projects to audit: `here`, or every one of the monorepo that is its own work."""
    return tuple(p for p in find_roots(root) if is_own_work(p, root)) if every else (here,)


def is_own_work(project: Path, root: Path) -> bool:
    """Tell whether a project is no sample, template or test data, and no package inside another one."""
    below = project.relative_to(root)
    is_package = project != root and (project / "__init__.py").exists()
    return not (place.is_data(below / "x") or place.is_foreign(below) or is_package)


def audit(scope: Scope, workers: Workers) -> Audit:
    """Look through the projects. Raises GuardFailed where git cannot tell what it ignores."""
    repository = _read_repository(scope)
    rows = _look(scope, repository, workers)
    left = Counter(row.what for found in rows.values() for row in found if isinstance(row, Left))
    found = {path: [row for row in each if isinstance(row, Finding)] for path, each in rows.items()}
    by_project = _sort_out(scope, repository, found)
    findings = {project: tuple(sorted(each, key=_order)) for project, each in by_project.items()}
    engine = "common_tasks.temp" if _has_own_common(repository.programs) else "common.temp"
    result = Audit(scope, repository, findings, engine, left)
    return held_together(result.with_each(lambda row: _counted_on(row, repository)))


def _read_repository(scope: Scope) -> Repository:
    listed = files.list_files(scope.root)
    programs = [path for path in listed if path.suffix == ".py"]
    others = [path for path in listed if path.suffix != ".py"]
    every = choose_projects(scope.root, scope.root, every=True)
    return Repository(scope.root, programs, others, frozenset({*scope.projects, *every}))


def _look(scope: Scope, repository: Repository, workers: Workers) -> dict[Path, tuple[Finding | Left, ...]]:
    """Return the findings of each file of the projects."""
    wanted = [path for path in repository.programs if repository.home(path) in scope.projects]
    helpers = scope.helpers | legacy_helper.find_helpers(repository.classes, repository.texts)
    repository.read()
    rows = share(lambda path: look_at(path, repository, helpers), wanted, workers)
    return dict(zip(wanted, rows, strict=True))


def share(work: Callable[[Path], _Result], paths: Sequence[Path], workers: Workers) -> list[_Result]:
    """Do `work` for each path, by the workers together where that is worth it; the results in order."""
    pieces = min(MOST_PIECES, len(paths))
    if workers.processes < 2 or len(paths) < _FEW:
        return [_told(work(path), workers) for path in paths]
    chunks = divide(pieces, lambda piece: [work(paths[n]) for n in part(piece, pieces, len(paths))], workers.processes)
    workers.progress(len(paths))
    return [result for chunk in chunks for result in chunk]


_FEW = 64  # files for which no worker is worth starting


def _told(result: _Result, workers: Workers) -> _Result:
    workers.progress(1)
    return result


def _sort_out(scope: Scope, repository: Repository, found: dict[Path, list[Finding]]) -> dict[Path, list[Finding]]:
    """Return the findings by project, those of the modules that hide ours and of the checklist's files with them."""
    by_project: dict[Path, list[Finding]] = {project: [] for project in scope.projects}
    for path, findings in found.items():
        if home := repository.home(path):
            by_project[home] += findings
    users = [path for path, rows in found.items() if any(row.code == shadowing.CODE for row in rows)]
    for path in repository.shadows.paths:
        if (home := repository.home(path)) in by_project:
            by_project[home].append(_check_shadow(path, users, repository))
    for project, row in gitignore.check(scope.projects, scope.root).items():
        by_project[project].append(row)
    for project in scope.projects:
        if lacking := _check_tasks(project, scope.root, repository):
            by_project[project].append(lacking)
    return by_project


def _check_shadow(path: Path, users: Sequence[Path], repository: Repository) -> Finding:
    module = repository.classes.read(path)
    if module is None:
        message = f"{path.name} hides this package, and cannot be read"
        return Finding(path, 1, 0, shadowing.CODE, "report", message, group=shadowing.CODE)
    finding = shadowing.check_module(path, module, users, repository.shadows)
    mention = shadowing.find_mention(repository.settings)
    return finding.refused(mention) if mention else finding


def _check_tasks(project: Path, root: Path, repository: Repository) -> Finding | None:
    path = project / task_files.NAME
    # Where there is none, or it cannot be read, `check` says so.
    module = repository.classes.read(path) or Module("" if path.is_file() else "import invoke")
    hidden = bool(repository.shadows.paths)
    doubt = place.why_not_import(path, root, module, repository.bare_scripts, hidden=hidden)
    return task_files.check(project, doubt, repository.shadows)


def _order(finding: Finding) -> tuple[Path, int, int, str]:
    return finding.path, finding.line, finding.column, finding.code


def _has_own_common(programs: Iterable[Path]) -> bool:
    """Tell whether a package or module `common` of the repository's own may hide the name `common.temp`."""
    names = {path.parts[-2:] for path in programs}
    return any(pair[-1] == "common.py" for pair in names) or not names.isdisjoint(
        {("common", "__init__.py"), ("common", "temp.py")}
    )


def _counted_on(finding: Finding, repository: Repository) -> Finding:
    """Return a finding as no longer safe if another file may count on what goes with it."""
    for name in finding.removes if finding.safety != "report" else ():
        if name.startswith(".tmp/"):
            if looker := repository.who_looks(finding.path, name.removeprefix(".tmp/")):
                finding = finding.doubted(looker) if "*" in name else finding.refused(looker)
        elif finding.code != legacy_helper.CODE and (users := repository.users_of(finding.path, name)):
            finding = finding.doubted(f"{users[0].name} uses {name} of this file")
    return finding


def held_together(found: Audit) -> Audit:
    """Return the audit without steps that are only right together with one that is not taken."""
    rows = [row for each in found.findings.values() for row in each]
    stop = next((row for row in rows if row.group == shadowing.CODE and row.safety == "report"), None)
    if stop:
        where = f"{stop.path.name} line {stop.line}: {stop.message.rpartition('; ')[2]}"
        found = found.with_each(lambda row: _waiting(row, where))
    elif _has_shadow_outside(found):
        found = found.with_each(lambda row: _waiting(row, "it lies outside the projects asked for"))
    return found.with_each(lambda row: _held_definition(row, rows, found.repository))


def _has_shadow_outside(found: Audit) -> bool:
    """Tell whether a module that hides ours, or what names it, may lie outside what is looked at."""
    shadows = found.repository.shadows.paths
    return bool(shadows) and found.repository.projects != frozenset(found.findings)


def _waiting(row: Finding, where: str) -> Finding:
    if row.group == shadowing.CODE:
        return row.refused(f"the renaming is stopped: {where}")
    return row.refused(f"common_tasks.py has to be renamed first, and cannot be: {where}") if row.imports else row


def _held_definition(row: Finding, rows: Sequence[Finding], repository: Repository) -> Finding:
    """Keep the definition of a helper that a file counts on which goes on using it."""
    if legacy_helper.HELPER not in row.removes or row.safety == "report":
        return row
    uses = [each for each in rows if each.code == legacy_helper.CODE and each is not row]
    moving = {row.path, *(each.path for each in uses)} - {each.path for each in uses if each.safety == "report"}
    for path in (row.path, *repository.users_of(row.path, legacy_helper.HELPER)):
        if path not in moving:
            return row.refused(f"{path.name} still uses it")
    unsafe = next((each for each in uses if each.safety == "unsafe"), None)
    where = f"line {unsafe.line} of {unsafe.path.name}" if unsafe else ""
    return row.doubted(f"{where} may change how the program behaves") if unsafe else row
