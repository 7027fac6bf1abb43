"""What a file of tasks configures, as far as that can be read without running it.

invoke runs such a file; whoever looks at a project from outside must not. So its syntax is read, and that of the local
modules that it imports: a `configure({…})` of literals, at the top of a module, on the collection that invoke takes,
is read as it stands. Whatever else may configure a collection makes the answer uncertain: see `doubts`.
"""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..project import marks
from .doubts import COLLECTIONS, CONFIGURE, Module, Unread, doubt
from .settings import SECTIONS

# Without any of these words, a file of tasks has no collection that it could configure.
_CONCERNS_INVOKE = re.compile(rb"\b(?:invoke|common_tasks|ns|namespace)\b|\bimport[ \t]*\*")
_OURS = "common_tasks"
_MOST_MODULES = 200
_ADVICE = "tasks are not run to find their settings: put those in invoke.yaml"


class Configured(NamedTuple):
    """What the tasks in a folder configure of ours. `uncertain`: why there may be more, in words."""

    values: Mapping[str, Any]
    uncertain: str | None = None


def read_tasks(folder: str) -> Configured:
    """Return what the tasks in a folder configure; see above."""
    try:
        # invoke loads the first of these.
        path, text = next(marks.read_tasks(folder), ("", b""))
        found = list(_Tasks(folder, path, text).configured()) if _CONCERNS_INVOKE.search(text) else []
    except Unread as unread:
        return Configured({}, f"{unread}; {_ADVICE}")
    except OSError as error:
        return Configured({}, f"{str(error.filename or folder)!r} cannot be read: {error.strerror}")
    if len(found) > 1:
        return Configured({}, f"the tasks in {folder!r} are configured in several places; {_ADVICE}")
    return Configured(found[0] if found else {})


class _Tasks:
    """The tasks in a folder, and all local modules that they import. Raises Unread where one is no Python."""

    def __init__(self, folder: str, path: str, text: bytes) -> None:
        self._first = path
        # Where Python finds what they import: of a package of tasks, invoke adds the inside to the path.
        self._places = tuple(dict.fromkeys([os.path.dirname(path), folder]))
        self._modules: dict[str, Module] = {}
        pending = {path: text}
        while pending:
            path, text = pending.popitem()
            if len(self._modules) >= _MOST_MODULES:
                raise Unread(f"{path!r} is one of more than {_MOST_MODULES} modules that the tasks import")
            module = self._modules[path] = Module(path, text, self._is_local)
            for place, name in self._files(module):
                if f"{place}/{name}" not in self._modules and (found := marks.read(place, name)) is not None:
                    pending[f"{place}/{name}"] = found

    def _is_local(self, top: str) -> bool:
        return any(os.path.lexists(f"{place}/{name}") for place in self._places for name in (f"{top}.py", top))

    def _files(self, module: Module) -> Iterator[tuple[str, str]]:
        """Yield the files that the imports of a module may read if they are there."""
        for source in module.sources():
            steps = [source.parts[:length] for length in range(1, len(source.parts) + 1)]
            for parts in (*steps, *((*source.parts, name) for name in source.names)):
                for place in self._places_of(module, source.level):
                    yield from ((place, name) for name in _names_of_files(parts))

    def _places_of(self, module: Module, level: int) -> tuple[str, ...]:
        """Return the folders in which Python looks for what a module imports; `level`: of a relative import."""
        folder = module.path
        for _ in range(level):
            folder = os.path.dirname(folder)
        return (folder,) if level else self._places

    def configured(self) -> Iterator[dict[str, Any]]:
        """Yield what each call that configures something of ours says. Raises Unread where there may be more."""
        first = self._modules[self._first]
        taken = self._origin(first, next((name for name in COLLECTIONS if first.binds(name)), COLLECTIONS[0]))
        changed = next((module.changed_path for module in self._modules.values() if module.changed_path), None)
        if changed and any(module.foreign for module in self._modules.values()):
            raise changed
        for module in self._modules.values():
            module.refuse_doubtful()
            for call in module.calls_of(CONFIGURE):
                values = _literal(module, call)
                if not values:
                    continue
                collection = call.func.value if isinstance(call.func, ast.Attribute) else None
                name = collection.id if isinstance(collection, ast.Name) else ""
                if taken is None or self._origin(module, name) != taken:
                    raise doubt(module.path, call)
                yield values

    def _origin(self, module: Module, name: str) -> tuple[str, int] | None:
        """Return where the collection that a name in a module means is made; None where that is not certain."""
        binding = module.binding(name)
        match binding:
            case ast.Call():
                return module.path, binding.lineno
            case ast.Name():
                return self._origin(module, binding.id)
            case (source, there):
                if source.parts[:1] == (_OURS,) and not source.level:
                    return _OURS, 0
                return next((self._origin(other, there) for other in self._imported(module, source)), None)
        return None

    def _imported(self, module: Module, source: Any) -> Iterator[Module]:
        """Yield the local module that an import names."""
        for place in self._places_of(module, source.level):
            for name in _names_of_files(source.parts):
                if other := self._modules.get(f"{place}/{name}"):
                    yield other


def _names_of_files(parts: tuple[str, ...]) -> tuple[str, str]:
    return "/".join(parts) + ".py", "/".join((*parts, "__init__.py"))


def _literal(module: Module, call: ast.Call) -> dict[str, Any]:
    """Return what a call says of our settings. Raises Unread unless that is written out in it."""
    arguments = [*call.args, *(word.value for word in call.keywords if word.arg == "options")]
    if len(arguments) != len(call.args) + len(call.keywords) or len(arguments) != 1:
        raise doubt(module.path, call)
    [options] = arguments
    if not isinstance(options, ast.Dict) or not all(isinstance(key, ast.Constant) for key in options.keys):
        raise doubt(module.path, call)
    try:
        return {
            key.value: ast.literal_eval(value)
            for key, value in zip(options.keys, options.values, strict=True)
            if isinstance(key, ast.Constant) and key.value in SECTIONS
        }
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise doubt(module.path, call) from None
