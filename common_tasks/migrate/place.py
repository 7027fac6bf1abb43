"""Whether a file may be made to import this package: the one decision about that."""

import json
import re
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .elsewhere import OF_BUILD, loaded_elsewhere, own_environment
from .finding import Doubt
from .kinds import is_documentation
from .repository import Program
from .settings import nearest, table

_OLDEST = 11  # the oldest Python 3 that this package runs on
_OURS = re.compile(r"^[^#\n]*(?<![\w.-])common[-_.]tasks(?![\w-])", re.IGNORECASE | re.MULTILINE)
_SETTINGS = ("pyproject.toml", "setup.cfg", "setup.py")
_DECLARING = (*_SETTINGS, "requirements.txt", "requirements-dev.txt", "Pipfile", "tasks.py")
_BOUND = re.compile(r"(?:>=|~=|==|\^|~|>)\s*3\.(\d+)")
_PYTHONS = re.compile(
    r"""(?m)(?:^|[\s,({])["']?(?:requires-python|python_requires|python)["']?\s*[=:]\s*["']?([^"'#\n]*)"""
)
_CLASSIFIED = re.compile(r"Programming Language :: Python :: 3\.(\d+)")
_TASKS_IMPORT = re.compile(r"(?m)^\s*(?:from|import)\s+common_tasks\b")


def why_not_import(program: Program) -> Doubt | None:
    """Return why a file should not be made to import this package; None if it is proved that it can."""
    if reason := own_environment(program.file, program.module.text, program.repository):
        return Doubt(f"{program.path.name} {reason}", final=True)
    if program.repository.shadows:
        return Doubt("common_tasks.py hides this package and has to be renamed first (T0)")
    reasons = (check(program) for check in (_why_hidden, _why_undeclared, _why_loaded_elsewhere, _why_package))
    in_docs = "it is part of the documentation" if is_documentation(program.path) else None
    return next((Doubt(reason) for reason in (*reasons, in_docs) if reason), None)


def _why_hidden(program: Program) -> str | None:
    """Return which of the repository's own packages hides this one if its folder is on Python's path."""
    ours = Path(__file__).parents[1] / "__init__.py"
    packages = (path for path in program.repository.programs if path.parts[-2:] == ("common_tasks", "__init__.py"))
    hiding = next((path for path in packages if path != ours), None)
    return f"the package {hiding.parent.relative_to(program.repository.root)} hides this one" if hiding else None


def _why_loaded_elsewhere(program: Program) -> str | None:
    """Return what loads a file in a place where this package need not be installed.

    A package that depends on this one brings it along, except to the place where that package itself is built.
    """
    reason = loaded_elsewhere(program.repository).get(program.file, "")
    comes_along = OF_BUILD not in reason and _is_in_package(program) and _depends(program)
    return None if comes_along else reason or None


def _why_undeclared(program: Program) -> str | None:
    """Return why this package may be missing where a file runs."""
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
    bounds = [bound for found in _PYTHONS.findall(text) for bound in _BOUND.findall(found)] or _CLASSIFIED.findall(text)
    oldest = min(map(int, bounds), default=_OLDEST)
    return f"{name} allows Python 3.{oldest}" if oldest < _OLDEST else None


def _is_installed_here(folder: Path) -> bool:
    """Tell whether the project in a folder is installed in, or holds, the environment that this runs in."""
    return Path(sys.prefix).is_relative_to(folder) or folder in _installed_folders()


@lru_cache(maxsize=1)
def _installed_folders() -> frozenset[Path]:
    """Return the folders that the distributions of this environment were installed from (PEP 610)."""
    texts = (distribution.read_text("direct_url.json") or "{}" for distribution in metadata.distributions())
    urls = [urlsplit(str(json.loads(text).get("url", ""))) for text in texts]
    return frozenset(Path(unquote(url.path)).resolve() for url in urls if url.scheme == "file")


def _why_package(program: Program) -> str | None:
    """Return why code of a package would need this one wherever it is installed."""
    if program.is_test or not _is_in_package(program) or _depends(program):
        return None
    return "the package would need common-tasks wherever it is installed, but does not depend on it"


def _is_in_package(program: Program) -> bool:
    return (program.file.parent / "__init__.py").exists() and "scripts" not in program.path.parts


def _depends(program: Program) -> bool:
    """Tell whether the package that a file belongs to depends on this one."""
    path, root = program.file, program.repository.root
    toml = nearest(path, root, "pyproject.toml")
    tables = (("project", "dependencies"), ("tool", "poetry", "dependencies"))
    declared = [str(table(toml, *keys)) for keys in tables] if toml else []
    declared += [_read(found) for name in ("setup.cfg", "setup.py") if (found := nearest(path, root, name))]
    return any(_OURS.search(text) for text in declared)
