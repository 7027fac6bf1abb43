"""Recognises sub-directories that are made one after the other: `source = base / "source"` and `source.mkdir()`."""

import ast
import re
from collections.abc import Sequence
from typing import NamedTuple

from .names import Module, Scope
from .uses import PLACE_CALLS, is_path_of

_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,99}")
_MKDIR_OPTIONS = frozenset({"parents", "exist_ok"})


class Folders(NamedTuple):
    """A run of statements, `first` to `last` of a block, that makes directories below one base.

    `variables` and `names` run side by side.
    """

    first: int
    statements: tuple[ast.stmt, ...]
    variables: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def code(self) -> str:
        """The item of a `with` statement that makes the same directories."""
        if len(self.names) == 1:
            return f'temp_working_dir("{self.names[0]}") as {self.variables[0]}'
        names = ", ".join(f'"{name}"' for name in self.names)
        return f"pytest_temp_dirs({len(self.names)}, [{names}]) as ({', '.join(self.variables)})"

    def suits(self, module: Module, scope: Scope, *, in_test: bool) -> bool:
        """Tell whether the engine may make them: several in a test, or one of which only the place counts."""
        if len(self.names) > 1:
            return in_test
        [variable] = self.variables
        bound_once = len(scope.bindings[variable]) == 1
        others = [load for load, _ in module.loads(variable, scope) if not self.holds(module, load)]
        return bound_once and all(_only_place_counts(module, load) for load in others)

    def holds(self, module: Module, node: ast.AST) -> bool:
        """Tell whether a node is part of the run."""
        return any(statement in (node, *module.above(node)) for statement in self.statements)


# Methods of a directory's path that are the same whatever its name and its parent are.
_PLACE_METHODS = frozenset(
    ["chmod", "exists", "glob", "is_dir", "iterdir", "joinpath", "lstat", "rglob", "rmdir", "stat", "walk"]
)


def _only_place_counts(module: Module, load: ast.Name) -> bool:
    """Tell whether a use is the same whatever the directory's own name and parent are."""
    parent = module.parents[load]
    match parent:
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant() | ast.JoinedStr() | ast.Name()):
            return left is load
        case ast.Attribute(attr=attr):
            return attr in _PLACE_METHODS
        case ast.Call():
            called = module.dotted(parent.func)
            return load in parent.args and bool(called) and called <= PLACE_CALLS
    return False


def find_run(module: Module, body: list[ast.stmt], base: str, *, converted: bool) -> Folders | None:
    """Return the first run in a block that makes directories below `base`; `converted`: that is a Path already."""
    runs = (_read_run(module, body, first, base, {base} if converted else set()) for first in range(len(body)))
    return next((run for run in runs if run), None)


def _read_run(module: Module, body: list[ast.stmt], first: int, base: str, paths: set[str]) -> Folders | None:
    """Return the statements from the `first` on, up to the last that makes a directory which was not made before.

    `paths`: the names that the base has as a Path.
    """
    names: dict[str, str] = {}
    made: set[str] = set()
    whole: Folders | None = None
    for number, statement in enumerate(body[first:], first + 1):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if not names and is_path_of(module, value, base):
                paths.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in {*names, *paths, base}:
                text = _folder_in(module, value, base, paths)
                if not text or text in names.values():
                    break
                names[name] = text
            case ast.Expr(value=ast.Call() as call) if (name := _made_by(module, call)) in names and name not in made:
                made.add(name)
            case _:
                break
        if names and made == names.keys():
            whole = Folders(first, tuple(body[first:number]), tuple(names), tuple(names.values()))
    return whole


def _folder_in(module: Module, value: ast.expr, base: str, paths: set[str]) -> str | None:
    """Return the name of the folder that an expression names in the base, if it is a plain one."""
    match value:
        case ast.BinOp(left=parent, op=ast.Div(), right=ast.Constant(value=str(text))):
            pass
        case ast.Call(
            func=ast.Attribute(value=parent, attr="joinpath"), args=[ast.Constant(value=str(text))], keywords=[]
        ):
            pass
        case _:
            return None
    in_base = (isinstance(parent, ast.Name) and parent.id in paths) or is_path_of(module, parent, base)
    return text if in_base and _FOLDER_NAME.fullmatch(text) else None


def _made_by(module: Module, call: ast.Call) -> str:
    """Return the name of the folder that a call makes; empty for any other call."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="mkdir"), args=[], keywords=options):
            return name if {option.arg for option in options} <= _MKDIR_OPTIONS else ""
        case ast.Call(args=[ast.Name(id=name)], keywords=[]):
            return name if module.is_call_of(call, "os.mkdir", "os.makedirs") else ""
    return ""


def uses_only(module: Module, folders: Folders, names: set[str], scope: Scope) -> bool:
    """Tell whether all uses of `names` lie in the run."""
    inside = {node for statement in folders.statements for node in ast.walk(statement)}
    return all(load in inside for name in names for load, _ in module.loads(name, scope))


def aliases(folders: Folders) -> set[str]:
    """Return the names that the run gives to the base itself."""
    stores = (node for statement in folders.statements for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in stores if isinstance(node.ctx, ast.Store)} - set(folders.variables)


def stand_alone(module: Module, statements: Sequence[ast.stmt]) -> bool:
    """Tell whether statements share no line with others."""
    lines = {line for statement in statements for line in range(statement.lineno, (statement.end_lineno or 0) + 1)}
    inside = {node for statement in statements for node in ast.walk(statement)}
    others = [node for node in module.statements if node not in inside]
    ends = (node.end_lineno for node in others if not hasattr(node, "body"))
    shared = lines & {*(node.lineno for node in others), *ends}
    return not shared and len({statement.lineno for statement in statements}) == len(statements)


def body_of(module: Module, statement: ast.AST) -> list[ast.stmt]:
    """Return the statements that one stands among."""
    parent = module.parents[statement]
    for field in ("body", "orelse", "finalbody"):
        body = getattr(parent, field, None)
        if isinstance(body, list) and statement in body:
            return body
    return []
