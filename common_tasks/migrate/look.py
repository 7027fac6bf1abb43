"""Looks at one file: its words first, then its program, rule by rule."""

import ast
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from . import blocks, hand_made, legacy_helper, mkdtemp, place, shadowing, source, surroundings, tmp_path
from .finding import Finding, Left
from .names import Module
from .surroundings import Program

UNREAD = "E1"  # the code of a file that cannot be looked through
_WORDS = re.compile(rb"TemporaryDirectory|mkdtemp|mkstemp|NamedTemporaryFile|tmp_path|get_temp_dir|\.te?mp\b")
_RULES = (legacy_helper.check, blocks.check, tmp_path.check, hand_made.check, mkdtemp.check)


class Around(NamedTuple):
    """What a file is looked at with: facts about its repository.

    `helpers`: dotted names of legacy helpers. `shadows`: modules that hide ours. `bare`: names of the scripts that
    something starts by a plain `python`. `replacing`: a file that replaces functions of tempfile, and where.
    """

    root: Path
    helpers: frozenset[str] = frozenset()
    shadows: shadowing.Shadows = shadowing.Shadows()
    bare: frozenset[str] = frozenset()
    replacing: tuple[Path, str] | None = None


def look_at(path: Path, around: Around) -> tuple[Finding | Left, ...]:
    """Return the findings of one Python file. One that cannot be read, or parsed, is a finding itself."""
    try:
        data = source.read_bytes(path)
        if not _may_hold(data, around):
            return ()
        module = Module(source.decode(path, data).text)
    except source.UNREADABLE as error:
        silent = place.is_data(path.relative_to(around.root)) or source.is_skipped(path)
        return () if silent else (unread(path, error),)
    program = _program(path, module, around)
    rows = [row for rule in _RULES for row in rule(program)]
    if around.shadows.paths and path not in around.shadows.paths:
        rows += shadowing.check_users(program, around.shadows)
    left = tuple(row for row in rows if isinstance(row, Left))
    findings = _without_skipped([row for row in rows if isinstance(row, Finding)], module)
    return (*left, *_placed(findings, path, module, around))


def _may_hold(data: bytes, around: Around) -> bool:
    """Tell by its words alone whether a file may hold what is looked for."""
    if _WORDS.search(data) or (around.shadows.paths and shadowing.OLD.encode() in data):
        return True
    return any(helper.rpartition(".")[2].encode() in data for helper in around.helpers)


def _program(path: Path, module: Module, around: Around) -> Program:
    replaced = None
    if around.replacing:
        elsewhere = around.replacing[0] != path
        # What a test replaces is replaced while it runs: in the code that it runs, not in other tests.
        replaced = around.replacing[1] if elsewhere and not path.name.startswith("test_") else None
    relative = path.relative_to(around.root)
    conftests = _conftests(path, around.root) if surroundings.is_test(relative) else ()
    return Program(relative, module, around.helpers, conftests, replaced, bool(around.shadows.paths))


def unread(path: Path, error: Exception) -> Finding:
    """Return the finding for a file that cannot be looked through."""
    reason = str(error) if isinstance(error, source.Unreadable) else f"{type(error).__name__}: {error}"
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    return Finding(path, line, 0, UNREAD, "report", f"not looked through: {reason}")


def _placed(findings: Iterable[Finding], path: Path, module: Module, around: Around) -> Iterable[Finding]:
    """Yield the findings with the doubts that concern the whole file."""
    found = [finding._replace(path=path) for finding in findings]
    if not any(finding.imports for finding in found):
        return found
    doubt = place.why_not_import(path, around.root, module, around.bare, hidden=bool(around.shadows.paths))
    if doubt is None:
        return found
    judge = Finding.refused if doubt.final else Finding.doubted
    return [judge(finding, doubt.reason) if finding.imports else finding for finding in found]


def _without_skipped(findings: list[Finding], module: Module) -> list[Finding]:
    skipped = source.skipped_lines(module.text) if findings else frozenset[int]()
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
    except source.UNREADABLE:
        return None  # it is a finding of its own
