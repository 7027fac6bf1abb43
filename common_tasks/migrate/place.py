"""Whether a file may be made to import this package: the one decision about that, and about whose a file is."""

import ast
import json
import re
import sys
import tomllib
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from . import source, surroundings
from .finding import Doubt
from .names import Module

_OLDEST = 11  # the oldest Python 3 that this package runs on
_OURS = re.compile(r"\bcommon[-_.]tasks\b", re.IGNORECASE)
_DATA = frozenset(
    {"data", "cases", "examples", "fixtures", "samples", "test_data", "testdata", "templates", "packages"}
)
_SAMPLES = frozenset({"examples", "samples", "templates", "template"})
_DOCS = frozenset({"doc", "docs"})
_CI = frozenset({".github", ".azure-pipelines", ".gitlab", ".circleci", ".buildkite", ".ci", "ci"})
_FOREIGN = frozenset({"_vendor", "vendor", "vendored", "site-packages", "third_party"})
_OWN_ENVIRONMENT = {
    "setup.py": "runs where the package is built",
    "hatch_build.py": "runs where the package is built",
    "noxfile.py": "runs in nox's own environment",
    "sitecustomize.py": "runs in every Python",
    "usercustomize.py": "runs in every Python",
}
_DECLARING = ("pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "requirements-dev.txt", "Pipfile")
_BOUND = re.compile(r"(?:>=|~=|==|\^|~|>)\s*3\.(\d+)")
_PYTHONS = re.compile(r"""(?m)^\s*(?:requires-python|python_requires|python)\s*=\s*["']?([^"'#\n]*)""")
_INLINE = re.compile(r"(?m)^# /// script$")
_TASKS_IMPORT = re.compile(r"(?m)^\s*(?:from|import)\s+common_tasks\b")


def is_data(path: Path) -> bool:
    """Tell whether a path, relative to the root, leads to test data, samples or templates: read more than run."""
    folders = path.parts[:-1]
    if any("{{" in part for part in path.parts):
        return True
    tests = [number for number, name in enumerate(folders) if name in ("test", "tests", "testing")]
    docs = [number for number, name in enumerate(folders) if name in _DOCS]
    below_tests = bool(tests) and not _DATA.isdisjoint(folders[tests[0] + 1 :])
    return below_tests or (bool(docs) and not _SAMPLES.isdisjoint(folders[docs[0] + 1 :]))


def is_foreign(path: Path) -> bool:
    """Tell whether a path, relative to the root, leads to a copy of other people's code."""
    return not _FOREIGN.isdisjoint(path.parts)


def why_not_import(path: Path, root: Path, module: Module, bare: frozenset[str], *, hidden: bool) -> Doubt | None:
    """Return why a file should not be made to import this package; None where it is proved that it can.

    `bare`: names of the scripts that something starts by a plain `python`. `hidden`: a module of the repository's own
    hides this package.
    """
    relative = path.relative_to(root)
    if reason := _own_environment(path, relative, module, root):
        return Doubt(reason, final=True)
    reasons = (
        "common_tasks.py hides this package and has to be renamed first (T0)" if hidden else None,
        _why_undeclared(path, root),
        _why_bare(path, module, bare),
        _why_package(path, relative, root),
        _why_built(path, root),
        "it is part of the documentation" if not _DOCS.isdisjoint(relative.parts[:-1]) else None,
    )
    return next((Doubt(reason) for reason in reasons if reason), None)


def _own_environment(path: Path, relative: Path, module: Module, root: Path) -> str | None:
    if is_data(relative):
        return "it is test data, a sample or a template"
    if path.name in _OWN_ENVIRONMENT:
        return f"{path.name} {_OWN_ENVIRONMENT[path.name]}"
    if path.name == "conf.py" and not _DOCS.isdisjoint(relative.parts):
        return "conf.py runs where the documentation is built"
    if not _CI.isdisjoint(relative.parts[:-1]):
        return "it runs in CI, before anything is installed"
    if _INLINE.search(module.text):
        return "it names its own dependencies (PEP 723)"
    if _is_of_build(path, root):
        return "it runs where the package is built"
    return None


@lru_cache(maxsize=256)
def read_toml(file: Path | None) -> dict[str, Any]:
    """Return what a TOML file says; nothing where it cannot be read, for those whose it is cannot read it either."""
    try:
        return tomllib.loads(file.read_text("utf-8")) if file else {}
    except (OSError, ValueError):
        return {}


def _table(file: Path | None, *keys: str) -> object:
    found: object = read_toml(file)
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _is_of_build(path: Path, root: Path) -> bool:
    """Tell whether the build backend of a project runs a file."""
    file = _nearest(path, root, ("pyproject.toml",))
    if file is None:
        return False
    hooks = [_table(file, "tool", "hatch", "build", "hooks"), _table(file, "tool", "poetry", "build")]
    backend = _table(file, "build-system", "backend-path")
    inside = any(path.parent == file.parent / str(folder) for folder in (backend if isinstance(backend, list) else ()))
    return inside or repr(path.relative_to(file.parent).as_posix()) in repr(hooks)


def _nearest(path: Path, root: Path, names: tuple[str, ...]) -> Path | None:
    """Return the nearest file of one of the names above `path`, in `root`."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def _why_undeclared(path: Path, root: Path) -> str | None:
    """Return why it is not sure that this package is there where a file runs."""
    home = _nearest(path, root, (*_DECLARING, "tasks.py"))
    folder = home.parent if home else root
    texts = {name: _read(folder / name) for name in (*_DECLARING, "tasks.py") if (folder / name).is_file()}
    if older := next((found for name, text in texts.items() if (found := _older_python(name, text))), None):
        return f"{older}: this package needs Python 3.{_OLDEST}"
    if any(_OURS.search(text) for name, text in texts.items() if name != "tasks.py"):
        return None
    if _TASKS_IMPORT.search(texts.get("tasks.py", "")) or _is_installed_here(folder):
        return None
    where = folder.relative_to(root).as_posix()
    return f"{'the project' if where == '.' else where} does not declare common-tasks as a dependency"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _older_python(name: str, text: str) -> str | None:
    if name not in ("pyproject.toml", "setup.cfg", "setup.py"):
        return None
    for found in _PYTHONS.finditer(text):
        bounds = [int(minor) for minor in _BOUND.findall(found[1])]
        if bounds and min(bounds) < _OLDEST:
            return f"{name} allows Python 3.{min(bounds)}"
    return None


def _is_installed_here(folder: Path) -> bool:
    """Tell whether the project in a folder is installed in, or holds, the environment that this runs in."""
    return Path(sys.prefix).is_relative_to(folder) or folder in _installed_folders()


@lru_cache(maxsize=1)
def _installed_folders() -> frozenset[Path]:
    """Return the folders that the distributions of this environment were installed from (PEP 610)."""
    found = set()
    for distribution in metadata.distributions():
        text = distribution.read_text("direct_url.json") or "{}"
        url = urlsplit(str(json.loads(text).get("url", "")))
        if url.scheme == "file":
            found.add(Path(unquote(url.path)).resolve())
    return frozenset(found)


def _why_bare(path: Path, module: Module, bare: frozenset[str]) -> str | None:
    """Return why a script that needs nothing but the standard library may be run by a Python that has nothing else."""
    if surroundings.is_test(path) or path.name == "tasks.py" or not _imports_only_standard(module):
        return None
    if path.name in bare:
        return "it uses only the standard library, and something runs it with a plain `python`"
    if module.text.startswith("#!") and "python" in module.lines[0]:
        return "it uses only the standard library, and line 1 lets any Python run it"
    return None


def _imports_only_standard(module: Module) -> bool:
    roots = {name.partition(".")[0] for _, name in imported(module)}
    return roots <= sys.stdlib_module_names


def imported(module: Module) -> list[tuple[int, str]]:
    """Return what a module imports: line and dotted name, with dots in front if relative."""
    found = []
    for node in module.statements:
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, "." * node.level + (node.module or "")))
    return found


def _why_package(path: Path, relative: Path, root: Path) -> str | None:
    """Return why code of a package would need this one wherever it is installed."""
    in_package = (path.parent / "__init__.py").exists() and "scripts" not in relative.parts
    if not in_package or surroundings.is_test(relative):
        return None
    file = _nearest(path, root, ("pyproject.toml",))
    declared = f"{_table(file, 'project', 'dependencies')} {_table(file, 'tool', 'poetry', 'dependencies')}"
    legacy = [_read(found) for name in ("setup.cfg", "setup.py") if (found := _nearest(path, root, (name,)))]
    if any(_OURS.search(text) for text in (declared, *legacy)):
        return None
    return "the package would need common-tasks wherever it is installed, but does not depend on it"


def _why_built(path: Path, root: Path) -> str | None:
    """Return why a file is loaded where the package is built: its `setup.py` imports it."""
    setup = _nearest(path, root, ("setup.py",))
    if setup is None or setup == path:
        return None
    names = {path.stem, *path.relative_to(setup.parent).parts}
    for line, name in _imports_of(setup):
        if name in names:
            return f"setup.py line {line} imports {name} where the package is built"
    return None


@lru_cache(maxsize=256)
def _imports_of(path: Path) -> tuple[tuple[int, str], ...]:
    try:
        module = Module(source.read(path).text)
    except source.UNREADABLE:
        return ()
    return tuple((line, name.lstrip(".").partition(".")[0]) for line, name in imported(module))
