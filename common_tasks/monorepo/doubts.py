"""One module of a project's tasks: what it configures, and what in it may configure more than can be read."""

import ast
import contextlib
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

from .settings import KEYS, SECTIONS

_COLLECTIONS = frozenset({"ns", "namespace"})  # the names that invoke takes a collection from
_TRUSTED = frozenset({"common_tasks", "invoke"})
_KNOWN = _TRUSTED | sys.stdlib_module_names
_MAKES = frozenset({"Collection", "from_module"})
_TAKES = _MAKES | {"add_collection"}
_CONFIGURE = "configure"
_INSIDE = "_configuration"  # where a collection holds what it was configured with
# These run code from text or from files.
_RUNS = frozenset({"exec", "eval", "__import__", "import_module", "run_path", "run_module"})
_LOADS = frozenset({"spec_from_file_location", "exec_module", "load_module", "load_source", "SourceFileLoader"})
_HIDDEN = _RUNS | _LOADS
_CHANGES = frozenset({"dict", "update", "setdefault", "load_overrides"})  # calls that give settings by name
_VARIABLE = re.compile(r"INVOKE_(?:|CLEAN.*|TEMP.*)")
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Unread(Exception):
    """Why a file cannot be read for certain."""


class Module:
    """A module of tasks. `places`: the folders in which Python looks for what it imports.

    `certain`: it is certain to be imported, not only if some function runs. Raises Unread if it is not valid Python.
    """

    def __init__(self, path: str, text: bytes, places: tuple[str, ...], *, certain: bool) -> None:
        self._path = path
        self._places = places
        self._certain = certain
        try:
            self._tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise Unread(f"{path!r} cannot be read: {error}") from None
        self._nodes = list(ast.walk(self._tree))
        self._imports = [node for node in self._nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        tops = [(name, top) for node in self._imports for name, top in _tops(node)]
        self._imported = frozenset(name for name, _ in tops)
        self._of_invoke = any(top in _TRUSTED for _, top in tops)
        # Names from modules other than Python's, invoke's, ours and local ones: they may hold anything.
        self._foreign = frozenset(name for name, top in tops if top and top not in _KNOWN and not self._is_local(top))
        self._held = frozenset(self._find_held())
        calls = [node for node in self._nodes if isinstance(node, ast.Call)]
        self._configuring = {id(call.func): call for call in calls if _called(call) == _CONFIGURE}

    def _find_held(self) -> Iterator[str]:
        """Yield the names that hold collections."""
        yield from _COLLECTIONS
        for target, value in self._assignments():
            if isinstance(value, ast.Call) and _called(value) in _MAKES:
                yield target.id
        for node in self._imports:
            yield from (alias.asname or alias.name for alias in node.names if alias.name in _COLLECTIONS)

    def _is_local(self, top: str) -> bool:
        return any(os.path.lexists(f"{place}/{name}") for place in self._places for name in (f"{top}.py", top))

    def imported_files(self) -> Iterator[tuple[str, bool]]:
        """Yield the local files that the imports read if these exist, each with whether it is certain to be read."""
        for node in self._imports:
            certain = self._certain and node in self._tree.body
            module, level = getattr(node, "module", None) or "", getattr(node, "level", 0)
            above = "/".join(self._path.split("/")[:-level])
            for alias in node.names:
                parts = f"{module}.{alias.name}".lstrip(".").split(".")
                steps = ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]
                for place in (above,) if level else self._places:
                    files = (f"{place}/{step}{end}" for step in steps for end in (".py", "/__init__.py"))
                    yield from ((file, certain) for file in files)

    @property
    def has_collection(self) -> bool:
        """Whether invoke finds a collection here, so that it does not make one itself."""
        names = {alias.asname or alias.name for node in self._imports for alias in node.names}
        return not (names | {target.id for target, _ in self._assignments()}).isdisjoint({*_COLLECTIONS, "*"})

    @property
    def collections(self) -> Iterator[str]:
        """The collections that are made or imported here, each by a label that no other has."""
        for node in self._nodes:
            if isinstance(node, ast.Call) and _called(node) in _MAKES:
                yield f"{self._path}:{node.lineno}"
            elif isinstance(node, ast.ImportFrom) and node.module == "common_tasks":
                yield from ("ours" for alias in node.names if alias.name in _COLLECTIONS)

    def configured(self) -> Iterator[dict[str, Any]]:
        """Yield our settings in each call that configures any of them. Raises Unread if there may be more."""
        self._refuse_doubtful()
        at_top = [node.value for node in self._tree.body if isinstance(node, ast.Expr)]
        others = {name for node in self._imports if isinstance(node, ast.Import) for name, _ in _tops(node)}
        others = {name for name in others if name in self._foreign or name in sys.stdlib_module_names}
        for node in self._nodes:
            if not isinstance(node, ast.Attribute) or node.attr != _CONFIGURE:
                continue
            receiver = node.value.id if isinstance(node.value, ast.Name) else ""
            if receiver in others:
                continue  # a function of another package's module: no collection
            call = self._configuring.get(id(node))
            if call is None:
                raise self._doubt(node)
            if values := self._literal(call):
                if receiver not in self._held or call not in at_top or not self._certain:
                    raise self._doubt(node)
                yield values

    def _literal(self, call: ast.Call) -> dict[str, Any]:
        """Return our settings in a call. Raises Unread unless they are written out in it."""
        match call:
            case (
                ast.Call(args=[ast.Dict() as options], keywords=[])
                | ast.Call(args=[], keywords=[ast.keyword(arg="options", value=ast.Dict() as options)])
            ) if all(isinstance(key, ast.Constant) for key in options.keys):
                rows = zip(options.keys, options.values, strict=True)
                with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    return {key.value: ast.literal_eval(value) for key, value in rows if key.value in SECTIONS}  # type: ignore[union-attr]  # constants
        raise self._doubt(call)

    def _refuse_doubtful(self) -> None:
        """Raise Unread for anything that may configure a collection in a way that is not read."""
        read = {id(argument) for call in self._configuring.values() for argument in ast.walk(call)}
        shared = bool(self._foreign) and any(map(_takes_collection, self._nodes))
        for node in self._nodes:
            elsewhere = self._takes_from_others(node) or (shared and _changes_path(node))
            changes = self._of_invoke and id(node) not in read and _changes_settings(node)
            if elsewhere or changes or _is_hidden(node):
                raise self._doubt(node)
        allowed = set(self._allowed())
        for node, held in _with_names(self._tree, self._held):
            if self._is_collection(node, held) and id(node) not in allowed:
                raise self._doubt(node)

    def _takes_from_others(self, node: ast.AST) -> bool:
        """Tell whether a collection, or whatever makes one, comes from a module that is not read."""
        match node:
            case ast.ImportFrom(names=aliases) if any(name in self._foreign for name, _ in _tops(node)):
                return any({alias.name, alias.asname} & {*_COLLECTIONS, "*", "Collection"} for alias in aliases)
            case ast.Call() if _called(node) == "from_module":
                configured = len(node.args) > 2 or any(word.arg in (None, "config", "module") for word in node.keywords)
                module = next(iter(node.args), node)
                root = _root(module.value if isinstance(module, ast.Subscript) else module)
                return configured or not root or root in self._foreign
        return False

    def _is_collection(self, node: ast.AST, held: frozenset[str]) -> bool:
        """Tell whether a node stands for a collection. `held`: the names that hold one there."""
        match node:
            case ast.Name(id=name):
                return name in held and (isinstance(node.ctx, ast.Load) or name in _COLLECTIONS)
            case ast.Attribute(attr=name):
                return name in _COLLECTIONS and (_root(node) in self._imported or isinstance(node.ctx, ast.Store))
        return False

    def _allowed(self) -> Iterator[int]:
        """Yield the ids of the nodes at which a collection is allowed: it is known what is done with it there."""
        for node in self._nodes:
            match node:
                case ast.Attribute(value=value):
                    yield id(value)
                case ast.Call() if _called(node) in _TAKES:
                    yield from map(id, (*node.args, *(word.value for word in node.keywords)))
        for target, value in self._assignments():
            if target.id in _COLLECTIONS and self._is_origin(value):
                yield from (id(target), id(value))

    def _assignments(self) -> Iterator[tuple[ast.Name, ast.expr]]:
        """Yield each name that is the only target of an assignment, with the assigned value."""
        for node in self._nodes:
            match node:
                case ast.Assign(targets=[ast.Name() as target], value=value):
                    yield target, value
                case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                    yield target, value

    def _is_origin(self, value: ast.expr) -> bool:
        """Tell whether a value is a collection that is made here, or in a module that is read."""
        if isinstance(value, ast.Call):
            return _called(value) in _MAKES and _root(value.func) not in self._foreign
        return _root(value) in (self._held | self._imported) - self._foreign

    def _doubt(self, node: ast.AST) -> Unread:
        return Unread(f"{self._path!r} may configure something in line {getattr(node, 'lineno', 1)}")


