"""Tells what removes a directory: a statement, a registered call, or code that only sounds like it."""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .classes import Definition
from .finding import Doubt, Replace
from .names import Function, Module, is_docstring, parameters, stand_alone
from .naming import maker
from .paths import PATHS, Plan, Renamed, converted, give_path
from .repository import Program

_SOUNDS = re.compile(
    r"(?<![A-Za-z])(?:rm|rmdir|remove|removedirs|unlink|delete|[cC]lean|[cC]lean_?[uU]p)(?![a-z=])|rmtree"
)
_HIDES_ERRORS = re.compile(r"\b(?:try:|True|onerror|onexc)")
# Calls that do not look for a directory, and methods by which something ends.
_BLIND = frozenset(
    {
        *("shutil.rmtree", "os.chdir", "os.umask", "locale.setlocale", "builtins.print"),
        *("os.environ.clear", "os.environ.pop", "os.environ.update"),
    }
)
_ENDING = frozenset({"close", "flush", "join", "kill", "stop", "terminate", "wait"})
_RESOLVES = ("os.path.realpath", "os.path.abspath", *PATHS)
_HOW = frozenset({"ignore_errors", "onerror", "onexc"})


class Made(NamedTuple):
    """A directory that is made and given to a name or an attribute, as a `Path` or as text.

    `value` is the expression for it; `is_resolved`: what is given is derived from that, as by `os.path.realpath`.
    """

    call: ast.Call
    value: ast.expr
    statement: ast.Assign
    target: ast.Name | ast.Attribute
    is_path: bool
    is_resolved: bool

    @property
    def name(self) -> str:
        """What it is given to, as it is written."""
        return ast.unparse(self.target)

    def is_given_once(self, module: Module) -> bool:
        """Tell whether nothing else is given to the name; true for an attribute, of which that is not known here."""
        return isinstance(self.target, ast.Attribute) or module.value_of(self.target) is self.statement.value


def find_made(module: Module, call: ast.Call, value: ast.expr) -> Made | None:
    """Return what the `value` that a call makes is given to; None if that is not a plain statement."""
    is_path = converted(module, module.parents[value]) is value
    path = module.parents[value] if is_path else value
    assert isinstance(path, ast.expr)  # noqa: S101  (what converts it is a call)
    whole = _resolved(module, path)
    match statement := module.parents[whole]:
        case ast.Assign(targets=[ast.Name() | ast.Attribute(value=ast.Name()) as target]):
            alone = stand_alone(module, [statement])
            return Made(call, path, statement, target, is_path, whole is not path) if alone else None
    return None


def _resolved(module: Module, path: ast.expr) -> ast.expr:
    """Return the expression around a path that names the same directory in another way, else the path itself."""
    match module.parents[path]:
        case ast.Call(args=[given]) as call if given is path and module.is_call_of(call, *_RESOLVES):
            return _resolved(module, call)
        case ast.Attribute(attr="resolve" | "absolute") as method:
            called = module.parents[method]
            return _resolved(module, called) if isinstance(called, ast.Call) else path
    return path


def lend(program: Program, made: Made, lending: str, removal: ast.stmt | None = None) -> Plan:
    """Plan to give a name a directory for longer than a block.

    `lending`: the function around the call that makes it. The name holds a path if none of its uses needs text.
    """
    module, path = program.module, _as_path(program.module, made, removal)
    name = path.name if path else made.name
    code = f"{lending}({maker(program, made.call, name.rpartition('.')[2])})"
    new = {made.value: code if path else f"str({code})", made.target: name}
    edits = [Replace(module.place(old), module.segment(old), text) for old, text in new.items()]
    return Plan(code, "", (*edits, *(path.edits if path else ())))


def _as_path(module: Module, made: Made, removal: ast.stmt | None) -> Renamed | None:
    """Return what a directory is given to as a path, and how its uses change; None if it has to be text."""
    if made.is_path or made.is_resolved:
        return Renamed(made.name)
    if not isinstance(made.target, ast.Name) or not made.is_given_once(module):
        return None
    loads = module.uses(made.target, [removal] if removal else [])
    return give_path(module, [module.body_of(made.statement)], made.target, loads)


