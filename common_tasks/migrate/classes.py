"""What a name that one file takes from another means: the class or function itself, and what derives from a class."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from . import source
from .names import Binding, Function, Module

_WINDOWS = frozenset({"sys.platform == 'win32'", "os.name == 'nt'"})
_DEEPEST = 8  # imports and base classes that are followed
_CLASS = re.compile(r"^[ \t]*class[ \t]+(\w+)[ \t]*\(([^)]*)\)", re.MULTILINE)
_LAST_PART = re.compile(r"\w+(?=[ \t\n]*(?:,|$|\[))")


class Definition(NamedTuple):
    """A class or function at the top level of a file."""

    path: Path
    module: Module
    node: ast.ClassDef | Function

    def method(self, name: str) -> Function | None:
        """Return the function of this name that a class itself defines."""
        return next((each for each in self.node.body if isinstance(each, Function) and each.name == name), None)


class Classes:
    """The definitions in the programs of a repository; a file is parsed when asked for. `texts`: of all programs."""

    def __init__(self, root: Path, texts: Mapping[Path, str]) -> None:
        self.root = root
        self._texts = texts
        self._modules: dict[Path, Module | None] = {}
        self._current: tuple[Path | None, Module | None] = (None, None)

    def remember(self, path: Path, module: Module) -> None:
        """Use this module for a file until the next call, so that its nodes are the same however they are found."""
        self._current = path, module

    def read(self, path: Path) -> Module | None:
        """Return a file as a module; None if there is no such file, or it is not a program."""
        if path == self._current[0]:
            return self._current[1]
        if path not in self._modules:
            try:
                self._modules[path] = Module(source.read(path).text)
            except source.UNREADABLE:  # a file that cannot be read is a finding of its own
                self._modules[path] = None
        return self._modules[path]

    def find(self, path: Path, module: Module, node: ast.expr, depth: int = _DEEPEST) -> Definition | str | None:
        """Return what an expression in a file names: a definition, or the dotted name of something defined elsewhere.

        None if that is not certain. A name that a file imports is followed to the file that defines it.
        """
        if isinstance(node, ast.Name) and module.scope_of(node) is module.top:
            return self._named(path, module, node.id, depth)
        origins = [origin for origin in module.dotted(node) if not origin.startswith("builtins.")]
        return self._follow(path, origins[0], depth) if len(origins) == 1 else None

    def _named(self, path: Path, module: Module, name: str, depth: int) -> Definition | str | None:
        """Return what a name of a file stands for, if all its bindings mean the same."""
        bindings = [each for each in module.top.bindings.get(name, ()) if not _is_for_windows(module, each.node)]
        found = [self._bound(path, module, each, depth - 1) for each in bindings if depth]
        return found[0] if found and all(each == found[0] for each in found) else None

    def _bound(self, path: Path, module: Module, binding: Binding, depth: int) -> Definition | str | None:
        if isinstance(binding.node, ast.ClassDef | Function):
            return Definition(path, module, binding.node)
        if binding.origin:
            return self._follow(path, binding.origin, depth)
        match module.parents.get(binding.node):
            case ast.Assign(value=ast.Name() | ast.Attribute() as other):
                return self.find(path, module, other, depth)
        return None

    def _follow(self, path: Path, origin: str, depth: int) -> Definition | str | None:
        home, dot, name = origin.rpartition(".")
        home = home if home.strip(".") else home + dot  # `from .. import name` gives "..name"
        if not home or not depth:
            return origin
        if len(found := self.homes(path, home)) == 1:
            module = self.read(found[0])
            return self._named(found[0], module, name, depth) if module else None
        above = self._follow(path, home, depth - 1) if "." in home.strip(".") else home
        return f"{above}.{name}" if isinstance(above, str) else None

    def homes(self, path: Path, dotted: str) -> list[Path]:
        """Return the files of the modules that a name in the file `path` may mean; for a package, its `__init__.py`."""
        plain = dotted.lstrip(".")
        if level := len(dotted) - len(plain):
            folder = path.parents[min(level, len(path.parents)) - 1].joinpath(*plain.split("."))
            files = (folder.with_name(f"{folder.name}.py"), folder / "__init__.py")
            return [each for each in files if each in self._texts]
        return [each for name, each in self._by_name if name.endswith(f".{plain}")]

    @cached_property
    def _by_name(self) -> list[tuple[str, Path]]:
        """Every program with its dotted name from the root, a dot in front."""
        names = ((path.relative_to(self.root).with_suffix(""), path) for path in self._texts)
        return [("." + ".".join(name.parts).removesuffix(".__init__"), path) for name, path in names]

    def bases(self, this: Definition) -> list[Definition | str | None]:
        """Return the bases of a class, each as `find` returns it."""
        written = this.node.bases if isinstance(this.node, ast.ClassDef) else []
        return [self.find(this.path, this.module, base) for base in written]

    def ancestors(self, this: Definition, depth: int = _DEEPEST) -> Iterator[Definition]:
        """Yield the classes above a class, as far as they are found in this repository."""
        for base in self.bases(this) if depth else ():
            if isinstance(base, Definition):
                yield base
                yield from self.ancestors(base, depth - 1)

    def descendants(self, name: str) -> Iterator[Definition]:
        """Yield every class that may derive from one of this name, judged by the last part of each base's name."""
        names = {name}
        while more := {own for _, own, bases in self._written if own not in names and not names.isdisjoint(bases)}:
            names |= more
        for path, own in sorted({(path, own) for path, own, _ in self._written if own in names - {name}}):
            if module := self.read(path):
                yield from (Definition(path, module, node) for node in module.all(ast.ClassDef) if node.name == own)

    def relatives(self, this: Definition) -> list[Definition]:
        """Return the classes that share attributes with a class: those above it, and those that may be below it."""
        return [*self.ancestors(this), *self.descendants(this.node.name)]

    @cached_property
    def _written(self) -> list[tuple[Path, str, frozenset[str]]]:
        """Every class with bases: its file, its name, the last part of each base's name."""
        rows = ((path, *row) for path, text in self._texts.items() for row in _CLASS.findall(text))
        return [(path, own, frozenset(_LAST_PART.findall(bases))) for path, own, bases in rows]


def _is_for_windows(module: Module, node: ast.AST) -> bool:
    """Tell whether a node only runs on Windows, where this package does not."""
    tests = (each for each in module.above(node) if isinstance(each, ast.If) and ast.unparse(each.test) in _WINDOWS)
    return any(module.within(test.body, node) for test in tests)
