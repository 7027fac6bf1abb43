"""Finds the imports that nothing needs once a program is rewritten."""

import ast
import re
from collections.abc import Callable

from .finding import Drop, DropName, Edit
from .names import Function, Module
from .source import is_pragma
from .sub_folders import stand_alone

_Import = ast.Import | ast.ImportFrom


def find(before: Module, after: Module, is_needed: Callable[[str], bool]) -> list[Edit]:
    """Return the edits that take out of `after` the imports that only `before` used.

    One that a string names stays (`mock.patch("module.name")`, `__all__`), as does one with a comment of the author's
    on its line, and one of which `is_needed` says so.
    """
    found: dict[_Import, list[str]] = {}
    for scope in after.scopes:
        for name, bindings in scope.bindings.items():
            alias = bindings[0].node
            statement = after.parents.get(alias)
            if len(bindings) > 1 or not isinstance(alias, ast.alias) or not isinstance(statement, _Import):
                continue
            is_submodule = alias.asname is None and "." in alias.name  # it may be there for what it does
            unused = _was_used(before, name) and not after.loads(name, scope)
            if unused and not is_submodule and not is_needed(name) and _may_go(after, statement, name):
                found.setdefault(statement, []).append(name)
    return [edit for statement, names in found.items() for edit in _edits(after, statement, names, found)]


def _was_used(before: Module, name: str) -> bool:
    return any(isinstance(node.ctx, ast.Load) for node, _ in before.names.get(name, ()))


def _may_go(after: Module, statement: _Import, name: str) -> bool:
    home = after.parents[statement]
    inside = isinstance(home, Function) and len(home.body) > 1
    if not (isinstance(home, ast.Module) or inside or _is_checking(home)) or not stand_alone(after, [statement]):
        return False
    lines = after.lines[statement.lineno - 1 : statement.end_lineno]
    if any("#" in line and not is_pragma(line[line.index("#") :]) for line in lines):
        return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    return not any(word.search(text) for text in after.strings)


def _is_checking(home: ast.AST) -> bool:
    """Tell whether this is `if TYPE_CHECKING:` without an `else`."""
    return isinstance(home, ast.If) and "TYPE_CHECKING" in ast.unparse(home.test) and not home.orelse


def _edits(module: Module, statement: _Import, names: list[str], found: dict[_Import, list[str]]) -> list[Edit]:
    if len(names) < len(statement.names):
        return [DropName(module.place(statement), name) for name in names]
    home = module.parents[statement]
    whole = isinstance(home, ast.If) and all(
        isinstance(each, _Import) and len(found.get(each, ())) == len(each.names) for each in home.body
    )
    return [Drop(module.place(home if whole and isinstance(home, ast.If) else statement))]
