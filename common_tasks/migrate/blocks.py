"""T2, T4: `with tempfile.TemporaryDirectory()` becomes `temp_working_dir`, or `pytest_temp_dirs` for several by name.

Both end with their block, as TemporaryDirectory does, but give a `Path` where that gives a `str`.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from . import sub_folders, surroundings
from .aliases import bind
from .finding import Doubt, Drop, Edit, Finding, ReplaceItem, conclude
from .names import Module
from .naming import ONE, given_prefix, maker
from .sub_folders import Folders
from .surroundings import Program
from .uses import is_path_of

IN_TESTS, IN_SCRIPTS = "T2", "T4"
SEVERAL = "pytest_temp_dirs"
_MAKER = "tempfile.TemporaryDirectory"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_KEYWORDS = {
    "dir": "dir= says where it is made",
    "suffix": "suffix= says how its name ends",
    "delete": "delete= says that it may stay",
    "ignore_cleanup_errors": "ignore_cleanup_errors= hides what cannot be removed",
}
With = ast.With | ast.AsyncWith


class Block(NamedTuple):
    """A call of TemporaryDirectory as an item of a `with` statement."""

    call: ast.Call
    statement: With
    number: int

    @property
    def target(self) -> ast.expr | None:
        """What follows `as`."""
        return self.statement.items[self.number].optional_vars


class _Written(NamedTuple):
    """What takes the place of a block's item, and what else changes with it."""

    code: str
    edits: tuple[Edit, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    first: str = ""


def check(program: Program) -> Iterator[Finding]:
    """Yield the uses of TemporaryDirectory."""
    module = program.module
    for call in module.calls:
        if not module.is_call_of(call, _MAKER):
            continue
        item = module.parents[call]
        statement = module.parents[item]
        if isinstance(item, ast.withitem) and isinstance(statement, With):
            yield _finding(program, Block(call, statement, statement.items.index(item)))
        elif not surroundings.is_fallback(module, call):
            yield _loose(program, call)


def refused_arguments(call: ast.Call) -> Iterator[Doubt]:
    """Yield what a call of tempfile's asks for that the engine's functions do not give."""
    if call.args:
        yield Doubt("its arguments are positional", final=True)
    for keyword in call.keywords:
        if keyword.arg != "prefix":
            yield Doubt(_KEYWORDS.get(keyword.arg or "", "it has arguments that are not known here"), final=True)
        elif not _NAME.fullmatch(given_prefix(call) or ""):
            yield Doubt("prefix= is not a plain literal name", final=True)


def _base(program: Program, call: ast.Call) -> Finding:
    return program.report(call, IN_TESTS if program.is_test else IN_SCRIPTS, "TemporaryDirectory")


def _loose(program: Program, call: ast.Call) -> Finding:
    reason = f"it is not in a with statement; where one can end it, use with {ONE}() as name"
    return conclude(_base(program, call), [Doubt(reason, final=True)])


def _finding(program: Program, block: Block) -> Finding:
    written = _write(program, block)
    item = ReplaceItem(program.module.place(block.statement), block.number, written.code, written.first)
    base = _base(program, block.call)
    message = f"{base.message}: with {written.code}" if not _is_final(written) else base.message
    finding = base._replace(message=message, edits=(item, *written.edits), imports=(written.code.partition("(")[0],))
    return conclude(finding, chain(written.doubts, surroundings.doubts(program, block.call)))


def _is_final(written: _Written) -> bool:
    return any(doubt.final for doubt in written.doubts)


def _write(program: Program, block: Block) -> _Written:
    module, name, call = program.module, block.target, block.call
    doubts = tuple(_form(block))
    if doubts or name is None:
        return _Written(maker(program, call, ""), doubts=doubts)
    if isinstance(name, ast.Name):
        if not given_prefix(call) and (folders := _folders(program, block, name)):
            drops = tuple(Drop(module.place(statement)) for statement in folders.statements)
            return _Written(folders.code, drops)
        if conversion := _find_conversion(module, block.statement, name.id):
            drop = Drop(module.place(conversion))
            return _Written(f"{maker(program, call, name.id)} as {name.id}", (drop,), _seen_early(module, block))
    loads = _find_uses(module, block, name) if isinstance(name, ast.Name) else None
    bound = bind(program, call, [block.statement.body], name, loads)
    return _Written(bound.code, bound.edits, _seen_early(module, block) if bound.first else (), bound.first)


def _form(block: Block) -> Iterator[Doubt]:
    if isinstance(block.statement, ast.AsyncWith):
        yield Doubt("async with does not take a plain context manager", final=True)
    if isinstance(block.target, ast.Tuple | ast.List):
        yield Doubt("its path is taken apart", final=True)
    yield from refused_arguments(block.call)


def _seen_early(module: Module, block: Block) -> tuple[Doubt, ...]:
    """Return a doubt if the `with` statement itself uses a name that is something else in its block."""
    assert block.target  # noqa: S101  (asked only of such)
    name = ast.unparse(block.target)
    later = (node for item in block.statement.items for node in ast.walk(item.context_expr))
    seen = any(isinstance(node, ast.expr) and module.segment(node) == name for node in later)
    return (Doubt(f"{name} is used in the with statement itself", final=True),) if seen else ()


def _find_conversion(module: Module, block: With, name: str) -> ast.stmt | None:
    """Return `name = Path(name)`, on a line of its own, if a block begins with it or with several of that form."""
    for statement in block.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=given)], value=value) if is_path_of(module, value, given):
                if given == name:
                    return statement if sub_folders.stand_alone(module, [statement]) else None
            case _:
                break
    return None


