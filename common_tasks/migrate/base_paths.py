"""What is written out of a path below `.tmp` or `.temp`, and whether its name carries the time."""

import ast
from typing import NamedTuple

from .kinds import BASES
from .names import Module
from .paths import PATHS

_LISTERS = frozenset({"glob", "iglob", "iterdir", "listdir", "rglob", "scandir", "walk"})
_DEPTH = 8  # steps by which a path is built, names that are followed to their values
_SECONDS = ("%S", "%s", "%T", "%X", "%f")
_MOMENTS = frozenset({"time.time", "time.time_ns"})
_NOWS = frozenset(f"datetime.datetime.{name}" for name in ("now", "today", "utcnow"))
_KEEPERS = frozenset({"builtins.int", "builtins.str", "builtins.round"})


def text_of(module: Module, path: ast.expr) -> str:
    """Return a path as far as it is written out, whatever builds it; `…` stands for what is not."""
    return "/".join(_text(part) for part in _parts(module, path))


def _parts(module: Module, path: ast.expr, depth: int = _DEPTH) -> list[ast.expr]:
    """Return the expressions for the parts of a path; names are followed to their values."""
    match path:
        case ast.Name() if depth and (value := module.value_of(path)):
            inner = [value]
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            inner = [left, right]
        case ast.Call(func=ast.Attribute(value=left, attr="joinpath"), args=args):
            inner = [left, *args]
        case ast.Call(args=[_, *_] as inner) if not module.dotted(path.func).isdisjoint({*PATHS, "os.path.join"}):
            pass
        case _:
            return [path]
    return [part for each in inner for part in _parts(module, each, depth - 1)]


def _text(part: ast.expr) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text.removeprefix("./").rstrip("/")
        case ast.JoinedStr(values=values):
            return "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in values)
    return "…"


def is_text(module: Module, value: ast.expr) -> bool:
    """Tell whether a path is a str, not a Path."""
    return isinstance(value, ast.Constant | ast.JoinedStr) or module.is_call_of(value, "os.path.join")


class Stamped(NamedTuple):
    """A directory `<base>/<prefix>_<time>`: the part of its name before the time, and the names that build the path."""

    prefix: ast.expr | str
    names: frozenset[ast.Name]


def stamped(module: Module, value: ast.expr) -> Stamped | None:
    """Return what is before the time in a path directly below a base; None where the name is not of that form.

    Only a time to the second counts: a name for each day is a place that others find.
    """
    parts = _parts(module, value)
    last = parts[-1]
    if len(parts) != 2 or _text(parts[0]) not in BASES or not isinstance(last, ast.JoinedStr):
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
    return Stamped(prefix, frozenset(_names(module, value).values())) if is_time(module, time.value) else None


def _names(module: Module, value: ast.expr, depth: int = _DEPTH) -> dict[str, ast.Name]:
    """Return the names that a value is built from, and those that these are built from."""
    names = {node.id: node for node in ast.walk(value) if isinstance(node, ast.Name)}
    for given in [each for name in names.values() if depth and (each := module.value_of(name))]:
        names = {**_names(module, given, depth - 1), **names}
    return names


def find_listings(module: Module) -> list[ast.Attribute]:
    """Return what lists the content of folders."""
    return [node for node in module.all(ast.Attribute) if node.attr in _LISTERS]


def is_time(module: Module, node: ast.expr, depth: int = _DEPTH) -> bool:
    """Tell whether an expression is the present time, to the second at least."""
    match node:
        case ast.Name():
            value = module.value_of(node)
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
