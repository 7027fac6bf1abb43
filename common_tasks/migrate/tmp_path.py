"""T3: a test that begins by making several directories in `tmp_path` gets them from `pytest_temp_dirs`.

What uses `tmp_path` otherwise is as pytest's documentation recommends: it is counted, and left alone.
"""

import ast
from collections.abc import Iterator
from itertools import chain

from . import sub_folders, surroundings
from .blocks import SEVERAL
from .finding import Doubt, Drop, DropName, Edit, Finding, Wrap, conclude
from .names import Function, Module, Scope
from .sub_folders import Folders
from .surroundings import Program, parameters

CODE = "T3"
TMP_PATH = "tmp_path"
# Fixtures that are in the same directory; `request` may ask for any of them by its name.
_SAME_DIRECTORY = frozenset({TMP_PATH, "pytester", "request", "testdir", "tmpdir"})
_HARMLESS = frozenset({"cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "doctest_namespace"})
_HARMLESS |= {"event_loop", "mocker", "monkeypatch", "pytestconfig", "record_property", "record_testsuite_property"}
_HARMLESS |= {"cls", "recwarn", "self", "subtests", "tmp_path_factory"}


def check(program: Program) -> Iterator[Finding]:
    """Yield the tests that begin by making directories in `tmp_path`."""
    for function in program.module.functions:
        if TMP_PATH in parameters(function) and function.name.startswith("test"):
            folders = sub_folders.find_run(program.module, function.body, TMP_PATH, converted=True)
            scope = _scope(program.module, folders)
            if folders and scope and len(folders.names) > 1 and _is_rewritable(program.module, folders, scope):
                yield _finding(program, function, folders)


def _scope(module: Module, folders: Folders | None) -> Scope | None:
    nodes = ast.walk(folders.statements[0]) if folders else ()
    name = next((node for node in nodes if isinstance(node, ast.Name) and node.id == TMP_PATH), None)
    return module.scope_of(name) if name else None


def _is_rewritable(module: Module, folders: Folders, scope: Scope) -> bool:
    """Tell whether `tmp_path` is for these directories alone, and something follows that uses them."""
    names = {TMP_PATH} | sub_folders.aliases(folders)
    only = len(scope.bindings[TMP_PATH]) == 1 and sub_folders.uses_only(module, folders, names, scope)
    function = scope.node
    follows = isinstance(function, Function) and folders.first + len(folders.statements) < len(function.body)
    return only and follows and sub_folders.stand_alone(module, folders.statements)


def _finding(program: Program, function: Function, folders: Folders) -> Finding:
    first, last = folders.statements[0], folders.statements[-1]
    finding = program.report(first, CODE, f"tmp_path: with {folders.code}")._replace(
        edits=_edits(program.module, function, folders),
        imports=(SEVERAL,),
        last_line=last.end_lineno or 0,
    )
    return conclude(finding, chain(_doubts(program, function), surroundings.doubts(program, first)))


def _edits(module: Module, function: Function, folders: Folders) -> tuple[Edit, ...]:
    after = function.body[folders.first + len(folders.statements)]
    dropped = [Drop(module.place(statement)) for statement in folders.statements]
    wrap = Wrap(module.place(after), f"with {folders.code}:")
    return (*dropped, wrap, DropName(module.place(function), TMP_PATH))


def _doubts(program: Program, function: Function) -> Iterator[Doubt]:
    module = program.module
    arguments = function.args
    if any(TMP_PATH in module.segment(decorator) for decorator in function.decorator_list):
        yield Doubt("a decorator gives tmp_path its value", final=True)
    if TMP_PATH not in {argument.arg for argument in [*arguments.args, *arguments.kwonlyargs]} or arguments.defaults:
        yield Doubt("its parameters are not those of a plain test", final=True)
    for line in _other_uses(module, function):
        yield Doubt(f"line {line} uses {function.name}, too", final=True)
    yield from _outlived(function)
    yield from _sharing(program, function)


def _other_uses(module: Module, function: Function) -> list[int]:
    """Return the lines that use a function by its name, or as an attribute that is called."""
    home = next(scope for scope in module.scopes if scope.binds(function.name, function))
    attributes = [n for n in module.attributes if n.attr == function.name]
    called = [n for n in attributes if isinstance(n.ctx, ast.Load) and isinstance(module.parents[n], ast.Call)]
    return [node.lineno for node in (*(load for load, _ in module.loads(function.name, home)), *called)]


def _outlived(function: Function) -> Iterator[Doubt]:
    """Yield what may look at the directories after the block, where those of `tmp_path` are still there."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in ("chdir", "addfinalizer", "addCleanup"):
            yield Doubt(f"line {node.lineno} may need the directory after the test's own body")
        elif isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) and node.value:
            yield Doubt(f"line {node.lineno} passes something on to code that runs after the block")


def _sharing(program: Program, function: Function) -> Iterator[Doubt]:
    """Yield what may get the same directory: a fixture that asks for it, or a name that is no fixture known here."""
    module, known = program.module, surroundings.fixtures(program)
    if TMP_PATH in known:
        yield Doubt("tmp_path is a fixture of this project's own", final=True)
    for node in module.attributes:
        if node.attr == "usefixtures":
            yield Doubt(f"line {node.lineno} asks for fixtures, which may share tmp_path", final=True)
    asked = {name: name for name in parameters(function) if name != TMP_PATH}
    asked |= {name: each.name for each in surroundings.reached(program, function) for name in each.asks_for}
    for name, asker in asked.items():
        if name in _SAME_DIRECTORY:
            yield Doubt(f"the fixture {asker} shares tmp_path", final=True)
        elif name not in known and name not in _HARMLESS and not _is_argument(module, function, name):
            yield Doubt(f"the fixture {name} is not known here and may share tmp_path")


def _is_argument(module: Module, function: Function, name: str) -> bool:
    """Tell whether a parameter is filled in by a decorator that names it."""
    texts = (module.segment(decorator) for decorator in function.decorator_list)
    return any("parametrize" in text and name in text for text in texts)
