"""T4: directories that scripts make by hand become `create_persistent_dir` and `temp_working_dir`."""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from .blocks import find_blocks, find_loose_calls, judge, prefix, stand_alone
from .context import Program
from .finding import Drop, Finding, ReplaceStatement, Safety
from .names import Module, Scope
from .t1_helper import find_definition
from .t2_tests import block_finding, loose
from .uses import PATHS

CODE = "T4"
_BASES = (".tmp", ".temp")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
# What asks a directory for what an earlier run left in it.
_LOOKS = frozenset({"exists", "is_file", "is_dir", "iterdir", "glob", "rglob", "read_text", "read_bytes", "stat"})

_LOOKERS = frozenset({"os.listdir", "os.scandir", "os.walk", "os.path.exists", "os.path.isdir", "os.stat"})


def check(program: Program) -> Iterator[Finding]:
    """Yield the blocks of scripts, and what is made in `.tmp` by hand anywhere."""
    if not program.is_test:
        yield from _blocks(program)
    yield from _by_hand(program)


def _blocks(program: Program) -> Iterator[Finding]:
    for block in find_blocks(program.module):
        given = prefix(block.call) or script_name(program)
        name = block.target.id if isinstance(block.target, ast.Name) else None
        code = f'temp_working_dir("{given}")' + (f" as {name}" if name else "")
        yield block_finding(program, block, CODE, judge(program.module, block), code)
    for call in find_loose_calls(program.module):
        yield loose(program, call, CODE, "with temp_working_dir() as name")


def script_name(program: Program) -> str:
    """Return a plain name that tells which script a directory belongs to."""
    return _NOT_PLAIN.sub("_", program.path.stem).strip("_-") or "work"


class _Made(NamedTuple):
    """A directory that a call makes: its path, as far as it is written out, and the name that holds it."""

    call: ast.Call
    text: str
    name: str | None

    @property
    def is_base(self) -> bool:
        return self.text in _BASES


def _by_hand(program: Program) -> Iterator[Finding]:
    module = program.module
    made = [found for call in module.calls if (found := _made(module, call)) and _is_in_base(found.text)]
    busy = {module.function_of(found.call) for found in made if not found.is_base}
    for found in made:
        function = module.function_of(found.call)
        is_helper = function is not None and function is find_definition(module)
        if is_helper or (found.is_base and function in busy):
            continue  # that is T1, or a first step towards another one
        name = found.text.removeprefix("./").partition("/")[2]
        statement = _assignment_before(module, found)
        if statement is None or not _PLAIN.fullmatch(name) or "…" in found.text:
            yield _report(program, found)
        else:
            yield _persistent(program, found, statement, name)


def _is_in_base(text: str) -> bool:
    return any(part in _BASES for part in text.split("/"))


def _made(module: Module, call: ast.Call) -> _Made | None:
    made: ast.expr | None = None
    if module.is_call_of(call, "os.makedirs", "os.mkdir") and call.args:
        made = call.args[0]
    elif isinstance(call.func, ast.Attribute) and call.func.attr == "mkdir":
        made = call.func.value
    text = _text(module, made) if made else None
    return _Made(call, text, made.id if isinstance(made, ast.Name) else None) if text else None


def _text(module: Module, node: ast.expr, depth: int = 5) -> str | None:
    """Return a path as far as it is written out, whatever builds it; `…` stands for what is not."""
    match node:
        case ast.Constant(value=str(text)):
            return text.removeprefix("./").rstrip("/")
        case ast.Name() if depth and (value := _value(module, node)):
            return _text(module, value, depth - 1)
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined(module, [left, right], depth)
        case ast.Call(func=ast.Attribute(value=left, attr="joinpath"), args=args):
            return _joined(module, [left, *args], depth)
        case ast.Call(args=[_, *_] as args) if not module.dotted(node.func).isdisjoint({*PATHS, "os.path.join"}):
            return _joined(module, args, depth)
    return None


