"""Finds the imports that nothing needs once a program is rewritten."""

import ast
import re
from collections.abc import Callable

from .finding import Drop, Edit, ReplaceImport
from .names import Module, stand_alone
from .source import is_pragma
from .style import Style

_Import = ast.Import | ast.ImportFrom


def find(before: Module, after: Module, is_needed: Callable[[str], bool], style: Style) -> list[Edit]:
    """Return the edits that take out of `after` the imports that only `before` used.

    One that a string names stays (`mock.patch("module.name")`, `__all__`), as does one with a comment of the author's
    on its line, and one of which `is_needed` says so.
    """
    found: dict[_Import, list[str]] = {}
    for scope in after.scopes:
        for name, [binding, *others] in scope.bindings.items():
            alias, statement = binding.node, after.parents.get(binding.node)
            if others or not isinstance(alias, ast.alias) or not isinstance(statement, _Import):
                continue
            is_submodule = alias.asname is None and "." in alias.name  # it may be there for what it does
            unused = _is_read(before, name) and not after.loads(name, scope)
            if unused and not is_submodule and not is_needed(name) and _may_go(after, statement, name):
                found.setdefault(statement, []).append(name)
    edits = (_edit(after, statement, names, style) for statement, names in found.items())
    return [edit for edit in edits if edit]


def _is_read(before: Module, name: str) -> bool:
    return any(isinstance(node.ctx, ast.Load) for node, _ in before.names.get(name, ()))


def _may_go(after: Module, statement: _Import, name: str) -> bool:
    match after.parents[statement]:
        case ast.Module():
            pass
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) if len(body) > 1:
            pass
        case ast.If(test=test, orelse=[]) if "TYPE_CHECKING" in ast.unparse(test):
            pass
        case _:
            return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    return stand_alone(after, [statement]) and not any(word.search(text) for text in after.strings)


def _edit(module: Module, statement: _Import, names: list[str], style: Style) -> Edit | None:
    """Return what takes names out of an import; None where a comment belongs to one of them."""
    place = module.place(statement)
    lines = module.lines[statement.lineno - 1 : statement.end_lineno]
    comments = [line[line.index("#") :] for line in lines if "#" in line]
    beside_others = len(lines) > 1 and len(names) < len(statement.names)
    if not all(map(is_pragma, comments)) or (comments and beside_others):
        return None
    statement.names = [alias for alias in statement.names if (alias.asname or alias.name) not in names]
    return ReplaceImport(place, style.sort(ast.unparse(statement)).strip()) if statement.names else Drop(place)
