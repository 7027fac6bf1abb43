"""T5: `tempfile.mkdtemp` becomes `temp_working_dir` if its own removal is proved, and nothing else removes it.

The removal is in a `finally`, in a fixture after its `yield`, in `addCleanup`, or in `tearDown`. What some other code
may remove is left as it is; if no removal is found at all, the finding says what was looked for.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from . import surroundings, unittest_cases
from .blocks import refused_arguments, rewritten
from .classes import Definition
from .finding import Doubt, Drop, Finding, Left, Wrap
from .names import stand_alone
from .naming import ONE, maker
from .paths import Plan, bind
from .removal import Made, find_made, hidden_errors, is_removal, seen_late, sounds_like_removal
from .repository import Program

CODE = "T5"
_FILES = {"tempfile.mkstemp": "mkstemp", "tempfile.NamedTemporaryFile": "NamedTemporaryFile(delete=False)"}
_LOOKED_FOR = "looked for rmtree, rmdir, remove, unlink and registered cleanups"
_RETURNS = re.compile(r"\b(?:return|yield)[ \t]+\S")
_IN_TEMPORARY = re.compile(r"te?mp", re.IGNORECASE)
_EXITS = ast.Return | ast.Break | ast.Continue


def check(program: Program) -> Iterator[Finding | Left]:
    """Yield the calls whose result stays until somebody removes it."""
    module = program.module
    for call in module.all(ast.Call):
        if module.is_call_of(call, "tempfile.mkdtemp"):
            yield _directory(program, call)
        else:
            what = next((_FILES[name] for name in module.dotted(call.func) if name in _FILES), None)
            if what == "mkstemp" or (what and "delete=False" in map(ast.unparse, call.keywords)):
                yield _unremoved(program, call, what, "TempManager.auto_cleanup_file")


def _directory(program: Program, call: ast.Call) -> Finding | Left:
    made = find_made(program.module, call, call)
    plan = (unittest_cases.plan(program, made) or _plan_block(program, made)) if made else None
    if plan is None:
        return _unremoved(program, call, "mkdtemp", ONE)
    what = f"mkdtemp with its own removal:{' with' if plan.target else ''}"
    plan = plan._replace(doubts=(*refused_arguments(call), *plan.doubts))
    return rewritten(program, call, CODE, what, plan)


def _unremoved(program: Program, call: ast.Call, what: str, better: str) -> Finding | Left:
    """Report that nothing removes what a call made; or count it, if other code removes it or may do so."""
    module = program.module
    function = module.function_of(call)
    holder = next((parent for parent in module.above(call) if isinstance(parent, ast.ClassDef)), None)
    made = find_made(module, call, call)
    scope = module.scope_of(made.target) if made and isinstance(made.target, ast.Name) else None
    is_local = function is not None and scope is not None and scope.node is function
    around = [module.segment(function) if function and is_local else module.text]
    if holder:
        this = Definition(program.file, module, holder)
        around += [each.module.segment(each.node) for each in (this, *program.repository.classes.relatives(this))]
    returned = function is not None and _RETURNS.search(module.segment(function))
    if returned or _inside_another(call) or any(map(sounds_like_removal, around)):
        return Left(f"{what} that other code removes or may remove")
    where = holder.name if holder else f"{function.name}()" if function else "this file"
    message = f"{what}: found nothing in {where} that removes it ({_LOOKED_FOR}); {better} would"
    return program.report(call, CODE, message)


def _inside_another(call: ast.Call) -> bool:
    return any(keyword.arg == "dir" and _IN_TEMPORARY.search(ast.unparse(keyword.value)) for keyword in call.keywords)


class _Span(NamedTuple):
    """The statements of a block that go below a `with`, and what removes the directory after or at their end."""

    statements: list[ast.stmt]
    removal: ast.stmt
    ending: ast.Try | None = None  # the `try` with that `finally`


def _plan_block(program: Program, made: Made) -> Plan | None:
    """Plan for a directory that is given to a name, in a function or at the top level; None without a removal."""
    module, name = program.module, made.target
    scope = module.scope_of(name) if isinstance(name, ast.Name) else None
    if not isinstance(name, ast.Name) or scope is None or isinstance(scope.node, ast.ClassDef):
        return None
    span = _find_span(program, made)
    if span is None or made.is_resolved or not made.is_given_once(module) or not stand_alone(module, [span.removal]):
        return None
    loads = module.uses(name, [span.removal])
    always = [span.statements, span.ending.body if span.ending else []]  # these run after the directory is made
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
    around, after = program.module.parents[made.statement], program.module.following(made.statement)
    is_first = isinstance(around, ast.Try) and made.statement is around.body[0]
    if isinstance(around, ast.Try) and is_first and (span := _of_try(program, made, [around], around)):
        return span
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
    fixture = surroundings.fixture_of(program.module, function) if function else None
    walked = (node for each in between for node in ast.walk(each))
    inner = [node for node in walked if program.module.function_of(node) is function]
    if leaves := next((node for node in inner if isinstance(node, _EXITS)), None):
        yield Doubt(f"line {leaves.lineno} leaves before the removal", final=True)
    if span.ending:
        yield from seen_late(program, program.module.following(span.removal))
    elif not (fixture and any(isinstance(node, ast.Yield) for node in inner)):  # a fixture goes on even if a test fails
        yield Doubt(f"today the directory stays if something fails before line {span.removal.lineno}")
