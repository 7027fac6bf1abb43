"""Makes edits in a program: LibCST keeps all that they do not concern."""

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from .finding import Drop, DropName, Edit, Place, ReplaceExpression, ReplaceItem, ReplaceStatement, Wrap
from .source import is_pragma

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement
_Edit = TypeVar("_Edit", bound=Edit)


class NotFaithful(ValueError):
    """A rewrite that would lose something, or a file that LibCST does not write back as it was."""


def make(text: str, edits: Iterable[Edit]) -> str:
    """Return a program with edits made. Raises NotFaithful."""
    wanted = tuple(dict.fromkeys(edits))
    rewriter = _Rewriter(wanted)
    changed = MetadataWrapper(_parse(text), unsafe_skip_copy=True).visit(rewriter)
    if missed := set(wanted) - rewriter.made:
        raise NotFaithful(f"line {min(edit.at for edit in missed).line} is not what it seems")
    return changed.code


def _parse(text: str) -> cst.Module:
    try:
        module = cst.parse_module(text)
    except (cst.ParserSyntaxError, RecursionError) as error:
        raise NotFaithful(f"LibCST does not read it: {type(error).__name__}") from None
    if module.code != text:
        raise NotFaithful("LibCST does not write it back as it was")
    return module


class _Rewriter(cst.CSTTransformer):
    """Makes each edit where it belongs; statements are taken out, or put below a `with`, block by block."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.made: set[Edit] = set()
        self._left: dict[cst.CSTNode, list[Statement]] = {}  # in the blocks that may go with what is dropped in them
        self._edits: dict[Place, list[Edit]] = {}
        for edit in edits:
            self._edits.setdefault(edit.at, []).append(edit)

    def _find(self, kind: type[_Edit], node: cst.CSTNode) -> list[_Edit]:
        """Return the edits of a kind that are still to be made where a node begins."""
        start = self.get_metadata(PositionProvider, node).start
        found = self._edits.get(Place(start.line, start.column), ())
        return [edit for edit in found if isinstance(edit, kind) and edit not in self.made]

    def leave_With(self, original_node: cst.With, updated_node: cst.With) -> cst.With:
        items = list(updated_node.items)
        for edit in self._find(ReplaceItem, original_node):
            items[edit.number] = _item(edit.code).with_changes(comma=items[edit.number].comma)
            self.made.add(edit)
            if edit.first:
                body = cst.ensure_type(updated_node.body, cst.IndentedBlock)
                first = cst.parse_statement(edit.first)
                updated_node = updated_node.with_changes(body=body.with_changes(body=[first, *body.body]))
        return updated_node.with_changes(items=items)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> cst.BaseExpression:
        return self._expression(original_node, updated_node)

    def _expression(self, original: cst.BaseExpression, updated: cst.BaseExpression) -> cst.BaseExpression:
        for edit in self._find(ReplaceExpression, original):
            bare = original.with_changes(lpar=[], rpar=[])
            if edit.old == cst.Module([]).code_for_node(bare):
                self.made.add(edit)
                return cst.parse_expression(edit.code)
        return updated

    def leave_FunctionDef(self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef) -> cst.FunctionDef:
        for edit in self._find(DropName, original_node):
            params = _without(updated_node.params, edit.name)
            updated_node = updated_node.with_changes(params=params)
            if not (params.params or params.kwonly_params or params.posonly_params or params.star_kwarg):
                updated_node = updated_node.with_changes(whitespace_before_params=cst.SimpleWhitespace(""))
            self.made.add(edit)
        return updated_node

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        return updated_node.with_changes(names=self._kept(original_node, updated_node.names))

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        if isinstance(updated_node.names, cst.ImportStar):
            return updated_node
        return updated_node.with_changes(names=self._kept(original_node, updated_node.names))

    def _kept(self, original: cst.CSTNode, names: Sequence[cst.ImportAlias]) -> Sequence[cst.ImportAlias]:
        """Return the names that an import keeps; the last one takes over the comma of the last, or the lack of one."""
        edits = self._find(DropName, original)
        self.made.update(edits)
        gone = {edit.name for edit in edits}
        kept = [each for each in names if (each.evaluated_alias or each.evaluated_name) not in gone]
        return [*kept[:-1], kept[-1].with_changes(comma=names[-1].comma)]

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        drops = [drop for node in original_node.body for drop in self._find(Drop, node)]
        body, left = self._block(original_node.body, updated_node.body)
        if any(drop.with_rest for drop in drops):
            self._left[original_node] = body
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
        pairs = list(zip(original, updated, strict=True))
        while pairs:
            old, new = pairs.pop(0)
            statement = cast(Statement, new)
            if wraps := self._find(Wrap, old):
                edit = wraps[-1]
                self.made.add(edit)
                count = len(pairs) if edit.length is None else edit.length - 1
                rest, pairs = [(old, new), *pairs[:count]], pairs[count:]
                inner, left = self._block([row[0] for row in rest], [row[1] for row in rest])
                body.append(_below(edit, waiting, inner, left))
                waiting = []
                continue
            drops = self._find(Drop, old)
            if drops or self._is_idle_method(old):
                self.made.update(drops)
                blanks = _blanks(statement) if not waiting else []
                waiting += [*blanks, *_comment_lines(statement)]
                continue
            if isinstance(old, cst.Try) and old.finalbody and self._left.get(old.finalbody.body) == []:
                instead, after = _unwrapped(cst.ensure_type(statement, cst.Try))
            else:
                instead, after = self._anew(old, statement), []
            for each in instead:
                begins = not body and old is not original[0]
                body.append(_with_lines_above(each, waiting, begins=begins))
                waiting = []
            waiting = after
        return body, [line for line in waiting if line.comment]

    def _is_idle_method(self, node: cst.CSTNode) -> bool:
        """Tell whether a method does nothing, now that something was taken out of it, but what it does without one."""
        left = self._left.get(node.body) if isinstance(node, cst.FunctionDef) else None
        if left is None:
            return False
        name = cst.ensure_type(node, cst.FunctionDef).name.value
        return all(cst.Module([]).code_for_node(each).strip() == f"super().{name}()" or _is_text(each) for each in left)

    def _anew(self, old: cst.CSTNode, statement: Statement) -> list[Statement]:
        """Return what stands in place of a statement."""
        edits = self._find(ReplaceStatement, old)
        if not isinstance(statement, cst.SimpleStatementLine) or not edits:
            return [statement]
        [written] = edits
        self.made.add(written)
        new = [cst.ensure_type(each, cst.SimpleStatementLine) for each in cst.parse_module(written.code).body]
        new[0] = new[0].with_changes(leading_lines=statement.leading_lines)
        new[-1] = new[-1].with_changes(trailing_whitespace=statement.trailing_whitespace)
        return list(new)


def _unwrapped(statement: cst.Try) -> tuple[list[Statement], list[cst.EmptyLine]]:
    """Return what is left of a `try` without its `finally`, and the comments that follow it."""
    after = _comment_lines(statement.finalbody) if statement.finalbody else []
    if statement.handlers:
        return [statement.with_changes(finalbody=None)], after
    body = cst.ensure_type(statement.body, cst.IndentedBlock)
    first, *rest = cast(list[Statement], list(body.body))
    lines = [*statement.leading_lines, *_comment_lines(body.header), *first.leading_lines]
    return [first.with_changes(leading_lines=lines), *rest], [*body.footer, *after]


def _is_text(statement: Statement) -> bool:
    match statement:
        case cst.SimpleStatementLine(body=[cst.Expr(value=cst.SimpleString())]):
            return True
        case _:
            return False


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


def _below(
    edit: Wrap, lines: list[cst.EmptyLine], rest: Sequence[Statement], left: Sequence[cst.EmptyLine]
) -> cst.With:
    first = [cst.parse_statement(edit.first)] if edit.first else []
    block = cst.IndentedBlock([*first, _with_lines_above(rest[0], [], begins=True), *rest[1:]], footer=left)
    head = cst.ensure_type(cst.parse_statement(f"{edit.code} pass"), cst.With)
    return head.with_changes(leading_lines=lines, body=block)


def _with_lines_above(statement: Statement, lines: list[cst.EmptyLine], *, begins: bool) -> Statement:
    """Return a statement with lines of those above it, and without blank ones there if it now begins its block."""
    above: Sequence[cst.EmptyLine] = statement.leading_lines
    if any(line.comment for line in lines) or not above:
        above = [*lines, *above]
    if begins:
        above = list(itertools.dropwhile(lambda line: not line.comment, above))
    return statement.with_changes(leading_lines=above)


def _blanks(statement: Statement) -> list[cst.EmptyLine]:
    """Return the blank lines that a statement begins with."""
    return list(itertools.takewhile(lambda line: not line.comment, statement.leading_lines))


def _comment_lines(statement: cst.CSTNode) -> list[cst.EmptyLine]:
    """Return every comment in and around a statement, each as a line of its own, without notes to a linter about it."""
    collector = _Comments()
    statement.visit(collector)
    return [cst.EmptyLine(comment=comment) for comment in collector.found if not is_pragma(comment.value)]


class _Comments(cst.CSTVisitor):
    def __init__(self) -> None:
        self.found: list[cst.Comment] = []

    def visit_Comment(self, node: cst.Comment) -> None:
        self.found.append(node)
