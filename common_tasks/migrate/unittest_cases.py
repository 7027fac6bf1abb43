"""T5: a directory that a test case of unittest's removes: by `addCleanup`, or in the tear-down of its set-up."""

import ast
from collections.abc import Iterator, Sequence

from .aliases import Renamed, give_path
from .classes import Definition
from .cleanups import Made, Plan
from .finding import Doubt, Drop, ReplaceStatement
from .names import Function, Module
from .naming import maker
from .removal import (
    hidden_errors,
    is_registered,
    is_removal,
    names_from,
    plain_name,
    removes_attribute,
    seen_late,
)
from .sub_folders import body_of, stand_alone
from .surroundings import Program, parameters

_TEST_CASES = frozenset(
    {
        *("unittest.TestCase", "unittest.IsolatedAsyncioTestCase", "unittest.case.TestCase"),
        *(f"django.test.{name}" for name in ("SimpleTestCase", "TestCase", "TransactionTestCase")),
    }
)
_TEAR_DOWNS = {"setUp": "tearDown", "asyncSetUp": "asyncTearDown", "setUpClass": "tearDownClass"}


def plan_name(program: Program, made: Made, name: ast.Name) -> Plan | None:
    """Plan for a directory that a name of a function stands for, and `addCleanup` removes; None without that."""
    module = program.module
    scope, body = module.scope_of(name), body_of(module, made.statement)
    if scope is None or len(scope.bindings[name.id]) > 1 or not body:
        return None
    holder = _class_around(module, made.call)
    owner = _owner(module, made.call)
    gone = next((each for each in body if is_registered(program, each, name.id, f"{owner}.addCleanup")), None)
    if gone is None or not owner:
        return None
    loads = [load for load, _ in module.loads(name.id, scope) if gone not in module.above(load)]
    after = body[body.index(made.statement) :]
    path = Renamed(name.id) if made.is_path else give_path(module, [after], name, loads)
    seen = _seen_by_cleanups(None, _between(body, made, gone), {name.id}, gone)
    doubts = (*_not_test_case(program, holder), *hidden_errors(program, gone), *seen)
    return _entered(program, made, path, f"{owner}.enterContext", (Drop(module.place(gone)),), doubts)


def plan_attribute(program: Program, made: Made, target: ast.Attribute) -> Plan | None:
    """Plan for a directory that an attribute of a test case stands for; None without a removal of its own."""
    module, function = program.module, program.module.function_of(made.call)
    holder, owner = _class_around(module, made.call), _owner(module, made.call)
    if function is None or holder is None or ast.unparse(target.value) != owner or made.statement not in function.body:
        return None
    this = Definition(program.file, module, holder)
    for_class = function.name == "setUpClass"
    method = f"{owner}.{'addClassCleanup' if for_class else 'addCleanup'}"
    gone = next((each for each in function.body if is_registered(program, each, made.name, method)), None)
    down = next((each for each in this.methods if each.name == _TEAR_DOWNS.get(function.name)), None)
    own = f"{(parameters(down) or [''])[0]}.{target.attr}" if down else ""
    dropped = gone or next((each for each in (down.body if down else ()) if is_removal(program, each, own)), None)
    if dropped is None or not stand_alone(module, [dropped]) or _is_dealt_with_again(holder, module, made, dropped):
        return None
    doubts = [*_not_test_case(program, holder), *hidden_errors(program, dropped)]
    doubts += _relatives_meddle(program, holder, target.attr)
    late = down.body[down.body.index(dropped) + 1 :] if down and not gone else []
    names = names_from(made.name, [holder]) | {own}
    doubts += seen_late(module, late, names)
    doubts += _seen_by_cleanups(this, _between(function.body, made, gone) if gone else [holder], names, dropped)
    edit = Drop(module.place(dropped), with_rest=not gone and _inherits_the_same(program, this, down))
    enter = f"{owner}.{'enterClassContext' if for_class else 'enterContext'}"
    path = Renamed(made.name) if made.is_path else None  # what else is done with the attribute may need text
    return _entered(program, made, path, enter, (edit,), tuple(doubts))


def _entered(
    program: Program, made: Made, path: Renamed | None, enter: str, drops: tuple[Drop, ...], doubts: tuple[Doubt, ...]
) -> Plan:
    """Return the plan that has a test case enter the directory: as a path, or as text where some use may need that."""
    as_path = path if path and not path.texts else None
    name = as_path.name if as_path else made.name
    code = f"{enter}({maker(program, made.call, name.rpartition('.')[2])})"
    edit = ReplaceStatement(program.module.place(made.statement), f"{name} = {code if as_path else f'str({code})'}")
    return Plan(code, (edit, *drops, *(as_path.edits if as_path else ())), doubts)


def _between(body: list[ast.stmt], made: Made, gone: ast.stmt) -> list[ast.stmt]:
    """Return the statements between the making of a directory and what registers its removal."""
    return body[body.index(made.statement) + 1 : body.index(gone)] if gone in body else []


