"""T5: `tempfile.mkdtemp` becomes `temp_working_dir` where its own removal is proved, and nothing else removes it.

The removal is that of a `finally`, of a fixture after its `yield`, of `addCleanup`, or of `tearDown`. What some other
code removes is left as it is; where no removal is found at all, a person is told what was looked for.
"""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from . import surroundings
from .blocks import ONE, given_prefix, refused_arguments
from .finding import Doubt, Drop, Edit, Finding, Left, ReplaceStatement, TryToWith, Wrap, conclude
from .names import Function, Module
from .naming import call_of, name_directory
from .sub_folders import body_of, stand_alone
from .surroundings import Program, parameters
from .uses import Load, as_path, is_conversion

CODE = "T5"
_REMOVAL = re.compile(r"(?:^|_)(?:rm|rmdir|rmtree|remove|removedirs|unlink|delete|clean|cleanup|cleanUp)(?:_|$)|rmtree")
_LOOKED_FOR = "looked for rmtree, rmdir, remove, unlink and what is registered for later"
_TEST_CASES = frozenset({"unittest.TestCase", "unittest.IsolatedAsyncioTestCase", "unittest.case.TestCase"})
_TEAR_DOWNS = {"setUp": "tearDown", "asyncSetUp": "asyncTearDown", "setUpClass": "tearDownClass"}
_FILES = {"tempfile.mkstemp": "mkstemp", "tempfile.NamedTemporaryFile": "NamedTemporaryFile(delete=False)"}
_IN_TEMPORARY = re.compile(r"te?mp", re.IGNORECASE)


class _Made(NamedTuple):
    """A directory that is made and given to a name or an attribute, as a `Path` or as text."""

    call: ast.Call
    statement: ast.Assign
    target: Load
    is_path: bool

    @property
    def name(self) -> str:
        return ast.unparse(self.target)


class _Plan(NamedTuple):
    """How a directory's making and removal are rewritten, and what is not proved about that."""

    code: str
    edits: tuple[Edit, ...]
    doubts: tuple[Doubt, ...] = ()
    removes: tuple[str, ...] = ()


def check(program: Program) -> Iterator[Finding | Left]:
    """Yield the calls whose result stays until somebody removes it."""
    module = program.module
    for call in module.calls:
        if module.is_call_of(call, "tempfile.mkdtemp"):
            yield _directory(program, call)
        else:
            what = next((_FILES[name] for name in module.dotted(call.func) if name in _FILES), None)
            if what == "mkstemp" or (what and _stays(call)):
                yield _unremoved(program, call, what, "TempManager.auto_cleanup_file")


def _stays(call: ast.Call) -> bool:
    return any(
        keyword.arg == "delete" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        for keyword in call.keywords
    )


def _base(program: Program, call: ast.Call, message: str) -> Finding:
    line, column = program.module.place(call)
    return Finding(program.path, line, column, CODE, "report", message, (), (), call.end_lineno or line)


def _directory(program: Program, call: ast.Call) -> Finding | Left:
    made = _made(program.module, call)
    plan = _plan(program, made) if made else None
    if made is None or plan is None:
        return _unremoved(program, call, "mkdtemp", ONE)
    doubts = chain(refused_arguments(call), plan.doubts, surroundings.doubts(program, call))
    finding = _base(program, call, f"mkdtemp with its own removal: {plan.code}")
    return conclude(finding._replace(edits=plan.edits, imports=(ONE,), removes=plan.removes), doubts)


def _unremoved(program: Program, call: ast.Call, what: str, better: str) -> Finding | Left:
    """Say that nothing removes what a call made; or count it, where something does or may do so elsewhere."""
    module = program.module
    function = module.function_of(call)
    around: ast.AST = function or module.tree
    home = next((parent for parent in module.above(call) if isinstance(parent, ast.ClassDef)), around)
    if any(_is_removal(module, node) for node in ast.walk(home) if isinstance(node, ast.Call)):
        return Left(f"{what} that the code around it removes")
    if any(keyword.arg == "dir" and _IN_TEMPORARY.search(ast.unparse(keyword.value)) for keyword in call.keywords):
        return Left(f"{what} in a directory that is temporary itself")
    if function and any(isinstance(node, ast.Return | ast.Yield) and node.value for node in ast.walk(function)):
        return Left(f"{what} whose result a function hands on")
    where = home.name + ("()" if isinstance(home, Function) else "") if hasattr(home, "name") else "this file"
    message = f"{what}: nothing in {where} removes it ({_LOOKED_FOR}); {better} would"
    return _base(program, call, message)


def _is_removal(module: Module, call: ast.Call) -> bool:
    """Tell whether a call removes something, or has that done later, by what it is called or handed."""
    for node in (call.func, *call.args):
        plain = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        names = {plain, *(dotted.rpartition(".")[2] for dotted in module.dotted(node))}
        if any(_REMOVAL.search(name) for name in names):
            return True
    return False


def _made(module: Module, call: ast.Call) -> _Made | None:
    """Return what a call's result is given to; None where that is no plain statement."""
    parent = module.parents[call]
    is_path = is_conversion(module, parent, call)
    statement = module.parents[parent] if is_path else parent
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Attribute(value=ast.Name()) as target]):
            alone = stand_alone(module, [statement])
            return _Made(call, statement, target, is_path) if alone else None
    return None


