"""Imports to match a rewritten program: new names come in, those that nothing uses any more go."""

import ast
import re
from collections.abc import Callable, Iterable

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .finding import Place
from .names import Binding, Function, Module

ENGINES = ("common.temp", "common_tasks.temp", "common_tasks")


class NameTaken(ValueError):
    """A name that is to be imported means something else in the file."""


def settle(before: Module, text: str, names: Iterable[str], engine: str, is_needed: Callable[[str], bool]) -> str:
    """Return `text` with `names` imported from `engine`, and without imports that only `before` used.

    An import that a string names stays (`mock.patch("module.name")`, `__all__`, an annotation), as does
    one with a comment on its line, and one of which `is_needed` says so. Raises NameTaken.
    """
    after = Module(text)
    missing = sorted(name for name in set(names) if not _is_imported(after, name))
    if missing:
        text = _add(cst.parse_module(text), missing, engine).code
        after = Module(text)
    unused = _unused(before, after, is_needed)
    if not unused:
        return text
    return MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True).visit(_Remover(unused)).code


def _is_imported(module: Module, name: str) -> bool:
    """Tell whether the module imports `name` from the engine, at its top level."""
    for scope in module.scopes:
        for binding in scope.bindings.get(name, ()):
            if binding.origin not in {f"{engine}.{name}" for engine in ENGINES}:
                raise NameTaken(f"{name} already means something else here")
    return any(module.parents[module.parents[b.node]] is module.tree for b in module.top.bindings.get(name, ()))


def _unused(before: Module, after: Module, is_needed: Callable[[str], bool]) -> dict[Place, set[str]]:
    """Return the names that may go, by the place of their import statement."""
    found: dict[Place, set[str]] = {}
    for scope in after.scopes:
        for name, bindings in scope.bindings.items():
            if after.loads(name, scope) or not _was_used(before, name) or len(bindings) > 1:
                continue
            statement = after.parents[bindings[0].node]
            if _may_go(after, bindings[0], name) and not is_needed(name):
                assert isinstance(statement, ast.stmt)  # noqa: S101  (an alias stands in an import statement)
                found.setdefault(after.place(statement), set()).add(name)
    return found


def _was_used(before: Module, name: str) -> bool:
    return any(isinstance(node.ctx, ast.Load) for node, _ in before.names.get(name, ()))


def _may_go(after: Module, binding: Binding, name: str) -> bool:
    if not isinstance(binding.node, ast.alias) or (binding.node.asname is None and "." in binding.node.name):
        return False
    home = after.parents[after.parents[binding.node]]
    if not (isinstance(home, ast.Module) or (isinstance(home, Function) and len(home.body) > 1)):
        return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    return not any(word.search(text) for text in after.strings)


