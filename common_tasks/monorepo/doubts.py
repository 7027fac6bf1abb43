"""One module of a project's tasks: its names, and what in it may configure a collection in a way that is not read."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .settings import KEYS, SECTIONS

COLLECTIONS = ("ns", "namespace")  # the names that invoke takes a collection from, in its order
CONFIGURE = "configure"
_TRUSTED = frozenset({"common_tasks", "invoke"})
_MAKES = frozenset({"Collection", "from_module"})
_TAKES = _MAKES | {"add_collection"}
_INSIDE = "_configuration"  # where a collection holds what it was configured with
# What runs text or files, or binds names, out of sight.
_OUT_OF_SIGHT = frozenset({"exec", "eval", "__import__", "import_module", "run_path", "run_module", "globals"})
_LOADS = frozenset({"spec_from_file_location", "exec_module", "load_module", "load_source", "SourceFileLoader"})
_HIDDEN = _OUT_OF_SIGHT | _LOADS
_CHANGES = frozenset({"dict", "update", "setdefault", "load_overrides"})  # calls that give settings by name
_VARIABLE = re.compile(r"INVOKE_(?:|CLEAN.*|TEMP.*)")
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Unread(Exception):
    """Why a file cannot be read for certain."""


def doubt(path: str, node: ast.AST) -> Unread:
    """Return the reason why the file at `path` cannot be read for certain."""
    return Unread(f"{path!r} may configure something in line {getattr(node, 'lineno', 1)}")


class Source(NamedTuple):
    """What an import names: the parts of a module's name, how many folders up it begins, and what is taken from it."""

    parts: tuple[str, ...]
    level: int = 0
    names: tuple[str, ...] = ()


# What is bound to a name: what was called to make it, another name, or an import and the name there.
Binding = ast.Call | ast.Name | tuple[Source, str] | None


