"""What surrounds a use: fixtures, replaced functions of the system, names that are read by their text."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .classes import Classes
from .finding import Doubt, Finding
from .names import Function, Module, all_arguments

_TEST_FOLDERS = frozenset({"test", "tests", "testing"})
_TEST_FILE = re.compile(r"test_.*|.*_test|.*_tests|tests?|conftest")
_SYSTEM = re.compile(r"(?:^|\.)(?:os|shutil|tempfile|pathlib|fcntl|stat|builtins|sys\.platform)(?:\.\w+)*$")
_MAKERS = re.compile(r"(?:^|\.)(?:TemporaryDirectory|mkdtemp|gettempdir)$")
_PATCHERS = frozenset({"patch", "object", "setattr", "multiple"})
_READERS = frozenset({"eval", "exec", "globals", "locals", "vars"})
_SET_UPS = frozenset({"setUp", "asyncSetUp", "setUpClass", "setup_method", "setup_class"})
_IMPORT_ERRORS = frozenset({"builtins.ImportError", "builtins.ModuleNotFoundError"})
FIXTURES = frozenset({"pytest.fixture", "pytest_asyncio.fixture"})


class Program(NamedTuple):
    """A parsed file with what a rule needs to know of the repository around it.

    `path` is relative to the monorepo's root. `classes`: what the files of the repository define. `helpers`: dotted
    names of legacy helpers. `conftests`: the conftest files above. `replaced`: where another file replaces functions of
    tempfile, in words. `hidden`: a module of the repository's own that hides ours.
    """

    path: Path
    module: Module
    classes: Classes
    helpers: frozenset[str] = frozenset()
    conftests: tuple[Module, ...] = ()
    replaced: str | None = None
    hidden: bool = False

    def report(self, node: ast.stmt | ast.expr, code: str, message: str) -> Finding:
        """Return the finding for a node, as one that is only reported."""
        line, column = self.module.place(node)
        return Finding(self.path, line, column, code, "report", message, last_line=node.end_lineno or line)

    @property
    def file(self) -> Path:
        """The absolute path."""
        return self.classes.root / self.path

    @property
    def is_test(self) -> bool:
        """Tell whether the file holds tests, or helps them."""
        return is_test(self.path)


def is_test(path: Path) -> bool:
    """Tell from its path, relative to the root, whether a file holds tests or helps them."""
    return not _TEST_FOLDERS.isdisjoint(path.parts[:-1]) or _TEST_FILE.fullmatch(path.stem) is not None


def is_test_module(path: Path) -> bool:
    """Tell from its path whether a file holds tests itself: other tests do not run it."""
    return path.stem != "conftest" and _TEST_FILE.fullmatch(path.stem) is not None


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters."""
    return [argument.arg for argument in all_arguments(function.args)]


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

    @property
    def is_automatic(self) -> bool:
        """Whether tests get it without asking."""
        return bool(self.options.get("autouse"))

    @property
    def asks_for(self) -> tuple[str, ...]:
        """The fixtures that it needs itself."""
        return tuple(name for name in parameters(self.function) if name not in ("self", "cls"))


def fixture_of(module: Module, function: Function) -> Fixture | None:
    """Return the fixture that a function is; None for any other."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not module.dotted(called).isdisjoint(FIXTURES):
            return Fixture(function, module, decorator)
    return None


def fixtures(program: Program) -> dict[str, Fixture]:
    """Return the fixtures of this file and of the conftest files above, by name."""
    found = {}
    for module in (*program.conftests, program.module):
        for function in module.functions:
            if fixture := fixture_of(module, function):
                found[fixture.name] = fixture
    return found


def reached(program: Program, function: Function) -> Iterator[Fixture]:
    """Yield the known fixtures that run for a function: those that it asks for, those for all, and what they need."""
    known = fixtures(program)
    pending = [*parameters(function), *(name for name, fixture in known.items() if fixture.is_automatic)]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in known and name not in seen:
            yield known[name]
            pending += known[name].asks_for
        seen.add(name)


def is_fallback(module: Module, node: ast.AST) -> bool:
    """Tell whether a node only runs where an import failed."""
    for parent in module.above(node):
        if isinstance(parent, ast.ExceptHandler) and parent.type:
            kinds = parent.type.elts if isinstance(parent.type, ast.Tuple) else [parent.type]
            if any(not module.dotted(kind).isdisjoint(_IMPORT_ERRORS) for kind in kinds):
                return True
    return False


def doubts(program: Program, node: ast.AST) -> Iterator[Doubt]:
    """Yield what around `node` may make another directory, or see which function makes it."""
    module = program.module
    for place in module.attributes:
        if isinstance(place.ctx, ast.Store) and "tempfile.tempdir" in module.dotted(place):
            yield Doubt(f"line {place.lineno} sets tempfile.tempdir", final=True)
    if _is_faked(program, node):
        yield Doubt("the test runs in a fake file system", final=True)
    if reader := _reader(module, node):
        yield Doubt(f"line {reader.lineno} looks names up by their text")
    yield from _replaced(program, node)


def _is_faked(program: Program, node: ast.AST) -> bool:
    for parent in program.module.above(node):
        if isinstance(parent, Function):
            asked = {*parameters(parent), *(name for fixture in reached(program, parent) for name in fixture.asks_for)}
            if "fs" in asked:
                return True
        if isinstance(parent, ast.ClassDef) and any("fake_filesystem" in ast.unparse(base) for base in parent.bases):
            return True
    return False


def _reader(module: Module, node: ast.AST) -> ast.Call | None:
    """Return a call of locals(), eval() or the like in the functions around a node, at the top level without any."""
    around: list[ast.AST] = [parent for parent in module.above(node) if isinstance(parent, Function)]
    for call in module.calls:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        reads = name in _READERS and not (name == "vars" and call.args)
        if (reads and any(parent in around for parent in module.above(call))) or (reads and not around):
            return call
    return None


def _replaced(program: Program, node: ast.AST) -> Iterator[Doubt]:
    for module, top in _running(program, node):
        for call in ast.walk(top):
            if isinstance(call, ast.Call) and _replaces_system(module, call):
                where = "a conftest" if module is not program.module else f"line {call.lineno}"
                yield Doubt(f"{where} replaces functions of os, shutil or tempfile around it")
    if program.replaced:
        yield Doubt(f"{program.replaced} replaces functions of tempfile")


def _running(program: Program, node: ast.AST) -> Iterator[tuple[Module, ast.AST]]:
    """Yield the parts of programs that run around a node: functions, decorators of classes, set-ups, fixtures."""
    module = program.module
    for parent in module.above(node):
        if isinstance(parent, Function):
            yield module, parent
            yield from ((fixture.module, fixture.function) for fixture in reached(program, parent))
        elif isinstance(parent, ast.ClassDef):
            yield from ((module, decorator) for decorator in parent.decorator_list)
            set_ups = [each for each in parent.body if isinstance(each, Function) and each.name in _SET_UPS]
            yield from ((module, function) for function in set_ups)


def _replaces_system(module: Module, call: ast.Call) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in _PATCHERS or not call.args:
        return False
    target = call.args[0]
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return bool(_SYSTEM.search(target.value) or _MAKERS.search(target.value))
    named = call.args[1].value if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else ""
    return bool(_MAKERS.search(str(named))) or any(_SYSTEM.search(name) for name in module.dotted(target))
