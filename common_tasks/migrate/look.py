"""Looks at one file: its words first, then its program, rule by rule."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

from . import blocks, hand_made, legacy_helper, mkdtemp, shadowing, source, tmp_path
from .finding import Finding, Left
from .kinds import is_data
from .names import Module, is_docstring
from .place import why_not_import
from .repository import Program, Repository

UNREAD = "E1"  # the code of a file that cannot be looked through
_WORDS = re.compile(rb"TemporaryDirectory|mkdtemp|mkstemp|NamedTemporaryFile|tmp_path|get_temp_dir|\.te?mp\b")
_RULES = (legacy_helper.check, blocks.check, tmp_path.check, hand_made.check, mkdtemp.check, shadowing.check)


def look_at(path: Path, repository: Repository, helpers: frozenset[str]) -> tuple[Finding | Left, ...]:
    """Return the findings of one Python file. One that cannot be read, or parsed, is a finding itself.

    `helpers`: dotted names of legacy helpers.
    """
    try:
        data = source.read_bytes(path)
        if not _may_hold(data, repository, helpers):
            return ()
        module = Module(source.decode(data).text)
    except source.UNREADABLE as error:
        silent = is_data(path.relative_to(repository.root)) or source.is_skipped(path)
        return () if silent else (_unread(path, error),)
    repository.classes.remember(path, module)
    program = Program(path, module, repository, helpers)
    rows = [row for rule in _RULES for row in rule(program)]
    left = [row for row in rows if isinstance(row, Left)]
    return (*left, *_placed(program, _without_skipped(module, [row for row in rows if isinstance(row, Finding)])))


def _may_hold(data: bytes, repository: Repository, helpers: frozenset[str]) -> bool:
    """Tell by its words alone whether a file may hold what is looked for."""
    words = [helper.rpartition(".")[2] for helper in helpers] + ([shadowing.OLD] if repository.shadows else [])
    return bool(_WORDS.search(data)) or any(word.encode() in data for word in words)


def _unread(path: Path, error: Exception) -> Finding:
    """Return the finding for a file that cannot be looked through."""
    reason = str(error) if isinstance(error, source.Unreadable) else f"{type(error).__name__}: {error}"
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    return Finding(path, line, 0, UNREAD, f"not looked through: {reason}")


def _placed(program: Program, findings: list[Finding]) -> Iterable[Finding]:
    """Return the findings with the doubt that concerns the whole file."""
    doubt = why_not_import(program) if any(finding.imports for finding in findings) else None
    return [finding.judged(doubt) if finding.imports else finding for finding in findings]


def _without_skipped(module: Module, findings: list[Finding]) -> list[Finding]:
    """Leave out what the comment silences: on a line of the finding's statement, or at the head of the file."""
    skipped = source.skipped_lines(module.text) if findings else frozenset[int]()
    starts = [each.lineno for each in module.all(ast.stmt)] if skipped else []
    body = next((each.lineno for each in module.tree.body if not is_docstring(each)), 0)
    if any(line < body for line in skipped):
        return []
    firsts = {each: max([start for start in starts if start <= each.line], default=each.line) for each in findings}
    return [each for each in findings if skipped.isdisjoint(range(firsts[each], max(each.line, each.last_line) + 1))]
