"""Finds the legacy uses of whole projects: words first, then parsing, in several processes."""

import ast
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from .. import projects as monorepo
from . import checklist, context, source, t0_shadow, t1_helper, t2_tests, t3_tmp_path, t4_scripts, t5_leaks, t6_files
from .context import Program
from .finding import Finding, Item
from .names import Module
from .references import References, find_mention, read_references

Tick = Callable[[int], None]
_RULES = (t0_shadow.check_imports, t1_helper.check, t2_tests.check, t3_tmp_path.check, t4_scripts.check, t5_leaks.check)
_WORDS = re.compile(rb"TemporaryDirectory|mkdtemp|mkstemp|NamedTemporaryFile|tmp_path|get_temp_dir|\.te?mp\b")
_HOMES = re.compile(rb"\bcommon(?:_tasks)?\b")
UNREAD = "E1"  # the code of a file that cannot be looked through
_NOT_OURS = frozenset({"_vendor", "vendor", "vendored", "site-packages", "third_party"})
_CHUNK = 32  # files that a worker takes at a time
_FEW = 64  # files for which no worker is worth starting
_Result = TypeVar("_Result")


class Scope(NamedTuple):
    """What is audited: projects of the monorepo at `root`, in them `paths` (all where there are none).

    `helpers`: dotted names of legacy helpers, beside the known ones.
    """

    root: Path
    projects: tuple[Path, ...]
    paths: tuple[Path, ...] = ()
    helpers: frozenset[str] = frozenset()

    @property
    def shown_from(self) -> Path:
        """What shown paths are relative to: the project where it is one, else the monorepo."""
        return self.projects[0] if len(self.projects) == 1 else self.root


class Audit(NamedTuple):
    """What an audit found, by project.

    `engine` is the module that new names are imported from; `programs` are all the Python files of the monorepo.
    """

    scope: Scope
    findings: dict[Path, tuple[Finding, ...]]
    programs: tuple[Path, ...]
    engine: str
    shadows: tuple[t0_shadow.Shadow, ...]

    @property
    def rows(self) -> Iterator[Finding]:
        """Every finding."""
        return (finding for findings in self.findings.values() for finding in findings)

    @property
    def checklist(self) -> tuple[Item, ...]:
        """The checklist, project by project."""
        lists = (checklist.make_checklist(project, found) for project, found in self.findings.items())
        return tuple(item for items in lists for item in items)


def choose_projects(root: Path, here: Path, *, every: bool) -> tuple[Path, ...]:
    """Return the projects to audit: `here`, or every one of the monorepo that is no test's data."""
    if not every:
        return (here,)
    return tuple(p for p in monorepo.find_projects(root) if not context.is_test_data(p.relative_to(root)))


def audit(scope: Scope, tick: Tick, workers: int) -> Audit:
    """Look through the projects. `tick` is told of files that have been looked at."""
    programs = tuple(_programs(scope.root))
    nested = [p for p in monorepo.find_projects(scope.root) if not context.is_test_data(p.relative_to(scope.root))]
    known = frozenset({*scope.projects, *nested})
    wanted = [path for path in programs if _home(path, known) in scope.projects and _is_within(path, scope.paths)]
    shadows = tuple(shadow for path in programs if (shadow := t0_shadow.find_shadow(path)))
    helpers = (name for path in programs for name in t1_helper.find_helpers(path, scope.root))
    look = partial(look_at, scope=scope._replace(helpers=scope.helpers.union(helpers)), shadows=shadows)
    found = dict(zip(wanted, share(look, wanted, tick, workers), strict=True))
    found = _without_ignored(found, scope.root)
    by_project: dict[Path, list[Finding]] = {project: [] for project in scope.projects}
    for path, findings in found.items():
        home = _home(path, known)
        if home:
            by_project[home] += _held_back(findings, shadows)
    for shadow in shadows:
        if (home := _home(shadow.path, known)) in by_project and _is_within(shadow.path, scope.paths):
            by_project[home] += _check_shadow(shadow, found)
    if any(row.code == t0_shadow.CODE and row.safety == "report" for rows in by_project.values() for row in rows):
        by_project = {project: [without_renaming(row) for row in rows] for project, rows in by_project.items()}
    for project, rows in by_project.items():
        rows += _check_files(scope, project)
    engine = "common_tasks.temp" if _has_own_common(programs, scope.root) else "common.temp"
    checked = _check_removed(by_project, programs, scope.root)
    results = {project: tuple(sorted(rows, key=_order)) for project, rows in checked.items()}
    return Audit(scope, results, programs, engine, shadows)


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
    for folder, names in monorepo.walk(root):
        if _NOT_OURS.isdisjoint(Path(folder).relative_to(root).parts):
            for name in sorted(names):
                path = Path(folder, name)
                if name.endswith(".py") and path.is_file() and not path.is_symlink():
                    yield path


def _home(path: Path, known: frozenset[Path]) -> Path | None:
    return next((folder for folder in path.parents if folder in known), None)


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
        yield _unread(shadow.path, error)


