"""T2, T4: `with tempfile.TemporaryDirectory()` becomes `temp_working_dir`, or `pytest_temp_dirs` for several folders.

Both last until their block ends, as TemporaryDirectory does, but give a `Path` instead of a `str`.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from . import folders, surroundings
from .finding import Doubt, Drop, Finding, Insert, Replace
from .folders import Folders
from .names import Module, stand_alone
from .naming import ONE, SEVERAL, given_prefix, maker
from .paths import Plan, bind, is_path_of
from .removal import find_made, lend
from .repository import Program
from .surroundings import conclude, name_looked_for

IN_TESTS, IN_SCRIPTS = "T2", "T4"
_MAKER = "tempfile.TemporaryDirectory"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_KEYWORDS = {
    "dir": "dir= says where it is made",
    "suffix": "suffix= says how its name ends",
    "delete": "delete= says that it may stay",
    "ignore_cleanup_errors": "ignore_cleanup_errors= hides what cannot be removed",
}
_ENTERS = frozenset({"enter_context", "enterContext", "enterClassContext"})
With = ast.With | ast.AsyncWith


class _Block(NamedTuple):
    """A call of TemporaryDirectory as an item of a `with` statement; `target` follows its `as`."""

    call: ast.Call
    statement: With
    target: ast.expr | None


def check(program: Program) -> Iterator[Finding]:
    """Yield the uses of TemporaryDirectory."""
    module, code = program.module, IN_TESTS if program.is_test else IN_SCRIPTS
    for call in (call for call in module.all(ast.Call) if module.is_call_of(call, _MAKER)):
        base = program.report(call, code, "TemporaryDirectory")
        match module.parents[call]:
            case ast.withitem(optional_vars=target) as item:
                statement = module.parents[item]
                assert isinstance(statement, With)  # noqa: S101  (no other statement has such items)
                yield _in_with(program, base, _Block(call, statement, target))
            case ast.Call(func=ast.Attribute(attr=attr)) as entering if attr in _ENTERS and [call] == entering.args:
                yield _entered(program, base, call, entering)
            case _ if not surroundings.is_fallback(module, call):
                reason = f"it is not in a with statement; where one can end it, use with {ONE}() as name"
                yield base.concluded([Doubt(reason, final=True)])


def rewritten(program: Program, call: ast.Call, code: str, what: str, plan: Plan) -> Finding:
    """Return the finding for a tempfile call, with what a plan writes and the verdict on it."""
    names = tuple(name for name in (ONE, SEVERAL) if f"{name}(" in plan.call)
    finding = program.report(call, code, f"{what} {plan.code}")._replace(edits=plan.edits, imports=names)
    return conclude(program, call, finding, plan.doubts, name_looked_for(program, call))


def _in_with(program: Program, base: Finding, block: _Block) -> Finding:
    """Return the finding for a directory that is there until a block ends."""
    module = program.module
    if refusals := [*_refused_forms(block), *refused_arguments(block.call)]:
        return base.concluded(refusals)
    plan = _plan(program, block)
    pairs = [(block.call, plan.call), *([(block.target, plan.target)] if block.target else [])]
    edits = [Replace(module.place(node), module.segment(node), code) for node, code in pairs]
    plan = plan._replace(edits=(*edits, *plan.edits))
    return rewritten(program, block.call, base.code, "TemporaryDirectory: with", plan)


def _entered(program: Program, base: Finding, call: ast.Call, entering: ast.Call) -> Finding:
    """Return the finding for a directory that is there until a stack or a test case ends."""
    module, lending = program.module, ast.unparse(entering.func)
    if refusals := list(refused_arguments(call)):
        return base.concluded(refusals)
    if made := find_made(module, call, entering):
        plan = lend(program, made, lending)
    else:
        code = f"{lending}({maker(program, call, '')})"
        is_used = not isinstance(module.parents[entering], ast.Expr)
        new = f"str({code})" if is_used else code
        plan = Plan(code, "", (Replace(module.place(entering), module.segment(entering), new),))
    return rewritten(program, call, base.code, "TemporaryDirectory:", plan)


def refused_arguments(call: ast.Call) -> Iterator[Doubt]:
    """Yield what a tempfile call asks for but the engine's functions do not give."""
    if call.args:
        yield Doubt("its arguments are positional", final=True)
    for keyword in call.keywords:
        if keyword.arg != "prefix":
            yield Doubt(_KEYWORDS.get(keyword.arg or "", "it has arguments that are not known here"), final=True)
        elif not _NAME.fullmatch(given_prefix(call) or ""):
            yield Doubt("prefix= is not a plain literal name", final=True)


