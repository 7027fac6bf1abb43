"""T4: directories that scripts make by hand become `create_persistent_dir` and `temp_working_dir`."""

import ast
import re
from collections.abc import Iterator

from .blocks import find_blocks, find_loose_calls, judge, prefix, stand_alone
from .context import Program
from .finding import Drop, Finding, ReplaceStatement, Safety
from .names import Module, Scope
from .t2_tests import block_finding, loose
from .uses import PATHS

CODE = "T4"
_BASES = (".tmp", ".temp")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]+")
# What asks a directory for what an earlier run left in it.
_LOOKS = frozenset({"exists", "is_file", "is_dir", "iterdir", "glob", "rglob", "read_text", "read_bytes", "stat"})


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


def _by_hand(program: Program) -> Iterator[Finding]:
    module = program.module
    for call in module.calls:
        path = _made_path(module, call)
        if path is None or not _is_in_base(path.text):
            continue
        statement = _assignment_before(module, call, path.name)
        name = path.text.partition("/")[2]
        if statement is None or not _PLAIN.fullmatch(name):
            yield _report(program, call, path.text)
        else:
            yield _persistent(program, call, statement, name)


class _Made:
    """A directory that a call makes: the text of its path, and the name that holds it."""

    def __init__(self, text: str, name: str | None) -> None:
        self.text = text
        self.name = name


def _is_in_base(text: str) -> bool:
    return text.removeprefix("./").partition("/")[0] in _BASES and "/" in text


def _made_path(module: Module, call: ast.Call) -> _Made | None:
    match call.func:
        case ast.Attribute(value=value, attr="mkdir") if not module.is_call_of(call, "os.mkdir"):
            return _path(module, value)
    if module.is_call_of(call, "os.makedirs", "os.mkdir") and call.args:
        return _path(module, call.args[0])
    return None


def _path(module: Module, node: ast.expr) -> _Made | None:
    if isinstance(node, ast.Name):
        scope = module.scope_of(node)
        bindings = scope.bindings[node.id] if scope else []
        values = [_assigned(module, binding.node) for binding in bindings]
        text = _text(module, values[0]) if len(values) == 1 and values[0] else None
        return _Made(text, node.id) if text else None
    text = _text(module, node)
    return _Made(text, None) if text else None


def _assigned(module: Module, node: ast.AST) -> ast.expr | None:
    parent = module.parents[node]
    return parent.value if isinstance(parent, ast.Assign) and parent.targets == [node] else None


def _text(module: Module, node: ast.expr) -> str | None:
    """Return a path that is written out, whatever builds it; `…` stands for what is not."""
    match node:
        case ast.Constant(value=str(text)):
            return text.rstrip("/")
        case ast.JoinedStr():
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            return "".join(parts)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined(module, [left, right])
        case ast.Call(func=ast.Attribute(value=left, attr="joinpath"), args=args):
            return _joined(module, [left, *args])
        case ast.Call(args=args) if not module.dotted(node.func).isdisjoint({*PATHS, "os.path.join"}):
            return _joined(module, args)
    return None


def _joined(module: Module, nodes: list[ast.expr]) -> str | None:
    first = _text(module, nodes[0]) if nodes else None
    return "/".join([first, *(_text(module, node) or "…" for node in nodes[1:])]) if first else None


def _assignment_before(module: Module, call: ast.Call, name: str | None) -> ast.Assign | None:
    """Return `name = Path(…) / …` where `name.mkdir(…)` is the very next statement."""
    statement = module.parents[call]
    body = _body_of(module, statement)
    if name is None or not isinstance(statement, ast.Expr) or not body or body[0] is statement:
        return None
    before = body[body.index(statement) - 1]
    is_path = isinstance(before, ast.Assign) and not isinstance(before.value, ast.Constant | ast.JoinedStr)
    if not isinstance(before, ast.Assign) or not is_path or module.is_call_of(before.value, "os.path.join"):
        return None
    [*_, target] = before.targets
    return before if isinstance(target, ast.Name) and target.id == name and len(before.targets) == 1 else None


def _body_of(module: Module, statement: ast.AST) -> list[ast.stmt]:
    parent = module.parents[statement]
    for field in ("body", "orelse", "finalbody"):
        body = getattr(parent, field, None)
        if isinstance(body, list) and statement in body:
            return body
    return []


def _report(program: Program, call: ast.Call, path: str) -> Finding:
    name = path.rpartition("/")[2].strip("…_-")
    better = f'TempManager.create_persistent_dir("{name or script_name(program)}", "work")'
    line, column = program.module.place(call)
    message = f"{path} is made by hand: {better} makes one of its own, whose path the code must take over"
    return Finding(program.path, line, column, CODE, "report", message, last_line=call.end_lineno or line)


def _persistent(program: Program, call: ast.Call, statement: ast.Assign, name: str) -> Finding:
    module = program.module
    made = module.parents[call]
    line, column = module.place(statement)
    new = f'TempManager.create_persistent_dir("{name}", "work")'
    target = module.segment(statement.targets[0])
    last = call.end_lineno or line
    assert isinstance(made, ast.stmt)  # noqa: S101  (_assignment_before saw to it)
    if not stand_alone(module, [statement, made]):
        return _report(program, call, f".tmp/{name}")
    reason = _doubt(module, statement, name)
    edits = (ReplaceStatement(module.place(statement), f"{target} = {new}"), Drop(module.place(made)))
    safety: Safety = "unsafe" if reason else "safe"
    message = f".tmp/{name} is made by hand: {new}" + (f"; {reason}" if reason else "")
    return Finding(program.path, line, column, CODE, safety, message, edits, ("TempManager",), last)


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
    parent: ast.AST = load
    for parent in module.above(load):
        if not isinstance(parent, ast.BinOp):
            break
    return isinstance(parent, ast.Attribute) and parent.attr in _LOOKS


def _mentions(text: str, name: str) -> bool:
    return text == name or any(f"{base}/{name}" in text for base in _BASES)
