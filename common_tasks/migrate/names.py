"""What the names in a program mean: which scope binds them, what they import, where they are used."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from .finding import Place

_Node = TypeVar("_Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef
_LINE_END = re.compile(r"\r\n|\r|\n")


class Binding(NamedTuple):
    """A node that gives a name its value; `origin` is the dotted name that an import gives it."""

    node: ast.AST
    origin: str | None = None


class Scope:
    """A module, class or function, with the names that it binds.

    What a lambda or a comprehension binds belongs to the scope around it: then the name is bound once more there.
    """

    def __init__(self, node: ast.AST, parent: "Scope | None") -> None:
        self.node = node
        self.parent = parent
        self.bindings: dict[str, list[Binding]] = {}
        self.outer: set[str] = set()  # declared `global` or `nonlocal` here

    def bind(self, name: str, node: ast.AST, origin: str | None = None) -> None:
        """Note that `node` binds `name`, here or where it is declared to be."""
        scope = self
        while name in scope.outer and scope.parent:
            scope = scope.parent
        scope.bindings.setdefault(name, []).append(Binding(node, origin))

    def find(self, name: str) -> "Scope | None":
        """Return the scope that binds a name which is used here: classes around a function are passed over."""
        scope: Scope | None = self
        while scope:
            bound = name in scope.bindings and name not in scope.outer
            if bound and (scope is self or not isinstance(scope.node, ast.ClassDef)):
                return scope
            scope = scope.parent
        return None


class Module:
    """A parsed program with its scopes. Raises SyntaxError, ValueError or RecursionError if it cannot be parsed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self.lines = _LINE_END.split(text)
        self.nodes: list[ast.AST] = [self.tree]  # all of them, outer ones first
        self.parents: dict[ast.AST, ast.AST] = {}
        for parent in self.nodes:
            for child in ast.iter_child_nodes(parent):
                self.parents[child] = parent
                self.nodes.append(child)
        self._by_kind: dict[type, list[Any]] = {}
        self.used_in: dict[ast.Name, Scope] = {}
        self.names: dict[str, list[tuple[ast.Name, Scope]]] = {}
        self.top = Scope(self.tree, None)
        self.scopes = [self.top]
        self._read(self.tree.body, self.top)

    def _read(self, nodes: Iterable[ast.AST | None], scope: Scope) -> None:
        """Note what each scope binds, and where each name is used."""
        for node in filter(None, nodes):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    scope.bind(node.name, node)
                    annotations = [argument.annotation for argument in all_arguments(node.args)]
                    outside = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, *annotations]
                    self._read([*outside, node.returns], scope)
                    self._read([*all_arguments(node.args), *node.body], self._open(node, scope))
                case ast.ClassDef():
                    scope.bind(node.name, node)
                    self._read([*node.decorator_list, *node.bases, *node.keywords], scope)
                    self._read(node.body, self._open(node, scope))
                case _:
                    self._read_plain(node, scope)

    def _open(self, node: ast.AST, parent: Scope) -> Scope:
        self.scopes.append(Scope(node, parent))
        return self.scopes[-1]

    def _read_plain(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Name():
                self.names.setdefault(node.id, []).append((node, scope))
                self.used_in[node] = scope
                if not isinstance(node.ctx, ast.Load):
                    scope.bind(node.id, node)
            case ast.Global() | ast.Nonlocal():
                scope.outer.update(node.names)
            case ast.Import():
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    scope.bind(name, alias, alias.name if alias.asname else name)
            case ast.ImportFrom():
                base = "." * node.level + (f"{node.module}." if node.module else "")
                for alias in node.names:
                    scope.bind(alias.asname or alias.name, alias, f"{base}{alias.name}")
            case ast.arg(arg=str(name)) | ast.ExceptHandler(name=str(name)) | ast.MatchMapping(rest=str(name)):
                scope.bind(name, node)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bind(name, node)
        # The annotation of a function's parameter was read outside of it.
        self._read(() if isinstance(node, ast.arg) else ast.iter_child_nodes(node), scope)

    @cached_property
    def imported(self) -> frozenset[str]:
        """The dotted names of all that is imported at the top level."""
        bindings = (binding for row in self.top.bindings.values() for binding in row)
        return frozenset(binding.origin for binding in bindings if binding.origin)

    @cached_property
    def strings(self) -> tuple[str, ...]:
        """Every string constant that may name something; a docstring does so only by its examples (doctest)."""
        found = [(node, node.value) for node in self.all(ast.Constant) if isinstance(node.value, str)]
        return tuple(text for node, text in found if ">>>" in text or not isinstance(self.parents[node], ast.Expr))

    def all(self, kind: type[_Node]) -> list[_Node]:
        """Return every node of a kind, in the order of the text."""
        if kind not in self._by_kind:
            found: list[Any] = [node for node in self.nodes if isinstance(node, kind)]
            self._by_kind[kind] = sorted(found, key=lambda node: (node.lineno, node.col_offset))
        return self._by_kind[kind]

    @property
    def functions(self) -> list[Function]:
        """Every function and method."""
        return [*self.all(ast.FunctionDef), *self.all(ast.AsyncFunctionDef)]

    def place(self, node: ast.stmt | ast.expr) -> Place:
        """Return where a node begins."""
        # Inside an f-string, older Pythons count columns from elsewhere: hence `ignore`.
        head = self.lines[node.lineno - 1].encode()[: node.col_offset]
        return Place(node.lineno, len(head.decode("utf-8", "ignore")))

    def segment(self, node: ast.stmt | ast.expr) -> str:
        """Return the text of a node, with line feeds as its line ends."""
        # ast.get_source_segment splits the whole text each time.
        lines = [line.encode() for line in self.lines[node.lineno - 1 : node.end_lineno]]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode("utf-8", "ignore")

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what encloses a node, the nearest first."""
        while parent := self.parents.get(node):
            yield parent
            node = parent

    def within(self, nodes: Sequence[ast.AST], node: ast.AST) -> bool:
        """Tell whether a node is one of these, or part of one."""
        return any(each in nodes for each in (node, *self.above(node)))

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """Return the nearest statement around a node."""
        return next(parent for parent in self.above(node) if isinstance(parent, ast.stmt))

    def body_of(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the list of statements that a statement is in."""
        parent = self.parents[statement]
        bodies = [getattr(parent, field, []) for field in ("body", "orelse", "finalbody")]
        return next(body for body in bodies if statement in body)

    def following(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the statements after one in its block."""
        body = self.body_of(statement)
        return body[body.index(statement) + 1 :]

    def is_in_f_string(self, node: ast.AST) -> bool:
        """Tell whether a node is part of an f-string, where its place is not to be relied on."""
        return any(isinstance(parent, ast.JoinedStr) for parent in self.above(node))

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the nearest function around a node."""
        return next((parent for parent in self.above(node) if isinstance(parent, Function)), None)

    def scope_of(self, name: ast.Name) -> Scope | None:
        """Return the scope that binds a name; None for a builtin or an unknown name."""
        return self.used_in[name].find(name.id) if name in self.used_in else None

    def loads(self, name: str, scope: Scope, outside: Sequence[ast.AST] = ()) -> list[ast.Name]:
        """Return the uses of what `scope` binds as `name`, except those inside the nodes in `outside`."""
        named = ((node, used_in) for node, used_in in self.names.get(name, ()) if isinstance(node.ctx, ast.Load))
        return [node for node, used_in in named if used_in.find(name) is scope and not self.within(outside, node)]

    def uses(self, name: ast.Name, outside: Sequence[ast.AST] = ()) -> list[ast.Name]:
        """Return the uses of what a name stands for, except those inside the nodes in `outside`; none for a builtin."""
        scope = self.scope_of(name)
        return self.loads(name.id, scope, outside) if scope else []

    def value_of(self, name: ast.Name) -> ast.expr | None:
        """Return what a name stands for, if it is given a value exactly once."""
        scope = self.scope_of(name)
        bindings = scope.bindings[name.id] if scope else []
        parent = self.parents[bindings[0].node] if len(bindings) == 1 else None
        return parent.value if isinstance(parent, ast.Assign) and parent.targets == [bindings[0].node] else None

    def dotted(self, node: ast.AST, depth: int = 3) -> frozenset[str]:
        """Return the dotted names that an expression may stand for, by its imports; a builtin as `builtins.…`.

        Names like `join = os.path.join` are followed. Empty if anything else is bound, except a None beside imports.
        """
        if isinstance(node, ast.Attribute):
            return frozenset(f"{base}.{node.attr}" for base in self.dotted(node.value, depth))
        if not isinstance(node, ast.Name):
            return frozenset()
        if isinstance(value := self.value_of(node), ast.Name | ast.Attribute) and depth:
            return self.dotted(value, depth - 1)
        scope = self.scope_of(node)
        if scope is None:
            stars = (binding.origin or "" for binding in self.top.bindings.get("*", ()))
            return frozenset({f"builtins.{node.id}", *(star.removesuffix("*") + node.id for star in stars)})
        origins = {binding.origin for binding in scope.bindings[node.id] if not self._is_none(binding.node)}
        return frozenset(origin for origin in origins if origin and None not in origins)

    def is_call_of(self, node: ast.AST, *names: str) -> bool:
        """Tell whether a node calls what one of the dotted `names` stands for."""
        return isinstance(node, ast.Call) and not self.dotted(node.func).isdisjoint(names)

    def _is_none(self, node: ast.AST) -> bool:
        match self.parents.get(node):
            case ast.Assign(value=ast.Constant(value=value)):
                return not value
        return False


def all_arguments(args: ast.arguments) -> list[ast.arg]:
    """Return every parameter of a function, `*args` and `**kwargs` included."""
    starred = [argument for argument in (args.vararg, args.kwarg) if argument]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *starred]


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters."""
    return [argument.arg for argument in all_arguments(function.args)]


def is_docstring(statement: ast.stmt) -> bool:
    """Tell whether a statement is only a constant, such as a docstring."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def stand_alone(module: Module, statements: Sequence[ast.stmt]) -> bool:
    """Tell whether statements share no line with others."""
    lines = {line for each in statements for line in range(each.lineno, (each.end_lineno or 0) + 1)}
    inside = {node for statement in statements for node in ast.walk(statement)}
    others = [node for node in module.all(ast.stmt) if node not in inside]
    ends = (node.end_lineno for node in others if not hasattr(node, "body"))
    shared = lines & {*(node.lineno for node in others), *ends}
    return not shared and len({statement.lineno for statement in statements}) == len(statements)
