"""T5: `tempfile.mkdtemp` becomes `temp_working_dir` where its own removal is proved, and nothing else removes it.

The removal is that of a `finally`, of a fixture after its `yield`, of `addCleanup`, or of `tearDown`. What some other
code removes is left as it is; where no removal is found at all, a person is told what was looked for.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain

from . import cleanups, removal, surroundings, unittest_cases
from .blocks import refused_arguments
from .cleanups import Made, Plan
from .finding import Finding, Left, conclude
from .names import Function, Module
from .naming import ONE
from .sub_folders import stand_alone
from .surroundings import Program
from .uses import is_conversion

CODE = "T5"
_FILES = {"tempfile.mkstemp": "mkstemp", "tempfile.NamedTemporaryFile": "NamedTemporaryFile(delete=False)"}
_IN_TEMPORARY = re.compile(r"te?mp", re.IGNORECASE)


def check(program: Program) -> Iterator[Finding | Left]:
    """Yield the calls whose result stays until somebody removes it."""
    module = program.module
    for call in module.calls:
        if module.is_call_of(call, "tempfile.mkdtemp"):
            yield _directory(program, call)
        else:
            what = next((_FILES[name] for name in module.dotted(call.func) if name in _FILES), None)
            if what == "mkstemp" or (what and _stays(call)):
                yield _unremoved(program, call, what, "TempManager.auto_cleanup_file")


def _stays(call: ast.Call) -> bool:
    return any(
        keyword.arg == "delete" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )


def _directory(program: Program, call: ast.Call) -> Finding | Left:
    plan = _plan(program, call)
    if plan is None:
        return _unremoved(program, call, "mkdtemp", ONE)
    doubts = chain(refused_arguments(call), plan.doubts, surroundings.doubts(program, call))
    finding = program.report(call, CODE, f"mkdtemp with its own removal: {plan.code}")
    return conclude(finding._replace(edits=plan.edits, imports=(ONE,), removes=plan.shared), doubts)


def _plan(program: Program, call: ast.Call) -> Plan | None:
    made = _made(program.module, call)
    if made is None:
        return None
    if isinstance(made.target, ast.Attribute):
        return unittest_cases.plan_attribute(program, made, made.target)
    return unittest_cases.plan_name(program, made, made.target) or cleanups.plan(program, made, made.target)


def _made(module: Module, call: ast.Call) -> Made | None:
    """Return what a call's result is given to; None where that is no plain statement."""
    parent = module.parents[call]
    is_path = is_conversion(module, parent, call)
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
    around: ast.AST = function or module.tree
    home = next((parent for parent in module.above(call) if isinstance(parent, ast.ClassDef)), around)
    if any(removal.may_remove(module, node) for node in ast.walk(home) if isinstance(node, ast.Call)):
        return Left(f"{what} that the code around it removes")
    if isinstance(home, ast.ClassDef) and unittest_cases.is_removed_by_relatives(program, home, module.parents[call]):
        return Left(f"{what} that a class above or below removes")
    if any(keyword.arg == "dir" and _IN_TEMPORARY.search(ast.unparse(keyword.value)) for keyword in call.keywords):
        return Left(f"{what} inside another temporary directory")
    if function and any(isinstance(node, ast.Return | ast.Yield) and node.value for node in ast.walk(function)):
        return Left(f"{what} that a function returns to its caller")
    where = home.name + ("()" if isinstance(home, Function) else "") if hasattr(home, "name") else "this file"
    message = f"{what}: found nothing in {where} that removes it ({removal.LOOKED_FOR}); {better} would"
    return program.report(call, CODE, message)
