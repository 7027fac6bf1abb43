"""Looks at one file: its words first, then its program, rule by rule."""

import re
from collections.abc import Iterable
from pathlib import Path

from . import blocks, hand_made, legacy_helper, mkdtemp, place, shadowing, source, surroundings, tmp_path
from .finding import Finding, Left
from .names import Module
from .removal import is_docstring
from .repository import Repository
from .surroundings import Program

UNREAD = "E1"  # the code of a file that cannot be looked through
_WORDS = re.compile(rb"TemporaryDirectory|mkdtemp|mkstemp|NamedTemporaryFile|tmp_path|get_temp_dir|\.te?mp\b")
_RULES = (legacy_helper.check, blocks.check, tmp_path.check, hand_made.check, mkdtemp.check)


def look_at(path: Path, repository: Repository, helpers: frozenset[str]) -> tuple[Finding | Left, ...]:
    """Return the findings of one Python file. One that cannot be read, or parsed, is a finding itself.

    `helpers`: dotted names of legacy helpers.
    """
    try:
        data = source.read_bytes(path)
        if not _may_hold(data, repository, helpers):
            return ()
        module = Module(source.decode(path, data).text)
    except source.UNREADABLE as error:
        silent = place.is_data(path.relative_to(repository.root)) or source.is_skipped(path)
        return () if silent else (unread(path, error),)
    program = _program(path, module, repository, helpers)
    rows = [row for rule in _RULES for row in rule(program)]
    if repository.shadows.paths and path not in repository.shadows.paths:
        rows += shadowing.check_users(program, repository.shadows)
    left = tuple(row for row in rows if isinstance(row, Left))
    findings = _without_skipped([row for row in rows if isinstance(row, Finding)], module)
    return (*left, *_placed(findings, path, module, repository))


def _may_hold(data: bytes, repository: Repository, helpers: frozenset[str]) -> bool:
    """Tell by its words alone whether a file may hold what is looked for."""
    if _WORDS.search(data) or (repository.shadows.paths and shadowing.OLD.encode() in data):
        return True
    return any(helper.rpartition(".")[2].encode() in data for helper in helpers)


def _program(path: Path, module: Module, repository: Repository, helpers: frozenset[str]) -> Program:
    replaced = None
    relative = path.relative_to(repository.root)
    if repository.replacing:
        elsewhere = repository.replacing[0] != path
        # What a test replaces is replaced while it runs: in the code that it runs, not in other tests.
        replaced = repository.replacing[1] if elsewhere and not surroundings.is_test_module(relative) else None
    conftests = _conftests(path, repository) if surroundings.is_test(relative) else ()
    return Program(relative, module, repository.classes, helpers, conftests, replaced, bool(repository.shadows.paths))


def unread(path: Path, error: Exception) -> Finding:
    """Return the finding for a file that cannot be looked through."""
    reason = str(error) if isinstance(error, source.Unreadable) else f"{type(error).__name__}: {error}"
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    return Finding(path, line, 0, UNREAD, "report", f"not looked through: {reason}")


def _placed(findings: Iterable[Finding], path: Path, module: Module, repository: Repository) -> Iterable[Finding]:
    """Yield the findings with the doubts that concern the whole file."""
    found = [finding._replace(path=path) for finding in findings]
    if not any(finding.imports for finding in found):
        return found
    hidden = bool(repository.shadows.paths)
    doubt = place.why_not_import(path, repository.root, module, repository.bare_scripts, hidden=hidden)
    if doubt is None:
        return found
    judge = Finding.refused if doubt.final else Finding.doubted
    return [judge(finding, doubt.reason) if finding.imports else finding for finding in found]


def _without_skipped(findings: list[Finding], module: Module) -> list[Finding]:
    """Leave out what the comment silences: on a line of the finding's statement, or at the head of the file."""
    skipped = source.skipped_lines(module.text) if findings else frozenset[int]()
    starts = [each.lineno for each in module.statements]
    body = next((each.lineno for each in module.tree.body if not is_docstring(each)), 0)
    if any(line < body for line in skipped):
        return []
    firsts = (max(start for start in starts if start <= each.line) for each in findings)
    lines = (range(first, max(each.line, each.last_line) + 1) for first, each in zip(firsts, findings, strict=True))
    return [each for each, covered in zip(findings, lines, strict=True) if skipped.isdisjoint(covered)]


def _conftests(path: Path, repository: Repository) -> tuple[Module, ...]:
    folders = [folder for folder in path.parents if folder.is_relative_to(repository.root)]
    files = [folder / "conftest.py" for folder in reversed(folders)]
    found = [repository.classes.read(file) for file in files if file != path and file.is_file()]
    return tuple(module for module in found if module)
