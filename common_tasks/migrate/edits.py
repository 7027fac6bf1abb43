"""Makes edits in a program: LibCST keeps all that they do not concern."""

import ast
import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import libcst as cst
from libcst import matchers
from libcst.metadata import MetadataWrapper, PositionProvider

from .finding import Drop, DropParameter, Edit, Insert, Place, Replace, ReplaceImport, Wrap
from .naming import ONE
from .source import is_pragma, split_lines

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
_Edit = TypeVar("_Edit", bound=Edit)
_Pairs = list[tuple[cst.CSTNode, Statement]]  # each statement of a block as it was, and with the edits inside it


class NotFaithful(ValueError):
    """A rewrite that would lose something, or a file that LibCST does not write back as it was."""


def make(text: str, edits: Iterable[Edit]) -> str:
    """Return a program with edits made. Raises NotFaithful."""
    wanted = tuple(dict.fromkeys(edits))
    if not wanted:
        return text
    head, rest = _split(text, max(edit.at.line for edit in wanted))
    editor = _Editor(wanted)
    changed = MetadataWrapper(_parse(head), unsafe_skip_copy=True).visit(editor)
    if missed := set(wanted) - editor.made:
        raise NotFaithful(f"line {min(edit.at for edit in missed).line} is not what it seems")
    return changed.code + rest


def _split(text: str, line: int) -> tuple[str, str]:
    """Return a program up to the statement after the one on a line, and the rest, in which nothing changes."""
    ends = [each.end_lineno or 0 for each in ast.parse(text).body if (each.end_lineno or 0) >= line]
    lines = split_lines(text)
    end = ends[1] if len(ends) > 1 else len(lines)
    return "".join(lines[:end]), "".join(lines[end:])


def _parse(text: str) -> cst.Module:
    try:
        module = cst.parse_module(text)
    except (cst.ParserSyntaxError, RecursionError) as error:
        raise NotFaithful(f"LibCST does not read it: {type(error).__name__}") from None
    if module.code != text:
        raise NotFaithful("LibCST does not write it back as it was")
    return module


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)


class _Body:
    """The new statements of a block. The comments of what was dropped wait for the statement that follows."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.waiting: list[cst.EmptyLine] = []
        self._defined = False  # whether a definition was left out right before the next statement

    def add(self, statement: Statement, *, begins: bool = False) -> None:
        """Add a statement; if it now `begins` its block, without the blank lines above it."""
        above: Sequence[cst.EmptyLine] = statement.leading_lines
        if any(line.comment for line in self.waiting) or not above:
            above = [*self.waiting, *above]
        if begins:
            above = list(itertools.dropwhile(lambda line: not line.comment, above))
        elif self._defined and self.statements and _is_import(self.statements[-1]) and not _defines(statement):
            blanks = list(itertools.takewhile(lambda line: not line.comment, above))
            above = [*blanks[:1], *above[len(blanks) :]]  # at most one blank line between imports and what follows
        self.statements.append(statement.with_changes(leading_lines=above))
        self.waiting, self._defined = [], False

    def drop(self, statement: Statement) -> None:
        """Leave a statement out."""
        blanks = itertools.takewhile(lambda line: not line.comment, statement.leading_lines)
        self.waiting += [*([] if self.waiting else blanks), *_comment_lines(statement)]
        self._defined = _defines(statement)

    @property
    def footer(self) -> list[cst.EmptyLine]:
        """The comments that no statement follows."""
        return [line for line in self.waiting if line.comment]


class _Editor(cst.CSTTransformer):
    """Makes each edit where it belongs; statements are dropped, or put below a `with`, block by block."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.made: set[Edit] = set()
        self._thinned: dict[cst.CSTNode, list[Statement]] = {}  # what is left of blocks in which something was dropped
        self._idle: set[cst.CSTNode] = set()  # the blocks of methods that may go if they do nothing any more
        self._edits: dict[Place, list[Edit]] = {}
        for edit in edits:
            self._edits.setdefault(edit.at, []).append(edit)

    def _find(self, kind: type[_Edit], node: cst.CSTNode) -> list[_Edit]:
        """Return the edits of a kind that are still to be made where a node begins."""
        start = self.get_metadata(PositionProvider, node).start
        found = self._edits.get(Place(start.line, start.column), ())
        return [edit for edit in found if isinstance(edit, kind) and edit not in self.made]

    def _take(self, kind: type[_Edit], node: cst.CSTNode) -> list[_Edit]:
        found = self._find(kind, node)
        self.made.update(found)
        return found

    def on_leave(
        self, original_node: cst.CSTNodeT, updated_node: cst.CSTNodeT
    ) -> cst.CSTNodeT | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNodeT]:
        """Replace an expression, whatever its kind is; leave any other node to the method for its kind."""
        if isinstance(original_node, cst.BaseExpression):
            for edit in self._find(Replace, original_node):
                if edit.old == _code(original_node.with_changes(lpar=[], rpar=[])):
                    self.made.add(edit)
                    return cast(cst.CSTNodeT, cst.parse_expression(edit.code))
        return super().on_leave(original_node, updated_node)

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        for edit in self._take(DropParameter, original_node):
            updated_node = _without_parameter(updated_node, edit.name)
        return updated_node

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        drops = [drop for node in original_node.body for drop in self._find(Drop, node)]
        body = self._block(_paired(original_node, updated_node))
        if drops:
            self._thinned[original_node] = body.statements
        if any(drop.with_method for drop in drops):
            self._idle.add(original_node)
        footer = [*body.footer, *updated_node.footer]
        return updated_node.with_changes(body=body.statements or [cst.SimpleStatementLine([cst.Pass()])], footer=footer)

    def leave_Module(self, original_node: cst.Module, updated_node: cst.Module) -> cst.Module:
        body = self._block(_paired(original_node, updated_node))
        return updated_node.with_changes(body=body.statements, footer=[*body.footer, *updated_node.footer])

    def _block(self, pairs: _Pairs) -> _Body:
        body, first = _Body(), pairs[0][0] if pairs else None
        while pairs:
            old, statement = pairs[0]
            if wraps := self._take(Wrap, old):
                end = wraps[0].length or len(pairs)
                inner, pairs = self._block(pairs[:end]), pairs[end:]
                body.add(_below(wraps[0], inner))
                continue
            del pairs[0]
            for insert in self._take(Insert, old):
                body.add(cst.parse_statement(insert.code))
            if self._take(Drop, old) or self._is_needless(old):
                body.drop(statement)
            elif isinstance(old, cst.Try) and old.finalbody and self._thinned.get(old.finalbody.body) == []:
                _unwrap(cst.ensure_type(statement, cst.Try), body)
            else:
                moved = not body.statements and old is not first
                self._add(old, statement, body, begins=moved)
        return body

    def _add(self, old: cst.CSTNode, statement: Statement, body: _Body, *, begins: bool) -> None:
        """Add a statement, or the imports that replace it: comments above go to the first, those beside to the last."""
        for edit in self._take(ReplaceImport, old):
            *first, last = (cst.ensure_type(each, cst.SimpleStatementLine) for each in cst.parse_module(edit.code).body)
            for each in first:
                body.add(each.with_changes(leading_lines=statement.leading_lines), begins=begins)
                statement = statement.with_changes(leading_lines=[])
            statement = statement.with_changes(body=last.body)
        body.add(statement, begins=begins)

    def _is_needless(self, node: cst.CSTNode) -> bool:
        """Tell whether nothing is left in a statement: an `if TYPE_CHECKING`, or a method that may then go."""
        match node:
            case cst.FunctionDef(name=cst.Name(value=name), body=body) if body in self._idle:
                return all(_does_nothing(each, name) for each in self._thinned[body])
            case cst.If(body=body, orelse=None, test=test):
                return self._thinned.get(body) == [] and "TYPE_CHECKING" in _code(test)
        return False