class Module:
    """A module of tasks. `is_local`: tells whether a module of that name lies beside the tasks."""

    def __init__(self, path: str, text: bytes, is_local: Callable[[str], bool]) -> None:
        self.path = path
        try:
            self._tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise Unread(f"{path!r} cannot be read: {error}") from None
        self._nodes = list(ast.walk(self._tree))
        self._imports = [node for node in self._nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        self._bound = list(self._bindings())
        tops = [(name, top) for node in self._imports for name, top in _tops(node)]
        self._imported = frozenset(name for name, _ in tops)
        self._modules = {name for node in self._imports if isinstance(node, ast.Import) for name, _ in _tops(node)}
        self._of_invoke = any(top in _TRUSTED for _, top in tops)
        # Names from modules that are neither Python's, nor invoke's or ours, nor local: they may hold anything.
        known = _TRUSTED | sys.stdlib_module_names | {""}
        self.foreign = frozenset(name for name, top in tops if top not in known and not is_local(top))
        self._held = frozenset({*COLLECTIONS, *(name for name, value in self._bound if self._is_made(value))})

    def sources(self) -> Iterator[Source]:
        """Yield the module that each import names, and what it takes from there."""
        for node in self._imports:
            if isinstance(node, ast.Import):
                yield from (Source(tuple(alias.name.split("."))) for alias in node.names)
            else:
                yield _source(node)

    @property
    def changed_path(self) -> Unread | None:
        """A doubt if the module changes where Python looks for modules."""
        for node in self._nodes:
            match node:
                case (
                    ast.Attribute(attr="path", value=ast.Name(id="sys"))
                    | ast.Attribute(attr="addsitedir")
                    | ast.Name(id="__path__")
                ):
                    return doubt(self.path, node)
                case ast.ImportFrom(module="sys", names=names) if any(alias.name == "path" for alias in names):
                    return doubt(self.path, node)
        return None

    def binds(self, name: str) -> bool:
        """Tell whether a name means something in the module."""
        return any(bound in (name, "*") for bound, _ in self._bound)

    def binding(self, name: str) -> Binding:
        """Return what a name is bound to; None where that is not certain."""
        bound = [value for each, value in self._bound if each == name]
        bound = bound or [(value[0], name) for each, value in self._bound if each == "*" and isinstance(value, tuple)]
        return bound[0] if len(bound) == 1 else None

    def _bindings(self) -> Iterator[tuple[str, Binding]]:
        """Yield each name that is bound outside of functions, and to what."""
        simple = {id(target): value for target, value in self._assignments() if isinstance(value, ast.Call | ast.Name)}
        for node in _outside_functions(self._tree):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id, simple.get(id(node))
            elif isinstance(node, ast.ImportFrom):
                yield from ((alias.asname or alias.name, (_source(node), alias.name)) for alias in node.names)

    def _assignments(self) -> Iterator[tuple[ast.Name, ast.expr]]:
        """Yield each name that alone is assigned a value, and that value."""
        for node in self._nodes:
            match node:
                case ast.Assign(targets=[ast.Name() as target], value=value):
                    yield target, value
                case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                    yield target, value

    def _is_made(self, value: Binding) -> bool:
        """Tell whether what is bound to a name is a collection."""
        if isinstance(value, tuple):
            return value[1] in COLLECTIONS
        return isinstance(value, ast.Call) and _called(value) in _MAKES

    def calls_of(self, name: str) -> Iterator[ast.Call]:
        """Yield the calls of a method that are statements at the top. Raises Unread where it is called elsewhere."""
        calls = [node.value for node in self._tree.body if isinstance(node, ast.Expr)]
        plain = {id(call.func): call for call in calls if isinstance(call, ast.Call)}
        for node in self._nodes:
            if not isinstance(node, ast.Attribute) or node.attr != name:
                continue
            if isinstance(node.value, ast.Name) and self._is_module_of_others(node.value.id):
                continue  # a function of another package's module: no collection
            if id(node) not in plain:
                raise doubt(self.path, node)
            yield plain[id(node)]

    def _is_module_of_others(self, name: str) -> bool:
        return name in self._modules and (name in self.foreign or name in sys.stdlib_module_names)

    def refuse_doubtful(self) -> None:
        """Raise Unread for what may configure a collection out of sight."""
        for node in self._nodes:
            if _is_hidden(node) or self._takes_from_others(node) or (self._of_invoke and _changes_settings(node)):
                raise doubt(self.path, node)
        allowed = set(self._allowed())
        for node, held in _with_names(self._tree, self._held):
            if self._is_collection(node, held) and id(node) not in allowed:
                raise doubt(self.path, node)

    def _takes_from_others(self, node: ast.AST) -> bool:
        """Tell whether a collection, or whatever makes one, comes from a module that is not read."""
        match node:
            case ast.ImportFrom(names=aliases, level=0) if any(name in self.foreign for name, _ in _tops(node)):
                return any({alias.name, alias.asname} & {*COLLECTIONS, "*", "Collection"} for alias in aliases)
            case ast.Call() if _called(node) == "from_module":
                return len(node.args) != 1 or bool(node.keywords) or _root(node.args[0]) in self.foreign
        return False

    def _is_collection(self, node: ast.AST, held: frozenset[str]) -> bool:
        """Tell whether a node stands for a collection. `held`: the names that hold one there."""
        match node:
            case ast.Name(id=name):
                return name in held and (isinstance(node.ctx, ast.Load) or name in COLLECTIONS)
            case ast.Attribute(attr=name, value=ast.Name(id=root)):
                return name in COLLECTIONS and root in self._imported
            case ast.Attribute(attr=name, ctx=ast.Store()):
                return name in COLLECTIONS
        return False

    def _allowed(self) -> Iterator[int]:
        """Yield the nodes at which a collection may stand: what is done with it there is known."""
        for node in self._nodes:
            match node:
                case ast.Attribute(value=value):
                    yield id(value)
                case ast.Call() if _called(node) in _TAKES:
                    yield from map(id, (*node.args, *(word.value for word in node.keywords)))
        for target, value in self._assignments():
            if target.id in COLLECTIONS and self._is_origin(value):
                yield from (id(target), id(value))

    def _is_origin(self, value: ast.expr) -> bool:
        """Tell whether a value is a collection that is made here, or in a module that is read."""
        if isinstance(value, ast.Call):
            return _called(value) in _MAKES and _root(value.func) not in self.foreign
        root = _root(value)
        return root in self._held or (root in self._imported and root not in self.foreign)


def _source(node: ast.ImportFrom) -> Source:
    parts = tuple(node.module.split(".")) if node.module else ()
    return Source(parts, node.level, tuple(alias.name for alias in node.names))


def _tops(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, and the top of the module that it comes from; "" if that is relative."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.partition(".")[0]
            yield alias.asname or top, top
        else:
            yield alias.asname or alias.name, "" if node.level else (node.module or "").partition(".")[0]


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one that run when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _FUNCTION):
            yield child
            yield from _outside_functions(child)


def _with_names(node: ast.AST, names: frozenset[str]) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """Yield the nodes below one, each with those of the names that no function around it has for its own."""
    for child in ast.iter_child_nodes(node):
        inside = names - _own_names(child) if isinstance(child, _FUNCTION) else names
        yield child, inside
        yield from _with_names(child, inside)


def _own_names(function: ast.AST) -> set[str]:
    nodes = list(ast.walk(function))
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return own - {name for node in nodes if isinstance(node, ast.Global) for name in node.names}


def _is_hidden(node: ast.AST) -> bool:
    """Tell whether a node may reach a collection's configuration, or run something, in a way that is not read."""
    match node:
        case ast.Constant(value=str(text)):
            return text in (CONFIGURE, _INSIDE) or _VARIABLE.fullmatch(text) is not None
        case ast.keyword(arg=str(name)):
            return _VARIABLE.fullmatch(name) is not None
        case ast.Attribute(attr=name):
            return name == _INSIDE or name in _HIDDEN
        case ast.Name(id=name):
            return name in _HIDDEN or name == "compile"
        case ast.ImportFrom(names=aliases):
            return any(alias.name in _HIDDEN or alias.name == CONFIGURE for alias in aliases)
        case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]):
            return not isinstance(name, ast.Constant)
        case ast.Call(func=ast.Name(id="setattr"), args=[_, name, *_]):
            return not isinstance(name, ast.Constant) or name.value in COLLECTIONS
        case ast.Subscript(slice=ast.Constant(value=key), ctx=ast.Store()):
            return key in COLLECTIONS
    return False


def _changes_settings(node: ast.AST) -> bool:
    """Tell whether a task may change our settings when it runs, as in `c.config.clean.keep = []`."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=key)):
            return key in SECTIONS
        case ast.Attribute(attr=key, value=ast.Attribute(attr=section)) if section in SECTIONS:
            return f"{section}.{key}" in KEYS or key in _CHANGES
        case ast.Attribute(attr=name, ctx=ast.Store()):
            return name in SECTIONS
        case ast.Call(keywords=words) if _called(node) in _CHANGES:
            inside = [key for each in node.args if isinstance(each, ast.Dict) for key in each.keys]
            named = [key.value for key in inside if isinstance(key, ast.Constant)]
            return not {*named, *(word.arg for word in words)}.isdisjoint(SECTIONS)
    return False


def _called(call: ast.Call) -> str:
    """Return the name of what is called, without the way to it."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _root(node: ast.expr) -> str:
    """Return the name that a dotted one begins with; empty for anything else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
