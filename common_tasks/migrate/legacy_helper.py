"""T1: the guide's helper `get_temp_dir(…)` becomes `get_debug_temp_dir`; its own definition goes.

A function of that name is the guide's only if its body does the same: a fresh `.tmp/<name_prefix>_<time>` each time.
"""

import ast
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from . import surroundings
from .base_paths import BASES, LISTERS, is_text, stamped, value_of
from .classes import Classes
from .finding import Doubt, Drop, Finding, ReplaceExpression, conclude
from .names import Function, Module, all_arguments
from .surroundings import Program

CODE = "T1"
HELPER = "get_temp_dir"
NEW = "get_debug_temp_dir"
_PLAIN = frozenset({"pathlib.Path", "time.time", "builtins.int", "builtins.str", "os.path.join"})
_HOMES = (("common_tasks",), ("common_tasks", "temp"), ("common", "temp"))


def check(program: Program) -> Iterator[Finding]:
    """Yield the uses of the helper, and a definition of it."""
    definition = find_definition(program.module)
    same = definition if definition and not why_different(program.module, definition) else None
    for name in _uses(program, same):
        yield _use(program, name)
    if definition:
        yield _definition(program, definition)


def find_helpers(classes: Classes, texts: Mapping[Path, str]) -> set[str]:
    """Return the dotted names, as seen from the root, of the guide's helper where the programs define it."""
    defining = {path: classes.read(path) for path, text in texts.items() if f"def {HELPER}" in text}
    return {
        ".".join([*path.relative_to(classes.root).with_suffix("").parts, HELPER])
        for path, module in defining.items()
        if module and (definition := find_definition(module)) and not why_different(module, definition)
    }


def find_definition(module: Module) -> Function | None:
    """Return the function of the helper's name that makes a directory in `.tmp` or `.temp`."""
    for statement in module.tree.body:
        if isinstance(statement, Function) and statement.name == HELPER and _makes_in_base(statement):
            return statement
    return None


def _makes_in_base(function: Function) -> bool:
    constants = {node.value for node in ast.walk(function) if isinstance(node, ast.Constant)}
    attributes = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return not constants.isdisjoint(BASES) and not attributes.isdisjoint({"mkdir", "makedirs"})


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
    # What a module of the repository's own has is the guide's only if it is among the helpers.
    return not program.hidden and name == HELPER and any(tuple(home[-len(known) :]) == known for known in _HOMES)


def _use(program: Program, name: ast.Name | ast.Attribute) -> Finding:
    module = program.module
    call = module.parents[name]
    finding = program.report(name, CODE, HELPER)._replace(group=HELPER)
    if not isinstance(call, ast.Call) or call.func is not name:
        reason = f"it is passed on here, not called: pass {NEW}, or TempManager.create_persistent_dir"
        return conclude(finding, [Doubt(reason, final=True)])
    edit = _edit(module, name, call)
    finding = finding._replace(
        message=f"{HELPER}: {edit.code if not call.args and not call.keywords else NEW + '(…)'}",
        edits=(edit,),
        imports=(NEW,),
        last_line=call.end_lineno or 0,
        removes=(f".tmp/{_given(call)}_*",),
    )
    return conclude(finding, chain(_call_doubts(program, name, call), surroundings.doubts(program, call)))


def _given(call: ast.Call) -> str:
    """Return the name that a call gives, as far as it is written out."""
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    match given:
        case [ast.Constant(value=str(name))]:
            return name
    return "*" if given else "temp"


def _call_doubts(program: Program, name: ast.Name | ast.Attribute, call: ast.Call) -> Iterator[Doubt]:
    module = program.module
    if not all(_is_legacy(program, origin) for origin in module.dotted(name) if not origin.startswith("builtins.")):
        yield Doubt("it may also come from another import", final=True)
    if module.is_in_f_string(name):
        yield Doubt(f"it is called in an f-string: call {NEW} before it", final=True)
    if any(base in text for text in module.strings for base in BASES):
        for node in module.attributes:
            if node.attr in LISTERS:
                yield Doubt(f"line {node.lineno} lists a folder, and may look for it there")
    if _asks_for_more(call):
        yield Doubt(f"it is called with arguments that {NEW}(name_prefix) does not take", final=True)


def _asks_for_more(call: ast.Call) -> bool:
    starred = any(isinstance(argument, ast.Starred) for argument in call.args)
    others = any(keyword.arg != "name_prefix" for keyword in call.keywords)
    return starred or others or len(call.args) + len(call.keywords) > 1


def _edit(module: Module, name: ast.Name | ast.Attribute, call: ast.Call) -> ReplaceExpression:
    if call.args or call.keywords:
        return ReplaceExpression(module.place(name), module.segment(name), NEW)
    return ReplaceExpression(module.place(call), module.segment(call), f'{NEW}("temp")')


def _definition(program: Program, definition: Function) -> Finding:
    module = program.module
    message = f"{HELPER} is defined here; the engine has it, and {NEW} in its place"
    finding = program.report(definition, CODE, message)._replace(
        edits=(Drop(module.place(definition)),),
        last_line=definition.lineno,
        removes=(HELPER, ".tmp/*_*"),
        group=HELPER,
    )
    if reason := why_different(module, definition):
        message = f"{HELPER} is not the guide's: {reason}; where each call should have its own directory, use {NEW}"
        return conclude(finding._replace(message=message, edits=()), ())
    uses = (use for use, _ in module.loads(HELPER, module.top))
    doubts = (Doubt(f"line {use.lineno} is not a plain call", final=True) for use in uses if _is_odd(module, use))
    return conclude(finding, doubts)


def _is_odd(module: Module, use: ast.Name) -> bool:
    call = module.parents[use]
    return not (isinstance(call, ast.Call) and call.func is use) or module.is_in_f_string(use) or _asks_for_more(call)


def why_different(module: Module, definition: Function) -> str | None:
    """Return where a definition does anything else than the guide's helper; None where it does the same."""
    if definition.decorator_list or isinstance(definition, ast.AsyncFunctionDef):
        return f"line {definition.lineno} is not a plain function"
    if [argument.arg for argument in all_arguments(definition.args)] != ["name_prefix"]:
        return "its parameters are different"
    for statement in definition.body[:-1]:
        if not _is_step(module, statement):
            return f"line {statement.lineno} does something of its own"
    last = definition.body[-1]
    if not (isinstance(last, ast.Return) and last.value and _is_fresh(module, last.value)):
        return f"line {last.lineno} does not return .tmp/<name_prefix>_<time>"
    return None


def _is_step(module: Module, statement: ast.stmt) -> bool:
    """Tell whether a statement is of those that the helper is made of."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name()], value=value):
            calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
            return all(not module.dotted(call.func).isdisjoint(_PLAIN) for call in calls)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="mkdir"))):
            return True
        case ast.Expr(value=ast.Call() as call):
            return module.is_call_of(call, "os.makedirs", "os.mkdir")
    return False


def _is_fresh(module: Module, returned: ast.expr) -> bool:
    value = value_of(module, returned) if isinstance(returned, ast.Name) else returned
    time = stamped(module, value) if value and not is_text(module, value) else None
    return time is not None and isinstance(time.prefix, ast.Name) and time.prefix.id == "name_prefix"
