"""What a file of tasks configures, as far as that can be read without running it.

invoke runs such a file; whoever looks at a project from outside must not. So its syntax is read, and that of the local
modules that it imports: a `configure({…})` of literals at the top of a module is read as it stands. Whatever else may
configure a collection makes the answer uncertain.
"""

import ast
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..project import marks
from .settings import SECTIONS

_COLLECTIONS = frozenset({"ns", "namespace"})  # the names that invoke takes a collection from
_TRUSTED = frozenset({"common_tasks", "invoke"})
_TAKES_COLLECTIONS = frozenset({"Collection", "add_collection", "add_task", "from_module"})
_CONFIGURE = "configure"
_INSIDE = "_configuration"  # where a collection holds what it was configured with
_RUNS_TEXT = frozenset({"exec", "eval", "compile", "__import__", "import_module", "run_path", "run_module"})
_MOST_MODULES = 200
_ADVICE = "tasks are not run to find their settings: put those in invoke.yaml"


class Configured(NamedTuple):
    """What the tasks in a folder configure of ours. `uncertain`: why there may be more, in words."""

    values: Mapping[str, Any]
    uncertain: str | None = None


class _Unread(Exception):
    """Why a file cannot be read for certain."""


def read_tasks(folder: str) -> Configured:
    """Return what the tasks in a folder configure; see above."""
    try:
        found = [values for path, text in _modules(folder) for values in _Module(folder, path, text).configured()]
    except _Unread as unread:
        return Configured({}, f"{unread}; {_ADVICE}")
    except OSError as error:
        return Configured({}, f"{str(error.filename or folder)!r} cannot be read: {error.strerror}")
    if len(found) > 1:
        return Configured({}, f"the tasks in {folder!r} are configured in several places; {_ADVICE}")
    return Configured(found[0] if found else {})


