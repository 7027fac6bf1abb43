"""Chooses the name that a directory goes by, now that it is a path where it was text."""

import ast
from collections.abc import Iterable
from typing import NamedTuple

from .finding import Drop, Edit
from .names import Module, Scope
from .naming import maker
from .sub_folders import stand_alone
from .surroundings import Program
from .uses import as_path, is_path_of

_FEW = 2  # so many `str(name)` read well


class Renamed(NamedTuple):
    """The name of the path, how the uses of the name of text change, and how many of them need text."""

    name: str
    edits: tuple[Edit, ...] = ()
    texts: int = 0


class Bound(NamedTuple):
    """The item of a `with` statement that binds a directory; `first`: the statement that then binds its text."""

    code: str
    first: str = ""
    edits: tuple[Edit, ...] = ()


def bind(
    program: Program, call: ast.Call, bodies: Iterable[list[ast.stmt]], name: ast.expr, loads: list[ast.Name] | None
) -> Bound:
    """Bind what a call of tempfile's gives to a name: as a path where that reads well, else as the text that it was.

    `loads`: the uses of the name; None where not all of them are known.
    """
    if isinstance(name, ast.Name) and loads is not None:
        renamed = give_path(program.module, bodies, name, loads)
        if renamed and renamed.texts <= _FEW:
            return Bound(f"{maker(program, call, renamed.name)} as {renamed.name}", "", renamed.edits)
    text = ast.unparse(name)
    path = _free_name(program.module, text.rpartition(".")[2])
    return Bound(f"{maker(program, call, text.rpartition('.')[2])} as {path}", f"{text} = str({path})")


def _free_name(module: Module, name: str) -> str:
    taken = {*module.names, *(bound for scope in module.scopes for bound in scope.bindings)}
    return next(each for each in ("path", f"{name}_path", f"path_of_{name}", f"{name}_as_path") if each not in taken)


def give_path(
    module: Module, bodies: Iterable[list[ast.stmt]], name: ast.Name, loads: list[ast.Name]
) -> Renamed | None:
    """Return how the uses of a name of text change where it holds a path, by the name that it is given in `bodies`.

    None where one of them cannot be changed.
    """
    alias = _find_alias(module, bodies, name, loads)
    called = alias.targets[0].id if alias and isinstance(alias.targets[0], ast.Name) else name.id
    rest = [load for load in loads if alias is None or alias not in module.above(load)]
    uses = as_path(module, rest, called)
    drops = (Drop(module.place(alias)),) if alias else ()
    return Renamed(called, (*drops, *uses[0]), uses[1]) if uses else None


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
