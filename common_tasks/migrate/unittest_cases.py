"""T5: a directory that a test case of unittest's removes: by `addCleanup`, or in the tear-down of its set-up."""

import ast
from collections.abc import Iterator, Sequence

from .classes import Definition
from .finding import Doubt, Drop, Edit, Replace
from .names import Function, Module, parameters, stand_alone
from .naming import maker
from .paths import Renamed, give_path
from .program import Program
from .removal import (
    Made,
    Plan,
    hidden_errors,
    is_registered,
    is_removal,
    may_remove,
    names_from,
    plain_name,
    seen_late,
)

_TEST_CASES = frozenset(
    {
        *("unittest.TestCase", "unittest.IsolatedAsyncioTestCase", "unittest.case.TestCase"),
        *(f"django.test.{name}" for name in ("SimpleTestCase", "TestCase", "TransactionTestCase")),
    }
)
_TEAR_DOWNS = {"setUp": "tearDown", "asyncSetUp": "asyncTearDown", "setUpClass": "tearDownClass"}


def plan(program: Program, made: Made) -> Plan | None:
    """Plan for a directory that a method makes and `addCleanup` or the tear-down removes; None without that."""
    method = _method_around(program.module, made.call)
    holder = program.module.parents[method] if method else None
    if method is None or not isinstance(holder, ast.ClassDef):
        return None
    this = Definition(program.file, program.module, holder)
    if isinstance(made.target, ast.Attribute):
        return _plan_attribute(program, made, this, method)
    return _plan_name(program, made, made.target, this, method)


def _method_around(module: Module, node: ast.AST) -> Function | None:
    functions = (parent for parent in module.above(node) if isinstance(parent, Function))
    return next((each for each in functions if isinstance(module.parents[each], ast.ClassDef)), None)


def _plan_name(program: Program, made: Made, name: ast.Name, this: Definition, method: Function) -> Plan | None:
    module, scope = program.module, program.module.scope_of(name)
    body, owner = module.body_of(made.statement), (parameters(method) or [""])[0]
    gone = next((each for each in body if is_registered(program, each, name.id, f"{owner}.addCleanup")), None)
    if gone is None or scope is None or len(scope.bindings[name.id]) > 1:
        return None
    loads = [load for load, _ in module.loads(name.id, scope) if not module.within([gone], load)]
    renamed = Renamed(name.id) if made.is_path else give_path(module, [body[body.index(made.statement) :]], name, loads)
    doubts = [*_not_test_case(program, this), *hidden_errors(program, gone)]
    doubts += _seen_by_cleanups(this, _between(body, made, gone), {name.id}, gone)
    return _entered(program, made, renamed, f"{owner}.enterContext", Drop(module.place(gone)), doubts)


def _plan_attribute(program: Program, made: Made, this: Definition, method: Function) -> Plan | None:
    module, owner = program.module, (parameters(method) or [""])[0]
    if plain_name(made.target).partition(".")[0] != owner or made.statement not in method.body:
        return None
    kind = "Class" if method.name == "setUpClass" else ""
    removal = f"{owner}.add{kind}Cleanup"
    gone = next((each for each in method.body if is_registered(program, each, made.name, removal)), None)
    down = this.method(_TEAR_DOWNS.get(method.name, ""))
    own = f"{(parameters(down) or [''])[0]}.{made.name.partition('.')[2]}" if down else ""
    dropped = gone or next((each for each in (down.body if down else ()) if is_removal(program, each, own)), None)
    if dropped is None or not stand_alone(module, [dropped]):
        return None
    names = names_from(made.name, [this.node]) | {own}
    late = down.body[down.body.index(dropped) + 1 :] if down and not gone else []
    doubts = [*_not_test_case(program, this), *hidden_errors(program, dropped)]
    doubts += _dealt_with_again(program, this, made, dropped)
    doubts += seen_late(module, late, names)
    doubts += _seen_by_cleanups(this, _between(method.body, made, gone) if gone else [this.node], names, dropped)
    drop = Drop(module.place(dropped), with_method=not gone and _inherits_the_same(program, this, down))
    renamed = Renamed(made.name) if made.is_path else None  # what else is done with the attribute may need text
    return _entered(program, made, renamed, f"{owner}.enter{kind}Context", drop, doubts)