def _modules(folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and text of the tasks in a folder, if they are invoke's, and of all local modules they import."""
    if not marks.has_tasks(folder) and not any(b"import *" in text for _, text in marks.read_tasks(folder)):
        return
    pending = dict(marks.read_tasks(folder))
    seen: set[str] = set()
    while pending:
        path, text = pending.popitem()
        seen.add(path)
        if len(seen) > _MOST_MODULES:
            raise _Unread(f"{path!r} is one of more than {_MOST_MODULES} modules that the tasks import")
        yield path, text
        for name in _Module(folder, path, text).imported_files():
            if f"{folder}/{name}" not in seen and (found := marks.read(folder, name)) is not None:
                pending[f"{folder}/{name}"] = found


class _Module:
    """One module of the tasks in a folder."""

    def __init__(self, folder: str, path: str, text: bytes) -> None:
        self._folder = folder
        self._path = path
        try:
            self._tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise _Unread(f"{path!r} cannot be read: {error}") from None
        package = os.path.relpath(os.path.dirname(path), folder)
        self._package = () if package == "." else tuple(package.split("/"))

    def imported_files(self) -> Iterator[str]:
        """Yield the files, relative to the folder, that an import may read if they are there."""
        for module, names in self._imports():
            steps = [module[:length] for length in range(1, len(module) + 1)]
            for parts in (*steps, *((*module, name) for name in names)):
                yield "/".join(parts) + ".py"
                yield "/".join((*parts, "__init__.py"))

    def _imports(self) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """Yield the module that each import names, by the folder's own names, and what it takes from there."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield tuple(alias.name.split(".")), []
            elif isinstance(node, ast.ImportFrom):
                above = self._package[: len(self._package) - node.level + 1] if node.level else ()
                yield (*above, *(node.module or "").split(".")) if node.module else above, [a.name for a in node.names]

    def configured(self) -> Iterator[dict[str, Any]]:
        """Yield what each call that configures something of ours says. Raises _Unread where there may be more."""
        calls = [node.value for node in self._tree.body if isinstance(node, ast.Expr)]
        plain = {id(call.func): call for call in calls if isinstance(call, ast.Call)}
        modules = self._names_of_others()
        for node in ast.walk(self._tree):
            self._refuse_doubtful(node)
            if not isinstance(node, ast.Attribute) or node.attr != _CONFIGURE:
                continue
            if isinstance(node.value, ast.Name) and node.value.id in modules:
                continue  # a function of another package's module: no collection
            if id(node) not in plain:
                raise self._doubt(node)
            values = self._literal(plain[id(node)])
            if values:
                yield values

    def _names_of_others(self) -> frozenset[str]:
        """Return the names of modules that lie elsewhere and have nothing to do with invoke."""
        names = {
            alias.asname or alias.name.partition(".")[0]: alias.name.partition(".")[0]
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        return frozenset(name for name, top in names.items() if top not in _TRUSTED and not self._is_local(top))

    def _is_local(self, top: str) -> bool:
        return any(os.path.lexists(f"{self._folder}/{name}") for name in (f"{top}.py", top))

    def _refuse_doubtful(self, node: ast.AST) -> None:
        """Raise _Unread for what may configure a collection out of sight."""
        match node:
            case ast.Constant(value=str(text)) if text in (_CONFIGURE, _INSIDE):
                raise self._doubt(node)
            case ast.Attribute(attr=attribute) if attribute == _INSIDE or attribute in _RUNS_TEXT - {"compile"}:
                raise self._doubt(node)
            case ast.Name(id=name) if name in _RUNS_TEXT:
                raise self._doubt(node)
            case ast.ImportFrom(module=str(module), names=names, level=0) if not self._is_known(module):
                if any(alias.name in (*_COLLECTIONS, "*") or alias.asname in _COLLECTIONS for alias in names):
                    raise self._doubt(node)
            case ast.ImportFrom(names=names) if any(alias.name == _CONFIGURE for alias in names):
                raise self._doubt(node)
            case ast.Call(func=ast.Name(id="getattr"), args=[_, name, *_]) if not isinstance(name, ast.Constant):
                raise self._doubt(node)
            case ast.Call():
                self._refuse_call(node)
            case ast.Assign(targets=targets, value=value) if any(_is_collection(target) for target in targets):
                self._refuse_origin(node, value)

    def _is_known(self, module: str) -> bool:
        top = module.partition(".")[0]
        return top in _TRUSTED or self._is_local(top)

    def _refuse_call(self, call: ast.Call) -> None:
        """Raise _Unread where a collection is given away, or made with a configuration."""
        called = _called(call)
        configured = len(call.args) > 1 or any(word.arg in ("config", None) for word in call.keywords)
        if called == "from_module" and configured:
            raise self._doubt(call)
        if called not in _TAKES_COLLECTIONS and any(map(_is_collection, call.args)):
            raise self._doubt(call)

    def _refuse_origin(self, node: ast.AST, value: ast.expr) -> None:
        """Raise _Unread where a collection comes from a place that cannot be read."""
        if isinstance(value, ast.Call) and _called(value) not in ("Collection", "from_module"):
            raise self._doubt(node)
        root = value
        while isinstance(root, ast.Attribute):
            root = root.value
        if root is not value and isinstance(root, ast.Name) and root.id in self._names_of_others():
            raise self._doubt(node)

    def _literal(self, call: ast.Call) -> dict[str, Any]:
        """Return what a call says of our settings. Raises _Unread unless that is written out in it."""
        arguments = [*call.args, *(word.value for word in call.keywords if word.arg == "options")]
        if len(arguments) != len(call.args) + len(call.keywords) or len(arguments) != 1:
            raise self._doubt(call)
        [options] = arguments
        if not isinstance(options, ast.Dict):
            raise self._doubt(call)
        found = {}
        for key, value in zip(options.keys, options.values, strict=True):
            if not isinstance(key, ast.Constant):
                raise self._doubt(call)
            if key.value in SECTIONS:
                found[key.value] = self._evaluate(value)
        return found

    def _evaluate(self, value: ast.expr) -> Any:
        try:
            return ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise self._doubt(value) from None

    def _doubt(self, node: ast.AST) -> _Unread:
        return _Unread(f"{self._path!r} may configure something in line {getattr(node, 'lineno', 1)}")


def _is_collection(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _COLLECTIONS


def _called(call: ast.Call) -> str:
    """Return the name of what is called, without the way to it."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
