"""Whether a file may be made to import this package: the one decision about that."""

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

from .finding import Doubt
from .kinds import is_data, is_documentation
from .names import Module
from .program import Program

_OLDEST = 11  # the oldest Python 3 that this package runs on
_OURS = re.compile(r"\bcommon[-_.]tasks\b", re.IGNORECASE)
_CI = frozenset({".github", ".azure-pipelines", ".gitlab", ".circleci", ".buildkite", ".ci", "ci"})
_OF_BUILD = "runs where the package is built"
_OWN_ENVIRONMENT = {
    "setup.py": _OF_BUILD,
    "hatch_build.py": _OF_BUILD,
    "noxfile.py": "runs in nox's own environment",
    "sitecustomize.py": "runs in every Python",
    "usercustomize.py": "runs in every Python",
}
_SETTINGS = ("pyproject.toml", "setup.cfg", "setup.py")
_DECLARING = (*_SETTINGS, "requirements.txt", "requirements-dev.txt", "Pipfile", "tasks.py")
_BOUND = re.compile(r"(?:>=|~=|==|\^|~|>)\s*3\.(\d+)")
_PYTHONS = re.compile(r"""(?m)^\s*(?:requires-python|python_requires|python)\s*=\s*["']?([^"'#\n]*)""")
_INLINE = re.compile(r"(?m)^# /// script$")
_TASKS_IMPORT = re.compile(r"(?m)^\s*(?:from|import)\s+common_tasks\b")


def why_not_import(program: Program) -> Doubt | None:
    """Return why a file should not be made to import this package; None where it is proved that it can."""
    if reason := _own_environment(program):
        return Doubt(reason, final=True)
    if program.repository.shadows:
        return Doubt("common_tasks.py hides this package and has to be renamed first (T0)")
    reasons = (check(program) for check in (_why_undeclared, _why_bare, _why_package, _why_built))
    in_docs = "it is part of the documentation" if is_documentation(program.path) else None
    return next((Doubt(reason) for reason in (*reasons, in_docs) if reason), None)


def _own_environment(program: Program) -> str | None:
    path, name = program.path, program.path.name
    if is_data(path):
        return "it is test data, a sample or a template"
    if name in _OWN_ENVIRONMENT:
        return f"{name} {_OWN_ENVIRONMENT[name]}"
    if name == "conf.py" and is_documentation(path):
        return "conf.py runs where the documentation is built"
    if not _CI.isdisjoint(path.parts[:-1]):
        return "it runs in CI, before anything is installed"
    if _INLINE.search(program.module.text):
        return "it names its own dependencies (PEP 723)"
    return f"it {_OF_BUILD}" if _is_of_build(program) else None


@lru_cache(maxsize=256)
def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file says; nothing where it cannot be read: its own tools cannot read it either."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _table(file: Path, *keys: str) -> object:
    found: object = read_toml(file)
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _is_of_build(program: Program) -> bool:
    """Tell whether the build backend of a project runs a file."""
    file = nearest(program.file, program.repository.root, "pyproject.toml")
    if file is None:
        return False
    name = repr(program.file.relative_to(file.parent).as_posix())
    hooks = (_table(file, "tool", "hatch", "build", "hooks"), _table(file, "tool", "poetry", "build"))
    folder = repr(program.file.parent.relative_to(file.parent).as_posix())
    return name in repr(hooks) or folder in repr(_table(file, "build-system", "backend-path"))


def nearest(path: Path, root: Path, *names: str) -> Path | None:
    """Return the nearest file of one of the names in the folders above a path, up to `root`."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def _why_undeclared(program: Program) -> str | None:
    """Return why it is not sure that this package is there where a file runs."""
    root, home = program.repository.root, nearest(program.file, program.repository.root, *_DECLARING)
    folder = home.parent if home else root
    texts = {name: _read(folder / name) for name in _DECLARING}
    if older := next((found for name in _SETTINGS if (found := _older_python(name, texts[name]))), None):
        return f"{older}: this package needs Python 3.{_OLDEST}"
    declared = any(_OURS.search(text) for name, text in texts.items() if name != "tasks.py")
    if declared or _TASKS_IMPORT.search(texts["tasks.py"]) or _is_installed_here(folder):
        return None
    where = folder.relative_to(root).as_posix()
    return f"{'the project' if where == '.' else where} does not declare common-tasks as a dependency"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace") if path.is_file() else ""
    except OSError:
        return ""


def _older_python(name: str, text: str) -> str | None:
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
    texts = (distribution.read_text("direct_url.json") or "{}" for distribution in metadata.distributions())
    urls = [urlsplit(str(json.loads(text).get("url", ""))) for text in texts]
    return frozenset(Path(unquote(url.path)).resolve() for url in urls if url.scheme == "file")


def _why_bare(program: Program) -> str | None:
    """Return why a script that needs nothing but the standard library may be run by a Python that has nothing else."""
    module, name = program.module, program.path.name
    roots = {imported.partition(".")[0] for _, imported in _imports(module)}
    if program.is_test or name == "tasks.py" or not roots <= sys.stdlib_module_names:
        return None
    if name in program.repository.bare_scripts:
        return "it uses only the standard library, and something runs it with a plain `python`"
    if module.text.startswith("#!") and "python" in module.lines[0]:
        return "it uses only the standard library, and line 1 lets any Python run it"
    return None


def _why_package(program: Program) -> str | None:
    """Return why code of a package would need this one wherever it is installed."""
    in_package = (program.file.parent / "__init__.py").exists() and "scripts" not in program.path.parts
    path, root = program.file, program.repository.root
    toml = nearest(path, root, "pyproject.toml")
    tables = (("project", "dependencies"), ("tool", "poetry", "dependencies"))
    declared = [str(_table(toml, *keys)) for keys in tables] if toml else []
    declared += [_read(found) for name in ("setup.cfg", "setup.py") if (found := nearest(path, root, name))]
    if not in_package or program.is_test or any(_OURS.search(text) for text in declared):
        return None
    return "the package would need common-tasks wherever it is installed, but does not depend on it"


def _why_built(program: Program) -> str | None:
    """Return why a file is loaded where the package is built: its `setup.py` imports it."""
    setup = nearest(program.file, program.repository.root, "setup.py")
    module = program.repository.classes.read(setup) if setup and setup != program.file else None
    names = {program.file.stem, *program.file.relative_to(setup.parent).parts} if setup else set()
    for line, imported in _imports(module) if module else ():
        if (name := imported.lstrip(".").partition(".")[0]) in names:
            return f"setup.py line {line} imports {name} where the package is built"
    return None


def _imports(module: Module) -> list[tuple[int, str]]:
    """Return what a module imports: line and dotted name, with dots in front if relative."""
    plain = [(node.lineno, alias.name) for node in module.all(ast.Import) for alias in node.names]
    return [*plain, *((node.lineno, "." * node.level + (node.module or "")) for node in module.all(ast.ImportFrom))]
