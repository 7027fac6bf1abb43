"""What is written out of a path below `.tmp` or `.temp`, and whether its name carries the time."""

import ast
from typing import NamedTuple

from .names import Module
from .uses import PATHS

BASES = (".tmp", ".temp")
LISTERS = frozenset({"glob", "iglob", "iterdir", "listdir", "rglob", "scandir", "walk"})
_DEPTH = 5  # names that are followed to their values
_SECONDS = ("%S", "%s", "%T", "%X", "%f")
_MOMENTS = frozenset({"time.time", "time.time_ns"})
_NOWS = frozenset(f"datetime.datetime.{name}" for name in ("now", "today", "utcnow"))
_KEEPERS = frozenset({"builtins.int", "builtins.str", "builtins.round"})


def text_of(module: Module, node: ast.expr, depth: int = _DEPTH) -> str | None:
    """Return a path as far as it is written out, whatever builds it; `…` stands for what is not."""
    match node:
        case ast.Constant(value=str(text)):
            return text.removeprefix("./").rstrip("/")
        case ast.Name() if depth and (value := value_of(module, node)):
            return text_of(module, value, depth - 1)
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _joined(module, [left, right], depth)
        case ast.Call(func=ast.Attribute(value=left, attr="joinpath"), args=args):
            return _joined(module, [left, *args], depth)
        case ast.Call(args=[_, *_] as args) if not module.dotted(node.func).isdisjoint({*PATHS, "os.path.join"}):
            return _joined(module, args, depth)
    return None


def _joined(module: Module, nodes: list[ast.expr], depth: int) -> str:
    return "/".join(text_of(module, node, depth) or "…" for node in nodes)


def value_of(module: Module, name: ast.Name) -> ast.expr | None:
    """Return what a name stands for, where it is given a value once."""
    scope = module.scope_of(name)
    bindings = scope.bindings[name.id] if scope else []
    parent = module.parents[bindings[0].node] if len(bindings) == 1 else None
    return parent.value if isinstance(parent, ast.Assign) and parent.targets == [bindings[0].node] else None


def is_text(module: Module, value: ast.expr) -> bool:
    """Tell whether a path is a str, not a Path."""
    return isinstance(value, ast.Constant | ast.JoinedStr) or module.is_call_of(value, "os.path.join")


class Stamped(NamedTuple):
    """A directory `<base>/<prefix>_<time>`: the part of its name before the time, and the names that build the path."""

    prefix: ast.expr | str
    names: frozenset[str]


def stamped(module: Module, value: ast.expr) -> Stamped | None:
    """Return what is before the time in a path directly below a base; None where the name is not of that form.

    Only a time to the second counts: a name for each day is a place that others find.
    """
    match value:
        case ast.BinOp(left=base, op=ast.Div(), right=last):
            pass
        case ast.Call(args=[base, last]) if not module.dotted(value.func).isdisjoint({*PATHS, "os.path.join"}):
            pass
        case ast.Call(func=ast.Attribute(value=base, attr="joinpath"), args=[last]):
            pass
        case _:
            return None
    names = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    if isinstance(last, ast.Name):
        last = value_of(module, last) or last
        names |= {node.id for node in ast.walk(last) if isinstance(node, ast.Name)}
    if text_of(module, base) not in BASES or not isinstance(last, ast.JoinedStr):
        return None
    match last.values:
        case [ast.Constant(value=str(text)), ast.FormattedValue(format_spec=None) as time] if text.endswith("_"):
            prefix: ast.expr | str = text[:-1]
        case [
            ast.FormattedValue(value=given, format_spec=None, conversion=-1),
            ast.Constant(value="_"),
            ast.FormattedValue(format_spec=None) as time,
        ]:
            prefix = given
        case _:
            return None
    return Stamped(prefix, frozenset(names)) if is_time(module, time.value) else None


def is_time(module: Module, node: ast.expr, depth: int = _DEPTH) -> bool:
    """Tell whether an expression is the present time, to the second at least."""
    match node:
        case ast.Name():
            value = value_of(module, node)
            return bool(depth) and value is not None and is_time(module, value, depth - 1)
        case ast.Call(args=[inner]) if module.is_call_of(node, *_KEEPERS):
            return is_time(module, inner, depth)
        case ast.Call(args=[]) if module.is_call_of(node, *_MOMENTS):
            return True
        case ast.Call(args=[ast.Constant(value=str(form))]) if module.is_call_of(node, "time.strftime"):
            return any(part in form for part in _SECONDS)
        case ast.Call(func=ast.Attribute(value=now, attr="strftime"), args=[ast.Constant(value=str(form))]):
            return module.is_call_of(now, *_NOWS) and any(part in form for part in _SECONDS)
    return False
