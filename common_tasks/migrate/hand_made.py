"""T4: directories that are made by hand in `.tmp` or `.temp`.

`.tmp/demo_<time>` is a fresh one each time, and becomes `get_debug_temp_dir("demo")`. `.tmp/report` is one place for
every call, process and run, where anybody may look: moving it is never safe.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..temp.layout import INSIDE as BASES
from .base_paths import Stamped, is_text, seen, stamped, text_of
from .finding import Doubt, Drop, Finding, Replace
from .legacy_helper import find_definition
from .names import Module, stand_alone
from .repository import Program
from .surroundings import conclude, is_fallback, looked_for

CODE = "T4"
DEBUG, CACHE, MANAGER = "get_debug_temp_dir", "get_cache_temp_dir", "TempManager"
_ADVICE = f"where each run should have its own, use {DEBUG}(name); where the next run looks for it, {CACHE}(name)"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}")


class _Made(NamedTuple):
    """A directory that is given to a name and made by the very next statement: `d = …` and `d.mkdir()`."""

    call: ast.Call
    text: str
    given: ast.Assign
    variable: ast.Name
    making: ast.Expr

    def replaced(self, module: Module, call: str) -> tuple[Replace, Drop]:
        """Return the edits that give the name what `call` returns."""
        value = self.given.value
        code = f"str({call})" if is_text(module, value) else call
        return Replace(module.place(value), module.segment(value), code), Drop(module.place(self.making))


def check(program: Program) -> Iterator[Finding]:
    """Yield what is made in a base by hand."""
    module, helper = program.module, find_definition(program.module)
    made = [(call, path, text_of(module, path)) for call in module.all(ast.Call) if (path := _made_by(module, call))]
    made = [row for row in made if _is_in_base(row[2]) and not is_fallback(module, row[0])]
    busy = {module.function_of(call) for call, _, text in made if text not in BASES}
    for call, path, text in made:
        function = module.function_of(call)
        if not (function and function is helper) and not (text in BASES and function in busy):
            yield _finding(program, call, path, text)


def _made_by(module: Module, call: ast.Call) -> ast.expr | None:
    """Return the path of the directory that a call makes; None for any other call."""
    if module.is_call_of(call, "os.makedirs", "os.mkdir") and call.args:
        return call.args[0]
    return call.func.value if isinstance(call.func, ast.Attribute) and call.func.attr == "mkdir" else None


def _is_in_base(text: str) -> bool:
    return any(part in BASES for part in text.split("/"))


def _finding(program: Program, call: ast.Call, path: ast.expr, text: str) -> Finding:
    made = _given_before(program.module, call, path, text)
    base = program.report(made.given if made else call, CODE, "")._replace(last_line=call.end_lineno or 0)
    time = stamped(program.module, made.given.value) if made else None
    if made and time and isinstance(time.prefix, str) and _PLAIN.fullmatch(time.prefix):
        return _fresh(program, made, base, time, time.prefix)
    name = text.removeprefix("./").partition("/")[2]
    if made and _PLAIN.fullmatch(name):
        return _place(program, made, base, name)
    return base._replace(message=f"{text} is made by hand").concluded([Doubt(_ADVICE, final=True)])


def _given_before(module: Module, call: ast.Call, path: ast.expr, text: str) -> _Made | None:
    """Return the directory with its name, if the statement before gives it one."""
    making = module.parents[call]
    body = module.body_of(making) if isinstance(making, ast.stmt) else []
    before = body[body.index(making) - 1] if isinstance(making, ast.Expr) and making in body[1:] else None
    match making, path, before:
        case ast.Expr(), ast.Name(id=name), ast.Assign(targets=[ast.Name(id=given) as variable]) if name == given:
            made = _Made(call, text, before, variable, making)
            return made if stand_alone(module, [before, making]) else None
    return None


def _fresh(program: Program, made: _Made, base: Finding, time: Stamped, prefix: str) -> Finding:
    """Return the finding for a directory with the time in its name."""
    module, call = program.module, f'{DEBUG}("{prefix}")'
    left_over = [Drop(module.place(statement)) for statement in _left_over(module, made, time.names)]
    finding = base._replace(
        message=f".tmp/{prefix}_<time> is made by hand: {call}",
        edits=(*made.replaced(module, call), *left_over),
        imports=(DEBUG,),
    )
    return conclude(program, made.call, finding, _looks_here(module, made), looked_for(program, f"{prefix}_*"))


def _left_over(module: Module, made: _Made, names: frozenset[ast.Name]) -> Iterator[ast.stmt]:
    """Yield the statements that only helped to build the path: those that name the base, make it, or get the time."""
    for name in names:
        value, scope = module.value_of(name), module.scope_of(name)
        if value is None or scope is None or scope is not module.scope_of(made.variable):
            continue
        users = [module.statement_of(load) for load in module.uses(name)]
        makings = [each for each in users if isinstance(each, ast.Expr) and _is_made(module, each.value, name.id)]
        others = [each for each in users if each not in makings and each is not made.given]
        serving = {module.parents[each] for node in names if (each := module.value_of(node))}
        statements = [module.statement_of(value), *makings]
        if serving.issuperset(others) and stand_alone(module, statements):
            yield from statements


def _is_made(module: Module, node: ast.expr, name: str) -> bool:
    path = _made_by(module, node) if isinstance(node, ast.Call) else None
    return isinstance(path, ast.Name) and path.id == name


def _looks_here(module: Module, made: _Made) -> Iterator[Doubt]:
    """Yield what in this file may notice that the path is a different one, or look for it among others."""
    scope = module.scope_of(made.variable)
    if scope is None or isinstance(scope.node, ast.ClassDef):
        yield Doubt("the path belongs to a class, where others may read it")
        return
    yield from seen(module, module.uses(made.variable))


def _place(program: Program, made: _Made, base: Finding, name: str) -> Finding:
    """Return the finding for a directory that has the same path each time."""
    module = program.module
    found_again = list(_found_again(module, made, name))
    call = f'{CACHE}("{name}")' if found_again else f'{MANAGER}.create_persistent_dir("{name}", "work")'
    finding = base._replace(
        message=f"{made.text} is made by hand: {call}",
        edits=made.replaced(module, call),
        imports=(CACHE if found_again else MANAGER,),
    )
    by_others = Doubt("it is one place for every run, and another program may look for it")
    return conclude(program, made.call, finding, found_again, [by_others], looked_for(program, name, final=True))


def _found_again(module: Module, made: _Made, name: str) -> Iterator[Doubt]:
    """Yield what in this file may find the directory again."""
    if not any(keyword.arg == "exist_ok" for keyword in made.call.keywords) and len(made.call.args) < 3:
        yield Doubt(f"line {made.call.lineno} fails if the folder exists already, so it may be a lock", final=True)
    if sum(text == name or any(f"{base}/{name}" in text for base in BASES) for text in module.strings) > 1:
        yield Doubt("the same path is written elsewhere in this file", final=True)
    around = [parent for parent in module.above(made.call) if isinstance(parent, ast.stmt) and hasattr(parent, "body")]
    if not all(isinstance(parent, ast.If) and "__name__" in ast.unparse(parent.test) for parent in around):
        yield Doubt(f"it is one place for every call: line {made.call.lineno} may run more than once")
    for load in module.uses(made.variable):
        # `(name / "file").write_text(…)` makes a whole new file.
        writes = re.match(rf"\({load.id} / '[^']*'\)\.write_(text|bytes)\(", ast.unparse(module.statement_of(load)))
        if load.lineno != made.call.lineno and not writes:
            yield Doubt(f"line {load.lineno} may find what an earlier call or run left there")
