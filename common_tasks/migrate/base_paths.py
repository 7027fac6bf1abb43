"""Paths below `.tmp` or `.temp`: how much of them is written out, which carry the time, and what else uses a base."""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..temp.layout import INSIDE as BASES
from .finding import Doubt
from .names import Module
from .paths import PATHS
from .removal import sounds_like_removal

_IN_BASE = re.compile(r"(?<![\w….*-])\.te?mp(?![\w.-])(?:/([^/\s'\"]*))?")  # a base, and the name below it
# A command that only shows or removes the bases.
SHOWS_OR_REMOVES = re.compile(r"""(?:rm -r?f?r?|ls(?: -\w+)?|du(?: -\w+)?)(?: ['"]?\.te?mp/?['"]?)+(?: \|\| true)?""")
_BUILDS = frozenset({*PATHS, "os.path.join"})
_MAKES = frozenset({"mkdir", "makedirs", "exists", "isdir", "is_dir"})
_SUFFIX = frozenset({"with_suffix", "endswith", "removesuffix"})  # ".tmp" may also be how the name of a file ends
_ASKS = frozenset({"is_absolute", "is_relative_to", "parent", "parents", "parts", "relative_to"})
_ASKING = frozenset({"chdir", "commonpath", "dirname", "isabs", "relpath", "split"})
_DEPTH = 8  # how far a path is followed: the steps that build it, the names that lead to values
_SECONDS = ("%S", "%s", "%T", "%X", "%f")
_MOMENTS = frozenset({"time.time", "time.time_ns"})
_NOWS = frozenset(f"datetime.datetime.{name}" for name in ("now", "today", "utcnow"))
_KEEPERS = frozenset({"builtins.int", "builtins.str", "builtins.round"})


def text_of(module: Module, path: ast.expr) -> str:
    """Return the text of a path, however it is built; `…` stands for what is not written out."""
    return "/".join(_text(part) for part in _parts(module, path))


def _parts(module: Module, path: ast.expr, depth: int = _DEPTH) -> list[ast.expr]:
    """Return the expressions for the parts of a path; names are followed to their values."""
    match path:
        case ast.Name() if depth > 0 and (value := module.value_of(path)):
            inner = [value]
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            inner = [left, right]
        case ast.Call(func=ast.Attribute(value=left, attr="joinpath"), args=args):
            inner = [left, *args]
        case ast.Call(args=[_, *_] as inner) if module.is_call_of(path, *_BUILDS):
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
    """Return what is before the time in a path directly below a base; None if the name is not of that form.

    Only a time to the second counts: a folder that is named after the day can be found by others.
    """
    parts = _parts(module, value)
    prefix = _before_time(module, parts) if len(parts) == 2 else None
    return None if prefix is None else Stamped(prefix, frozenset(_names(module, value).values()))


def _before_time(module: Module, parts: list[ast.expr]) -> ast.expr | str | None:
    """Return what is before the time in the name that is directly below a base."""
    match parts:
        case [base, ast.JoinedStr(values=[*before, ast.FormattedValue(value=time, format_spec=None)]), *_]:
            if _text(base) not in BASES or not is_time(module, time):
                return None
        case _:
            return None
    match before:
        case [ast.Constant(value=str(text))] if text.endswith("_"):
            return text[:-1]
        case [ast.FormattedValue(value=given, format_spec=None, conversion=-1), ast.Constant(value="_")]:
            return given
    return None


def _names(module: Module, value: ast.expr, depth: int = _DEPTH) -> dict[str, ast.Name]:
    """Return the names that a value is built from, and those that these are built from."""
    names = {node.id: node for node in ast.walk(value) if isinstance(node, ast.Name)}
    for given in [each for name in names.values() if depth and (each := module.value_of(name))]:
        names = {**_names(module, given, depth - 1), **names}
    return names


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


