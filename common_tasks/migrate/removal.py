"""Tells what removes a directory: a statement, a registered call, or code that is not read so exactly."""

import ast
import re
from collections.abc import Container, Iterable, Iterator

from .classes import Definition
from .finding import Doubt
from .names import Function, Module
from .surroundings import Program, parameters

LOOKED_FOR = "looked for rmtree, rmdir, remove, unlink and registered cleanups"
_SOUNDS = re.compile(r"(?:^|_)(?:rm|rmdir|rmtree|remove|removedirs|unlink|delete|clean|cleanup|cleanUp)(?:_|$)|rmtree")
# Calls that do not look for a directory, and methods by which something ends.
_BLIND = frozenset(
    {
        *("shutil.rmtree", "os.chdir", "os.umask", "gc.collect", "locale.setlocale", "builtins.print"),
        *(f"os.environ.{name}" for name in ("clear", "pop", "setdefault", "update")),
        *(f"sys.path.{name}" for name in ("insert", "pop", "remove")),
    }
)
_ENDING = frozenset({"close", "flush", "join", "kill", "stop", "terminate", "wait"})
_HOW = frozenset({"ignore_errors", "onerror", "onexc"})


def is_removal(program: Program, statement: ast.AST, name: str) -> bool:
    """Tell whether a statement is `shutil.rmtree(name)`, perhaps only if it is there, or whatever errors come of it."""
    remover = _remover(statement, name)
    return remover is not None and _removes(program, remover)


def is_registered(program: Program, statement: ast.AST, name: str, method: str) -> bool:
    """Tell whether a statement is `method(shutil.rmtree, name)`, or has a lambda that does the same."""
    match statement:
        case ast.Expr(value=ast.Call(func=func, args=[remover, given, *rest], keywords=keywords)):
            plain = _is(given, name) and _is_plain(rest, keywords)
            return plain and ast.unparse(func) == method and _removes(program, remover)
        case ast.Expr(value=ast.Call(func=func, args=[ast.Lambda(body=body)], keywords=[])):
            return ast.unparse(func) == method and is_removal(program, ast.Expr(body), name)
    return False


def _remover(statement: ast.AST, name: str) -> ast.expr | None:
    """Return the function that a statement calls to remove what a name stands for."""
    match statement:
        case ast.If(test=test, body=[only], orelse=[]) if ast.unparse(test) in _exists(name):
            return _remover(only, name)
        case ast.Try(body=[only], handlers=[ast.ExceptHandler(body=[ast.Pass()])], orelse=[], finalbody=[]):
            return _remover(only, name)
        case ast.Expr(value=ast.Call(func=function, args=[given, *rest], keywords=keywords)):
            return function if _is(given, name) and _is_plain(rest, keywords) else None
    return None


def seen_late(module: Module, late: Iterable[ast.AST], names: Container[str]) -> Iterator[Doubt]:
    """Yield what runs after a removal today, and would run before it: uses of these names, calls that may look."""
    inner = [node for each in late for node in ast.walk(each)]
    for node in inner:
        if isinstance(node, ast.expr) and plain_name(node) in names:
            yield Doubt(f"line {node.lineno} uses {plain_name(node)} after its removal")
            break
    for node in inner:
        if isinstance(node, ast.Call) and _may_look(module, node):
            yield Doubt(f"line {node.lineno} may look for the directory, which is removed after it")
            break


def _may_look(module: Module, call: ast.Call) -> bool:
    """Tell whether a call may look whether a directory is still there."""
    of_parent = ast.unparse(call.func).startswith("super")
    ends = isinstance(call.func, ast.Attribute) and call.func.attr in _ENDING
    return not (of_parent or ends) and module.dotted(call.func).isdisjoint(_BLIND)


def plain_name(node: ast.AST) -> str:
    """Return a name or `self.name` as it is written; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
            return f"{owner}.{attribute}"
    return ""


def names_from(name: str, nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names and attributes that are given what comes of a directory's name, that one included."""
    given = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Assign)]
    sources = [({plain_name(node) for node in ast.walk(each.value)}, each.targets) for each in given]
    names = {name}
    while (
        more := {plain_name(target) for used, targets in sources if used & names for target in targets} - names - {""}
    ):
        names |= more
    return names


def hidden_errors(program: Program, statement: ast.stmt) -> Iterator[Doubt]:
    """Yield a doubt if a removal ignores what cannot be removed: `temp_working_dir` raises then."""
    called = [name for node in ast.walk(statement) if isinstance(node, ast.Call) for name in (node.func, *node.args)]
    found = (program.classes.find(program.file, program.module, name) for name in called)
    helpers = [each.node for each in found if isinstance(each, Definition)]
    if any(_hides_errors(node) for each in (statement, *helpers) for node in ast.walk(each)):
        yield Doubt(f"line {statement.lineno} ignores what cannot be removed, where temp_working_dir raises")


def _hides_errors(node: ast.AST) -> bool:
    match node:
        case ast.Try():
            return True
        case ast.Call(args=args, keywords=keywords):
            given = [*args, *(keyword.value for keyword in keywords if keyword.arg == "ignore_errors")]
            ignores = any(isinstance(each, ast.Constant) and each.value is True for each in given)
            return ignores or any(keyword.arg in ("onerror", "onexc") for keyword in keywords)
    return False


def _exists(name: str) -> set[str]:
    return {*(f"os.path.{test}({name})" for test in ("exists", "isdir")), f"{name}.exists()", f"{name}.is_dir()", name}


def _is(given: ast.expr, name: str) -> bool:
    return ast.unparse(given) in (name, f"str({name})")


def _is_plain(rest: list[ast.expr], keywords: list[ast.keyword]) -> bool:
    return len(rest) + len(keywords) <= 1 and all(keyword.arg in _HOW for keyword in keywords)


def _removes(program: Program, function: ast.expr) -> bool:
    """Tell whether a function is `shutil.rmtree`, or one of the repository's own that does no more than call it."""
    found = program.classes.find(program.file, program.module, function)
    if not isinstance(found, Definition):
        return found == "shutil.rmtree"
    if not isinstance(found.node, ast.FunctionDef) or found.node.decorator_list:
        return False
    *before, last = found.node.body
    remover = _remover(last, (parameters(found.node) or [""])[0])
    simple = all(isinstance(each, Function) or is_docstring(each) for each in before)
    return simple and remover is not None and found.module.dotted(remover) == {"shutil.rmtree"}


def may_remove(module: Module, call: ast.Call) -> bool:
    """Tell whether a call removes something, or has that done later, by what it is called or handed."""
    for node in (call.func, *call.args):
        plain = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        names = {plain, *(dotted.rpartition(".")[2] for dotted in module.dotted(node))}
        if any(_SOUNDS.search(name) for name in names):
            return True
    return False


def removes_attribute(module: Module, call: ast.Call, attribute: str) -> bool:
    """Tell whether a call may remove what an object's attribute names."""
    handed = any(isinstance(node, ast.Attribute) and node.attr == attribute for node in call.args)
    return handed and may_remove(module, call)


def is_docstring(statement: ast.stmt) -> bool:
    """Tell whether a statement only says something."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
