"""T4: directories that are made by hand in `.tmp` or `.temp`.

`.tmp/demo_<time>` is a fresh one each time, and becomes `get_debug_temp_dir("demo")`. `.tmp/report` is one place for
every call, process and run, where anybody may look: to move it is never safe.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from . import surroundings
from .base_paths import BASES, LISTERS, is_text, stamped, text_of
from .finding import Doubt, Drop, Edit, Finding, ReplaceStatement, conclude
from .legacy_helper import find_definition
from .names import Module
from .sub_folders import body_of, stand_alone
from .surroundings import Program

CODE = "T4"
DEBUG, CACHE, MANAGER = "get_debug_temp_dir", "get_cache_temp_dir", "TempManager"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")
_RELATIVE = frozenset({"is_absolute", "is_relative_to", "parent", "parents", "parts", "relative_to"})


class _Made(NamedTuple):
    """A directory that a call makes: its path as far as it is written out, and the statements `d = …`, `d.mkdir()`."""

    call: ast.Call
    text: str
    given: ast.Assign | None
    making: ast.stmt | None

    @property
    def variable(self) -> ast.Name:
        assert self.given  # noqa: S101  (asked only of such)
        assert isinstance(self.given.targets[0], ast.Name)  # noqa: S101
        return self.given.targets[0]


def check(program: Program) -> Iterator[Finding]:
    """Yield what is made in a base by hand."""
    module = program.module
    made = [found for call in module.calls if (found := _made(module, call)) and _is_in_base(found.text)]
    made = [found for found in made if not surroundings.is_fallback(module, found.call)]
    busy = {module.function_of(found.call) for found in made if found.text not in BASES}
    for found in made:
        function = module.function_of(found.call)
        is_helper = function is not None and function is find_definition(module)
        if not is_helper and not (found.text in BASES and function in busy):
            yield _finding(program, found)


def _is_in_base(text: str) -> bool:
    return any(part in BASES for part in text.split("/"))


def _made(module: Module, call: ast.Call) -> _Made | None:
    made: ast.expr | None = None
    if module.is_call_of(call, "os.makedirs", "os.mkdir") and call.args:
        made = call.args[0]
    elif isinstance(call.func, ast.Attribute) and call.func.attr == "mkdir":
        made = call.func.value
    text = text_of(module, made) if made else None
    if not made or not text:
        return None
    making = module.parents[call]
    given = _assignment_before(module, making, made) if isinstance(making, ast.Expr) else None
    return _Made(call, text, given, making if isinstance(making, ast.stmt) else None)


def _assignment_before(module: Module, statement: ast.stmt, made: ast.expr) -> ast.Assign | None:
    """Return `name = …` where the directory is made by the very next statement."""
    body = body_of(module, statement)
    at = body.index(statement) if body else 0
    match body[at - 1] if at else None:
        case ast.Assign(targets=[ast.Name(id=name)]) as given if isinstance(made, ast.Name) and name == made.id:
            return given if stand_alone(module, [given, statement]) else None
    return None


def _finding(program: Program, made: _Made) -> Finding:
    module = program.module
    base = program.report(made.given or made.call, CODE, "")._replace(last_line=made.call.end_lineno or 0)
    time = stamped(module, made.given.value) if made.given else None
    if time and isinstance(time.prefix, str) and _PLAIN.fullmatch(time.prefix):
        return _fresh(program, made, base, time.prefix, time.names)
    name = made.text.removeprefix("./").partition("/")[2]
    if made.given is None or not _PLAIN.fullmatch(name):
        message = f"{made.text} is made by hand"
        reason = (
            f"where each run should have its own, use {DEBUG}(name); where the next run looks for it, {CACHE}(name)"
        )
        return conclude(base._replace(message=message), [Doubt(reason, final=True)])
    return _place(program, made, base, name)


def _written(made: _Made, module: Module, call: str) -> str:
    assert made.given  # noqa: S101  (asked only of such)
    return f"{made.variable.id} = {f'str({call})' if is_text(module, made.given.value) else call}"


def _fresh(program: Program, made: _Made, base: Finding, prefix: str, names: frozenset[str]) -> Finding:
    """Return the finding for a directory with the time in its name."""
    module = program.module
    assert made.given  # noqa: S101  (asked only of such)
    assert made.making  # noqa: S101
    call = f'{DEBUG}("{prefix}")'
    edits: list[Edit] = [
        ReplaceStatement(module.place(made.given), _written(made, module, call)),
        Drop(module.place(made.making)),
        *(Drop(module.place(statement)) for statement in _left_over(module, made, names)),
    ]
    finding = base._replace(
        message=f".tmp/{prefix}_<time> is made by hand: {call}",
        edits=tuple(edits),
        imports=(DEBUG,),
        removes=(f".tmp/{prefix}_*",),
    )
    return conclude(finding, chain(_looks_here(module, made), surroundings.doubts(program, made.call)))


def _left_over(module: Module, made: _Made, names: frozenset[str]) -> Iterator[ast.stmt]:
    """Yield the statements that only served to build the path: the base's name, its making, the time."""
    for name in sorted(names):
        bound = module.scope_of(made.variable)
        bindings = bound.bindings.get(name, []) if bound else []
        given = module.parents[bindings[0].node] if len(bindings) == 1 else None
        if not isinstance(given, ast.Assign) or bound is None or not stand_alone(module, [given]):
            continue
        makings: list[ast.stmt] = []
        others: list[ast.stmt] = []
        for load, _ in module.loads(name, bound):
            statement = next(parent for parent in module.above(load) if isinstance(parent, ast.stmt))
            is_making = isinstance(statement, ast.Expr) and _is_mkdir(module, statement.value, name)
            (makings if is_making else others).append(statement)
        if all(statement is made.given or _serves(statement, names) for statement in others) and stand_alone(
            module, makings
        ):
            yield given
            yield from makings