def _find_uses(module: Module, block: Block, name: ast.Name) -> list[ast.Name] | None:
    """Return the uses that see this block's directory; None where that is not certain for some use of the name."""
    scope, function = module.scope_of(name), module.function_of(name)
    if scope is None or isinstance(scope.node, ast.ClassDef) or (function and scope.node is not function):
        return None
    loads = module.loads(name.id, scope)
    if len(scope.bindings[name.id]) == 1:
        return [load for load, _ in loads]
    owners = {load: _owner(module, load) for load, used_in in loads if used_in is scope}
    made = all(_is_made(module, module.parents[binding.node]) for binding in scope.bindings[name.id])
    certain = made and len(owners) == len(loads) and None not in owners.values()
    return [load for load, owner in owners.items() if owner is block.statement] if certain else None


def _is_made(module: Module, item: ast.AST) -> bool:
    return isinstance(item, ast.withitem) and module.is_call_of(item.context_expr, _MAKER)


def _owner(module: Module, load: ast.Name) -> ast.AST | None:
    """Return the nearest `with` statement around a use that binds its name; None if the use is in its head."""
    inside: ast.AST = load
    for parent in module.above(load):
        if isinstance(parent, With):
            bound = [item.optional_vars for item in parent.items]
            if any(isinstance(target, ast.Name) and target.id == load.id for target in bound):
                return parent if inside in parent.body else None
        inside = parent
    return None


def _folders(program: Program, block: Block, name: ast.Name) -> Folders | None:
    """Return the directories that a block of a test begins by making, where it is about nothing else of its own."""
    module, body = program.module, block.statement.body
    if len(block.statement.items) > 1:
        return None
    scope = module.scope_of(name)
    converted = _find_conversion(module, block.statement, name.id) is not None
    folders = sub_folders.find_run(module, body, name.id, converted=converted)
    if scope is None or folders is None or folders.first or len(folders.statements) == len(body):
        return None
    names = {name.id} | sub_folders.aliases(folders)
    if any(len(scope.bindings[each]) > 1 for each in names if not converted):
        return None
    if not sub_folders.uses_only(module, folders, names, scope) or not sub_folders.stand_alone(
        module, folders.statements
    ):
        return None
    return (
        folders if folders.suits(module, scope, in_test=program.is_test and _ends_with_test(program, block)) else None
    )


def _ends_with_test(program: Program, block: Block) -> bool:
    """Tell whether a block is a test's, or a fixture's that each test has for itself."""
    function = program.module.function_of(block.call)
    fixture = surroundings.fixture_of(program.module, function) if function else None
    return fixture is None or fixture.options.get("scope", "function") == "function"
