"""Applies the edits of findings to a program: LibCST keeps all that they do not concern."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from . import imports
from .finding import (
    Drop,
    DropParameter,
    Edit,
    Finding,
    Place,
    ReplaceExpression,
    ReplaceItem,
    ReplaceStatement,
    ReturnToYield,
    Wrap,
)
from .names import Module
from .source import comments

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
_Edit = TypeVar("_Edit", bound=Edit)


class NotFaithful(ValueError):
    """A rewrite that would lose something, or a file that LibCST does not write back as it was."""


def rewrite(text: str, findings: Iterable[Finding], engine: str, is_needed: Callable[[str], bool]) -> str:
    """Return a program with the edits of `findings` made, and its imports to match.

    `engine` is the module that new names are imported from; `is_needed` tells of an imported name that
    other files count on it. Raises NotFaithful where the result would not parse or lose a comment, and
    where a new name is taken.
    """
    found = tuple(findings)
    before = Module(text)
    wrapper = MetadataWrapper(_parse(text), unsafe_skip_copy=True)
    edits = [edit for finding in found for edit in finding.edits]
    rewriter = _Rewriter(edits)
    changed = wrapper.visit(rewriter)
    if missed := set(edits) - rewriter.made:
        raise NotFaithful(f"line {min(edit.at for edit in missed).line} is not what it seems")
    names = {name for finding in found for name in finding.imports}
    result = imports.settle(before, changed.code, names, engine, is_needed)
    _check(text, result)
    return result


def _parse(text: str) -> cst.Module:
    try:
        module = cst.parse_module(text)
    except (cst.ParserSyntaxError, RecursionError) as error:
        raise NotFaithful(f"LibCST does not read it: {type(error).__name__}") from None
    if module.code != text:
        raise NotFaithful("LibCST does not write it back as it was")
    return module


def _check(before: str, after: str) -> None:
    try:
        compile(after, "<rewritten>", "exec", dont_inherit=True, flags=_ONLY_PARSE)
    except SyntaxError as error:
        raise NotFaithful(f"the rewritten program does not parse: {error}") from None
    lost = Counter(text for _, text in comments(before))
    if lost != Counter(text for _, text in comments(after)):
        raise NotFaithful("a comment stands where code would go")


_ONLY_PARSE = 0x400  # ast.PyCF_ONLY_AST


def _by_place(edits: Iterable[Edit], kind: type[_Edit]) -> dict[Place, list[_Edit]]:
    found: dict[Place, list[_Edit]] = {}
    for edit in edits:
        if isinstance(edit, kind):
            found.setdefault(edit.at, []).append(edit)
    return found


class _Rewriter(cst.CSTTransformer):
    """Makes each edit where it belongs; statements are taken out, or put below a `with`, block by block."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.made: set[Edit] = set()
        self._items = _by_place(edits, ReplaceItem)
        self._drops = _by_place(edits, Drop)
        self._statements = _by_place(edits, ReplaceStatement)
        self._expressions = _by_place(edits, ReplaceExpression)
        self._wraps = _by_place(edits, Wrap)
        self._parameters = _by_place(edits, DropParameter)
        self._yields = _by_place(edits, ReturnToYield)

    def _place(self, node: cst.CSTNode) -> Place:
        start = self.get_metadata(PositionProvider, node).start
        return Place(start.line, start.column)

    def leave_With(self, original_node: cst.With, updated_node: cst.With) -> cst.With:
        items = list(updated_node.items)
        for edit in self._items.get(self._place(original_node), ()):
            items[edit.number] = _item(edit.code).with_changes(comma=items[edit.number].comma)
            self.made.add(edit)
        return updated_node.with_changes(items=items)

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        for edit in self._statements.get(self._place(original_node), ()):
            new = cst.ensure_type(cst.parse_statement(edit.code), cst.SimpleStatementLine)
            self.made.add(edit)
            return updated_node.with_changes(body=new.body)
        return updated_node

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def _expression(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseExpression:
        if not self._expressions:
            return updated
        for edit in self._expressions.get(self._place(original), ()):
            bare = original.with_changes(lpar=[], rpar=[])
            if edit.old == cst.Module([]).code_for_node(bare):
                self.made.add(edit)
                return cst.parse_expression(edit.code)
        return updated

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        for edit in self._parameters.get(self._place(original_node), ()):
            updated_node = updated_node.with_changes(params=_without(updated_node.params, edit.name))
            self.made.add(edit)
        return updated_node

    def leave_Return(self, original_node: cst.Return, updated_node: cst.Return) -> cst.BaseSmallStatement:
        edits = self._yields.get(self._place(original_node), ())
        if not edits:
            return updated_node
        self.made.update(edits)
        return cst.Expr(cst.Yield(updated_node.value), semicolon=updated_node.semicolon)

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        body, left = self._block(original_node.body, updated_node.body)
        footer = [*left, *updated_node.footer]
        return updated_node.with_changes(body=body or [_passing()], footer=footer)

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        body, left = self._block(original_node.body, updated_node.body)
        return updated_node.with_changes(body=body, footer=[*left, *updated_node.footer])

    def _block(
        self, original: Sequence[cst.CSTNode], updated: Sequence[cst.CSTNode]
    ) -> tuple[list[Statement], list[cst.EmptyLine]]:
        """Return a block's new statements, and the comments that none of them follows."""
        body: list[Statement] = []
        waiting: list[cst.EmptyLine] = []
        for number, (old, new) in enumerate(zip(original, updated, strict=True)):
            place, statement = self._place(old), cast(Statement, new)
            if place in self._drops:
                self.made.update(self._drops[place])
                blanks = _blanks(statement) if not waiting else []
                waiting += [*blanks, *_comment_lines(statement)]
                continue
            if place in self._wraps:
                self.made.update(self._wraps[place])
                rest = cast(Sequence[Statement], updated[number:])
                return [*body, _below(self._wraps[place][0].code, waiting, rest)], []
            body.append(_with_lines_above(statement, waiting))
            waiting = []
        return body, [line for line in waiting if line.comment]


def _item(code: str) -> cst.WithItem:
    return cst.ensure_type(cst.parse_statement(f"with {code}: pass"), cst.With).items[0]


def _passing() -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine([cst.Pass()])


def _without(params: cst.Parameters, name: str) -> cst.Parameters:
    """Return parameters without one; the one before it takes over its comma, or the lack of one."""
    groups = {"params": list(params.params), "kwonly_params": list(params.kwonly_params)}
    for group, members in groups.items():
        for number, member in enumerate(members):
            if member.name.value == name:
                last = number == len(members) - 1 and not (group == "params" and params.kwonly_params)
                if last and number:
                    members[number - 1] = members[number - 1].with_changes(comma=member.comma)
                del members[number]
                return params.with_changes(**{group: members})
    raise NotFaithful(f"the parameter {name} is not where it was")


def _below(code: str, lines: list[cst.EmptyLine], rest: Sequence[Statement]) -> cst.With:
    first = rest[0]
    inner = list(first.leading_lines)
    while inner and not inner[0].comment:
        inner.pop(0)
    block = cst.IndentedBlock([first.with_changes(leading_lines=inner), *rest[1:]])
    head = cst.ensure_type(cst.parse_statement(f"{code} pass"), cst.With)
    return head.with_changes(leading_lines=lines, body=block)


def _with_lines_above(statement: Statement, lines: list[cst.EmptyLine]) -> Statement:
    if not any(line.comment for line in lines):
        return statement
    return statement.with_changes(leading_lines=[*lines, *statement.leading_lines])


def _blanks(statement: Statement) -> list[cst.EmptyLine]:
    """Return the blank lines that a statement begins with."""
    found = []
    for line in statement.leading_lines:
        if line.comment:
            break
        found.append(line)
    return found


def _comment_lines(statement: Statement) -> list[cst.EmptyLine]:
    """Return every comment in and around a statement, each as a line of its own."""
    collector = _Comments()
    statement.visit(collector)
    return [cst.EmptyLine(comment=comment) for comment in collector.found]


class _Comments(cst.CSTVisitor):
    def __init__(self) -> None:
        self.found: list[cst.Comment] = []

    def visit_Comment(self, node: cst.Comment) -> None:
        self.found.append(node)
