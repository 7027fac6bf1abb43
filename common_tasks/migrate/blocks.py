"""Judges `with TemporaryDirectory(…) as name`: may a `Path` stand where a `str` stood."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from . import context
from .finding import Drop, Edit, ReplaceExpression, Safety
from .names import Module, Scope, is_eager
from .uses import is_path_of, takes_path

TEMPORARY_DIRECTORY = "tempfile.TemporaryDirectory"
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


class Verdict(NamedTuple):
    """Whether a block may be rewritten, the reason where that is not safe, and what else must change with it."""

    safety: Safety
    reason: str = ""
    edits: tuple[Edit, ...] = ()


def find_blocks(module: Module) -> Iterator[Block]:
    """Yield the blocks of a program, in the order of the text."""
    for call in module.calls:
        item = module.parents[call]
        if isinstance(item, ast.withitem) and module.is_call_of(call, TEMPORARY_DIRECTORY):
            statement = module.parents[item]
            if isinstance(statement, With):
                yield Block(call, statement, statement.items.index(item))


def find_loose_calls(module: Module) -> Iterator[ast.Call]:
    """Yield the calls of TemporaryDirectory that no `with` statement ends."""
    for call in module.calls:
        if module.is_call_of(call, TEMPORARY_DIRECTORY) and not isinstance(module.parents[call], ast.withitem):
            yield call


def prefix(call: ast.Call) -> str | None:
    """Return the name that a call gives its directory by `prefix=`, so that the new one begins with it."""
    for keyword in call.keywords:
        if keyword.arg == "prefix" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            return keyword.value.value.removesuffix("_")
    return None


def judge(module: Module, block: Block) -> Verdict:
    """Decide on a block, whatever takes its place."""
    if reason := _why_not(module, block) or context.why_not_here(module, block.call):
        return Verdict("report", reason)
    verdict = _judge_uses(module, block)
    if verdict.safety == "safe" and context.patches_system(module, block.statement):
        return Verdict("unsafe", "functions of the system are replaced around it", verdict.edits)
    return verdict


def _why_not(module: Module, block: Block) -> str | None:
    if isinstance(block.statement, ast.AsyncWith):
        return "an async with takes no such block"
    if block.call.args:
        return "its arguments are given by position"
    for keyword in block.call.keywords:
        if keyword.arg != "prefix":
            return _KEYWORDS.get(keyword.arg or "", "its arguments are not written out")
        if not _NAME.fullmatch(prefix(block.call) or ""):
            return "prefix= is no plain name that is written out"
    if not (block.target is None or isinstance(block.target, ast.Name)):
        return f"{module.segment(block.target)} outlives the block"
    return None


def _judge_uses(module: Module, block: Block) -> Verdict:
    name = block.target
    if not isinstance(name, ast.Name):
        return Verdict("safe")
    scope = module.scope_of(name)
    if scope is None or isinstance(scope.node, ast.ClassDef) or _is_declared_outside(module, name, scope):
        return Verdict("report", f"{name.id} belongs to a scope outside the function")
    if other := _other_bindings(module, name, scope):
        return Verdict("report", f"{name.id} is also given a value in line {other[0]}")
    if conversion := path_conversion(module, block):
        if not _stands_alone(module, conversion):
            return Verdict("report", f"line {conversion.lineno} holds several statements")
        return Verdict("safe", edits=(Drop(module.place(conversion)),))
    if _is_converted_late(module, block, name):
        return Verdict("report", f"{name.id} is text in the with statement, and a path after it")
    return _judge_loads(module, block, name, scope)


def _is_declared_outside(module: Module, name: ast.Name, scope: Scope) -> bool:
    function = module.function_of(name)
    return function is not None and scope.node is not function


def _other_bindings(module: Module, name: ast.Name, scope: Scope) -> list[int]:
    lines = []
    for binding in scope.bindings[name.id]:
        parent = module.parents[binding.node]
        if isinstance(parent, ast.withitem) or (isinstance(parent, ast.Assign) and _converts(module, parent, name.id)):
            continue
        lines.append(getattr(binding.node, "lineno", 0))
    return lines


def _converts(module: Module, statement: ast.Assign, name: str) -> bool:
    """Tell whether a statement is `name = Path(name)` at the head of a block that binds the name."""
    block = module.parents[statement]
    return (
        isinstance(block, ast.With)
        and block.body[0] is statement
        and any(isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == name for item in block.items)
        and len(statement.targets) == 1
        and is_path_of(module, statement.value, name)
    )


def path_conversion(module: Module, block: Block) -> ast.Assign | None:
    """Return the statement `name = Path(name)` that a block begins with."""
    first = block.statement.body[0]
    name = block.target
    if not (isinstance(name, ast.Name) and isinstance(first, ast.Assign) and len(block.statement.body) > 1):
        return None
    target = first.targets[0]
    same = isinstance(target, ast.Name) and target.id == name.id
    in_items = any(_is_within(module, node, block.statement.items) for node, _ in _loads(module, name))
    return first if same and not in_items and _converts(module, first, name.id) else None


def _is_converted_late(module: Module, block: Block, name: ast.Name) -> bool:
    """Tell whether a later item of the `with` statement uses a name that the block then makes a path."""
    first = block.statement.body[0]
    if not (isinstance(first, ast.Assign) and _converts(module, first, name.id)):
        return False
    return any(_is_within(module, node, block.statement.items) for node, _ in _loads(module, name))


def _loads(module: Module, name: ast.Name) -> list[tuple[ast.Name, Scope]]:
    scope = module.scope_of(name)
    return module.loads(name.id, scope) if scope else []


def _is_within(module: Module, node: ast.AST, tops: list[ast.withitem]) -> bool:
    return any(parent in tops for parent in module.above(node))


def _judge_loads(module: Module, block: Block, name: ast.Name, scope: Scope) -> Verdict:
    doubtful: list[ast.Name] = []
    reasons: list[str] = []
    for load, used_in in module.loads(name.id, scope):
        owner = _owner(module, load, name.id)
        if owner not in (block.statement, None):
            continue  # another block of the same name
        if reason := _doubt(module, block, load, owner, used_in is scope or is_eager(used_in)):
            doubtful.append(load)
            reasons.append(reason)
    if not doubtful:
        return Verdict("safe")
    if any(module.is_in_f_string(load) for load in doubtful):
        return Verdict("report", reasons[0])
    text = f"str({name.id})"
    edits = (ReplaceExpression(module.place(load), name.id, text) for load in doubtful)
    return Verdict("unsafe", f"{reasons[0]}: {text} is written there", tuple(edits))


def _owner(module: Module, load: ast.Name, name: str) -> ast.AST | None:
    """Return the nearest `with` statement around a use that binds its name."""
    for parent in module.above(load):
        if isinstance(parent, With):
            bound = [item.optional_vars for item in parent.items]
            if any(isinstance(target, ast.Name) and target.id == name for target in bound):
                return parent
    return None


def _doubt(module: Module, block: Block, load: ast.Name, owner: ast.AST | None, at_once: bool) -> str | None:
    line = load.lineno
    if owner is None:
        return f"{load.id} is used outside its block, in line {line}"
    if not at_once:
        return f"{load.id} is used in a function of its own, in line {line}"
    if _is_within(module, load, block.statement.items):
        return f"{load.id} is used by a later item of the with statement"
    if not takes_path(module, load):
        return f"line {line} may need {load.id} as text"
    return None


def _stands_alone(module: Module, statement: ast.stmt) -> bool:
    return stand_alone(module, [statement])


def stand_alone(module: Module, statements: list[ast.stmt]) -> bool:
    """Tell whether statements share no line with others."""
    lines = {line for statement in statements for line in range(statement.lineno, (statement.end_lineno or 0) + 1)}
    shared = [
        node for node in module.statements if node not in statements and (node.lineno in lines or _ends_in(node, lines))
    ]
    return not shared and len({statement.lineno for statement in statements}) == len(statements)


def _ends_in(node: ast.stmt, lines: set[int]) -> bool:
    simple = not hasattr(node, "body")
    return simple and node.end_lineno in lines
