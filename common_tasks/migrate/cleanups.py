"""T5: a directory that its own function removes: in a `finally`, or after the statements that need it."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from . import surroundings
from .aliases import Bound, bind
from .finding import Doubt, Drop, Edit, Wrap
from .names import Module
from .naming import maker
from .removal import hidden_errors, is_removal, names_from, seen_late
from .sub_folders import body_of, stand_alone
from .surroundings import Program
from .uses import Load, takes_path

_EXITS = ast.Return | ast.Break | ast.Continue
_Body = list[ast.stmt]


class Made(NamedTuple):
    """A directory that is made and given to a name or an attribute, as a `Path` or as text."""

    call: ast.Call
    statement: ast.Assign
    target: Load
    is_path: bool

    @property
    def name(self) -> str:
        """What it is given to, as it is written."""
        return ast.unparse(self.target)


class Plan(NamedTuple):
    """How a directory's making and removal are rewritten, and what is not proved about that.

    `shared`: names that other files may take from this one.
    """

    code: str
    edits: tuple[Edit, ...]
    doubts: tuple[Doubt, ...] = ()
    shared: tuple[str, ...] = ()


class _Span(NamedTuple):
    """The statements of a block that go below a `with`, and what removes the directory after or at their end."""

    statements: _Body
    removal: ast.stmt
    ending: ast.Try | None = None  # whose `finally` that is

    @property
    def finalbody(self) -> _Body:
        """What is done finally, the removal included."""
        return self.ending.finalbody if self.ending else []


def plan(program: Program, made: Made, name: ast.Name) -> Plan | None:
    """Plan for a directory that a name of a function, or of the file, stands for; None without a removal."""
    module = program.module
    scope = module.scope_of(name)
    if scope is None or len(scope.bindings[name.id]) > 1 or isinstance(scope.node, ast.ClassDef):
        return None
    span = _find_span(program, made)
    if span is None or not stand_alone(module, [span.removal]):
        return None
    loads = [load for load, _ in module.loads(name.id, scope) if span.removal not in module.above(load)]
    if made.is_path:
        bound = Bound(f"{maker(program, made.call, name.id)} as {name.id}")
    else:
        bound = bind(program, made.call, _bodies(span), name, loads)
    wrap = Wrap(module.place(span.statements[0]), f"with {bound.code}:", len(span.statements), bound.first)
    gone = Drop(module.place(span.removal), with_rest=span.ending is not None)
    edits = (Drop(module.place(made.statement)), wrap, gone, *bound.edits)
    shared = (name.id,) if scope is module.top else ()
    return Plan(f"with {bound.code}", edits, tuple(_doubts(program, made, span)), shared)


def _bodies(span: _Span) -> list[_Body]:
    """Return the blocks whose statements always run once the directory is there."""
    return [span.statements, span.ending.body if span.ending else []]


def _find_span(program: Program, made: Made) -> _Span | None:
    module = program.module
    body = body_of(module, made.statement)
    after = body[body.index(made.statement) + 1 :] if body else []
    for number, statement in enumerate(after):
        if isinstance(statement, ast.Try) and (removal := _finally_removed(program, statement, made.name)):
            return _Span(after[: number + 1], removal, statement)
        if number and is_removal(program, statement, made.name):
            return _Span(after[:number], statement)
    return None


def _finally_removed(program: Program, statement: ast.Try, name: str) -> ast.stmt | None:
    """Return the statement that removes the directory finally, if there is just one."""
    found = [each for each in statement.finalbody if is_removal(program, each, name)]
    return found[0] if len(found) == 1 else None


def _doubts(program: Program, made: Made, span: _Span) -> Iterator[Doubt]:
    yield from hidden_errors(program, span.removal)
    leaving = span.statements if span.ending is None else span.statements[:-1]
    inner = (node for each in leaving for node in ast.walk(each))
    if leaves := next((node for node in inner if isinstance(node, _EXITS)), None):
        yield Doubt(f"line {leaves.lineno} leaves before the removal", final=True)
    if span.ending is None and not _always_resumed(program, made, span):
        yield Doubt(f"today the directory stays if something fails before line {span.removal.lineno}")
    yield from _handed_on(program.module, made.name, leaving if span.ending else [])
    at = span.finalbody.index(span.removal) if span.finalbody else 0
    yield from seen_late(program.module, span.finalbody[at + 1 :], names_from(made.name, span.statements))


def _always_resumed(program: Program, made: Made, span: _Span) -> bool:
    """Tell whether a removal follows the `yield` of a fixture, which goes on after it whatever a test does."""
    function = program.module.function_of(made.call)
    yields = any(isinstance(node, ast.Yield) for each in span.statements for node in ast.walk(each))
    return yields and function is not None and surroundings.fixture_of(program.module, function) is not None


def _handed_on(module: Module, name: str, between: _Body) -> Iterator[Doubt]:
    """Yield who may get the directory before the `try`: today it stays if that fails."""
    names = names_from(name, between)
    inner = (node for each in between for node in ast.walk(each))
    loads = (node for node in inner if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    for node in (load for load in loads if load.id in names):
        if not (isinstance(module.parents[node], ast.BinOp) or takes_path(module, node)):
            yield Doubt(f"line {node.lineno} hands {node.id} on, and today the directory stays if that fails")
            return