def _plan(program: Program, made: _Made) -> _Plan | None:
    if isinstance(made.target, ast.Attribute):
        return _plan_attribute(program, made, made.target)
    return _plan_name(program, made, made.target)


def _removal_of(module: Module, statement: ast.AST, name: str) -> ast.Call | None:
    """Return the call in `shutil.rmtree(name)`, perhaps with ignore_errors; None for any other statement."""
    match statement:
        case ast.If(test=test, body=[only], orelse=[]) if ast.unparse(test) in _exists(name):
            return _removal_of(module, only, name)
        case ast.Expr(value=ast.Call(args=[given, *rest], keywords=keywords) as call):
            plain = ast.unparse(given) in (name, f"str({name})")
            forgiving = len(rest) + len(keywords) <= 1 and all(keyword.arg == "ignore_errors" for keyword in keywords)
            return call if plain and forgiving and module.dotted(call.func) == {"shutil.rmtree"} else None
    return None


def _exists(name: str) -> set[str]:
    return {*(f"os.path.{test}({name})" for test in ("exists", "isdir")), f"{name}.exists()", f"{name}.is_dir()", name}


def _registered(module: Module, statement: ast.AST, name: str, method: str) -> str | None:
    """Return what a statement `owner.method(shutil.rmtree, name)` is called on; None for any other."""
    match statement:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id=owner), attr=attr), args=[remover, given, *rest]
            ) as call
        ) if attr == method and ast.unparse(given) in (name, f"str({name})"):
            forgiving = len(rest) + len(call.keywords) <= 1
            return owner if forgiving and module.dotted(remover) == {"shutil.rmtree"} else None
    return None


def _plan_name(program: Program, made: _Made, name: ast.Name) -> _Plan | None:
    module, body = program.module, body_of(program.module, made.statement)
    scope = module.scope_of(name)
    if scope is None or len(scope.bindings[name.id]) > 1 or isinstance(scope.node, ast.ClassDef) or not body:
        return None
    after = body[body.index(made.statement) + 1 :]
    call = call_of(ONE, given_prefix(made.call) or name_directory(module, made.call, name.id, program.path.stem))
    for number, statement in enumerate(after):
        if isinstance(statement, ast.Try) and (plan := _plan_finally(module, made, statement, number, call)):
            return _with_uses(module, made, scope_loads(module, name), plan, _removed_in(module, statement, made))
        if _removal_of(module, statement, name.id):
            plan = _plan_straight(program, made, after[:number], statement, call)
            return plan and _with_uses(module, made, scope_loads(module, name), plan, [statement])
        if owner := _registered(module, statement, name.id, "addCleanup"):
            enter = f"{owner}.enterContext({call})"
            edits = (ReplaceStatement(module.place(made.statement), f"{name.id} = {enter}"), _drop(module, statement))
            plan = _Plan(enter, edits, tuple(_not_test_case(module, made)))
            return _with_uses(module, made, scope_loads(module, name), plan, [statement])
    return None


def scope_loads(module: Module, name: ast.Name) -> list[ast.Name]:
    """Return the uses of what a name stands for."""
    scope = module.scope_of(name)
    return [load for load, _ in module.loads(name.id, scope)] if scope else []


def _drop(module: Module, statement: ast.AST) -> Drop:
    assert isinstance(statement, ast.stmt)  # noqa: S101  (only statements are dropped)
    return Drop(module.place(statement))


def _with_uses(module: Module, made: _Made, loads: list[ast.Name], plan: _Plan, gone: list[ast.stmt]) -> _Plan:
    """Add what the other uses of the name need, now that it holds a path."""
    if made.is_path:
        return plan
    rest = [load for load in loads if not any(statement in module.above(load) for statement in gone)]
    uses = as_path(module, rest, made.name)
    return plan._replace(edits=(*plan.edits, *uses.edits), doubts=(*plan.doubts, *uses.doubts))


def _removed_in(module: Module, statement: ast.Try, made: _Made) -> list[ast.stmt]:
    return [each for each in statement.finalbody if _removal_of(module, each, made.name)]


def _plan_finally(module: Module, made: _Made, statement: ast.Try, number: int, call: str) -> _Plan | None:
    removals = _removed_in(module, statement, made)
    if len(removals) != 1 or number or not stand_alone(module, removals):
        return None
    code = f"with {call} as {made.name}:"
    at = statement.finalbody.index(removals[0])
    others = len(statement.finalbody) > 1
    late = [node for each in statement.finalbody[at + 1 :] for node in ast.walk(each) if _names(node, made.name)]
    dropped = (_drop(module, removals[0]),) if others else ()
    edits = (_drop(module, made.statement), TryToWith(module.place(statement), code, others), *dropped)
    doubts = _used_late(late, made.name)
    return _Plan(code.rstrip(":"), edits, doubts)


