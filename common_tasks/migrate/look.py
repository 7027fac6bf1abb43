"""Looks at one file: its words first, then its program, rule by rule."""

import ast
import re
from functools import lru_cache
from pathlib import Path

from . import (
    context,
    source,
    t0_shadow,
    t1_helper,
    t2_tests,
    t3_tmp_path,
    t4_scripts,
    t5_leaks,
)
from .context import Program
from .finding import Finding
from .names import Module

UNREAD = "E1"  # the code of a file that cannot be looked through
_WORDS = re.compile(rb"TemporaryDirectory|mkdtemp|mkstemp|NamedTemporaryFile|tmp_path|get_temp_dir|\.te?mp\b")
_HOMES = re.compile(rb"\bcommon(?:_tasks)?\b")
_RULES = (t0_shadow.check_imports, t1_helper.check, t2_tests.check, t3_tmp_path.check, t4_scripts.check, t5_leaks.check)


def look_at(
    path: Path, *, root: Path, helpers: frozenset[str], shadows: tuple[t0_shadow.Shadow, ...]
) -> tuple[Finding, ...]:
    """Return the findings of one Python file of the monorepo at `root`.

    A file that cannot be read, or parsed, is a finding itself. `helpers` are the dotted names of legacy
    helpers, `shadows` the modules that hide ours.
    """
    try:
        data = path.read_bytes()
        if not _may_hold(data, helpers, bool(shadows)):
            return ()
        found = source.decode(path, data)
        module = Module(found.text)
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError) as error:
        silent = context.is_test_data(path.relative_to(root)) or source.is_skipped(path)
        return () if silent else (unread(path, error),)
    conftests = _conftests(path, root)
    program = Program(path.relative_to(root), module, helpers, conftests, shadows)
    findings = [finding for rule in _RULES for finding in rule(program)]
    doubt = _doubt(path, root)
    return tuple(_placed(finding, path, doubt) for finding in _without_skipped(findings, found.text, module))


def _may_hold(data: bytes, helpers: frozenset[str], hidden: bool) -> bool:
    """Tell by its words alone whether a file may hold what is looked for."""
    if _WORDS.search(data) or (hidden and _HOMES.search(data)):
        return True
    return any(helper.rpartition(".")[2].encode() in data for helper in helpers)


def unread(path: Path, error: Exception) -> Finding:
    """Return the finding for a file that cannot be looked through."""
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