def _seen_by_cleanups(
    this: Definition | None, nodes: Sequence[ast.AST], names: set[str], gone: ast.stmt
) -> Iterator[Doubt]:
    """Yield what is registered in `nodes` that may look for the directory: today it runs after the removal."""
    methods = {f"self.{each.name}": each for each in (this.methods if this else ())}
    for call in (inner for each in nodes for inner in ast.walk(each) if isinstance(inner, ast.Call)):
        registers = isinstance(call.func, ast.Attribute) and call.func.attr in ("addCleanup", "addClassCleanup")
        if registers and call.lineno != gone.lineno and not _only_closes(call):
            called = [*call.args, *(methods[name] for name in map(ast.unparse, call.args) if name in methods)]
            if any(plain_name(node) in names for each in called for node in ast.walk(each)):
                yield Doubt(f"line {call.lineno} registers what may look for the directory before its removal")
                return


def _only_closes(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Attribute) and call.args[0].attr == "close"


def _class_around(module: Module, node: ast.AST) -> ast.ClassDef | None:
    return next((parent for parent in module.above(node) if isinstance(parent, ast.ClassDef)), None)


def _owner(module: Module, node: ast.AST) -> str:
    """Return the name by which the method around a node knows its test case; empty where there is none."""
    functions = (parent for parent in module.above(node) if isinstance(parent, Function))
    method = next((each for each in functions if isinstance(module.parents[each], ast.ClassDef)), None)
    return (parameters(method) or [""])[0] if method else ""


def _not_test_case(program: Program, holder: ast.ClassDef | None) -> Iterator[Doubt]:
    """Yield a doubt where neither the class around is known to be a TestCase of unittest's nor all below it."""
    this = Definition(program.file, program.module, holder) if holder else None
    if this and _is_test_case(program, this):
        return
    below = list(program.classes.descendants(holder.name)) if holder and not holder.bases else []
    if not below or not all(_is_test_case(program, each) for each in below):
        name = holder.name if holder else "the function"
        yield Doubt(f"cannot tell that {name} derives from unittest.TestCase, which has enterContext")


def _is_test_case(program: Program, this: Definition) -> bool:
    above = program.classes.ancestors(this)
    return any(base in _TEST_CASES for each in above for base in program.classes.bases(each))


def _inherits_the_same(program: Program, this: Definition, method: Function | None) -> bool:
    """Tell whether a test case without a method does what it does with one that is idle, or calls the one above.

    It does not where the method of another class would take its place: one above, or beside it in a class below.
    """
    if method is None or any(ast.unparse(each) == f"super().{method.name}()" for each in method.body):
        return True
    above = list(program.classes.ancestors(this))
    bases = [found for each in above for found in program.classes.bases(each)]
    known = all(isinstance(base, Definition) or base in _TEST_CASES for base in bases)
    alone = all(len(program.classes.bases(each)) == 1 for each in program.classes.descendants(this.node.name))
    inherited = any(other.name == method.name for each in above[1:] for other in each.methods)
    return bool(bases) and known and alone and not inherited


def _relatives(program: Program, holder: ast.ClassDef) -> Iterator[Definition]:
    """Yield the classes that share their attributes with one: those above it, and those that may derive from it."""
    own = Definition(program.file, program.module, holder)
    yield from (each for each in program.classes.ancestors(own) if each.node is not holder)
    for each in program.classes.descendants(holder.name):
        if each.path != program.file:
            yield each
    names = {each.node.name for each in program.classes.descendants(holder.name) if each.path == program.file}
    for node in program.module.nodes:
        if isinstance(node, ast.ClassDef) and node.name in names:
            yield own._replace(node=node)


def _relatives_meddle(program: Program, holder: ast.ClassDef, attribute: str) -> Iterator[Doubt]:
    """Yield where a class above or below sets or removes the same attribute."""
    for each in _relatives(program, holder):
        for node in ast.walk(each.node):
            sets = isinstance(node, ast.Attribute) and node.attr == attribute and not isinstance(node.ctx, ast.Load)
            if sets or (isinstance(node, ast.Call) and removes_attribute(each.module, node, attribute)):
                yield Doubt(f"{each.path.name} line {node.lineno} sets or removes {attribute}, too")  # type: ignore[attr-defined]
                return


def is_removed_by_relatives(program: Program, holder: ast.ClassDef, statement: ast.AST) -> bool:
    """Tell whether a class above or below may remove what a statement gives to an attribute."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    named = [target.attr for target in targets if isinstance(target, ast.Attribute)]
    return any(
        removes_attribute(each.module, node, attribute)
        for attribute in named
        for each in _relatives(program, holder)
        for node in ast.walk(each.node)
        if isinstance(node, ast.Call)
    )


def _is_dealt_with_again(holder: ast.ClassDef, module: Module, made: Made, dropped: ast.stmt) -> bool:
    """Tell whether a class sets an attribute in another place, too, or removes what it names."""
    attribute = made.name.rpartition(".")[2]
    gone = set(ast.walk(dropped))
    for node in ast.walk(holder):
        if isinstance(node, ast.Attribute) and node.attr == attribute and not isinstance(node.ctx, ast.Load):
            if node is not made.target:
                return True
        elif isinstance(node, ast.Call) and node not in gone and removes_attribute(module, node, attribute):
            return True
    return False
