"""Which programs run where this package need not be installed: those of builds, CI and tools, and what they load.

A script that a plain `python` starts is one of them if all that it loads is of the standard library or of the
repository.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from .kinds import is_data, is_documentation, is_test
from .names import Module
from .repository import Repository
from .settings import nearest, table

_CI = frozenset({".github", ".azure-pipelines", ".gitlab", ".circleci", ".buildkite", ".ci", "ci"})
OF_BUILD = "runs where the package is built"
_OWN_ENVIRONMENT = {
    "setup.py": OF_BUILD,
    "hatch_build.py": OF_BUILD,
    "noxfile.py": "runs in nox's own environment",
    "sitecustomize.py": "runs in every Python",
    "usercustomize.py": "runs in every Python",
}
_INLINE = re.compile(r"(?m)^# /// script$")
_FILE = re.compile(r"[\w.-]+\.py\b")
# A Python that is none of an environment's, its options, and the file or module that it starts.
_STARTS = re.compile(r"(?i)(?!\S*python\w*=)(\S*python\S*)((?:\s+-\S*)*)\s+(?:<\s*)?([\w./{}$-]+)")
_QUOTES = re.compile(r"[\"'\[\](),]")
_RUNNERS = re.compile(r"\b(?:uv|poetry|hatch|pdm|pipenv|rye|tox|nox)\s+run\b")
_NAMED_PYTHON = re.compile(r"""["']\S*python[\d.]*["']""")


def own_environment(path: Path, text: str, repository: Repository) -> str | None:
    """Return what a program does that has an environment of its own; None for any other."""
    below = path.relative_to(repository.root)
    if is_data(below):
        return "is test data, a sample or a template"
    if path.name in _OWN_ENVIRONMENT:
        return _OWN_ENVIRONMENT[path.name]
    if path.name == "conf.py" and is_documentation(below):
        return "runs where the documentation is built"
    if not _CI.isdisjoint(below.parts[:-1]):
        return "runs in CI, before anything is installed"
    if _INLINE.search(text):
        return "names its own dependencies (PEP 723)"
    return OF_BUILD if _is_of_build(path, repository.root) else None


def _is_of_build(path: Path, root: Path) -> bool:
    """Tell whether the build backend of a project runs a file."""
    file = nearest(path, root, "pyproject.toml")
    if file is None:
        return False
    name = repr(path.relative_to(file.parent).as_posix())
    hooks = (table(file, "tool", "hatch", "build", "hooks"), table(file, "tool", "poetry", "build"))
    folder = repr(path.parent.relative_to(file.parent).as_posix())
    return name in repr(hooks) or folder in repr(table(file, "build-system", "backend-path"))


@lru_cache(maxsize=1)
def loaded_elsewhere(repository: Repository) -> Mapping[Path, str]:
    """Return the programs that run where this package need not be, as something loads or starts them, each with why."""
    found: dict[Path, str] = {}
    for path, text in repository.texts.items():
        if reason := own_environment(path, text, repository):
            loaded = _loaded(repository, path)
            found |= {each: f"{where}; {path.name} {reason}" for each, where in loaded.items() if each != path}
    for path, where in _plain_starts(repository):
        loaded = _loaded(repository, path)
        if all(_is_plain(repository, each) for each in loaded):
            reason = f"{where} starts {path.name} by a plain python, and all that it needs is in the standard library"
            found |= {each: reason if each == path else f"{said}; {reason}" for each, said in loaded.items()}
    return found


def _loaded(repository: Repository, start: Path) -> dict[Path, str]:
    """Return a program and all that it loads, directly or not, each with the line that says so."""
    found, pending = {start: ""}, [start]
    while pending:
        by = pending.pop()
        module = repository.classes.read(by)
        for line, path in _named(repository, by, module) if module else ():
            if path not in found:
                found[path] = f"{by.name} line {line} loads it"
                pending.append(path)
    return found


def _named(repository: Repository, path: Path, module: Module) -> Iterator[tuple[int, Path]]:
    """Yield the programs that a program imports, or names by their files."""
    for line, dotted in imports(module):
        yield from ((line, found) for found in repository.classes.homes(path, dotted))
    for node in module.all(ast.Constant):
        names = _FILE.findall(node.value) if isinstance(node.value, str) else []
        is_read = names and not isinstance(module.parents[node], ast.Expr)
        yield from ((node.lineno, found) for found in repository.programs if is_read and found.name in names)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Yield what a module may import: line and dotted name, with dots in front if relative."""
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = "." * node.level + (node.module or "")
            yield node.lineno, home
            yield from (
                (node.lineno, f"{home}.{alias.name}" if node.module else f"{home}{alias.name}") for alias in node.names
            )


def _is_plain(repository: Repository, path: Path) -> bool:
    """Tell whether a program imports nothing but the standard library and programs of the repository."""
    module = repository.classes.read(path)
    nodes = module.nodes if module else []
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    others = (name for name in names if name.partition(".")[0] not in sys.stdlib_module_names)
    return all(repository.classes.homes(path, name) for name in others)


def _plain_starts(repository: Repository) -> Iterator[tuple[Path, str]]:
    """Yield the scripts that a plain `python` starts, and where that is said; tests and task files are none."""
    targets = [*_named_in_settings(repository), *_named_in_programs(repository)]
    for path, text in repository.texts.items():
        below = path.relative_to(repository.root)
        if path.name == "tasks.py" or is_test(below):
            continue
        if text.startswith("#!") and "python" in text.partition("\n")[0]:
            yield path, f"{path.name} line 1"
        yield from ((path, where) for target, where in targets if _is_meant(below, target))


def _is_meant(path: Path, target: str) -> bool:
    return target.rpartition("/")[2] == path.name or f".{target}".endswith(f".{path.stem}")


def _named_in_settings(repository: Repository) -> Iterator[tuple[str, str]]:
    for path, text in repository.settings.items():
        for number, line in enumerate(text.splitlines() if "python" in text.lower() else (), 1):
            if not _RUNNERS.search(line):
                yield from ((target, f"{path.name} line {number}") for target in _started(line))


def _named_in_programs(repository: Repository) -> Iterator[tuple[str, str]]:
    for path, text in repository.texts.items():
        for found in _NAMED_PYTHON.finditer(text) if "python" in text else ():
            where = f"{path.name} line {text.count(chr(10), 0, found.start()) + 1}"
            yield from ((target, where) for target in _started(text[found.start() : found.start() + 200])[:1])


def _started(text: str) -> list[str]:
    """Return the files and modules that a text starts by a Python that is no environment's."""
    found = _STARTS.findall(_QUOTES.sub(" ", text))
    plain = [(options, target) for python, options, target in found if "env" not in python.lower()]
    return [target for options, target in plain if target.endswith(".py") or "-m" in options.split()]
