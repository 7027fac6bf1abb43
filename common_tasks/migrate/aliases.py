"""Finds `other = Path(name)`, by which a program gives a directory the name that it goes by from then on."""

import ast
from collections.abc import Iterable
from typing import NamedTuple

from .names import Module, Scope
from .sub_folders import stand_alone
from .uses import is_path_of


class Alias(NamedTuple):
    """A statement `name = Path(…)` of which the name may be the directory's from the start."""

    statement: ast.Assign
    name: str


def find_alias(
    module: Module, bodies: Iterable[list[ast.stmt]], name: ast.Name, scope: Scope, loads: list[ast.Name]
) -> Alias | None:
    """Return the first statement `other = Path(name)` of blocks, if `other` may take the place of `name` in them."""
    if any(module.is_in_f_string(load) for load in loads):
        return None
    for body in bodies:
        inside = {node for statement in body for node in ast.walk(statement)}
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=other)], value=value) if is_path_of(module, value, name.id):
                    alone = len(body) > 1 and stand_alone(module, [statement])
                    if alone and _is_free(module, other, statement, inside, scope):
                        return Alias(statement, other)
    return None


def _is_free(module: Module, other: str, statement: ast.stmt, inside: set[ast.AST], scope: Scope) -> bool:
    """Tell whether a name means nothing but the directory where it is used."""
    used = [node for node, _ in module.names[other] if node in inside]
    stores = [node for node in used if not isinstance(node.ctx, ast.Load)]
    early = [node for node in used if node.lineno < statement.lineno]
    return other in scope.bindings and other not in scope.outer and len(stores) == 1 and not early