def _refused_forms(block: _Block) -> Iterator[Doubt]:
    if isinstance(block.statement, ast.AsyncWith):
        yield Doubt("async with does not take a plain context manager", final=True)
    if isinstance(block.target, ast.Tuple | ast.List):
        yield Doubt("its path is taken apart", final=True)


def _plan(program: Program, block: _Block) -> Plan:
    module, name, call, body = program.module, block.target, block.call, block.statement.body
    if name is None:
        return Plan(maker(program, call, ""))
    if isinstance(name, ast.Name):
        if not given_prefix(call) and (found := _folders(program, block, name)):
            return Plan(found.call, found.target, found.drops(module))
        if conversion := _find_conversion(module, block.statement, name.id):
            drop = Drop(module.place(conversion))
            return Plan(maker(program, call, name.id), name.id, (drop,), _seen_early(block, name))
    loads = _find_uses(module, name) if isinstance(name, ast.Name) else None
    bound = bind(program, call, [body], name, loads)
    is_text = any(isinstance(edit, Insert) for edit in bound.edits)
    return bound._replace(doubts=_seen_early(block, name)) if is_text else bound


def _seen_early(block: _Block, name: ast.expr) -> tuple[Doubt, ...]:
    """Return a doubt if the `with` statement itself uses a name that is something else in its block."""
    text = ast.unparse(name)
    head = (node for item in block.statement.items for node in ast.walk(item.context_expr))
    seen = any(isinstance(node, ast.expr) and ast.unparse(node) == text for node in head)
    return (Doubt(f"{text} is used in the with statement itself", final=True),) if seen else ()


def _find_conversion(module: Module, block: With, name: str) -> ast.stmt | None:
    """Return `name = Path(name)`, on a line of its own, if a block begins with it."""
    match block.body[0]:
        case ast.Assign(targets=[ast.Name(id=given)], value=value) as statement if given == name:
            return statement if is_path_of(module, value, name) and stand_alone(module, [statement]) else None
    return None


def _find_uses(module: Module, name: ast.Name) -> list[ast.Name] | None:
    """Return the uses of a name that stands for nothing but the directory; None for any other."""
    scope, around = module.scope_of(name), module.function_of(name) or module.tree
    is_own = scope is not None and scope.node is around and len(scope.bindings[name.id]) == 1
    return module.uses(name) if is_own else None


def _folders(program: Program, block: _Block, name: ast.Name) -> Folders | None:
    """Return the directories that a block begins by making, if its own directory is used for nothing else."""
    module, scope = program.module, program.module.scope_of(name)
    if scope is None or len(block.statement.items) > 1:
        return None
    found = folders.find(module, block.statement.body, name.id, scope, is_path=False)
    if found is None or found.first:
        return None
    several = len(found.names) > 1 and program.is_test and _ends_with_test(program, block)
    return found if several or found.is_only_a_place(module, scope) else None


def _ends_with_test(program: Program, block: _Block) -> bool:
    """Tell whether a block is in a test, or in a fixture that is set up anew for each test."""
    function = program.module.function_of(block.call)
    fixture = surroundings.fixture_of(program.module, function) if function else None
    return fixture is None or fixture.options.get("scope", "function") == "function"