def _used_late(nodes: list[ast.AST], name: str) -> tuple[Doubt, ...]:
    lines = [node.lineno for node in nodes if isinstance(node, ast.expr)]
    return (Doubt(f"line {lines[0]} uses {name} after its removal"),) if lines else ()


def _names(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) == name


def _plan_straight(
    program: Program, made: _Made, between: list[ast.stmt], removal: ast.stmt, call: str
) -> _Plan | None:
    """Plan for a removal that follows in the same block; it always runs after a fixture's `yield`."""
    module = program.module
    if not between or not stand_alone(module, [removal]):
        return None
    code = f"with {call} as {made.name}:"
    wrap = Wrap(module.place(between[0]), code, len(between))
    function = module.function_of(made.call)
    inner = [node for statement in between for node in ast.walk(statement)]
    leaves = next((node for node in inner if isinstance(node, ast.Return | ast.Break | ast.Continue)), None)
    doubts = [Doubt(f"line {leaves.lineno} leaves before the removal", final=True)] if leaves else []
    resumed = function is not None and surroundings.fixture_of(module, function) is not None
    if not (resumed and any(isinstance(node, ast.Yield) for node in inner)):
        doubts.append(Doubt(f"where something fails before line {removal.lineno}, the directory stays today"))
    return _Plan(code.rstrip(":"), (_drop(module, made.statement), wrap, _drop(module, removal)), tuple(doubts))


def _test_case(module: Module, node: ast.AST) -> ast.ClassDef | None:
    return next((parent for parent in module.above(node) if isinstance(parent, ast.ClassDef)), None)


def _not_test_case(module: Module, made: _Made) -> Iterator[Doubt]:
    """Yield a doubt where the class around is not known to be a TestCase of unittest's."""
    holder = _test_case(module, made.call)
    if holder is None or not _derives(module, holder, 5):
        name = holder.name if holder else "the function"
        yield Doubt(f"{name} is not known to be a TestCase of unittest's, which has enterContext")


def _derives(module: Module, holder: ast.ClassDef, depth: int) -> bool:
    for base in holder.bases:
        if not module.dotted(base).isdisjoint(_TEST_CASES):
            return True
        own = [
            n
            for n in module.tree.body
            if isinstance(n, ast.ClassDef) and isinstance(base, ast.Name) and n.name == base.id
        ]
        if depth and own and _derives(module, own[0], depth - 1):
            return True
    return False


def _plan_attribute(program: Program, made: _Made, target: ast.Attribute) -> _Plan | None:
    module, function = program.module, program.module.function_of(made.call)
    holder = _test_case(module, made.call)
    if function is None or holder is None or ast.unparse(target.value) != (parameters(function) or [""])[0]:
        return None
    stores = [node for node in module.attributes if node.attr == target.attr and isinstance(node.ctx, ast.Store)]
    if len(stores) != 1 or made.statement not in function.body:
        return None
    owner, for_class = ast.unparse(target.value), function.name == "setUpClass"
    name = given_prefix(made.call) or name_directory(module, made.call, target.attr, program.path.stem)
    enter = f"{owner}.{'enterClassContext' if for_class else 'enterContext'}({call_of(ONE, name)})"
    value = enter if made.is_path else f"str({enter})"
    new = ReplaceStatement(module.place(made.statement), f"{made.name} = {value}")
    registrar = "addClassCleanup" if for_class else "addCleanup"
    gone = [each for each in function.body if _registered(module, each, made.name, registrar) == owner]
    dropped, doubts = _drops_tear_down(module, holder, function, made) if not gone else ((_drop(module, gone[0]),), ())
    if not dropped:
        return None
    doubts = (*doubts, *_not_test_case(module, made))
    return _Plan(enter, (new, *dropped), doubts, () if gone else (holder.name,))


def _drops_tear_down(
    module: Module, holder: ast.ClassDef, function: ast.AST, made: _Made
) -> tuple[tuple[Edit, ...], tuple[Doubt, ...]]:
    """Return the edits that take the removal out of the tear-down that belongs to a set-up; none if it is not there."""
    wanted = _TEAR_DOWNS.get(getattr(function, "name", ""))
    down = next((each for each in holder.body if isinstance(each, Function) and each.name == wanted), None)
    if down is None:
        return (), ()
    own = (parameters(down) or [""])[0] + "." + made.name.rpartition(".")[2]
    removals = [each for each in down.body if _removal_of(module, each, own)]
    others = [
        node
        for node in ast.walk(holder)
        if isinstance(node, ast.Call) and node.args and _removes_again(module, node, made)
    ]
    if len(removals) != 1 or len(others) != 1 or not stand_alone(module, removals):
        return (), ()
    [removal] = removals
    rest = [each for each in down.body if each is not removal and not _is_docstring(each)]
    late = [n for each in rest[:] if each.lineno > removal.lineno for n in ast.walk(each) if _names(n, own)]
    doubts = _used_late(late, own)
    goes = removal if rest else down
    return (_drop(module, goes),), doubts


def _removes_again(module: Module, call: ast.Call, made: _Made) -> bool:
    attribute = made.name.rpartition(".")[2]
    handed = any(isinstance(node, ast.Attribute) and node.attr == attribute for node in call.args)
    return handed and _is_removal(module, call)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