def _tops(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, and the top-level module that it comes from; "" for a relative import."""
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.partition(".")[0]
            yield alias.asname or top, top
        else:
            yield alias.asname or alias.name, "" if node.level else (node.module or "").partition(".")[0]


def _with_names(node: ast.AST, names: frozenset[str]) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """Yield the nodes below one, each with those of the names that are not local to a function around it."""
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
        case ast.Constant(value=str(text)) | ast.keyword(arg=str(text)):
            return text in (_CONFIGURE, _INSIDE) or _VARIABLE.fullmatch(text) is not None
        case ast.Attribute(attr="update", value=ast.Call(func=ast.Name(id="globals" | "vars"))):
            return True
        case ast.Attribute(attr="update", value=ast.Attribute(attr="environ") | ast.Name(id="environ")):
            return True
        case ast.Subscript(value=ast.Attribute(attr="environ") | ast.Name(id="environ"), slice=key, ctx=ast.Store()):
            return not isinstance(key, ast.Constant)
        case ast.Attribute(attr=name):
            return name == _INSIDE or name in _HIDDEN
        case ast.Name(id=name):
            return name in _HIDDEN or name == "compile"
        case ast.ImportFrom(names=aliases):
            return any(alias.name in _HIDDEN or alias.name == _CONFIGURE for alias in aliases)
        case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, name, *_]):
            return not isinstance(name, ast.Constant) or name.value in _COLLECTIONS
        case ast.Subscript(slice=key, ctx=ast.Store()):
            return isinstance(key, ast.Constant) and key.value in _COLLECTIONS
    return False


def _takes_collection(node: ast.AST) -> bool:
    """Tell whether a node takes a collection from another module, which others may have configured."""
    match node:
        case ast.alias(name=name):
            return name in _COLLECTIONS or name == "*"
        case ast.Attribute(attr=name):
            return name in _COLLECTIONS
        case ast.Call():
            return _called(node) == "add_collection"
    return False


def _changes_path(node: ast.AST) -> bool:
    """Tell whether a node changes where Python looks for modules."""
    match node:
        case ast.ImportFrom(module="sys", names=aliases):
            return any(alias.name == "path" for alias in aliases)
        case ast.Attribute(attr="path", value=ast.Name(id="sys")) | ast.Attribute(attr="addsitedir"):
            return True
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
            return any(word.arg in SECTIONS for word in words)
        case ast.Dict(keys=keys, values=values):
            given = [key for key, value in zip(keys, values, strict=True) if not isinstance(value, ast.Constant)]
            return any(isinstance(key, ast.Constant) and key.value in SECTIONS for key in given)
    return False


def _called(call: ast.Call) -> str:
    """Return the name of what is called, without anything before its last dot."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _root(node: ast.expr) -> str:
    """Return the first part of a dotted name; empty for anything else."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