def _entered(
    program: Program, made: Made, renamed: Renamed | None, enter: str, drop: Drop, doubts: Sequence[Doubt]
) -> Plan:
    """Return the plan that has a test case enter the directory: as a path, or as text where some use may need that."""
    module = program.module
    path = renamed if renamed and not renamed.texts else None
    name = path.name if path else made.name
    code = f"{enter}({maker(program, made.call, name.rpartition('.')[2])})"
    edits: list[Edit] = [drop, *(path.edits if path else ())]
    new = {made.statement.value: code if path else f"str({code})", made.target: name}
    edits += [Replace(module.place(old), module.segment(old), text) for old, text in new.items()]
    return Plan(code, tuple(edits), tuple(doubts))


def _between(body: list[ast.stmt], made: Made, gone: ast.stmt) -> list[ast.stmt]:
    """Return the statements between the making of a directory and what registers its removal."""
    return body[body.index(made.statement) + 1 : body.index(gone)]


def _seen_by_cleanups(this: Definition, nodes: Sequence[ast.AST], names: set[str], gone: ast.stmt) -> Iterator[Doubt]:
    """Yield what is registered in `nodes` that may look for the directory: today it runs after the removal."""
    for call in (inner for each in nodes for inner in ast.walk(each) if isinstance(inner, ast.Call)):
        registers = isinstance(call.func, ast.Attribute) and call.func.attr in ("addCleanup", "addClassCleanup")
        if not registers or call.lineno == gone.lineno or _only_closes(call):
            continue
        mentioned = {plain_name(node) for each in call.args for node in ast.walk(each)}
        if not names.isdisjoint(mentioned) or any(this.method(name.partition(".")[2]) for name in mentioned):
            yield Doubt(f"line {call.lineno} registers what may look for the directory before its removal")


def _only_closes(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Attribute) and call.args[0].attr == "close"


def _not_test_case(program: Program, this: Definition) -> Iterator[Doubt]:
    """Yield a doubt where a class is not known to derive from TestCase of unittest's."""
    classes = program.repository.classes
    if all(_TEST_CASES.isdisjoint(classes.bases(each)) for each in (this, *classes.ancestors(this))):
        yield Doubt(f"cannot tell that {this.node.name} derives from unittest.TestCase, which has enterContext")


def _inherits_the_same(program: Program, this: Definition, method: Function | None) -> bool:
    """Tell whether a test case without a method does what it does with one that is idle, or calls the one above.

    It does not where the method of another class would take its place: one above, or beside it in a class below.
    """
    if method is None or any(ast.unparse(each) == f"super().{method.name}()" for each in method.body):
        return True
    classes = program.repository.classes
    above = list(classes.ancestors(this))
    known = all(base in _TEST_CASES or base in above for each in (this, *above) for base in classes.bases(each))
    alone = all(len(classes.bases(each)) == 1 for each in classes.descendants(this.node.name))
    return known and alone and not any(each.method(method.name) for each in above)


def _dealt_with_again(program: Program, this: Definition, made: Made, dropped: ast.stmt) -> Iterator[Doubt]:
    """Yield where the class, or one above or below it, sets or removes the same attribute once more."""
    attribute = made.name.rpartition(".")[2]
    known = {made.target, *ast.walk(dropped)}
    for each in (this, *program.repository.classes.relatives(this)):
        for node in (inner for inner in ast.walk(each.node) if inner not in known):
            if isinstance(node, ast.expr) and _deals_with(each.module, node, attribute):
                yield Doubt(f"{each.path.name} line {node.lineno} sets or removes {attribute}, too")


def _deals_with(module: Module, node: ast.AST, attribute: str) -> bool:
    match node:
        case ast.Attribute(attr=attr, ctx=ast.Store() | ast.Del()):
            return attr == attribute
        case ast.Call(args=args) if may_remove(module, node):
            return any(isinstance(given, ast.Attribute) and given.attr == attribute for given in args)
    return False
