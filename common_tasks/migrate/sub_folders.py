"""Recognises sub-directories that are made one after the other: `source = base / "source"` and `source.mkdir()`."""

import ast
import re
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


class _Run:
    """The statements of a block, read one by one as long as they make directories."""

    def __init__(self, module: Module, base: str, *, converted: bool) -> None:
        self._module = module
        self._base = base
        self._paths = {base} if converted else set[str]()
        self.names: dict[str, str] = {}
        self.made: set[str] = set()
        self.length = 0

    def take(self, statement: ast.stmt) -> bool:
        """Take one more statement; False where it does something else."""
        known = self._alias(statement) or self._assign(statement) or self._mkdir(statement)
        self.length += known
        return known

    def _alias(self, statement: ast.stmt) -> bool:
        name, value = _assignment(statement)
        if not name or self.names or not is_path_of(self._module, value, self._base):
            return False
        self._paths.add(name)
        return True

    def _assign(self, statement: ast.stmt) -> bool:
        name, value = _assignment(statement)
        if not name or name in self.names or name in self._paths or name == self._base:
            return False
        match value:
            case ast.BinOp(left=base, op=ast.Div(), right=ast.Constant(value=str(text))):
                pass
            case ast.Call(
                func=ast.Attribute(value=base, attr="joinpath"), args=[ast.Constant(value=str(text))], keywords=[]
            ):
                pass
            case _:
                return False
        if not self._is_base(base) or not _FOLDER_NAME.fullmatch(text) or text in self.names.values():
            return False
        self.names[name] = text
        return True

    def _is_base(self, node: ast.expr) -> bool:
        plain = isinstance(node, ast.Name) and node.id in self._paths
        return plain or is_path_of(self._module, node, self._base)

    def _mkdir(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="mkdir"), args=[], keywords=options)
            ) if {option.arg for option in options} <= _MKDIR_OPTIONS:
                pass
            case ast.Expr(value=ast.Call(args=[ast.Name(id=name)], keywords=[]) as call) if self._module.is_call_of(
                call, "os.mkdir", "os.makedirs"
            ):
                pass
            case _:
                return False
        if name not in self.names or name in self.made:
            return False
        self.made.add(name)
        return True

    @property
    def is_whole(self) -> bool:
        """Whether each directory that was named has been made."""
        return bool(self.names) and self.made == set(self.names)


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case _:
            return "", ast.Constant(None)


def find_run(module: Module, body: list[ast.stmt], base: str, *, converted: bool) -> Folders | None:
    """Return the first run in a block that makes directories below `base`; `converted`: that is a Path already."""
    for first in range(len(body)):
        run = _Run(module, base, converted=converted)
        whole: Folders | None = None
        for statement in body[first:]:
            if not run.take(statement):
                break
            if run.is_whole:
                statements = tuple(body[first : first + run.length])
                whole = Folders(first, statements, tuple(run.names), tuple(run.names.values()))
        if whole:
            return whole
    return None


def uses_only(module: Module, folders: Folders, names: set[str], scope: Scope) -> bool:
    """Tell whether all uses of `names` lie in the run."""
    inside = {node for statement in folders.statements for node in ast.walk(statement)}
    return all(load in inside for name in names for load, _ in module.loads(name, scope))


def aliases(folders: Folders) -> set[str]:
    """Return the names that the run gives to the base itself."""
    assigned = {_assignment(statement)[0] for statement in folders.statements} - {""}
    return assigned - set(folders.variables)


def is_droppable(module: Module, folders: Folders) -> bool:
    """Tell whether the run can be taken out: no line is shared with another statement."""
    return stand_alone(module, list(folders.statements))


def stand_alone(module: Module, statements: list[ast.stmt]) -> bool:
    """Tell whether statements share no line with others."""
    lines = {line for statement in statements for line in range(statement.lineno, (statement.end_lineno or 0) + 1)}
    inside = {node for statement in statements for node in ast.walk(statement)}
    others = (node for node in module.statements if node not in inside)
    shared = any(node.lineno in lines or _ends_in(node, lines) for node in others)
    return not shared and len({statement.lineno for statement in statements}) == len(statements)


def _ends_in(node: ast.stmt, lines: set[int]) -> bool:
    simple = not hasattr(node, "body")
    return simple and node.end_lineno in lines


def body_of(module: Module, statement: ast.AST) -> list[ast.stmt]:
    """Return the statements that one stands among."""
    parent = module.parents[statement]
    for field in ("body", "orelse", "finalbody"):
        body = getattr(parent, field, None)
        if isinstance(body, list) and statement in body:
            return body
    return []
