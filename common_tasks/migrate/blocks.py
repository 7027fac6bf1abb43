"""T2, T4: `with tempfile.TemporaryDirectory()` becomes `temp_working_dir`, or `pytest_temp_dirs` for several by name.

Both end with their block, as TemporaryDirectory does, but give a `Path` where that gives a `str`.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from . import sub_folders, surroundings
from .aliases import give_path
from .finding import Doubt, Drop, Edit, Finding, ReplaceItem, conclude
from .names import Module, Scope
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
    item = ReplaceItem(program.module.place(block.statement), block.number, written.code)
    base = _base(program, block.call)
    message = f"{base.message}: with {written.code}" if not _is_final(written) else base.message
    finding = base._replace(message=message, edits=(item, *written.edits), imports=(written.code.partition("(")[0],))
    return conclude(finding, chain(written.doubts, surroundings.doubts(program, block.call)))


def _is_final(written: _Written) -> bool:
    return any(doubt.final for doubt in written.doubts)


def _write(program: Program, block: Block) -> _Written:
    module, name = program.module, block.target
    form = tuple(_form(module, block))
    if form or not isinstance(name, ast.Name):
        return _Written(maker(program, block.call, ""), doubts=form)
    if not given_prefix(block.call) and (folders := _folders(program, block)):
        drops = tuple(Drop(module.place(statement)) for statement in folders.statements)
        return _Written(folders.code, drops)
    return _with_name(program, block, name)


def _form(module: Module, block: Block) -> Iterator[Doubt]:
    if isinstance(block.statement, ast.AsyncWith):
        yield Doubt("async with does not take a plain context manager", final=True)
    yield from refused_arguments(block.call)
    name = block.target
    if name is not None and not isinstance(name, ast.Name):
        yield Doubt(f"{module.segment(name)} outlives the block", final=True)
    elif isinstance(name, ast.Name):
        yield from _bound_elsewhere(module, name)


def _bound_elsewhere(module: Module, name: ast.Name) -> Iterator[Doubt]:
    """Yield a doubt if the name is not the block's own, or has another value elsewhere."""
    scope, function = module.scope_of(name), module.function_of(name)
    if scope is None or isinstance(scope.node, ast.ClassDef) or (function and scope.node is not function):
        yield Doubt(f"{name.id} is global or nonlocal, so code outside the function may use it", final=True)
        return
    for binding in scope.bindings[name.id]:
        parent = module.parents[binding.node]
        made = isinstance(parent, ast.withitem) and module.is_call_of(parent.context_expr, _MAKER)
        if not made and not _is_own_conversion(module, parent, name.id):
            yield Doubt(f"{name.id} is also given a value in line {getattr(binding.node, 'lineno', 1)}", final=True)
            return


def _is_own_conversion(module: Module, statement: ast.AST, name: str) -> bool:
    """Tell whether a statement is `name = Path(name)`, on a line of its own, and begins a block that binds the name."""
    block = module.parents.get(statement)
    return (
        isinstance(statement, ast.Assign)
        and isinstance(block, ast.With)
        and block.body[0] is statement
        and len(block.body) > 1
        and any(isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name for item in block.items)
        and [ast.unparse(target) for target in statement.targets] == [name]
        and is_path_of(module, statement.value, name)
        and sub_folders.stand_alone(module, [statement])
    )


def _with_name(program: Program, block: Block, name: ast.Name) -> _Written:
    """Write the block with one directory: by its name, or by the one that its path is given at once."""
    module = program.module
    scope = module.scope_of(name)
    assert scope is not None  # noqa: S101  (see `_bound_elsewhere`)
    loads = [load for load, used_in in module.loads(name.id, scope) if _concerns(module, block, load, used_in, scope)]
    first = block.statement.body[0]
    if _is_own_conversion(module, first, name.id):
        return _converted(program, block, name, loads)
    path = give_path(module, [block.statement.body], name, loads, shared=_shared(module, loads, scope))
    return _Written(f"{maker(program, block.call, path.name)} as {path.name}", path.edits, path.doubts)


def _converted(program: Program, block: Block, name: ast.Name, loads: list[ast.Name]) -> _Written:
    """Write a block that begins with `name = Path(name)`: the statement goes, the name is a path from the start."""
    module = program.module
    early = [load for load in loads if any(item in module.above(load) for item in block.statement.items)]
    doubts = [Doubt(f"{name.id} is text in the with statement, and a path after it", final=True)] if early else []
    conversion = Drop(module.place(block.statement.body[0]))
    return _Written(f"{maker(program, block.call, name.id)} as {name.id}", (conversion,), tuple(doubts))


def _concerns(module: Module, block: Block, load: ast.Name, used_in: Scope, scope: Scope) -> bool:
    """Tell whether a use may see this block's directory: not if another block of the name is nearer, and runs it."""
    if used_in is not scope:
        return True  # a function of its own may run at any time
    return _owner(module, load) in (block.statement, None)


def _owner(module: Module, load: ast.Name) -> ast.AST | None:
    """Return the nearest `with` statement around a use that binds its name."""
    for parent in module.above(load):
        if isinstance(parent, With):
            bound = [item.optional_vars for item in parent.items]
            if any(isinstance(target, ast.Name) and target.id == load.id for target in bound):
                return parent
    return None


def _shared(module: Module, loads: list[ast.Name], scope: Scope) -> list[ast.Name]:
    """Return the uses that may also see another block's directory, which may stay text."""
    if len(scope.bindings[loads[0].id]) == 1 if loads else True:
        return []
    return [load for load in loads if module.used_in[load] is not scope or _owner(module, load) is None]


def _folders(program: Program, block: Block) -> Folders | None:
    """Return the directories that a block of a test begins by making, where it is about nothing else of its own."""
    module, name = program.module, block.target
    body = block.statement.body
    if len(block.statement.items) > 1 or not isinstance(name, ast.Name):
        return None
    scope = module.scope_of(name)
    converted = _is_own_conversion(module, body[0], name.id)
    folders = sub_folders.find_run(module, body, name.id, converted=converted)
    if scope is None or folders is None or folders.first or len(folders.statements) == len(body):
        return None
    names = {name.id} | sub_folders.aliases(folders)
    if any(len(scope.bindings[each]) > 1 for each in names if not converted):
        return None
    if not sub_folders.uses_only(module, folders, names, scope) or not sub_folders.is_droppable(module, folders):
        return None
    return (
        folders if folders.suits(module, scope, in_test=program.is_test and _ends_with_test(program, block)) else None
    )


def _ends_with_test(program: Program, block: Block) -> bool:
    """Tell whether a block is a test's, or a fixture's that each test has for itself."""
    function = program.module.function_of(block.call)
    fixture = surroundings.fixture_of(program.module, function) if function else None
    return fixture is None or fixture.options.get("scope", "function") == "function"
