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
_SAME_DIRECTORY = frozenset({TMP_PATH, "tmpdir", "testdir", "pytester"})
_HARMLESS = frozenset({"cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "doctest_namespace"})
_HARMLESS |= {"event_loop", "mocker", "monkeypatch", "pytestconfig", "record_property", "record_testsuite_property"}
_HARMLESS |= {"recwarn", "self", "subtests", "tmp_path_factory"}


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
    return only and follows and sub_folders.is_droppable(module, folders)


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
    known = surroundings.fixtures(program)
    if TMP_PATH in known:
        yield Doubt("tmp_path is a fixture of this project's own", final=True)
    automatic = [name for name, fixture in known.items() if fixture.is_automatic]
    for name in [*parameters(function), *automatic, *_marks(program.module, function)]:
        if name == TMP_PATH or name in _HARMLESS or _is_argument(program.module, function, name):
            continue
        if name in _SAME_DIRECTORY or (name in known and _reaches_tmp_path(known, name)):
            yield Doubt(f"the fixture {name} shares tmp_path", final=True)
        elif name not in known:
            yield Doubt(f"the fixture {name} is not known here and may share tmp_path")


def _reaches_tmp_path(known: dict[str, surroundings.Fixture], name: str) -> bool:
    seen: set[str] = set()
    pending = [name]
    while pending:
        current = pending.pop()
        if current in _SAME_DIRECTORY or current == "request":
            return True  # `request` may ask for anything by its name
        if current not in seen and current not in _HARMLESS:
            seen.add(current)
            if current not in known:
                return True  # nobody knows what it asks for
            pending += known[current].asks_for
    return False


def _is_argument(module: Module, function: Function, name: str) -> bool:
    """Tell whether a parameter is filled in by a decorator that names it, or patches."""
    around = [function, *(parent for parent in module.above(function) if isinstance(parent, ast.ClassDef))]
    texts = [module.segment(decorator) for node in around for decorator in node.decorator_list]
    named = any("parametrize" in text and name in text for text in texts)
    return named or name == "cls" or (any("patch" in text for text in texts) and "mock" in name.lower())


def _marks(module: Module, function: Function) -> Iterator[str]:
    """Yield the names in each `usefixtures` that holds for a function."""
    around = [function, *(parent for parent in module.above(function) if isinstance(parent, ast.ClassDef))]
    decorators: list[ast.AST] = [decorator for node in around for decorator in node.decorator_list]
    marks = [node.value for node in module.tree.body if isinstance(node, ast.Assign) and _is_mark(node)]
    for node in [*decorators, *marks]:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "usefixtures":
                yield from (str(argument.value) for argument in call.args if isinstance(argument, ast.Constant))


def _is_mark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)
