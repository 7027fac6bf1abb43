"""T5: `mkdtemp` and `NamedTemporaryFile(delete=False)`, with their clean-up or without any."""

import ast
from collections.abc import Iterator

from .context import Program
from .finding import Finding
from .names import Module

CODE = "T5"
_REMOVERS = frozenset({"shutil.rmtree", "os.remove", "os.unlink", "os.rmdir", "os.removedirs"})
_REGISTERING = frozenset({"addCleanup", "addfinalizer", "callback", "register"})
_REMOVING_METHODS = frozenset({"unlink", "rmdir"})


def check(program: Program) -> Iterator[Finding]:
    """Yield the calls whose result stays until somebody removes it."""
    module = program.module
    for call in module.calls:
        if module.is_call_of(call, "tempfile.mkdtemp"):
            yield _finding(program, call, "mkdtemp", "temp_working_dir")
        elif module.is_call_of(call, "tempfile.mkstemp"):
            yield _finding(program, call, "mkstemp", "TempManager.auto_cleanup_file")
        elif module.is_call_of(call, "tempfile.NamedTemporaryFile") and _stays(call):
            yield _finding(program, call, "NamedTemporaryFile(delete=False)", "TempManager.auto_cleanup_file")


def _stays(call: ast.Call) -> bool:
    return any(
        keyword.arg == "delete" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )


def _finding(program: Program, call: ast.Call, what: str, better: str) -> Finding:
    line, column = program.module.place(call)
    if program.is_test and what == "mkdtemp":
        better = "pytest_temp_dirs"
    how = _clean_up(program.module, call)
    message = f"{what}: {how}; {better} removes what it made, whatever happens"
    return Finding(program.path, line, column, CODE, "report", message, last_line=call.end_lineno or line)


def _clean_up(module: Module, call: ast.Call) -> str:
    """Say in words what removes the result of a call."""
    target = _target(module, call)
    if target is None:
        return "a leak, for nothing here removes it"
    for other in module.calls:
        if _removes(module, other, target) and _is_near(module, call, other, target):
            return _told(module, other)
    return "a leak, for nothing here removes it"


def _target(module: Module, call: ast.Call) -> str | None:
    """Return what the result is called: the text of the name or attribute that it is given to."""
    for parent in module.above(call):
        match parent:
            case ast.Assign(targets=[ast.Name() | ast.Attribute() as target]):
                return module.segment(target)
            case ast.withitem(optional_vars=ast.Name(id=name)):
                return _renamed(module, parent, name)
            case ast.stmt():
                return None
    return None


def _renamed(module: Module, item: ast.withitem, name: str) -> str:
    """Follow `path = file.name` in the block."""
    for node in ast.walk(module.parents[item]):
        match node:
            case ast.Assign(
                targets=[ast.Name() | ast.Attribute() as target],
                value=ast.Attribute(value=ast.Name(id=given), attr="name"),
            ) if given == name:
                return module.segment(target)
    return name


def _removes(module: Module, call: ast.Call, target: str) -> bool:
    method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    if method in _REGISTERING:
        text = module.segment(call)
        return target in text and any(remover.rpartition(".")[2] in text for remover in _REMOVERS)
    if method in _REMOVING_METHODS and _receiver(module, call) in (target, f"Path({target})", f"Path({target}.name)"):
        return True
    if module.dotted(call.func).isdisjoint(_REMOVERS):
        return False
    arguments = [module.segment(argument) for argument in call.args]
    words = [word for text in arguments for word in text.replace("(", " ").replace(")", " ").split()]
    return target in words or f"{target}.name" in words


def _receiver(module: Module, call: ast.Call) -> str:
    return module.segment(call.func.value) if isinstance(call.func, ast.Attribute) else ""


def _is_near(module: Module, call: ast.Call, other: ast.Call, target: str) -> bool:
    """Tell whether both are in one function or, for what an object holds, in one class."""
    if "." not in target:
        return _same(module, call, other, (ast.FunctionDef, ast.AsyncFunctionDef))
    return _same(module, call, other, (ast.ClassDef,))


def _same(module: Module, one: ast.AST, two: ast.AST, kinds: tuple[type, ...]) -> bool:
    homes = [next((parent for parent in module.above(node) if isinstance(parent, kinds)), None) for node in (one, two)]
    return homes[0] is homes[1]


def _told(module: Module, call: ast.Call) -> str:
    function = module.function_of(call)
    if isinstance(call.func, ast.Attribute) and call.func.attr == "addCleanup":
        return f"removed by addCleanup in line {call.lineno}"
    if function and function.name in ("tearDown", "teardown_method", "tearDownClass", "asyncTearDown"):
        return f"removed by {function.name} in line {call.lineno}"
    for parent in module.above(call):
        if isinstance(parent, ast.Try) and any(call in ast.walk(node) for node in parent.finalbody):
            return f"removed by the finally in line {call.lineno}"
        if isinstance(parent, ast.With | ast.AsyncWith):
            continue
    return f"removed in line {call.lineno}, but not where something fails before"
