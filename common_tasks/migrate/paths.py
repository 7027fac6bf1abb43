"""Gives a name a `Path` instead of text: which of its uses take one, and what becomes of the others."""

import ast
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .finding import Doubt, Drop, Edit, Insert, Replace
from .names import Module, Scope, stand_alone
from .naming import maker
from .repository import Program

PATHS = frozenset({"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath"})
_CONCRETE = frozenset({"pathlib.Path", "pathlib.PosixPath"})
# Those that give a str back (or no path at all), whatever kind of path they are given.
_GIVE_NO_PATH = {
    "os.path": "abspath basename dirname exists expanduser expandvars getatime getctime getmtime getsize isabs isdir "
    "isfile islink ismount join lexists normcase normpath realpath relpath samefile split splitext",
    "os": "access chdir chmod chown fsencode fspath fwalk link listdir lstat makedirs mkdir mkfifo open readlink "
    "remove removedirs rename renames replace rmdir scandir stat statvfs symlink truncate unlink utime walk",
    "shutil": "chown copymode copystat disk_usage rmtree unpack_archive",
    "builtins": "open print str",
    "contextlib": "chdir",
    "io": "open",
    "zipfile": "ZipFile",
}
_TAKES_PATH = PATHS | {f"{home}.{name}" for home, names in _GIVE_NO_PATH.items() for name in names.split()}
_SHUTIL_RETURNS = frozenset(f"shutil.{name}" for name in ("copy", "copy2", "copyfile", "copytree", "move"))
_SUBPROCESS = tuple(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))
_FEW = 2  # up to this many `str(name)` read well


class Plan(NamedTuple):
    """How a directory is made instead: `call`, bound to `target`, with what else changes and what is not proved."""

    call: str
    target: str = ""
    edits: tuple[Edit, ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def code(self) -> str:
        """The item of a `with` statement."""
        return f"{self.call} as {self.target}" if self.target else self.call


class Renamed(NamedTuple):
    """The name that holds the path, and how the uses of the name that held text change."""

    name: str
    edits: tuple[Edit, ...] = ()


def bind(
    program: Program, call: ast.Call, bodies: Sequence[list[ast.stmt]], name: ast.expr, loads: list[ast.Name] | None
) -> Plan:
    """Bind what a tempfile call returns to a name: as a path if that reads well, else as the text that it was.

    `bodies`: blocks that always run after the directory is made, the whole of its own first. `loads`: the uses of the
    name; None if not all of them are known.
    """
    if isinstance(name, ast.Name) and loads is not None:
        renamed = give_path(program.module, bodies, name, loads, texts=_FEW)
        if renamed:
            return Plan(maker(program, call, renamed.name), renamed.name, renamed.edits)
    text = ast.unparse(name)
    last = text.rpartition(".")[2]
    path = _free_name(program.module, last)
    first = program.module.place(bodies[0][0])
    return Plan(maker(program, call, last), path, (Insert(first, f"{text} = str({path})"),))


def _free_name(module: Module, name: str) -> str:
    taken = {*module.names, *(bound for scope in module.scopes for bound in scope.bindings)}
    return next(each for each in ("path", f"{name}_path", f"path_of_{name}", f"{name}_as_path") if each not in taken)


def give_path(
    module: Module, bodies: Iterable[list[ast.stmt]], name: ast.Name, loads: Sequence[ast.Name], *, texts: int = 0
) -> Renamed | None:
    """Return how the uses of a name of text change if it holds a path, under the name that `bodies` give the path.

    `Path(name)` becomes `name`. At most `texts` uses, which may need text, are given `str(name)`. None if more may
    need it, or a use cannot be changed.
    """
    alias = _find_alias(module, bodies, name, loads)
    target = alias.targets[0] if alias else name
    called = target.id if isinstance(target, ast.Name) else name.id
    edits: list[Edit] = [Drop(module.place(alias))] if alias else []
    for load in (load for load in loads if not (alias and module.within([alias], load))):
        parent = module.parents[load]
        old: ast.expr = load
        code = called
        if module.is_in_f_string(load):
            if not takes_path(module, load):
                return None  # it is formatted in a way that only works for text
        elif isinstance(parent, ast.Call) and converted(module, parent) is load:
            old = parent
        elif not takes_path(module, load):
            texts, code = texts - 1, f"str({called})"
        if module.segment(old) != code:
            edits.append(Replace(module.place(old), module.segment(old), code))
    return Renamed(called, tuple(edits)) if texts >= 0 else None


def _find_alias(
    module: Module, bodies: Iterable[list[ast.stmt]], name: ast.Name, loads: Iterable[ast.Name]
) -> ast.Assign | None:
    """Return the first statement `other = Path(name)` of blocks, if `other` may take the place of `name` in them."""
    scope = module.scope_of(name)
    if scope is None or any(module.is_in_f_string(load) for load in loads):
        return None
    for body in bodies:
        for statement in body if len(body) > 1 else ():
            match statement:
                case ast.Assign(targets=[ast.Name(id=other)], value=value) if is_path_of(module, value, name.id):
                    if stand_alone(module, [statement]) and _is_free(module, other, statement, body, scope):
                        return statement
    return None


def _is_free(module: Module, other: str, statement: ast.stmt, body: list[ast.stmt], scope: Scope) -> bool:
    """Tell whether a name means nothing but the directory wherever it is used."""
    used = [node for node, _ in module.names[other] if module.within(body, node)]
    stores = [node for node in used if not isinstance(node.ctx, ast.Load)]
    early = [node for node in used if node.lineno < statement.lineno]
    return other in scope.bindings and other not in scope.outer and len(stores) == 1 and not early


def converted(module: Module, node: ast.AST) -> ast.expr | None:
    """Return what a node converts to a path, if it is just `Path(…)`."""
    match node:
        case ast.Call(func=func, args=[given], keywords=[]) if module.dotted(func):
            return given if module.dotted(func) <= _CONCRETE else None
    return None


def is_path_of(module: Module, node: ast.AST, name: str) -> bool:
    """Tell whether a node is `Path(name)` of a plain name."""
    given = converted(module, node)
    return isinstance(given, ast.Name) and given.id == name


def takes_path(module: Module, load: ast.expr) -> bool:
    """Tell whether a use of a name works the same for a `str` and a `Path`."""
    parent = module.parents[load]
    match parent:
        case ast.FormattedValue():
            return parent.value is load and parent.conversion in (-1, ord("s")) and parent.format_spec is None
        case ast.Call():
            return load in parent.args and _call_takes_path(module, parent)
        case ast.keyword(arg="cwd"):
            return module.is_call_of(module.parents[parent], *_SUBPROCESS)
    return False


def _call_takes_path(module: Module, call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id="os" | "monkeypatch"), attr="chdir"):
            return len(call.args) == 1
    called = module.dotted(call.func)
    if called and called <= _SHUTIL_RETURNS:  # they give back what they were given
        return isinstance(module.parents[call], ast.Expr)
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    return bool(called) and called <= _TAKES_PATH and not starred
