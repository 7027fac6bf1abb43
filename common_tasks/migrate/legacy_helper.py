"""T1: the guide's helper `get_temp_dir(…)` becomes `get_debug_temp_dir`; its own definition goes.

A function of that name is the guide's only if its body does the same: a fresh `.tmp/<name_prefix>_<time>` each time.
"""

import ast
from collections.abc import Iterator

from ..temp.layout import INSIDE as BASES
from .base_paths import is_text, seen, stamped
from .finding import Doubt, Drop, Finding, Replace
from .names import Function, Module, parameters
from .repository import Program, Repository
from .surroundings import conclude, looked_for

CODE = "T1"
HELPER = "get_temp_dir"
NEW = "get_debug_temp_dir"
_PLAIN = frozenset({"pathlib.Path", "time.time", "builtins.int", "builtins.str", "os.path.join"})
_HOMES = (("common_tasks",), ("common_tasks", "temp"), ("common", "temp"))
_Use = ast.Name | ast.Attribute


def check(program: Program) -> Iterator[Finding]:
    """Yield the uses of the helper, and a definition of it."""
    module, definition, same = program.module, find_definition(program.module), _find_same(program.module)
    words = {HELPER, *(helper.rpartition(".")[2] for helper in program.helpers)}
    mentioned = any(word in module.text for word in words)
    for use in module.all(ast.Name) + module.all(ast.Attribute) if mentioned else ():
        if isinstance(use.ctx, ast.Load) and _is_helper(program, use, same):
            yield _use(program, use)
    if definition:
        yield _definition(program, definition)


def find_helpers(repository: Repository) -> set[str]:
    """Return the dotted names, as seen from the root, under which the programs define the guide's helper."""
    defining = (path for path, text in repository.texts.items() if f"def {HELPER}" in text)
    modules = [(path, module) for path in defining if (module := repository.classes.read(path))]
    paths = (path.relative_to(repository.root).with_suffix("") for path, module in modules if _find_same(module))
    return {".".join([*path.parts, HELPER]) for path in paths}


def find_definition(module: Module) -> Function | None:
    """Return the function of the helper's name that makes a directory in `.tmp` or `.temp`."""
    for statement in module.tree.body:
        if isinstance(statement, Function) and statement.name == HELPER:
            constants = {node.value for node in ast.walk(statement) if isinstance(node, ast.Constant)}
            attributes = {node.attr for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
            if not constants.isdisjoint(BASES) and not attributes.isdisjoint({"mkdir", "makedirs"}):
                return statement
    return None


def _find_same(module: Module) -> Function | None:
    """Return the function of the helper's name if it is the guide's."""
    definition = find_definition(module)
    return definition if definition and not why_different(module, definition) else None


def _is_helper(program: Program, use: _Use, definition: Function | None) -> bool:
    module = program.module
    if isinstance(use, ast.Name) and definition and module.scope_of(use) is module.top:
        return [binding.node for binding in module.top.bindings.get(use.id, [])] == [definition]
    return any(_is_legacy(program, name) for name in module.dotted(use))


def _is_legacy(program: Program, dotted: str) -> bool:
    plain = dotted.lstrip(".")
    if "." in plain and any(f".{helper}".endswith(f".{plain}") for helper in program.helpers):
        return True
    *home, name = plain.split(".")
    # If a module of the repository hides ours, only what is among the helpers is the guide's.
    hidden = bool(program.repository.shadows)
    return not hidden and name == HELPER and any(tuple(home[-len(known) :]) == known for known in _HOMES)


def _use(program: Program, use: _Use) -> Finding:
    module, call = program.module, program.module.parents[use]
    finding = program.report(use, CODE, HELPER)
    if not isinstance(call, ast.Call) or call.func is not use:
        reason = f"it is passed on here, not called: pass {NEW}, or TempManager.create_persistent_dir"
        return finding.concluded([Doubt(reason, final=True)])
    named = bool(call.args or call.keywords)
    old, new = (use, NEW) if named else (call, f'{NEW}("temp")')
    finding = finding._replace(
        message=f"{HELPER}: {f'{NEW}(…)' if named else new}",
        edits=(Replace(module.place(old), module.segment(old), new),),
        imports=(NEW,),
        last_line=call.end_lineno or 0,
    )
    return conclude(
        program, call, finding, _doubts(program, use, call), looked_for(program, f"{_given(call) or '*'}_*")
    )


def _given(call: ast.Call) -> str | None:
    """Return the name that a call gives, `*` if it is not written out; None if it gives anything else."""
    match [*call.args, *call.keywords]:
        case []:
            return "temp"
        case [ast.keyword(arg="name_prefix", value=name)] | [ast.expr() as name] if not isinstance(name, ast.Starred):
            return name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else "*"
    return None


def _doubts(program: Program, use: _Use, call: ast.Call) -> Iterator[Doubt]:
    module = program.module
    if not all(_is_legacy(program, origin) for origin in module.dotted(use) if not origin.startswith("builtins.")):
        yield Doubt("it may also come from another import", final=True)
    if module.is_in_f_string(use):
        yield Doubt(f"it is called in an f-string: call {NEW} before it", final=True)
    if _given(call) is None:
        yield Doubt(f"it is called with arguments that {NEW}(name_prefix) does not take", final=True)
    match module.parents[call]:
        case ast.Assign(targets=[ast.Name() as name]):
            yield from seen(module, module.uses(name))
        case _:
            yield from seen(module, [call])


def is_definition(finding: Finding) -> bool:
    """Tell whether a finding takes the helper's definition out."""
    return finding.code == CODE and any(isinstance(edit, Drop) for edit in finding.edits)


def _definition(program: Program, definition: Function) -> Finding:
    module = program.module
    message = f"{HELPER} is defined here; the engine has it, and {NEW} in its place"
    finding = program.report(definition, CODE, message)._replace(last_line=definition.lineno)
    if reason := why_different(module, definition):
        message = f"{HELPER} is not the guide's: {reason}; where each call should have its own directory, use {NEW}"
        return finding._replace(message=message)
    return finding._replace(edits=(Drop(module.place(definition)),)).concluded(looked_for(program, "*_*"))


def why_different(module: Module, definition: Function) -> str | None:
    """Return how a definition differs from the guide's helper; None if it does the same."""
    if definition.decorator_list or isinstance(definition, ast.AsyncFunctionDef):
        return f"line {definition.lineno} is not a plain function"
    if parameters(definition) != ["name_prefix"]:
        return "its parameters are different"
    *steps, last = definition.body
    if odd := next((step for step in steps if not _is_step(module, step)), None):
        return f"line {odd.lineno} does something of its own"
    value = last.value if isinstance(last, ast.Return) else None
    value = module.value_of(value) if isinstance(value, ast.Name) else value
    time = stamped(module, value) if value and not is_text(module, value) else None
    if time and isinstance(time.prefix, ast.Name) and time.prefix.id == "name_prefix":
        return None
    return f"line {last.lineno} does not return .tmp/<name_prefix>_<time>"


def _is_step(module: Module, statement: ast.stmt) -> bool:
    """Tell whether a statement is one of those that the helper consists of."""
    match statement:
        case (
            ast.Expr(value=ast.Constant())
            | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="mkdir")))
        ):
            return True
        case ast.Assign(targets=[ast.Name()], value=value):
            calls = [node for node in ast.walk(value) if isinstance(node, ast.Call)]
            return all(not module.dotted(call.func).isdisjoint(_PLAIN) for call in calls)
        case ast.Expr(value=ast.Call() as call):
            return module.is_call_of(call, "os.makedirs", "os.mkdir")
    return False
