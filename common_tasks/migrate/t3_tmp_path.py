"""T3: `tmp_path` with sub-directories made by hand becomes `pytest_temp_dirs`."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from . import context, made_folders
from .context import Program, fixture_call, fixture_name, parameters
from .finding import Drop, DropParameter, Edit, Finding, ReturnToYield, Safety, Wrap
from .made_folders import Folders
from .names import Function, Module, Scope

CODE = "T3"
TMP_PATH = "tmp_path"
_SAME_DIRECTORY = frozenset({TMP_PATH, "tmpdir", "testdir", "pytester"})
_HARMLESS = frozenset({"cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "doctest_namespace"})
_HARMLESS |= {"event_loop", "mocker", "monkeypatch", "pytestconfig", "record_property", "record_testsuite_property"}
_HARMLESS |= {"recwarn", "request", "self", "subtests", "tmp_path_factory"}


def check(program: Program) -> Iterator[Finding]:
    """Yield the tests and fixtures that make directories in `tmp_path`."""
    for function in program.module.functions:
        if TMP_PATH not in parameters(function):
            continue
        folders = made_folders.find_run(program.module, function.body, TMP_PATH, converted=True)
        if folders:
            yield _finding(program, function, folders)
        elif made := _first_mkdir(program.module, function):
            reason = "its sub-directories are not made one after the other and first of all"
            yield _report(program, made, reason)


def _first_mkdir(module: Module, function: Function) -> ast.Call | None:
    """Return the first `mkdir` of a plain sub-directory, whatever is around it."""
    made = {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and _is_below(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in module.calls:
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr="mkdir") if name in made:
                pass
            case ast.Attribute(value=value, attr="mkdir") if _is_below(value):
                pass
            case _:
                continue
        if module.function_of(call) is function:
            return call
    return None


def _is_below(node: ast.expr) -> bool:
    match node:
        case ast.BinOp(left=ast.Name(id="tmp_path"), op=ast.Div()):
            return True
        case _:
            return False


def _report(program: Program, node: ast.expr | ast.stmt, reason: str) -> Finding:
    line, column = program.module.place(node)
    message = f"tmp_path: {reason}"
    return Finding(program.path, line, column, CODE, "report", message, last_line=node.end_lineno or line)


def _finding(program: Program, function: Function, folders: Folders) -> Finding:
    module = program.module
    first = folders.statements[0]
    scope = _scope(module, first)
    if scope is None:
        return _report(program, first, "its function is not what it seems")
    if reason := _why_not(program, function, folders, scope):
        return _report(program, first, reason)
    line, column = module.place(first)
    message = f"tmp_path: with {folders.code}"
    end = folders.statements[-1].end_lineno or line
    safety: Safety = "unsafe" if context.patches_system(module, first) else "safe"
    edits = _edits(module, function, folders)
    return Finding(program.path, line, column, CODE, safety, message, edits, ("pytest_temp_dirs",), end)


def _scope(module: Module, statement: ast.stmt) -> Scope | None:
    name = next((n for n in ast.walk(statement) if isinstance(n, ast.Name) and n.id == TMP_PATH), None)
    return module.scope_of(name) if name else None


def _edits(module: Module, function: Function, folders: Folders) -> tuple[Edit, ...]:
    at = module.place(function)
    after = function.body[folders.first + len(folders.statements)]
    dropped = [Drop(module.place(statement)) for statement in folders.statements]
    wrap = Wrap(module.place(after), f"with {folders.code}:")
    returned = _last_return(module, function)
    turned = [ReturnToYield(module.place(returned))] if returned and fixture_call(module, function) else []
    return (*dropped, wrap, DropParameter(at, TMP_PATH), *turned)


class _Check(NamedTuple):
    """What the reasons against a rewrite are found in."""

    program: Program
    function: Function
    folders: Folders
    scope: Scope


def _why_not(program: Program, function: Function, folders: Folders, scope: Scope) -> str | None:
    subject = _Check(program, function, folders, scope)
    checks = (_surroundings, _block, _other_uses, _definition, _fixture, _shared)
    return next((reason for check in checks if (reason := check(subject))), None)


def _surroundings(subject: _Check) -> str | None:
    return context.why_not_here(subject.program.module, subject.folders.statements[0])


def _block(subject: _Check) -> str | None:
    folders, body = subject.folders, subject.function.body
    if folders.first + len(folders.statements) == len(body):
        return "nothing follows that uses its sub-directories"
    if not made_folders.is_droppable(subject.program.module, folders):
        return "a line holds several statements"
    return None


def _other_uses(subject: _Check) -> str | None:
    names = {TMP_PATH} | made_folders.aliases(subject.folders)
    if len(subject.scope.bindings[TMP_PATH]) > 1:
        return "it is given another value"
    if not made_folders.uses_only(subject.program.module, subject.folders, names, subject.scope):
        return "it is also used for something else, which must stay beside its sub-directories"
    return None


def _definition(subject: _Check) -> str | None:
    module, function = subject.program.module, subject.function
    if any(TMP_PATH in module.segment(decorator) for decorator in function.decorator_list):
        return "a decorator gives it its value"
    arguments = function.args
    if TMP_PATH not in {argument.arg for argument in [*arguments.args, *arguments.kwonlyargs]} or arguments.defaults:
        return "its parameters are not those of a plain test"
    if not (function.name.startswith("test") or fixture_call(module, function)):
        return "the function is neither a test nor a fixture: others hand it in"
    if used := _uses(module, function):
        return f"{function.name} is also used in line {used[0]}"
    return None


def _uses(module: Module, function: Function) -> list[int]:
    """Return the lines that use a function by its name, or as an attribute."""
    home = next(scope for scope in module.scopes if scope.binds(function.name, function))
    attributes = [n for n in module.attributes if n.attr == function.name]
    called = [n for n in attributes if isinstance(n.ctx, ast.Load) and isinstance(module.parents[n], ast.Call)]
    return [node.lineno for node in (*(load for load, _ in module.loads(function.name, home)), *called)]


def _fixture(subject: _Check) -> str | None:
    module, function = subject.program.module, subject.function
    if not fixture_call(module, function):
        return None
    if subject.program.path.stem == "conftest":
        return "tests in other files may ask for it beside this fixture"
    inner = [node for node in ast.walk(function) if module.function_of(node) is function]
    yields = [node for node in inner if isinstance(node, ast.Yield | ast.YieldFrom)]
    returns = [node for node in inner if isinstance(node, ast.Return)]
    if yields and not returns:
        return None
    if returns == [_last_return(module, function)] and returns[0].value and not yields:
        if function.returns:
            return "the fixture returns what it says in its annotation; make it a generator"
        return None
    return "the fixture returns before its end, and a block would remove the directories too early"


def _last_return(module: Module, function: Function) -> ast.Return | None:
    last = function.body[-1]
    return last if isinstance(last, ast.Return) else None


def _shared(subject: _Check) -> str | None:
    """Find fixtures through which somebody else gets the same directory."""
    program, function = subject.program, subject.function
    fixtures = _fixtures(program)
    if TMP_PATH in fixtures:
        return "it is a fixture of this project's own"
    automatic = [name for name, fixture in fixtures.items() if fixture.automatic]
    marks = [text for node in _marks(program.module, function) for text in node]
    for name in [*parameters(function), *automatic, *marks]:
        if name == TMP_PATH or name in _HARMLESS or _is_argument(program.module, function, name):
            continue
        if name not in fixtures and name not in _SAME_DIRECTORY:
            return f"the fixture {name} is not known here and may share it"
        if _reaches_tmp_path(name, fixtures):
            return f"the fixture {name} shares it"
    return _sharing_test(program, function)


def _is_argument(module: Module, function: Function, name: str) -> bool:
    """Tell whether a parameter is filled in by a decorator that names it, or patches."""
    texts = [text for decorator in function.decorator_list for text in [module.segment(decorator)]]
    named = any("parametrize" in text and name in text for text in texts)
    around = [parent for parent in module.above(function) if isinstance(parent, ast.ClassDef)]
    texts += [module.segment(decorator) for parent in around for decorator in parent.decorator_list]
    return named or name == "cls" or (any("patch" in text for text in texts) and "mock" in name.lower())


class _Fixture(NamedTuple):
    asks_for: tuple[str, ...]
    automatic: bool


def _fixtures(program: Program) -> dict[str, _Fixture]:
    """Return the fixtures of this file and of the conftest files above, by name."""
    found = {}
    for module in (*program.conftests, program.module):
        for function in module.functions:
            if decorator := fixture_call(module, function):
                asks = tuple(name for name in parameters(function) if name != "self")
                automatic = "autouse" in module.segment(decorator)
                found[fixture_name(function, decorator)] = _Fixture(asks, automatic)
    return found


def _reaches_tmp_path(name: str, fixtures: dict[str, _Fixture]) -> bool:
    seen: set[str] = set()
    pending = [name]
    while pending:
        current = pending.pop()
        if current in _SAME_DIRECTORY:
            return True
        if current not in seen:
            seen.add(current)
            fixture = fixtures.get(current)
            pending += fixture.asks_for if fixture else ()
            if fixture is None and current not in _HARMLESS:
                return True  # nobody knows what it asks for
    return False


def _marks(module: Module, function: Function) -> Iterator[list[str]]:
    """Yield the names in each `usefixtures` that holds for a function."""
    around = [parent for parent in module.above(function) if isinstance(parent, ast.ClassDef)]
    decorators = [decorator for node in (function, *around) for decorator in node.decorator_list]
    marks = [node.value for node in module.tree.body if isinstance(node, ast.Assign) and _is_mark(node)]
    for node in [*decorators, *marks]:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "usefixtures":
                yield [str(argument.value) for argument in call.args if isinstance(argument, ast.Constant)]


def _is_mark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def _sharing_test(program: Program, function: Function) -> str | None:
    """For a fixture: find who asks for it, and reaches `tmp_path` in another way."""
    module = program.module
    decorator = fixture_call(module, function)
    if not decorator:
        return None
    name = fixture_name(function, decorator)
    others = _fixtures(program) | {name: _Fixture((), False)}
    for test in module.functions:
        asks = parameters(test)
        if test is not function and (name in asks or "autouse" in module.segment(decorator)):
            rest = [asked for asked in asks if asked != name and asked in {*others, *_SAME_DIRECTORY}]
            if shared := next((asked for asked in rest if _reaches_tmp_path(asked, others)), None):
                return f"{test.name} asks for it and for {shared}, which share it"
    return None
