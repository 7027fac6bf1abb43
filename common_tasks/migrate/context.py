"""What surrounds a use: test or script, a fixture of which scope, a patched system, overridden settings."""

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .names import Function, Module, all_arguments

if TYPE_CHECKING:
    from .t0_shadow import Shadow

_TEST_FOLDERS = frozenset({"test", "tests", "testing"})
_TEST_FILE = re.compile(r"test_.*|.*_test|.*_tests|tests?|conftest")
_DATA_FOLDERS = frozenset({"data", "cases", "examples", "fixtures", "samples", "test_data", "testdata", "templates"})
_SYSTEM = re.compile(r"(?:^|\.)(?:os|shutil|tempfile|pathlib|fcntl|stat|sys\.platform|builtins)(?:\.\w+)*$")
_PATCHERS = frozenset({"patch", "object", "setattr", "multiple"})
FIXTURES = frozenset({"pytest.fixture", "pytest_asyncio.fixture"})


class Program(NamedTuple):
    """A parsed file with what a rule needs to know of the project around it.

    `path` is relative to the monorepo's root; `helpers` are dotted names of legacy helpers; `conftests`
    holds the conftest files above, `shadows`
    the modules that hide ours.
    """

    path: Path
    module: Module
    helpers: frozenset[str] = frozenset()
    conftests: tuple[Module, ...] = ()
    shadows: "tuple[Shadow, ...]" = ()

    @property
    def is_test(self) -> bool:
        """Tell whether the file holds tests, or helps them."""
        return is_test(self.path)


def is_test(path: Path) -> bool:
    """Tell from its path, relative to the root, whether a file holds tests or helps them."""
    return not _TEST_FOLDERS.isdisjoint(path.parts[:-1]) or _TEST_FILE.fullmatch(path.stem) is not None


def is_test_data(path: Path) -> bool:
    """Tell whether a path, relative to the root, leads to the data of tests: programs that are read more than run."""
    tests = [number for number, name in enumerate(path.parts) if name in _TEST_FOLDERS]
    return bool(tests) and not _DATA_FOLDERS.isdisjoint(path.parts[tests[0] + 1 :])


def fixture_call(module: Module, function: Function) -> ast.expr | None:
    """Return the decorator that makes a function a fixture."""
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not module.dotted(called).isdisjoint(FIXTURES):
            return decorator
    return None


def fixture_scope(decorator: ast.expr) -> str:
    """Return the scope that a fixture's decorator names; `?` where that is not written out."""
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "scope":
            value = keyword.value
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else "?"
    return "function"


def fixture_name(function: Function, decorator: ast.expr) -> str:
    """Return the name that tests ask for a fixture by."""
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return function.name


def parameters(function: Function) -> list[str]:
    """Return the names of a function's parameters."""
    return [argument.arg for argument in all_arguments(function.args)]


def why_not_here(module: Module, node: ast.AST) -> str | None:
    """Return why nothing at `node` is rewritten at all; None where nothing stands in the way."""
    if _sets_tempdir(module):
        return "this file sets tempfile.tempdir"
    function = module.function_of(node)
    if function and (decorator := fixture_call(module, function)) and (scope := fixture_scope(decorator)) != "function":
        return f"the fixture has the scope {scope!r}"
    if _is_faked(module, node):
        return "the test runs in a made-up file system"
    return None


def _sets_tempdir(module: Module) -> bool:
    written = (node for node in module.attributes if isinstance(node.ctx, ast.Store))
    return any("tempfile.tempdir" in module.dotted(node) for node in written)


def _is_faked(module: Module, node: ast.AST) -> bool:
    for parent in module.above(node):
        if isinstance(parent, Function) and "fs" in parameters(parent):
            return True
        if isinstance(parent, ast.ClassDef) and any("fake_filesystem" in module.segment(base) for base in parent.bases):
            return True
    return False


def patches_system(module: Module, node: ast.AST) -> bool:
    """Tell whether the functions and classes around `node` replace functions of the system by others."""
    for parent in module.above(node):
        searched: list[ast.AST] = []
        if isinstance(parent, Function):
            searched = [parent]
        elif isinstance(parent, ast.ClassDef):
            searched = list(parent.decorator_list)
        for top in searched:
            if any(_patches(module, call) for call in ast.walk(top) if isinstance(call, ast.Call)):
                return True
    return False


def _patches(module: Module, call: ast.Call) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if called not in _PATCHERS or not call.args:
        return False
    target = call.args[0]
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return _SYSTEM.search(target.value) is not None
    return any(_SYSTEM.search(name) for name in module.dotted(target))
