"""Applies the edits of findings to a program: LibCST keeps all that they do not concern."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable

from . import edits, imports, unused
from .edits import NotFaithful
from .finding import Finding
from .names import Module
from .shadowing import OLD, TASKS
from .source import comments, is_pragma, split_lines
from .style import Style


def rewrite(text: str, findings: Iterable[Finding], engine: str, style: Style, is_needed: Callable[[str], bool]) -> str:
    """Return a program with the edits of `findings` made, and its imports to match.

    `engine` is the module that new names are imported from; `is_needed` tells of an imported name that other files
    count on it. Raises NotFaithful where the result would not parse or lose a comment, NameTaken where a new name is
    taken.
    """
    found = tuple(findings)
    before = Module(text)
    result = edits.make(text, (edit for finding in found for edit in finding.edits))
    names = {name for finding in found for name in finding.imports}
    result = imports.add(_folded(result, style.length), names - set(TASKS), engine, style)
    result = imports.add(result, names & set(TASKS), OLD, style)
    while left_over := unused.find(before, Module(result), is_needed):
        result = edits.make(result, left_over)  # what goes may have used another one
    _check(text, result)
    return result


def _folded(text: str, length: int) -> str:
    """Fold the heads of `with pytest_temp_dirs(…)` that are longer than a line may be."""
    if f"with {_LONG}" not in text:
        return text
    return "".join(_fold(line) if len(line.rstrip()) > length else line for line in split_lines(text))


def _fold(line: str) -> str:
    found = re.fullmatch(rf"(\s*)(with {_LONG})\((\d+, \[[^]]*\])\)( as .*)(\r?\n?)", line)
    if not found:
        return line
    indent, head, arguments, rest, end = found.groups()
    return f"{indent}{head}({end}{indent}    {arguments}{end}{indent}){rest}{end}"


_LONG = "pytest_temp_dirs"


def _check(before: str, after: str) -> None:
    try:
        ast.parse(after)
    except SyntaxError as error:
        raise NotFaithful(f"the rewritten program does not parse: {error}") from None
    old, new = (Counter(text for _, text in comments(program)) for program in (before, after))
    if new - old or any(not is_pragma(text) for text in old - new):
        raise NotFaithful("a comment stands where code would go")
