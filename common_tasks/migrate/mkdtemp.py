"""T5: `tempfile.mkdtemp` becomes `temp_working_dir` where its own removal is proved, and nothing else removes it.

The removal is that of a `finally`, of a fixture after its `yield`, of `addCleanup`, or of `tearDown`. What some other
code may remove is left as it is; where no removal is found at all, a person is told what was looked for.
"""

import ast
import re
from collections.abc import Iterator

from . import finally_removed, removal, unittest_cases
from .blocks import refused_arguments
from .classes import Definition
from .finding import Finding, Left
from .names import Function, Module, stand_alone
from .naming import ONE
from .paths import converted
from .program import Program
from .removal import Made
from .surroundings import conclude

CODE = "T5"
_FILES = {"tempfile.mkstemp": "mkstemp", "tempfile.NamedTemporaryFile": "NamedTemporaryFile(delete=False)"}
_IN_TEMPORARY = re.compile(r"te?mp", re.IGNORECASE)


def check(program: Program) -> Iterator[Finding | Left]:
    """Yield the calls whose result stays until somebody removes it."""
    module = program.module
    for call in module.all(ast.Call):
        if module.is_call_of(call, "tempfile.mkdtemp"):
            yield _directory(program, call)
        else:
            what = next((_FILES[name] for name in module.dotted(call.func) if name in _FILES), None)
            if what == "mkstemp" or (what and "delete=False" in map(ast.unparse, call.keywords)):
                yield _unremoved(program, call, what, "TempManager.auto_cleanup_file")


def _directory(program: Program, call: ast.Call) -> Finding | Left:
    made = _made(program.module, call)
    plan = (unittest_cases.plan(program, made) or finally_removed.plan(program, made)) if made else None
    if plan is None:
        return _unremoved(program, call, "mkdtemp", ONE)
    head = "with " if plan.target else ""
    finding = program.report(call, CODE, f"mkdtemp with its own removal: {head}{plan.code}")
    finding = finding._replace(edits=plan.edits, imports=(ONE,), removes=plan.shared)
    return conclude(program, call, finding, refused_arguments(call), plan.doubts)


def _made(module: Module, call: ast.Call) -> Made | None:
    """Return what a call's result is given to; None where that is no plain statement."""
    parent = module.parents[call]
    is_path = converted(module, parent) is call
    statement = module.parents[parent] if is_path else parent
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Attribute(value=ast.Name()) as target]):
            alone = stand_alone(module, [statement])
            return Made(call, statement, target, is_path) if alone else None
    return None


def _unremoved(program: Program, call: ast.Call, what: str, better: str) -> Finding | Left:
    """Say that nothing removes what a call made; or count it, where something does or may do so elsewhere."""
    module = program.module
    function = module.function_of(call)
    holder = next((parent for parent in module.above(call) if isinstance(parent, ast.ClassDef)), None)
    if _is_inside_or_returned(call, function) or any(
        removal.may_remove(each, node)
        for each, around in _code_around(program, holder, function)
        for node in ast.walk(around)
        if isinstance(node, ast.Call)
    ):
        return Left(f"{what} that other code removes or may remove")
    name = f"{function.name}()" if function and not holder else holder.name if holder else "this file"
    message = f"{what}: found nothing in {name} that removes it ({removal.LOOKED_FOR}); {better} would"
    return program.report(call, CODE, message)


def _code_around(
    program: Program, holder: ast.ClassDef | None, function: Function | None
) -> list[tuple[Module, ast.AST]]:
    """Return the code that may remove what a call in a class, function or file makes."""
    if holder:
        this = Definition(program.file, program.module, holder)
        return [(each.module, each.node) for each in (this, *program.repository.classes.relatives(this))]
    return [(program.module, function or program.module.tree)]


def _is_inside_or_returned(call: ast.Call, function: Function | None) -> bool:
    """Tell whether a directory is made in a temporary one, or a function returns what it made."""
    inside = any(keyword.arg == "dir" and _IN_TEMPORARY.search(ast.unparse(keyword.value)) for keyword in call.keywords)
    results = ast.walk(function) if function else ()
    return inside or any(isinstance(node, ast.Return | ast.Yield) and node.value for node in results)