def _is_import(statement: Statement) -> bool:
    return isinstance(statement, cst.SimpleStatementLine) and isinstance(statement.body[0], cst.Import | cst.ImportFrom)


def _defines(statement: Statement) -> bool:
    return isinstance(statement, cst.FunctionDef | cst.ClassDef)


def _paired(original: cst.IndentedBlock | cst.Module, updated: cst.IndentedBlock | cst.Module) -> _Pairs:
    return list(zip(original.body, cast(Sequence[Statement], updated.body), strict=True))


def _does_nothing(statement: Statement, method: str) -> bool:
    """Tell whether a statement of a method is only text, or does what would happen without the method."""
    match statement:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString())]):
            return True
    return _code(statement).strip() == f"super().{method}()"


def _without_parameter(function: cst.FunctionDef, name: str) -> cst.FunctionDef:
    """Return a function without a parameter; the one before it takes over its comma, or the lack of one."""
    params = list(function.params.params)
    number = next((at for at, each in enumerate(params) if each.name.value == name), None)
    if number is None:
        raise NotFaithful(f"the parameter {name} is not where it was")
    gone = params.pop(number)
    if number and number == len(params) and not function.params.kwonly_params:
        params[-1] = params[-1].with_changes(comma=gone.comma)
    left = function.params.with_changes(params=params)
    space = cst.SimpleWhitespace("") if not _code(left).strip() else function.whitespace_before_params
    return function.with_changes(params=left, whitespace_before_params=space)


def _below(edit: Wrap, inner: _Body) -> cst.With:
    """Return the `with` statement that an edit puts above statements; if they are just one of ours, both are joined."""
    first, *rest = inner.statements
    if not rest and isinstance(first, cst.With) and _only_lends(first) and not inner.footer:
        head = _with(f"{edit.code.removesuffix(':')}, {', '.join(map(_code, first.items))}:")
        return head.with_changes(body=first.body)
    block = _Body()
    block.add(first, begins=True)
    return _with(edit.code).with_changes(body=cst.IndentedBlock([*block.statements, *rest], footer=inner.footer))


def _with(head: str) -> cst.With:
    return cst.ensure_type(cst.parse_statement(f"{head} pass"), cst.With)


def _only_lends(statement: cst.With) -> bool:
    """Tell whether a `with` statement only lends directories of the engine, and has no comments above it."""
    bare = not any(line.comment for line in statement.leading_lines)
    return bare and all(_code(item).startswith(f"{ONE}(") for item in statement.items)


def _unwrap(statement: cst.Try, body: _Body) -> None:
    """Add what is left of a `try` without its `finally`."""
    after = _comment_lines(statement.finalbody) if statement.finalbody else []
    if statement.handlers:
        body.add(statement.with_changes(finalbody=None))
    else:
        block = cst.ensure_type(statement.body, cst.IndentedBlock)
        first, *rest = cast(list[Statement], list(block.body))
        lines = [*statement.leading_lines, *_comment_lines(block.header), *first.leading_lines]
        for each in (first.with_changes(leading_lines=lines), *rest):
            body.add(each)
        after = [*block.footer, *after]
    body.waiting = after


def _comment_lines(node: cst.CSTNode) -> list[cst.EmptyLine]:
    """Return every comment in and around a node, each as a line of its own, except notes to a linter."""
    found = [cst.ensure_type(each, cst.Comment) for each in matchers.findall(node, matchers.Comment())]
    return [cst.EmptyLine(comment=comment) for comment in found if not is_pragma(comment.value)]