def look_at(path: Path, *, scope: Scope, shadows: tuple[t0_shadow.Shadow, ...]) -> tuple[Finding, ...]:
    """Return the findings of one Python file. A file that cannot be read, or parsed, is a finding itself."""
    try:
        data = path.read_bytes()
        if not _may_hold(data, scope, shadows):
            return ()
        found = source.decode(path, data)
        module = Module(found.text)
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError) as error:
        silent = context.is_test_data(path.relative_to(scope.root)) or source.is_skipped(path)
        return () if silent else (_unread(path, error),)
    conftests = _conftests(path, scope.root)
    program = Program(path.relative_to(scope.root), module, scope.helpers, conftests, shadows)
    findings = [finding for rule in _RULES for finding in rule(program)]
    doubt = _doubt(path, scope.root)
    return tuple(_placed(finding, path, doubt) for finding in _without_skipped(findings, found.text, module))


def _may_hold(data: bytes, scope: Scope, shadows: tuple[t0_shadow.Shadow, ...]) -> bool:
    """Tell by its words alone whether a file may hold what is looked for."""
    if _WORDS.search(data) or (shadows and _HOMES.search(data)):
        return True
    return any(helper.rpartition(".")[2].encode() in data for helper in scope.helpers)


def _unread(path: Path, error: Exception) -> Finding:
    reason = str(error) if isinstance(error, source.Unreadable) else f"{type(error).__name__}: {error}"
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    return Finding(path, line, 0, UNREAD, "report", f"not looked through: {reason}")


def _doubt(path: Path, root: Path) -> str | None:
    """Return why a file may be no place for new imports at all."""
    relative = path.relative_to(root)
    if context.is_test_data(relative):
        return "it may be the data of a test"
    in_package = (path.parent / "__init__.py").exists() and "scripts" not in relative.parts
    if in_package and not context.is_test(relative) and not _depends_on_ours(path, root):
        return "its package would need common-tasks wherever it runs, which pyproject.toml does not say"
    return None


def _depends_on_ours(path: Path, root: Path) -> bool:
    """Tell whether the nearest `pyproject.toml` above a file names this package."""
    files = [folder / "pyproject.toml" for folder in path.parents if folder.is_relative_to(root)]
    nearest = next((file for file in files if file.is_file()), None)
    return nearest is not None and re.search(rb"common[-_]tasks", nearest.read_bytes()) is not None


def _placed(finding: Finding, path: Path, doubt: str | None) -> Finding:
    if doubt and finding.safety == "safe" and finding.imports:
        return finding._replace(path=path, safety="unsafe", message=f"{finding.message}; {doubt}")
    return finding._replace(path=path)


def _without_skipped(findings: list[Finding], text: str, module: Module) -> list[Finding]:
    skipped = source.skipped_lines(text) if findings else frozenset[int]()
    if not skipped:
        return findings
    body = module.tree.body
    first = next((s.lineno for s in body if not _is_docstring(s, module)), 0)
    if any(line < first and not module.lines[line - 1].partition("#")[0].strip() for line in skipped):
        return []
    return [finding for finding in findings if skipped.isdisjoint(_lines(finding, module))]


def _lines(finding: Finding, module: Module) -> range:
    """Return the lines of a finding, the head of the statement that it stands in included."""
    heads = (range(statement.lineno, _head_end(statement) + 1) for statement in module.statements)
    around = [head for head in heads if finding.line in head]
    last = max(finding.line, finding.last_line, *(head[-1] for head in around))
    return range(min((finding.line, *(head[0] for head in around))), last + 1)


def _head_end(statement: ast.stmt) -> int:
    body = getattr(statement, "body", None)
    return body[0].lineno - 1 if body else statement.end_lineno or statement.lineno


def _is_docstring(statement: object, module: Module) -> bool:
    return (
        statement is module.tree.body[0]
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
    )


def _conftests(path: Path, root: Path) -> tuple[Module, ...]:
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    files = [folder / "conftest.py" for folder in reversed(folders)]
    found = [_conftest(file, file.stat().st_mtime_ns) for file in files if file != path and file.is_file()]
    return tuple(module for module in found if module)


@lru_cache(maxsize=1024)
def _conftest(path: Path, changed: int) -> Module | None:
    """Return a conftest file, parsed anew once it has `changed`."""
    try:
        return Module(source.read(path).text)
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError):
        return None  # it is a finding of its own


def share(work: Callable[[Path], _Result], paths: Sequence[Path], tick: Tick, workers: int) -> list[_Result]:
    """Do `work` for each path, in several processes where that is worth it; the results in order."""
    results: list[_Result] = []
    if workers < 2 or len(paths) < _FEW:
        for path in paths:
            results.append(work(path))
            tick(1)
        return results
    method = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(method), _ignore_interrupt)
    try:
        for result in pool.map(work, paths, chunksize=_CHUNK):
            results.append(result)
            tick(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
