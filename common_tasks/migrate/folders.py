"""Recognises sub-directories that are made one after the other: `source = base / "source"` and `source.mkdir()`."""

import ast
import re
from typing import NamedTuple

from .base_paths import asks_where
from .finding import Drop
from .names import Module, Scope, stand_alone
from .naming import ONE, SEVERAL
from .paths import is_path_of

_FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ -]{0,99}")
_MKDIR_OPTIONS = frozenset({"parents", "exist_ok"})
# What does not depend on a directory's own name, its mode or its parent.
_PLACE_METHODS = frozenset({"exists", "is_dir", "iterdir", "joinpath"})
_PLACE_CALLS = frozenset({"os.listdir", "os.path.exists", "os.path.isdir", "os.path.join"})
# The engine's directories are for this user alone; those that `mkdir` makes are as the umask says.
_MODES = re.compile(r"\b(?:st_mode|S_I[A-Z]+|umask|filemode|oct|0o[0-7]+)\b|\b[d-]rwx")


class Folders(NamedTuple):
    """A run of statements, from index `first` of a block on, that makes directories below one base.

    `variables` and `names` are in the same order.
    """

    first: int
    statements: tuple[ast.stmt, ...]
    variables: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def call(self) -> str:
        """The call that makes the same directories."""
        number, names = len(self.names), ", ".join(f'"{name}"' for name in self.names)
        return f"{SEVERAL}({number}, [{names}])" if number > 1 else f"{ONE}({names})"

    @property
    def target(self) -> str:
        """What they are bound to."""
        names = ", ".join(self.variables)
        return f"({names})" if len(self.names) > 1 else names

    def drops(self, module: Module) -> tuple[Drop, ...]:
        """Return the edits that take the statements out."""
        return tuple(Drop(module.place(statement)) for statement in self.statements)

    def is_only_a_place(self, module: Module, scope: Scope) -> bool:
        """Tell whether it is a single directory whose own name and parent do not matter."""
        [variable, *others] = self.variables
        loads = module.loads(variable, scope, self.statements)
        once = len(scope.bindings[variable]) == 1
        return not others and once and all(_only_place_counts(module, load) for load in loads)


def _only_place_counts(module: Module, load: ast.Name) -> bool:
    names: list[ast.expr]
    match module.parents[load]:
        case ast.BinOp(left=left, op=ast.Div(), right=name) if left is load:
            names = [name]
        case ast.Attribute(attr=attr) as method if attr in _PLACE_METHODS:
            call = module.parents[method]
            names = call.args if isinstance(call, ast.Call) else []
        case ast.Call(func=func, args=[first, *names]) if first is load and module.dotted(func) <= _PLACE_CALLS:
            pass
        case _:
            return False
    inside = all(isinstance(each, ast.Constant) and ".." not in str(each.value) for each in names)
    return inside and not asks_where(module, load)


def find(module: Module, body: list[ast.stmt], base: str, scope: Scope, *, is_path: bool) -> Folders | None:
    """Return the first run in a block that makes directories below `base`.

    None if the base is used for anything else, nothing follows, or the program deals with modes. `is_path`: the
    base is a Path already.
    """
    if _MODES.search(module.text):
        return None
    runs = (_read_run(module, body, first, base, {base} if is_path else set()) for first in range(len(body)))
    run = next((run for run in runs if run), None)
    follows = run is not None and run.first + len(run.statements) < len(body)
    return run if run and follows and _is_all(module, run, base, scope) else None


def _read_run(module: Module, body: list[ast.stmt], first: int, base: str, paths: set[str]) -> Folders | None:
    """Return the statements from the `first` on, up to the last one after which every folder named so far is made.

    `paths`: the names under which the base is a Path.
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
    """Return the name of the folder in the base that an expression stands for, if that name is a plain one."""
    match value:
        case ast.BinOp(left=parent, op=ast.Div(), right=ast.Constant(value=str(text))):
            pass
        case ast.Call(func=ast.Attribute(value=parent, attr="joinpath"), args=[ast.Constant(value=str(text))]):
            pass
        case _:
            return None
    in_base = (isinstance(parent, ast.Name) and parent.id in paths) or is_path_of(module, parent, base)
    return text if in_base and _FOLDER_NAME.fullmatch(text) else None


def _made_by(module: Module, call: ast.Call) -> str:
    """Return the variable that holds the folder that a call makes; empty for any other call."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="mkdir"), args=[], keywords=options):
            return name if {option.arg for option in options} <= _MKDIR_OPTIONS else ""
        case ast.Call(args=[ast.Name(id=name)], keywords=[]) if module.is_call_of(call, "os.mkdir", "os.makedirs"):
            return name
    return ""


def _is_all(module: Module, run: Folders, base: str, scope: Scope) -> bool:
    """Tell whether the base, under any of its names, is used only in the run."""
    stores = (node for each in run.statements for node in ast.walk(each) if isinstance(node, ast.Name))
    names = {base, *(node.id for node in stores if isinstance(node.ctx, ast.Store))} - {*run.variables}
    bindings = [(name, binding.node) for name in names for binding in scope.bindings[name]]
    given = [name for name, node in bindings if not module.within(run.statements, node)]
    used = any(module.loads(name, scope, run.statements) for name in names)
    return stand_alone(module, run.statements) and given == [base] and not used