def is_removal(program: Program, statement: ast.AST, name: str) -> bool:
    """Tell whether a statement is `shutil.rmtree(name)`, perhaps only if it is there, perhaps with errors ignored."""
    remover = _remover(statement, name)
    return remover is not None and removes(program, remover)


def is_registered(program: Program, statement: ast.AST, name: str, method: str) -> bool:
    """Tell whether a statement is `method(shutil.rmtree, name)`, or has a lambda that does the same."""
    match statement:
        case ast.Expr(value=ast.Call(func=func)) if ast.unparse(func) != method:
            return False
        case ast.Expr(value=ast.Call(args=[ast.Lambda(body=body)], keywords=[])):
            return is_removal(program, ast.Expr(body), name)
        case ast.Expr(value=ast.Call(args=[remover, *rest], keywords=keywords)):
            return _is_of(name, rest, keywords) and removes(program, remover)
    return False


def _remover(statement: ast.AST, name: str) -> ast.expr | None:
    """Return the function that a statement calls to remove what a name stands for."""
    match statement:
        case ast.If(test=test, body=[only], orelse=[]) if ast.unparse(test) in _exists(name):
            return _remover(only, name)
        case ast.Try(body=[only], handlers=[ast.ExceptHandler(body=[ast.Pass()])], orelse=[], finalbody=[]):
            return _remover(only, name)
        case ast.Expr(value=ast.Call(func=function, args=args, keywords=keywords)) if _is_of(name, args, keywords):
            return function
    return None


def _exists(name: str) -> set[str]:
    return {f"os.path.exists({name})", f"os.path.isdir({name})", f"{name}.exists()", f"{name}.is_dir()", name}


def _is_of(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> bool:
    """Tell whether a call is given what a name stands for, and nothing else except how to remove it."""
    known = len(args) + len(keywords) <= 2 and all(keyword.arg in _HOW for keyword in keywords)
    return known and bool(args) and ast.unparse(args[0]) in (name, f"str({name})")


def removes(program: Program, function: ast.expr) -> bool:
    """Tell whether a function is `shutil.rmtree`, or one of the repository's own that does no more than call it."""
    found = program.repository.classes.find(program.file, program.module, function)
    if not isinstance(found, Definition):
        return found == "shutil.rmtree"
    if not isinstance(found.node, ast.FunctionDef) or found.node.decorator_list:
        return False
    *before, last = found.node.body
    remover = _remover(last, (parameters(found.node) or [""])[0])
    simple = all(isinstance(each, Function) or is_docstring(each) for each in before)
    return simple and remover is not None and found.module.dotted(remover) == {"shutil.rmtree"}


def hidden_errors(program: Program, statement: ast.stmt) -> Iterator[Doubt]:
    """Yield a doubt if a removal ignores what cannot be removed, since `temp_working_dir` raises an error then."""
    called = [name for node in ast.walk(statement) if isinstance(node, ast.Call) for name in (node.func, *node.args)]
    found = (program.repository.classes.find(program.file, program.module, name) for name in called)
    helpers = [each.node for each in found if isinstance(each, Definition)]
    if any(_HIDES_ERRORS.search(ast.unparse(each)) for each in (statement, *helpers)):
        yield Doubt(f"line {statement.lineno} ignores what cannot be removed, where temp_working_dir raises")


def seen_late(program: Program, late: Iterable[ast.AST]) -> Iterator[Doubt]:
    """Yield what runs after a removal today but would run before it, and may check whether the directory is there."""
    for call in (node for each in late for node in ast.walk(each) if isinstance(node, ast.Call)):
        if may_look(program, call.func):
            yield Doubt(f"line {call.lineno} may look for the directory, which is removed after it")


def may_look(program: Program, function: ast.expr) -> bool:
    """Tell whether a function may check whether a directory is still there."""
    of_parent = ast.unparse(function).startswith("super")
    ends = isinstance(function, ast.Attribute) and function.attr in _ENDING
    blind = not program.module.dotted(function).isdisjoint(_BLIND)
    return not (of_parent or ends or blind or removes(program, function))


def sounds_like_removal(text: str) -> bool:
    """Tell from the names in code whether it seems to remove something, or to have that done later."""
    return _SOUNDS.search(text) is not None
