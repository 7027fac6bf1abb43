"""T5: a directory that a unittest test case removes: by `addCleanup`, or in the tear-down that matches the set-up."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from .classes import Definition
from .finding import Doubt, Drop
from .names import Function, parameters, stand_alone
from .paths import Plan
from .removal import Made, hidden_errors, is_registered, is_removal, lend, may_look, seen_late, sounds_like_removal
from .repository import Program

_TEST_CASES = frozenset(
    {
        *("unittest.TestCase", "unittest.IsolatedAsyncioTestCase", "unittest.case.TestCase"),
        *(f"django.test.{name}" for name in ("SimpleTestCase", "TestCase", "TransactionTestCase")),
    }
)
_TEAR_DOWNS = {"setUp": "tearDown", "asyncSetUp": "asyncTearDown", "setUpClass": "tearDownClass"}
_TORN_DOWN = frozenset({*_TEAR_DOWNS.values(), "doCleanups", "doClassCleanups"})


class _Removal(NamedTuple):
    """The statement that removes a directory, what comes after it, and what runs between making and removing.

    `may_go`: the method that it is in may be removed, too, if nothing else is left there.
    """

    statement: ast.stmt
    late: tuple[ast.stmt, ...]
    meanwhile: tuple[ast.AST, ...]
    may_go: bool = False


def plan(program: Program, made: Made) -> Plan | None:
    """Plan for a directory that a method makes and `addCleanup` or the tear-down removes; None if neither does."""
    functions = (parent for parent in program.module.above(made.call) if isinstance(parent, Function))
    for method in functions:
        holder = program.module.parents[method]
        if isinstance(holder, ast.ClassDef) and made.is_given_once(program.module):
            return _plan(program, made, Definition(program.file, program.module, holder), method)
    return None


def _plan(program: Program, made: Made, this: Definition, method: Function) -> Plan | None:
    module, owner = program.module, (parameters(method) or [""])[0]
    kind = "Class" if method.name == "setUpClass" else ""
    registered = _find_registered(program, made, f"{owner}.add{kind}Cleanup")
    removal = registered or _find_torn_down(program, made, this, method)
    if removal is None or not stand_alone(module, [removal.statement]):
        return None
    doubts = [*_not_test_case(program, this), *hidden_errors(program, removal.statement)]
    doubts += [*seen_late(program, removal.late), *_seen_by_cleanups(program, removal)]
    if isinstance(made.target, ast.Attribute):
        doubts += _dealt_with_again(program, this, made, removal.statement)
    lent = lend(program, made, f"{owner}.enter{kind}Context", removal.statement)
    drop = Drop(module.place(removal.statement), with_method=removal.may_go)
    return lent._replace(edits=(*lent.edits, drop), doubts=tuple(doubts))


def _find_registered(program: Program, made: Made, method: str) -> _Removal | None:
    """Return what registers the removal of a directory, after its making and in the same block."""
    after = program.module.following(made.statement)
    for number, statement in enumerate(after):
        if is_registered(program, statement, made.name, method):
            return _Removal(statement, (), tuple(after[:number]))
    return None


def _find_torn_down(program: Program, made: Made, this: Definition, method: Function) -> _Removal | None:
    """Return the removal, in the tear-down, of what the set-up gave to an attribute."""
    down = this.method(_TEAR_DOWNS.get(method.name, ""))
    owner, _, attribute = made.name.partition(".")
    if down is None or parameters(method)[:1] != [owner] or made.statement not in method.body:
        return None
    name = f"{(parameters(down) or [''])[0]}.{attribute}"
    for number, statement in enumerate(down.body):
        if is_removal(program, statement, name):
            may_go = _inherits_the_same(program, this, down)
            return _Removal(statement, tuple(down.body[number + 1 :]), (this.node,), may_go)
    return None


def _seen_by_cleanups(program: Program, removal: _Removal) -> Iterator[Doubt]:
    """Yield what is registered meanwhile and may look for the directory: today it runs after the removal."""
    for call in (node for each in removal.meanwhile for node in ast.walk(each) if isinstance(node, ast.Call)):
        registers = isinstance(call.func, ast.Attribute) and call.func.attr in ("addCleanup", "addClassCleanup")
        if registers and call.args and may_look(program, call.args[0]):
            yield Doubt(f"line {call.lineno} registers what may look for the directory before its removal")


def _not_test_case(program: Program, this: Definition) -> Iterator[Doubt]:
    """Yield a doubt if a class is not known to derive from unittest's TestCase."""
    classes = program.repository.classes
    if all(_TEST_CASES.isdisjoint(classes.bases(each)) for each in (this, *classes.ancestors(this))):
        yield Doubt(f"cannot tell that {this.node.name} derives from unittest.TestCase, which has enterContext")


def _inherits_the_same(program: Program, this: Definition, method: Function) -> bool:
    """Tell whether a test case does the same without a method that is idle, or that calls the one above.

    It does not if the method of another class would take its place: one above, or beside it in a class below.
    """
    if any(ast.unparse(each) == f"super().{method.name}()" for each in method.body):
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
            if isinstance(node, ast.expr) and _deals_with(node, attribute):
                yield Doubt(f"{each.path.name} line {node.lineno} sets or removes {attribute}, too")


def _deals_with(node: ast.AST, attribute: str) -> bool:
    match node:
        case ast.Attribute(attr=attr, ctx=ast.Store() | ast.Del()):
            return attr == attribute
        case ast.Call(func=ast.Attribute(value=ast.Name(), attr=attr), args=[]) if attr in _TORN_DOWN:
            return True  # by hand: it tears down what it set up, in the middle of a test
        case ast.Call(args=args) if sounds_like_removal(ast.unparse(node)):
            return any(isinstance(given, ast.Attribute) and given.attr == attribute for given in args)
    return False
