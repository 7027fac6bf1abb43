"""Applies the edits of findings to a program, and adds and removes the imports that they concern."""

import ast
import re
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from . import edits, imports
from .edits import NotFaithful
from .finding import Finding
from .names import Module
from .naming import ONE, SEVERAL
from .repository import Repository
from .shadowing import OLD, TASKS
from .source import comments, is_pragma
from .style import style_of

_ITEM = rf"{ONE}\([^()\r\n]*\)(?: as \w+)?"
_CALL = re.compile(rf"(with {SEVERAL}\()(\d+, \[[^]\r\n]*\])(\) as [^\r\n]*)")
# The heads of blocks with several directories, which may be longer than a line may be.
_HEADS = re.compile(rf"^([ \t]*)({_CALL.pattern}|with {_ITEM}(?:, {_ITEM})+:)(\r?)$", re.MULTILINE)


def rewrite(path: Path, text: str, findings: Iterable[Finding], repository: Repository) -> str:
    """Return the program of a file with the edits of `findings` made, and its imports to match.

    Raises NotFaithful if the result would not parse or would lose a comment, NameTaken if a new name is taken,
    WrongSettings if it is unclear how imports are sorted.
    """
    found, style = tuple(findings), style_of(path.parent, repository.root)
    result = edits.make(text, (edit for finding in found for edit in finding.edits))
    result = append(_HEADS.sub(partial(_fitting, style.length), result), "".join(finding.ending for finding in found))
    names = {name for finding in found for name in finding.imports}
    result = imports.add(result, names - {*TASKS, "ns"}, repository.engine, style)
    result = imports.add(result, names & {*TASKS, "ns"}, OLD, style)
    before, users = Module(text), partial(repository.users_of, path)
    while left_over := imports.find_unused(before, Module(result), users, style):
        result = edits.make(result, left_over)  # what is removed may have used another one
    result = imports.mark_unused(before, result)
    _check(text, result)
    return result


def append(text: str, ending: str) -> str:
    """Return a text with more at its end, in lines that end as its own do."""
    end = "\r\n" if "\r\n" in text else "\n"
    joint = end if ending and text and not text.endswith("\n") else ""
    return text + joint + ending.replace("\n", end)


def _fitting(length: int, head: re.Match[str]) -> str:
    """Return the head of a block, in several lines if it is longer than a line may be."""
    indent, code, before, arguments, after, end = head.groups()
    if len(indent) + len(code) <= length:
        return head[0]
    items = [f"    {item}," for item in re.findall(_ITEM, code)]
    lines = [before, f"    {arguments}", after] if before else ["with (", *items, "):"]
    return f"{end}\n".join(indent + line for line in lines) + end


def _check(before: str, after: str) -> None:
    try:
        ast.parse(after)
    except SyntaxError as error:
        raise NotFaithful(f"the rewritten program does not parse: {error}") from None
    old, new = (Counter(text for _, text in comments(program)) for program in (before, after))
    if any(not is_pragma(text) for text in (new - old) + (old - new)):
        raise NotFaithful("a comment stands where code would go")
