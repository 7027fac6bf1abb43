"""What surrounds a use: fixtures, replaced functions of the system, names that are read by their text."""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeVar

from .base_paths import find_uses
from .finding import Doubt, Finding
from .kinds import is_test_module
from .names import Function, Module, parameters
from .repository import Program, Repository

_REPLACES = re.compile(
    r"\b(?:patch|object|setattr|multiple)\([^)]{0,200}?"
    r"\b(?:os|shutil|tempfile|pathlib|fcntl|stat|builtins|platform|TemporaryDirectory|mkdtemp|gettempdir)\b"
)
_LOOKS = frozenset(["findall", "fnmatch", "fullmatch", "glob", "iglob", "match", "rglob", "search", "startswith"])
_READERS = frozenset({"eval", "exec", "globals", "locals", "vars"})
_FORKS = ("os.fork", "os.forkpty", "pty.fork")
_SET_UPS = frozenset({"setUp", "asyncSetUp", "setUpClass", "setup_method", "setup_class"})
_IMPORT_ERRORS = frozenset({"builtins.ImportError", "builtins.ModuleNotFoundError"})
_Node = TypeVar("_Node", bound=ast.AST)
_Running = tuple[Module, ast.stmt | ast.expr]
FIXTURES = frozenset({"pytest.fixture", "pytest_asyncio.fixture"})


class Fixture(NamedTuple):
    """A fixture: its function, the module that holds it, and the decorator that makes it one."""

    function: Function
    module: Module
    decorator: ast.expr

    @property
    def options(self) -> dict[str, object]:
        """What the decorator says, as far as it is written out."""
        keywords = self.decorator.keywords if isinstance(self.decorator, ast.Call) else []
        return {k.arg or "": k.value.value if isinstance(k.value, ast.Constant) else "?" for k in keywords}

    @property
    def name(self) -> str:
        """The name that tests ask for it by."""
        return str(self.options.get("name", self.function.name))


