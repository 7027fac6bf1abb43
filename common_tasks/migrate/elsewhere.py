"""Which programs run where this package need not be installed: those of builds, CI and tools, and what they load.

A script that a plain `python` starts is one of them if everything it loads is in the standard library or the
repository.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from .kinds import is_data, is_documentation, is_test
from .repository import Repository
from .settings import nearest, table
from .source import imports, line_of

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
_FILE = re.compile(r"([\w.-]+\.py)[\"']")
# A Python, its options, and the file or module that it starts.
_STARTS = re.compile(r"(?i)(?!\S*python\w*=)(\S*python\S*)((?:\s+-\S*)*)\s+(?:<\s*)?([\w./{}$-]+)")
_QUOTES = re.compile(r"[\"'\[\](),]")
_RUNNERS = re.compile(r"\b(?:uv|poetry|hatch|pdm|pipenv|rye|tox|nox)\s+run\b")
_NAMED_PYTHON = re.compile(r"""["']\S*python[\d.]*["'][^)]{0,200}""")


def own_environment(path: Path, text: str, repository: Repository) -> str | None:
    """Return why a program counts as one with an environment of its own; None for any other."""
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
    """Return the programs that something loads or starts where this package need not be, each with the reason."""
    found: dict[Path, str] = {}
    for path, text in repository.texts.items():
        if reason := own_environment(path, text, repository):
            found |= _loaded(repository, path, f"{path.name} {reason}")
    for path, where in _plain_starts(repository):
        reason = f"{where} starts {path.name} by a plain python, and all that it needs is in the standard library"
        loaded = _loaded(repository, path, reason)
        if all(_is_plain(repository, each) for each in loaded):
            found |= loaded
    return found


def _loaded(repository: Repository, start: Path, reason: str) -> dict[Path, str]:
    """Return a program and all that it loads, directly or not, each with the reason and the line that loads it."""
    found, pending = {start: reason}, [start]
    while pending:
        by = pending.pop()
        for line, path in _named(repository, by):
            if path not in found:
                found[path] = f"{by.name} line {line} loads it; {reason}"
                pending.append(path)
    return found


@lru_cache(maxsize=4096)
def _named(repository: Repository, path: Path) -> tuple[tuple[int, Path], ...]:
    """Return the programs that a program imports or names by file, each with the line."""
    text = repository.texts.get(path, "")
    rows = [(at, found) for at, name in imports(text) for found in repository.classes.homes(path, name)]
    files = {found[1]: found.start() for found in _FILE.finditer(text)}
    rows += [(files[each.name], each) for each in repository.programs if each.name in files]
    return tuple((line_of(text, at), found) for at, found in rows)


def _is_plain(repository: Repository, path: Path) -> bool:
    """Tell whether a program imports nothing but the standard library and programs of the repository."""
    names = {name for _, name in imports(repository.texts.get(path, ""))}
    others = (name for name in names if name.partition(".")[0] not in {"", *sys.stdlib_module_names})
    return all(repository.classes.homes(path, name.partition(".")[0]) for name in others)


def _plain_starts(repository: Repository) -> Iterator[tuple[Path, str]]:
    """Yield the scripts that a plain `python` starts, with the line that says so; tests and task files are left out."""
    by_name: dict[str, list[Path]] = {}
    for path, text in repository.texts.items():
        if path.name != "tasks.py" and not is_test(path.relative_to(repository.root)):
            by_name.setdefault(path.name, []).append(path)
            if text.startswith("#!") and "python" in text.partition("\n")[0]:
                yield path, f"{path.name} line 1"
    for where, text in _naming_python(repository):
        yield from ((path, where) for name in _started(text) for path in by_name.get(name, ()))


def _naming_python(repository: Repository) -> Iterator[tuple[str, str]]:
    """Yield what may start a Python, and where: lines of settings and scripts, in programs what follows its name."""
    for path, text in repository.settings.items():
        lines = enumerate(text.splitlines() if "python" in text.lower() else (), 1)
        yield from ((f"{path.name} line {number}", line) for number, line in lines if not _RUNNERS.search(line))
    for path, text in repository.texts.items():
        for found in _NAMED_PYTHON.finditer(text):
            yield f"{path.name} line {line_of(text, found.start())}", found[0]


def _started(text: str) -> list[str]:
    """Return the names of the files that a text starts with a Python outside any environment, also by `-m module`."""
    found = _STARTS.findall(_QUOTES.sub(" ", text))
    plain = [(options, target) for python, options, target in found if "env" not in python.lower()]
    modules = [f"{target.rpartition('.')[2]}.py" for options, target in plain if "-m" in options.split()]
    return [*(target.rpartition("/")[2] for _, target in plain if target.endswith(".py")), *modules]