def seen(module: Module, uses: Iterable[ast.expr]) -> Iterator[Doubt]:
    """Yield what may notice that a directory `<base>/<name>_<time>` is made elsewhere, and is a new one each time.

    `uses`: the expressions that stand for it.
    """
    yield from (Doubt(f"line {use.lineno} asks where it lies") for use in uses if asks_where(module, use))
    for handler in module.all(ast.ExceptHandler):
        if handler.type and "FileExistsError" in ast.unparse(handler.type):
            yield Doubt(f"line {handler.lineno} may wait for a folder that is there already")
    yield from (Doubt(f"line {use.lineno} uses {BASES[0]}, too") for use in find_uses(module))


def asks_where(module: Module, use: ast.expr) -> bool:
    """Tell whether the use of a directory, or of what is in it, counts on where it lies."""
    parent = module.parents[_whole(module, use)]
    called = ast.unparse(parent.func).rpartition(".")[2] if isinstance(parent, ast.Call) else ""
    return called in _ASKING or (isinstance(parent, ast.Attribute) and parent.attr in _ASKS)


def find_uses(module: Module, name: str = "") -> Iterator[ast.expr]:
    """Yield what a program does with a base, other than to make directories with the time in their names, or to remove.

    `name`: only what may concern this folder, given as `report` or `demo_*`.
    """
    for node in (*module.all(ast.Constant), *module.all(ast.JoinedStr), *module.all(ast.Name)):
        is_read = not isinstance(node, ast.Name) or isinstance(node.ctx, ast.Load)
        if not is_read or isinstance(module.parents[node], ast.JoinedStr | ast.Expr):
            continue
        for found in _IN_BASE.finditer(text_of(module, node)):
            whole = _whole(module, node)
            below = found[1] or "".join(_IN_BASE.findall(text_of(module, whole)))
            if _may_be(below, name) and not _is_accounted_for(module, node, whole):
                yield whole


def _whole(module: Module, node: ast.expr) -> ast.expr:
    """Return the whole of the path that an expression is a part of."""
    parent = module.parents[node]
    if isinstance(parent, ast.Attribute) and parent.attr == "joinpath":
        parent = module.parents[parent]
    elif not (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div)) and not module.is_call_of(
        parent, *_BUILDS
    ):
        return node
    return _whole(module, parent) if isinstance(parent, ast.expr) else node


def _may_be(below: str, name: str) -> bool:
    """Tell whether a name in a base may mean a folder there; one that is not written out may mean any."""
    unknown = not (below and name) or name.startswith("*") or any(sign in below for sign in "…*?[{$")
    return unknown or below == name or (name.endswith("*") and below.startswith(name[:-1]))


def _is_accounted_for(module: Module, node: ast.expr, whole: ast.expr) -> bool:
    """Tell whether a use of a base makes a directory with the time in its name, or makes or removes what is there."""
    parent = module.parents[whole]
    if _before_time(module, _parts(module, whole)) is not None:
        return True
    match parent:
        case ast.Assign(targets=[ast.Name() as target]) if module.value_of(target) is whole:
            return True  # what counts is how the name is used
        case ast.Attribute(attr=attr) if attr in _MAKES:
            return True
        case ast.Call(func=ast.Attribute(attr="run"), args=[ast.Constant(value=str(command))]):
            if SHOWS_OR_REMOVES.fullmatch(command) and isinstance(module.parents[parent], ast.Expr):
                return True
        case ast.keyword(arg="suffix"):
            return True
        case ast.BinOp(op=ast.Add(), right=ending) if ending is whole:
            return True
    call = next((each for each in module.above(whole) if isinstance(each, ast.Call | ast.stmt)), None)
    if not isinstance(call, ast.Call):
        return False
    called = ast.unparse(call.func).rpartition(".")[2]
    removed = not isinstance(node, ast.Name) and sounds_like_removal(ast.unparse(call))
    return removed or called in _MAKES or called in _SUFFIX