class _Remover(cst.CSTTransformer):
    """Takes names out of import statements; a comment that stood above one goes to what follows."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, unused: dict[Place, set[str]]) -> None:
        super().__init__()
        self._unused = unused

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        return updated_node.with_changes(body=self._block(original_node.body, updated_node.body))

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        body = self._block(original_node.body, updated_node.body)
        header = updated_node.header
        begins_blank = not header or not header[-1].comment
        if body and len(body) < len(updated_node.body) and body[0] != updated_node.body[0] and begins_blank:
            body[0] = _with_lines(body[0], _without_blanks(_lines(body[0])))
        return updated_node.with_changes(body=body)

    def _block(self, original: Iterable[cst.CSTNode], updated: Iterable[cst.CSTNode]) -> list[cst.CSTNode]:
        body: list[cst.CSTNode] = []
        waiting: list[cst.EmptyLine] = []
        for old, new in zip(original, updated, strict=True):
            start = self.get_metadata(PositionProvider, old).start
            names = self._unused.get(Place(start.line, start.column))
            kept = _without(new, names) if names and isinstance(new, cst.SimpleStatementLine) else new
            if kept is None:
                waiting += _lines(new) if not waiting else _without_blanks(_lines(new))
                continue
            body.append(_with_lines(kept, _joined(waiting, _lines(kept))) if waiting else kept)
            waiting = []
        return body


def _lines(statement: cst.CSTNode) -> list[cst.EmptyLine]:
    return list(getattr(statement, "leading_lines", ()))


def _with_lines(statement: cst.CSTNode, lines: list[cst.EmptyLine]) -> cst.CSTNode:
    return statement.with_changes(leading_lines=lines)


def _without_blanks(lines: list[cst.EmptyLine]) -> list[cst.EmptyLine]:
    while lines and not lines[0].comment:
        lines = lines[1:]
    return lines


def _joined(above: list[cst.EmptyLine], own: list[cst.EmptyLine]) -> list[cst.EmptyLine]:
    """Put the lines of a statement that is gone before those of the next, without doubling the blank ones."""
    if not any(line.comment for line in above):
        return own or above
    if own and not own[0].comment:
        while above and not above[-1].comment:
            above = above[:-1]
    return [*above, *own]


def _without(line: cst.SimpleStatementLine, names: set[str]) -> cst.SimpleStatementLine | None:
    """Return an import without some names: None where none is left, unchanged where it has a comment of its own."""
    statement = line.body[0]
    own = cst.Module([line.with_changes(leading_lines=[])]).code
    if len(line.body) > 1 or "#" in own or not isinstance(statement, cst.Import | cst.ImportFrom):
        return line
    if isinstance(statement.names, cst.ImportStar):
        return line
    kept = [alias for alias in statement.names if _bound(alias) not in names]
    if not kept:
        return None
    kept[-1] = kept[-1].with_changes(comma=statement.names[-1].comma)
    return line.with_changes(body=[statement.with_changes(names=kept)])


def _bound(alias: cst.ImportAlias) -> str:
    return alias.evaluated_alias or alias.evaluated_name


def _add(module: cst.Module, names: list[str], engine: str) -> cst.Module:
    body = list(module.body)
    for number, statement in enumerate(body):
        if extended := _extended(statement, names, engine):
            body[number] = extended
            return module.with_changes(body=body)
    at = _after_imports(body)
    new = cst.parse_statement(f"from {engine} import {', '.join(names)}")
    after_docstring = at and not _is_import(body[at - 1])
    lines = [cst.EmptyLine(indent=False)] if after_docstring else []
    body.insert(at, new.with_changes(leading_lines=lines))
    return module.with_changes(body=body)


def _extended(statement: cst.CSTNode, names: list[str], engine: str) -> cst.SimpleStatementLine | None:
    """Return a plain import from the engine with more names; None for any other statement."""
    match statement:
        case cst.SimpleStatementLine(body=[cst.ImportFrom() as found]):
            plain = not found.lpar and not isinstance(found.names, cst.ImportStar) and not found.relative
        case _:
            return None
    module = cst.Module([]).code_for_node(found.module) if found.module else ""
    if not plain or module != engine or isinstance(found.names, cst.ImportStar):
        return None
    aliases = [alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in found.names]
    aliases += [cst.ImportAlias(cst.Name(name)) for name in names]
    aliases.sort(key=lambda alias: alias.evaluated_name)
    return statement.with_changes(body=[found.with_changes(names=aliases)])


def _after_imports(body: list[cst.SimpleStatementLine | cst.BaseCompoundStatement]) -> int:
    """Return the index behind the imports that a module begins with, behind its docstring at least."""
    at = 0
    for number, statement in enumerate(body):
        if _is_import(statement) or (number == 0 and _is_docstring(statement)):
            at = number + 1
        elif not isinstance(statement, cst.Try | cst.If):
            break
    return at


def _is_import(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and all(
        isinstance(small, cst.Import | cst.ImportFrom) for small in statement.body
    )


def _is_docstring(statement: cst.CSTNode) -> bool:
    match statement:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString())]):
            return True
        case _:
            return False