def _serves(statement: ast.stmt, names: frozenset[str]) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in names
    return False


def _is_mkdir(module: Module, node: ast.expr, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=made), attr="mkdir")):
            return made == name
        case ast.Call(args=[ast.Name(id=made), *_]) if module.is_call_of(node, "os.makedirs", "os.mkdir"):
            return made == name
    return False


def _looks_here(module: Module, made: _Made) -> Iterator[Doubt]:
    """Yield what in this file may see that the path is another one, or look for it among others."""
    scope = module.scope_of(made.variable)
    if scope is None or isinstance(scope.node, ast.ClassDef):
        yield Doubt("the path belongs to a class, where others may read it")
        return
    for load, _ in module.loads(made.variable.id, scope):
        parent = module.parents[load]
        if isinstance(parent, ast.Attribute) and parent.attr in _RELATIVE:
            yield Doubt(f"line {load.lineno} asks where {load.id} lies")
    for node in module.nodes:
        if isinstance(node, ast.Attribute) and node.attr in LISTERS and not _is_below(node, made.variable.id):
            yield Doubt(f"line {node.lineno} lists a folder, and may look for it there")


def _is_below(node: ast.Attribute, name: str) -> bool:
    """Tell whether a method is called on the new directory itself, or on what lies in it."""
    inner: ast.expr = node.value
    while isinstance(inner, ast.BinOp):
        inner = inner.left
    return isinstance(inner, ast.Name) and inner.id == name


def _place(program: Program, made: _Made, base: Finding, name: str) -> Finding:
    """Return the finding for a directory that has the same path each time."""
    module = program.module
    assert made.given  # noqa: S101  (asked only of such)
    assert made.making  # noqa: S101
    found_again = tuple(_found_again(module, made, name))
    call = f'{CACHE}("{name}")' if found_again else f'{MANAGER}.create_persistent_dir("{name}", "work")'
    edits = (ReplaceStatement(module.place(made.given), _written(made, module, call)), Drop(module.place(made.making)))
    finding = base._replace(
        message=f"{made.text} is made by hand: {call}",
        edits=edits,
        imports=(call.partition("(")[0].partition(".")[0],),
        removes=(f".tmp/{name}",),
    )
    by_others = Doubt("it is one place for every run, and another program may look for it")
    return conclude(finding, (*found_again, by_others, *surroundings.doubts(program, made.call)))


def _found_again(module: Module, made: _Made, name: str) -> Iterator[Doubt]:
    """Yield what in this file may find the directory again."""
    if not any(keyword.arg == "exist_ok" for keyword in made.call.keywords) and len(made.call.args) < 3:
        yield Doubt(f"line {made.call.lineno} fails if the folder exists already, so it may be a lock", final=True)
    if sum(_mentions(text, name) for text in module.strings) > 1:
        yield Doubt("the same path is written elsewhere in this file", final=True)
    if not _runs_once(module, made.call):
        yield Doubt(f"it is one place for every call: line {made.call.lineno} may run more than once")
    scope = module.scope_of(made.variable)
    for load, _ in module.loads(made.variable.id, scope) if scope else ():
        if load.lineno != made.call.lineno and not _only_writes(module, load):
            yield Doubt(f"line {load.lineno} may find what an earlier call or run left there")


def _mentions(text: str, name: str) -> bool:
    return text == name or any(f"{base}/{name}" in text for base in BASES)


def _runs_once(module: Module, call: ast.Call) -> bool:
    """Tell whether a call is at the top level of its file, or below `if __name__ == "__main__"`."""
    around = [parent for parent in module.above(call) if isinstance(parent, ast.stmt) and hasattr(parent, "body")]
    return all(isinstance(parent, ast.If) and "__name__" in ast.unparse(parent.test) for parent in around)


def _only_writes(module: Module, load: ast.Name) -> bool:
    """Tell whether a use is `(name / "file").write_text(…)` or the like, which makes a whole file anew."""
    parent = module.parents[load]
    match parent:
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant()) if left is load:
            method = module.parents[parent]
            return isinstance(method, ast.Attribute) and method.attr in ("write_text", "write_bytes")
    return False
