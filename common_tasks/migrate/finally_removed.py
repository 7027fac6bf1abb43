"""T5: a directory that its own function removes: in a `finally`, or after the statements that need it."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from . import surroundings
from .finding import Doubt, Drop, Wrap
from .names import stand_alone
from .naming import maker
from .paths import Plan, bind
from .removal import Made, hidden_errors, is_removal, seen_late
from .repository import Program

_EXITS = ast.Return | ast.Break | ast.Continue


class _Span(NamedTuple):
    """The statements of a block that go below a `with`, and what removes the directory after or at their end."""

    statements: list[ast.stmt]
    removal: ast.stmt
    ending: ast.Try | None = None  # the `try` with that `finally`


def plan(program: Program, made: Made) -> Plan | None:
    """Plan for a directory that a name of a function, or of the file, stands for; None without a removal."""
    module, name = program.module, made.target
    scope = module.scope_of(name) if isinstance(name, ast.Name) else None
    if not isinstance(name, ast.Name) or scope is None or isinstance(scope.node, ast.ClassDef):
        return None
    span = _find_span(program, made)
    if span is None or made.is_resolved or not made.is_given_once(module) or not stand_alone(module, [span.removal]):
        return None
    loads = module.loads(name.id, scope, [span.removal])
    always = [span.statements, span.ending.body if span.ending else []]  # these run once the directory is there
    if made.is_path or not loads:
        bound = Plan(maker(program, made.call, name.id), name.id if loads or scope is module.top else "")
    else:
        bound = bind(program, made.call, always, name, loads)
    edits = (
        Drop(module.place(made.statement)),
        Wrap(module.place(span.statements[0]), f"with {bound.code}:", len(span.statements)),
        Drop(module.place(span.removal)),
        *bound.edits,
    )
    return bound._replace(edits=edits, doubts=tuple(_doubts(program, made, span)))


def _find_span(program: Program, made: Made) -> _Span | None:
    around = program.module.parents[made.statement]
    is_first = isinstance(around, ast.Try) and made.statement is around.body[0]
    if isinstance(around, ast.Try) and is_first and (span := _of_try(program, made, [around], around)):
        return span
    body = program.module.body_of(made.statement)
    after = body[body.index(made.statement) + 1 :] if body else []
    for number, statement in enumerate(after):
        if isinstance(statement, ast.Try) and (span := _of_try(program, made, after[: number + 1], statement)):
            return span
        if number and is_removal(program, statement, made.name):
            return _Span(after[:number], statement)
    return None


def _of_try(program: Program, made: Made, statements: list[ast.stmt], ending: ast.Try) -> _Span | None:
    """Return statements up to a `try` if its `finally` removes the directory."""
    removals = [each for each in ending.finalbody if is_removal(program, each, made.name)]
    return _Span(statements, removals[0], ending) if len(removals) == 1 else None


def _doubts(program: Program, made: Made, span: _Span) -> Iterator[Doubt]:
    yield from hidden_errors(program, span.removal)
    between = span.statements[:-1] if span.ending else span.statements
    function = program.module.function_of(made.call)
    walked = (node for each in between for node in ast.walk(each))
    inner = [node for node in walked if program.module.function_of(node) is function]
    if leaves := next((node for node in inner if isinstance(node, _EXITS)), None):
        yield Doubt(f"line {leaves.lineno} leaves before the removal", final=True)
    if span.ending:
        late = span.ending.finalbody[span.ending.finalbody.index(span.removal) + 1 :]
        yield from seen_late(program, late)
    elif not (any(isinstance(node, ast.Yield) for node in inner) and _is_in_fixture(program, made)):
        yield Doubt(f"today the directory stays if something fails before line {span.removal.lineno}")


def _is_in_fixture(program: Program, made: Made) -> bool:
    """Tell whether a fixture makes a directory: it goes on after its `yield` even if a test fails."""
    function = program.module.function_of(made.call)
    return function is not None and surroundings.fixture_of(program.module, function) is not None