def fixture_of(module: Module, function: Function) -> Fixture | None:
    """Return a function as a fixture; None if it is not one."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not module.dotted(called).isdisjoint(FIXTURES):
            return Fixture(function, module, decorator)
    return None


@lru_cache(maxsize=1)
def fixtures(program: Program) -> dict[str, Fixture]:
    """Return the fixtures that may run for the tests of a file, by name."""
    functions = [(module, each) for module in (*_with_fixtures(program), program.module) for each in module.functions]
    found = [fixture for module, function in functions if (fixture := fixture_of(module, function))]
    return {fixture.name: fixture for fixture in found}


def _with_fixtures(program: Program) -> list[Module]:
    """Return the other modules that may define them: plugins, base classes, conftests above, imported test modules."""
    imported = {part for origin in program.module.imported for part in origin.split(".")}
    found = []
    for path in program.repository.with_fixtures if program.is_test else ():
        is_conftest, module = path.name == "conftest.py", path.relative_to(program.repository.root)
        if is_conftest and not program.file.is_relative_to(path.parent):
            continue
        if path != program.file and (not is_test_module(module) or path.stem in imported):
            found.append((is_conftest, len(path.parts), path))
    modules = (program.repository.classes.read(path) for *_, path in sorted(found))
    return [module for module in modules if module]


def reached(program: Program, function: Function) -> Iterator[Fixture]:
    """Yield the known fixtures that run for a function: those that it asks for, autouse ones, and what these need."""
    known = fixtures(program)
    pending = [*parameters(function), *(name for name, fixture in known.items() if fixture.options.get("autouse"))]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in known and name not in seen:
            yield known[name]
            pending += parameters(known[name].function)
        seen.add(name)


def conclude(program: Program, node: ast.stmt | ast.expr, finding: Finding, *doubts: Iterable[Doubt]) -> Finding:
    """Return a finding with the verdict on it: by the doubts of its rule, and those about what surrounds a node."""
    return finding.concluded([*chain(*doubts), *_doubts(program, node)])


def looked_for(program: Program, name: str, *, final: bool = False) -> Iterator[Doubt]:
    """Yield what else may look for a folder that this file makes in a base, given as `report` or `demo_*`.

    Another program is judged by what it does with a base; a script or setting may do so if it names one at all, except
    to remove it.
    """
    repository = program.repository
    others = [path for path in repository.naming_base if path != program.file]
    modules = ((path, module) for path in others if (module := repository.classes.read(path)))
    for path, use in ((path, use) for path, module in modules for use in find_uses(module, name)):
        yield Doubt(f"{path.name} line {use.lineno} may look for it", final)
    if where := repository.who_names_base:
        yield Doubt(where, final)


def name_looked_for(program: Program, call: ast.Call) -> Iterator[Doubt]:
    """Yield what looks for names with the prefix that a tempfile call gives its directory."""
    module = program.module
    given = next((keyword.value for keyword in call.keywords if keyword.arg == "prefix"), None)
    prefix = str(given.value) if isinstance(given, ast.Constant) else "tmp"
    begins = re.compile(rf"(?:.*/)?\^?{re.escape(prefix)}")
    for node in _inside_same(module, call, module.all(ast.Constant)):
        if node is not given and isinstance(node.value, str) and begins.match(node.value):
            around = itertools.takewhile(lambda each: not isinstance(each, ast.stmt), module.above(node))
            called = [ast.unparse(each.func).rpartition(".")[2] for each in around if isinstance(each, ast.Call)]
            if not _LOOKS.isdisjoint(called):
                yield Doubt(f"line {node.lineno} looks for names that begin with {prefix!r}")
    if where := _who_lists(program.repository, prefix):
        yield Doubt(f"{where}: {prefix}*")


@lru_cache(maxsize=256)
def _who_lists(repository: Repository, prefix: str) -> str | None:
    """Return where a file of a repository, of whatever kind, lists what begins with a prefix."""
    word = re.compile(rf"(?<=[/\"']){re.escape(prefix)}\*(?![\w.])")
    return repository.who_names(word, {**repository.settings, **repository.texts})


def is_fallback(module: Module, node: ast.AST) -> bool:
    """Tell whether a node runs only if an import failed."""
    handlers = [parent.type for parent in module.above(node) if isinstance(parent, ast.ExceptHandler) and parent.type]
    kinds = [kind for each in handlers for kind in (each.elts if isinstance(each, ast.Tuple) else [each])]
    return any(not module.dotted(kind).isdisjoint(_IMPORT_ERRORS) for kind in kinds)


def _doubts(program: Program, node: ast.AST) -> Iterator[Doubt]:
    """Yield what around `node` may change which directory is made, or notice which function makes it."""
    module, running = program.module, list(_running(program, node))
    for place in module.all(ast.Attribute):
        if isinstance(place.ctx, ast.Store) and "tempfile.tempdir" in module.dotted(place):
            yield Doubt(f"line {place.lineno} sets tempfile.tempdir", final=True)
    bases = [base for parent in module.above(node) if isinstance(parent, ast.ClassDef) for base in parent.bases]
    asked = [name for _, each in running if isinstance(each, Function) for name in parameters(each)]
    if "fs" in asked or any("fake_filesystem" in ast.unparse(base) for base in bases):
        yield Doubt("the test runs in a fake file system", final=True)
    yield from _used_elsewhere(program, module.statement_of(node))
    for call in module.all(ast.Call) if "fork" in module.text else ():
        if module.is_call_of(call, *_FORKS):
            yield Doubt(f"line {call.lineno} forks: TemporaryDirectory may be removed by both processes")
    if reader := _reader(module, node):
        yield Doubt(f"line {reader.lineno} looks names up by their text")
    yield from _replaced(program, running)


def _used_elsewhere(program: Program, statement: ast.stmt) -> Iterator[Doubt]:
    """Yield the other files that use a top-level name of this file to which a statement gives a value."""
    module = program.module
    for name in [
        node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]:
        for user in program.repository.users_of(program.file, name.id) if module.scope_of(name) is module.top else ():
            yield Doubt(f"{user.name} uses {name.id} of this file")


def _reader(module: Module, node: ast.AST) -> ast.Call | None:
    """Return a call of locals(), eval() or the like in the functions around a node; in the whole file if none."""
    for call in _inside_same(module, node, module.all(ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name in _READERS and not (name == "vars" and call.args):
            return call
    return None


def _inside_same(module: Module, node: ast.AST, others: Iterable[_Node]) -> Iterator[_Node]:
    """Yield the other nodes that are in one of the functions around a node; all of them if there is none."""
    around = [parent for parent in module.above(node) if isinstance(parent, Function)]
    yield from (each for each in others if not around or module.within(around, each))


def _replaced(program: Program, running: list[_Running]) -> Iterator[Doubt]:
    for module, top in running:
        first = min([top.lineno, *(each.lineno for each in getattr(top, "decorator_list", ()))])
        text = "\n".join(module.lines[first - 1 : top.end_lineno])
        if found := _REPLACES.search(text):
            line = first + text.count("\n", 0, found.start())
            where = "a conftest" if module is not program.module else f"line {line}"
            yield Doubt(f"{where} replaces functions of os, shutil or tempfile around it")
    # What a test replaces is replaced while it runs: in the code that it runs, not in other tests.
    path, where = program.repository.replacing or (program.file, "")
    if path != program.file and not is_test_module(program.path):
        yield Doubt(f"{where} replaces functions of tempfile")


def _running(program: Program, node: ast.AST) -> Iterator[_Running]:
    """Yield the parts of programs that run around a node: functions, decorators of classes, set-ups, fixtures."""
    module = program.module
    for parent in module.above(node):
        if isinstance(parent, Function):
            yield module, parent
            yield from ((fixture.module, fixture.function) for fixture in reached(program, parent))
        elif isinstance(parent, ast.ClassDef):
            set_ups = [each for each in parent.body if isinstance(each, Function) and each.name in _SET_UPS]
            yield from ((module, each) for each in (*parent.decorator_list, *set_ups))