def _value(module: Module, name: ast.Name) -> ast.expr | None:
    """Return what a name stands for, where it is given a value once."""
    scope = module.scope_of(name)
    bindings = scope.bindings[name.id] if scope else []
    parent = module.parents[bindings[0].node] if len(bindings) == 1 else None
    return parent.value if isinstance(parent, ast.Assign) and parent.targets == [bindings[0].node] else None


def _joined(module: Module, nodes: list[ast.expr], depth: int) -> str:
    return "/".join(_text(module, node, depth) or "…" for node in nodes)


def _assignment_before(module: Module, made: _Made) -> ast.Assign | None:
    """Return `name = …` where the directory is made by the very next statement."""
    statement = module.parents[made.call]
    body = _body_of(module, statement)
    if made.name is None or not isinstance(statement, ast.Expr) or not body or body[0] is statement:
        return None
    before = body[body.index(statement) - 1]
    match before:
        case ast.Assign(targets=[ast.Name(id=name)]) if name == made.name:
            return before
        case _:
            return None


def _body_of(module: Module, statement: ast.AST) -> list[ast.stmt]:
    parent = module.parents[statement]
    for field in ("body", "orelse", "finalbody"):
        body = getattr(parent, field, None)
        if isinstance(body, list) and statement in body:
            return body
    return []


def _report(program: Program, made: _Made) -> Finding:
    name = made.text.rpartition("/")[2].strip("….~_-")
    better = f'TempManager.create_persistent_dir("{name if _PLAIN.fullmatch(name) else script_name(program)}", "work")'
    line, column = program.module.place(made.call)
    message = f"{made.text} is made by hand: {better} makes one of its own, whose path the code must take over"
    return Finding(program.path, line, column, CODE, "report", message, last_line=made.call.end_lineno or line)


def _persistent(program: Program, made: _Made, statement: ast.Assign, name: str) -> Finding:
    module = program.module
    making = module.parents[made.call]
    if not isinstance(making, ast.stmt) or not stand_alone(module, [statement, making]):
        return _report(program, made)
    line, column = module.place(statement)
    new = f'TempManager.create_persistent_dir("{name}", "work")'
    new = f"str({new})" if _is_text(module, statement.value) else new
    reason = _doubt(module, statement, name)
    assigned = ReplaceStatement(module.place(statement), f"{made.name} = {new}")
    edits = (assigned, Drop(module.place(making)))
    safety: Safety = "unsafe" if reason else "safe"
    message = f".tmp/{name} is made by hand: {new}" + (f"; {reason}" if reason else "")
    last, removes = made.call.end_lineno or line, (f".tmp/{name}",)
    return Finding(program.path, line, column, CODE, safety, message, edits, ("TempManager",), last, removes)


def _is_text(module: Module, value: ast.expr) -> bool:
    """Tell whether a path is a str, not a Path."""
    return isinstance(value, ast.Constant | ast.JoinedStr) or module.is_call_of(value, "os.path.join")


def _doubt(module: Module, statement: ast.Assign, name: str) -> str | None:
    [target] = statement.targets
    scope = module.scope_of(target) if isinstance(target, ast.Name) else None
    if scope is None or not isinstance(target, ast.Name) or _is_shared(scope, target):
        return "others may read its path from this module"
    if any(_looks(module, load) for load, _ in module.loads(target.id, scope)):
        return f"a second run may look for what the first left; get_cache_temp_dir({name!r}) finds it again"
    if sum(_mentions(text, name) for text in module.strings) > 1:
        return "the same path is written elsewhere in this file"
    return None


def _is_shared(scope: Scope, target: ast.Name) -> bool:
    return isinstance(scope.node, ast.ClassDef) or (isinstance(scope.node, ast.Module) and target.id.isupper())


def _looks(module: Module, load: ast.Name) -> bool:
    if module.is_call_of(module.parents[load], *_LOOKERS):
        return True
    parent: ast.AST = load
    for parent in module.above(load):
        if not isinstance(parent, ast.BinOp):
            break
    return isinstance(parent, ast.Attribute) and parent.attr in _LOOKS


def _mentions(text: str, name: str) -> bool:
    return text == name or any(f"{base}/{name}" in text for base in _BASES)
