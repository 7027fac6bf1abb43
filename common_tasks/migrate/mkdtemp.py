"""T5: `tempfile.mkdtemp` becomes `temp_working_dir` where its own removal is proved, and nothing else removes it.

The removal is that of a `finally`, of a fixture after its `yield`, of `addCleanup`, or of `tearDown`. What some other
code may remove is left as it is; where no removal is found at all, a person is told what was looked for.
"""

import ast
import re
from collections.abc import Iterator

from . import finally_removed, unittest_cases
from .blocks import refused_arguments
from .classes import Definition
from .finding import Finding, Left
from .naming import ONE
from .removal import find_made, sounds_like_removal
from .repository import Program
from .surroundings import conclude, name_looked_for

CODE = "T5"
_FILES = {"tempfile.mkstemp": "mkstemp", "tempfile.NamedTemporaryFile": "NamedTemporaryFile(delete=False)"}
_LOOKED_FOR = "looked for rmtree, rmdir, remove, unlink and registered cleanups"
_RETURNS = re.compile(r"\b(?:return|yield)[ \t]+\S")
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
    made = find_made(program.module, call, call)
    plan = (unittest_cases.plan(program, made) or finally_removed.plan(program, made)) if made else None
    if plan is None:
        return _unremoved(program, call, "mkdtemp", ONE)
    head = "with " if plan.target else ""
    finding = program.report(call, CODE, f"mkdtemp with its own removal: {head}{plan.code}")
    finding = finding._replace(edits=plan.edits, imports=(ONE,))
    return conclude(program, call, finding, refused_arguments(call), plan.doubts, name_looked_for(program, call))


def _unremoved(program: Program, call: ast.Call, what: str, better: str) -> Finding | Left:
    """Say that nothing removes what a call made; or count it, where something does or may do so elsewhere."""
    module = program.module
    function = module.function_of(call)
    holder = next((parent for parent in module.above(call) if isinstance(parent, ast.ClassDef)), None)
    made = find_made(module, call, call)
    scope = module.scope_of(made.target) if made and isinstance(made.target, ast.Name) else None
    is_local = function is not None and scope is not None and scope.node is function
    around = [module.segment(function) if function and is_local else module.text]
    if holder:
        this = Definition(program.file, module, holder)
        around += [each.module.segment(each.node) for each in (this, *program.repository.classes.relatives(this))]
    returned = function is not None and _RETURNS.search(module.segment(function))
    if returned or _inside_another(call) or any(map(sounds_like_removal, around)):
        return Left(f"{what} that other code removes or may remove")
    where = holder.name if holder else f"{function.name}()" if function else "this file"
    message = f"{what}: found nothing in {where} that removes it ({_LOOKED_FOR}); {better} would"
    return program.report(call, CODE, message)


def _inside_another(call: ast.Call) -> bool:
    return any(keyword.arg == "dir" and _IN_TEMPORARY.search(ast.unparse(keyword.value)) for keyword in call.keywords)
