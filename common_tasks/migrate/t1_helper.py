"""T1: the legacy helper `get_temp_dir(…)` becomes `get_debug_temp_dir`; its own definition goes."""

import ast
from collections.abc import Iterator
from pathlib import Path

from . import source
from .context import Program
from .finding import Drop, Edit, Finding, ReplaceExpression, Safety
from .names import Function, Module, all_arguments

CODE = "T1"
HELPER = "get_temp_dir"
_NEW = "get_debug_temp_dir"
_HOMES = (("common_tasks",), ("common_tasks", "temp"), ("common", "temp"))
_BASES = (".tmp", ".temp")
_USUAL_CALLS = frozenset({"pathlib.Path", "time.time", "builtins.int", "builtins.str", "os.makedirs", "os.mkdir"})


def check(program: Program) -> Iterator[Finding]:
    """Yield the uses of the helper, and a definition of it."""
    module = program.module
    definition = find_definition(module)
    for name in _uses(program, definition):
        yield _use(program, name)
    if definition:
        yield _definition(program, definition)


def find_helpers(path: Path, root: Path) -> Iterator[str]:
    """Yield the dotted name, as seen from `root`, of the helper that a file defines."""
    try:
        data = path.read_bytes()
        if f"def {HELPER}".encode() in data and find_definition(Module(source.decode(path, data).text)):
            yield ".".join([*path.relative_to(root).with_suffix("").parts, HELPER])
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError):
        return  # that it cannot be read is a finding of its own


def find_definition(module: Module) -> Function | None:
    """Return the function of the module that makes time-stamped directories in `.tmp`, by its name and what it does."""
    for statement in module.tree.body:
        if isinstance(statement, Function) and statement.name == HELPER and _makes_in_base(statement):
            return statement
    return None


def _makes_in_base(function: Function) -> bool:
    constants = {node.value for node in ast.walk(function) if isinstance(node, ast.Constant)}
    attributes = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return not constants.isdisjoint(_BASES) and not attributes.isdisjoint({"mkdir", "makedirs"})


def _uses(program: Program, definition: Function | None) -> Iterator[ast.Name | ast.Attribute]:
    module = program.module
    words = {HELPER, *(helper.rpartition(".")[2] for helper in program.helpers)}
    if not any(word in module.text for word in words):
        return
    for node in module.nodes:
        match node:
            case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()) if _is_helper(program, node, definition):
                yield node


def _is_helper(program: Program, node: ast.Name | ast.Attribute, definition: Function | None) -> bool:
    module = program.module
    if isinstance(node, ast.Name) and definition and module.scope_of(node) is module.top:
        bindings = module.top.bindings.get(node.id, [])
        return [binding.node for binding in bindings] == [definition]
    return any(_is_legacy(program, name) for name in module.dotted(node))


def _is_legacy(program: Program, dotted: str) -> bool:
    plain = dotted.lstrip(".")
    if "." in plain and any(f".{helper}".endswith(f".{plain}") for helper in program.helpers):
        return True
    *home, name = plain.split(".")
    return name == HELPER and any(tuple(home[-len(known) :]) == known for known in _HOMES)


def _use(program: Program, name: ast.Name | ast.Attribute) -> Finding:
    module = program.module
    call = module.parents[name]
    line, column = module.place(name)
    if not isinstance(call, ast.Call) or call.func is not name:
        message = f"{HELPER} is handed on here, not called: hand {_NEW} on, or TempManager.create_persistent_dir"
        return Finding(program.path, line, column, CODE, "report", message)
    if not all(_is_legacy(program, origin) for origin in module.dotted(name) if not origin.startswith("builtins.")):
        message = f"{HELPER} may also come from another import"
        return Finding(program.path, line, column, CODE, "report", message)
    if module.is_in_f_string(name):
        message = f"{HELPER} is called in an f-string: call {_NEW} before it"
        return Finding(program.path, line, column, CODE, "report", message)
    if _asks_for_more(call):
        message = f"{HELPER} is called in a way that {_NEW}(name_prefix) does not know"
        return Finding(program.path, line, column, CODE, "report", message, last_line=call.end_lineno or line)
    edit = _edit(module, name, call)
    message = f"{HELPER}: {edit.code if not call.args and not call.keywords else _NEW + '(…)'}"
    return Finding(program.path, line, column, CODE, "safe", message, (edit,), (_NEW,), call.end_lineno or line)


def _asks_for_more(call: ast.Call) -> bool:
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    others = any(keyword.arg != "name_prefix" for keyword in call.keywords)
    return starred or others or len(call.args) + len(call.keywords) > 1


def _edit(module: Module, name: ast.Name | ast.Attribute, call: ast.Call) -> ReplaceExpression:
    if call.args or call.keywords:
        return ReplaceExpression(module.place(name), module.segment(name), _NEW)
    return ReplaceExpression(module.place(call), module.segment(call), f'{_NEW}("temp")')


def _definition(program: Program, definition: Function) -> Finding:
    module = program.module
    line, column = module.place(definition)
    message = f"{HELPER} is defined here; the engine has it, and {_NEW} in its place"
    doubt = _doubt(module, definition)
    safety: Safety = "report" if doubt else "safe"
    edits: tuple[Edit, ...] = () if doubt else (Drop(module.place(definition)),)
    text = f"{message}; {doubt}" if doubt else message
    return Finding(program.path, line, column, CODE, safety, text, edits, (), line, (HELPER,))


def _doubt(module: Module, definition: Function) -> str | None:
    """Return what the definition does beyond making a directory and returning its path."""
    if definition.decorator_list or isinstance(definition, ast.AsyncFunctionDef):
        return "it is no plain function"
    if [argument.arg for argument in all_arguments(definition.args)] != ["name_prefix"]:
        return "its parameters are others"
    for statement in definition.body:
        if not _is_usual(module, statement):
            return f"line {statement.lineno} does something of its own"
    if any(_asks_for_more_of(module, use) for use, _ in module.loads(HELPER, module.top)):
        return "one of its uses is not a plain call"
    return None


def _is_usual(module: Module, statement: ast.stmt) -> bool:
    """Tell whether a statement is of those that the helper is made of."""
    match statement:
        case ast.Assign() | ast.AnnAssign() | ast.Expr(value=ast.Constant()):
            usual = True
        case ast.Return(value=ast.Name() | ast.BinOp()):
            usual = True
        case ast.Expr(value=ast.Call() as call):
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            usual = method in ("mkdir", "makedirs")
        case _:
            usual = False
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return usual and all(_is_usual_call(module, call) for call in calls)


def _is_usual_call(module: Module, call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("mkdir", "joinpath"):
        return True
    return not module.dotted(call.func).isdisjoint(_USUAL_CALLS)


def _asks_for_more_of(module: Module, use: ast.Name) -> bool:
    call = module.parents[use]
    plain = isinstance(call, ast.Call) and call.func is use and not module.is_in_f_string(use)
    return not plain or (isinstance(call, ast.Call) and _asks_for_more(call))
