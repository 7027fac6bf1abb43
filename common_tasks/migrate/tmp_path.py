"""T3: a test that begins by making several directories in `tmp_path` gets them from `pytest_temp_dirs`.

Other uses of `tmp_path` are as pytest's documentation recommends, and are left alone.
"""

import ast
import re
from collections.abc import Iterator

from . import folders, surroundings
from .base_paths import asks_where
from .finding import Doubt, DropParameter, Finding, Wrap
from .folders import Folders
from .names import Function, Module, Scope, parameters
from .naming import SEVERAL
from .repository import Program

CODE = "T3"
TMP_PATH = "tmp_path"
_USE_FIXTURES = re.compile(r"\busefixtures\b")
_GOES_ON = re.compile(r"Popen|Process|Thread|Timer|add(?:Cleanup|finalizer)|callback|chdir|create_task|register|submit")
# Fixtures that do not use the same directory.
_APART = frozenset({"capfd", "caplog", "capsys", "mocker", "monkeypatch", "recwarn", "self", "cls"})


def check(program: Program) -> Iterator[Finding]:
    """Yield the tests that begin by making directories in `tmp_path`."""
    module = program.module
    for function in module.functions:
        if TMP_PATH in parameters(function) and function.name.startswith("test"):
            scope = next(scope for scope in module.scopes if scope.node is function)
            found = folders.find(module, function.body, TMP_PATH, scope, is_path=True)
            if found and len(found.names) > 1:
                yield _finding(program, function, scope, found)


def _finding(program: Program, function: Function, scope: Scope, found: Folders) -> Finding:
    module, code = program.module, f"with {found.call} as {found.target}"
    after = function.body[found.first + len(found.statements)]
    wrap = Wrap(module.place(after), f"{code}:")
    finding = program.report(found.statements[0], CODE, f"tmp_path: {code}")._replace(
        edits=(*found.drops(module), wrap, DropParameter(module.place(function), TMP_PATH)),
        imports=(SEVERAL,),
        last_line=found.statements[-1].end_lineno or 0,
    )
    doubts = (_odd_forms(module, function), _outlived(module, scope, found), _sharing(program, function))
    return surroundings.conclude(program, found.statements[0], finding, *doubts)


def _odd_forms(module: Module, function: Function) -> Iterator[Doubt]:
    """Yield what gives the test its parameters in a way other than pytest's, or uses it by name."""
    plain = TMP_PATH in [argument.arg for argument in function.args.args] and not function.args.defaults
    if not plain or any(TMP_PATH in module.segment(decorator) for decorator in function.decorator_list):
        yield Doubt("its parameters are not those of a plain test", final=True)
    for node in module.all(ast.Name) + module.all(ast.Attribute):
        if (node.id if isinstance(node, ast.Name) else node.attr) == function.name:
            yield Doubt(f"line {node.lineno} uses {function.name}, too", final=True)


def _outlived(module: Module, scope: Scope, found: Folders) -> Iterator[Doubt]:
    """Yield what may look at the directories after the block, or ask where they lie."""
    for node in ast.walk(scope.node):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if _GOES_ON.fullmatch(name):
            yield Doubt(f"line {module.statement_of(node).lineno} may need the directory after the test's own body")
        elif isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and node.value:
            yield Doubt(f"line {node.lineno} passes something on to code that runs after the block")
    for name in found.variables:
        if name not in scope.bindings:
            yield Doubt(f"{name} is a global name")
        for load in module.loads(name, scope):
            if _is_kept(module, load) or asks_where(module, load):
                yield Doubt(f"line {load.lineno} keeps {name} for later, or asks where it lies")


def _is_kept(module: Module, load: ast.Name) -> bool:
    """Tell whether a use of a directory may keep it: in an attribute, or in a list that other tests share."""
    for parent in module.above(load):
        match parent:
            case ast.Call(func=ast.Attribute(value=ast.Name() as owner)):
                if module.scope_of(owner) is module.top and module.value_of(owner):
                    return True
            case ast.Assign(targets=targets):
                return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
            case ast.stmt():
                return False
    return False


def _sharing(program: Program, function: Function) -> Iterator[Doubt]:
    """Yield what may get the same directory: fixtures that are not known to leave it alone."""
    known = surroundings.fixtures(program)
    if TMP_PATH in known:
        yield Doubt("tmp_path is a fixture of this project's own", final=True)
    if where := program.repository.who_names(_USE_FIXTURES, program.repository.settings):
        yield Doubt(f"{where}, and may share tmp_path", final=True)
    for node in program.module.all(ast.Attribute):
        if node.attr == "usefixtures":
            yield Doubt(f"line {node.lineno} asks for fixtures, which may share tmp_path", final=True)
    asked = {name: name for name in parameters(function) if name != TMP_PATH}
    reached = surroundings.reached(program, function)
    asked |= {name: fixture.name for fixture in reached for name in parameters(fixture.function)}
    for name, asker in asked.items():
        if name not in known and name not in _APART:
            yield Doubt(f"the fixture {asker} may share tmp_path", final=True)
