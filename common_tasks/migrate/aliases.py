"""Finds `other = Path(name)`, by which a program gives a directory the name that it goes by from then on."""

import ast
from collections.abc import Iterable
from typing import NamedTuple

from .finding import Doubt, Drop, Edit
from .names import Module, Scope
from .sub_folders import stand_alone
from .uses import as_path, is_path_of


class Renamed(NamedTuple):
    """The name that a directory goes by from now on, and what it takes for the uses of the one before.

    `needs_text`: some of them may need it as text.
    """

    name: str
    edits: tuple[Edit, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    needs_text: bool = False


def give_path(
    module: Module, bodies: Iterable[list[ast.stmt]], name: ast.Name, loads: list[ast.Name], *, shared: list[ast.Name]
) -> Renamed:
    """Return how the uses of a name of text change where it holds a path, by the name that it is given in `bodies`.

    `shared`: uses that may also see text.
    """
    alias = None if shared else _find_alias(module, bodies, name, loads)
    called = alias.targets[0].id if alias and isinstance(alias.targets[0], ast.Name) else name.id
    rest = [load for load in loads if alias is None or alias not in module.above(load)]
    uses = as_path(module, rest, called, shared=shared)
    drops = (Drop(module.place(alias)),) if alias else ()
    return Renamed(called, (*drops, *uses.edits), uses.doubts, bool(uses.texts))


def _find_alias(
    module: Module, bodies: Iterable[list[ast.stmt]], name: ast.Name, loads: list[ast.Name]
) -> ast.Assign | None:
    """Return the first statement `other = Path(name)` of blocks, if `other` may take the place of `name` in them."""
    scope = module.scope_of(name)
    if scope is None or any(module.is_in_f_string(load) for load in loads):
        return None
    for body in bodies:
        inside = {node for statement in body for node in ast.walk(statement)}
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=other)], value=value) if is_path_of(module, value, name.id):
                    alone = len(body) > 1 and stand_alone(module, [statement])
                    if alone and _is_free(module, other, statement, inside, scope):
                        return statement
    return None


def _is_free(module: Module, other: str, statement: ast.stmt, inside: set[ast.AST], scope: Scope) -> bool:
    """Tell whether a name means nothing but the directory where it is used."""
    used = [node for node, _ in module.names[other] if node in inside]
    stores = [node for node in used if not isinstance(node.ctx, ast.Load)]
    early = [node for node in used if node.lineno < statement.lineno]
    return other in scope.bindings and other not in scope.outer and len(stores) == 1 and not early
