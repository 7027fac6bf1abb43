"""Finds the legacy uses of whole projects, and what they have to do with each other."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from ..fs.values import Progress
from ..monorepo import members as monorepo
from . import context, folders, source, t0_shadow, t1_helper, t6_files
from .finding import Finding
from .look import look_at, unread
from .names import Module
from .processes import share
from .references import References, find_mention, read_references
from .result import Audit as Audit
from .result import Repository as Repository
from .result import Scope as Scope

_NOT_OURS = frozenset({"_vendor", "vendor", "vendored", "site-packages", "third_party"})


def choose_projects(root: Path, here: Path, *, every: bool) -> tuple[Path, ...]:
    """Return the projects to audit: `here`, or every one of the monorepo that is no test's data."""
    if not every:
        return (here,)
    return tuple(p for p in monorepo.find_roots(root) if not context.is_test_data(p.relative_to(root)))


def audit(scope: Scope, progress: Progress, workers: int) -> Audit:
    """Look through the projects. `progress` is told of files that have been looked at."""
    repository = _read_repository(scope)
    found = _without_ignored(_look(scope, repository, progress, workers), scope.root)
    by_project = _check_removed(_sort_out(scope, repository, found), repository.programs, scope.root)
    findings = {project: tuple(sorted(rows, key=_order)) for project, rows in by_project.items()}
    engine = "common_tasks.temp" if _has_own_common(repository.programs, scope.root) else "common.temp"
    return Audit(scope, repository, findings, engine)


def _read_repository(scope: Scope) -> Repository:
    programs = tuple(_programs(scope.root))
    shadows = tuple(shadow for path in programs if (shadow := t0_shadow.find_shadow(path)))
    every = choose_projects(scope.root, scope.root, every=True)
    return Repository(programs, frozenset({*scope.projects, *every}), shadows)


def _look(scope: Scope, repository: Repository, progress: Progress, workers: int) -> dict[Path, tuple[Finding, ...]]:
    """Return the findings of each file that is asked for."""
    asked = [path for path in repository.programs if repository.home(path) in scope.projects]
    wanted = [path for path in asked if _is_within(path, scope.paths)]
    own = (name for path in repository.programs for name in t1_helper.find_helpers(path, scope.root))
    look = partial(look_at, root=scope.root, helpers=scope.helpers.union(own), shadows=repository.shadows)
    return dict(zip(wanted, share(look, wanted, progress, workers), strict=True))


def _sort_out(
    scope: Scope, repository: Repository, found: dict[Path, tuple[Finding, ...]]
) -> dict[Path, list[Finding]]:
    """Return the findings by project, those of the modules that hide ours and of the checklist's files with them."""
    by_project = {project: list(_check_files(scope, project)) for project in scope.projects}
    for path, findings in found.items():
        if home := repository.home(path):
            by_project[home] += _held_back(findings, repository.shadows)
    for shadow in repository.shadows:
        if (home := repository.home(shadow.path)) in by_project and _is_within(shadow.path, scope.paths):
            by_project[home] += _check_shadow(shadow, found)
    if not any(row.code == t0_shadow.CODE and row.safety == "report" for rows in by_project.values() for row in rows):
        return by_project
    return {project: [without_renaming(row) for row in rows] for project, rows in by_project.items()}


def _without_ignored(found: dict[Path, tuple[Finding, ...]], root: Path) -> dict[Path, tuple[Finding, ...]]:
    """Leave out the files that git ignores: they are copies, or made by a build."""
    paths = [path for path, rows in found.items() if rows]
    if not paths or not (root / ".git").exists():
        return found
    asked = b"\0".join(os.fsencode(path.relative_to(root)) for path in paths)
    command = ["git", "-C", str(root), "check-ignore", "-z", "--stdin"]
    try:
        done = subprocess.run(command, input=asked, capture_output=True, check=False)
    except FileNotFoundError:  # no git, so nobody to tell
        return found
    ignored = {root / os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
    return {path: rows for path, rows in found.items() if path not in ignored}


def _order(finding: Finding) -> tuple[Path, int, int, str]:
    return finding.path, finding.line, finding.column, finding.code


def _programs(root: Path) -> Iterator[Path]:
    for folder, names in folders.walk(root):
        if _NOT_OURS.isdisjoint(Path(folder).relative_to(root).parts):
            for name in sorted(names):
                path = Path(folder, name)
                if name.endswith(".py") and path.is_file() and not path.is_symlink():
                    yield path


def _is_within(path: Path, tops: Sequence[Path]) -> bool:
    return not tops or any(path.is_relative_to(top) for top in tops)


def _has_own_common(programs: Iterable[Path], root: Path) -> bool:
    """Tell whether a package `common` of the repository's own hides the name `common.temp`."""
    names = {path.relative_to(root).parts[-2:] for path in programs}
    return not names.isdisjoint({("common", "__init__.py"), ("common", "temp.py")}) or (root / "common.py").is_file()


def _held_back(findings: Iterable[Finding], shadows: Sequence[t0_shadow.Shadow]) -> Iterator[Finding]:
    """Make unsafe what needs our module, as long as a module of the repository's own hides it."""
    hidden = [shadow.path for shadow in shadows if shadow.path.name == "common_tasks.py"]
    for finding in findings:
        if hidden and finding.imports and finding.safety == "safe":
            yield finding._replace(safety="unsafe", message=f"{finding.message}; {hidden[0].name} hides ours: T0 first")
        else:
            yield finding


def without_renaming(finding: Finding) -> Finding:
    """Turn a step of renaming into a report: it is all of them or none."""
    return finding._replace(safety="report", edits=()) if finding.code == t0_shadow.CODE else finding


def _check_removed(
    by_project: dict[Path, list[Finding]], programs: Sequence[Path], root: Path
) -> dict[Path, list[Finding]]:
    """Turn what would take something from other files into reports."""
    words = {name for rows in by_project.values() for row in rows for name in row.removes}
    if not words:
        return by_project
    references = read_references(programs, words)
    moving = _rewritten_users(by_project)
    mentions = {word: find_mention(root, word) for word in words if word.startswith(".")}
    return {
        project: [_checked(row, references, mentions, moving) for row in rows] for project, rows in by_project.items()
    }


def _rewritten_users(by_project: dict[Path, list[Finding]]) -> frozenset[Path]:
    """Return the files whose every use of the legacy helper is rewritten in the same run."""
    rows = [row for rows in by_project.values() for row in rows if row.code == t1_helper.CODE]
    return frozenset(row.path for row in rows) - {row.path for row in rows if row.safety != "safe"}


def _checked(
    finding: Finding, references: References, mentions: dict[str, Path | None], moving: frozenset[Path]
) -> Finding:
    for name in finding.removes:
        users = [path for path in references.of(finding.path, name) if path not in moving]
        users += filter(None, [mentions.get(name)])
        if users:
            return finding._replace(
                safety="report", message=f"{finding.message}; {users[0].name} counts on it", edits=()
            )
    return finding


def _check_files(scope: Scope, project: Path) -> Iterator[Finding]:
    for finding in (t6_files.check_gitignore(project, scope.root), t6_files.check_tasks(project)):
        if finding and _is_within(finding.path, scope.paths):
            yield finding


def _check_shadow(shadow: t0_shadow.Shadow, found: dict[Path, tuple[Finding, ...]]) -> Iterator[Finding]:
    users = [path for path, rows in found.items() if any(row.code == t0_shadow.CODE for row in rows)]
    try:
        yield t0_shadow.check_module(shadow, Module(source.read(shadow.path).text), users)
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError) as error:
        yield unread(shadow.path, error)
