"""The files of a repository, and what they count on in each other: names, folders, modules."""

import ast
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ..monorepo.search import COMPILED_IN, FOREIGN, NEVER_ENTERED
from ..project import git
from .classes import Classes
from .finding import Finding
from .kinds import is_foreign, is_test
from .names import Module
from .source import imports, line_of

_MOST_BYTES = 2**20
_DOTTED = re.compile(r"\b([A-Za-z_]\w*)(?=\.([A-Za-z_]\w*))")
_AS = re.compile(r"\b(\w+)[ \t]+as[ \t]+(\w+)")
_OBJECT = re.compile(r"\b(?:object|setattr)\(\s*([\w.]+)\s*,\s*[\"'](\w+)[\"']")
_BASE = re.compile(r"\.te?mp\b")
_NAMES_BASE = re.compile(r"^(?!.*\brm\b).*\.te?mp\b", re.MULTILINE)  # other than to remove it
_REPLACES = re.compile(r"\b(?:patch|object|setattr|multiple)\([^)]{0,200}?\b(?:tempfile|TemporaryDirectory|mkdtemp)\b")
_DOCUMENTS = frozenset({".md", ".rst", ".adoc", ".html", ".ipynb"})
_IGNORING = frozenset({".gitignore", ".dockerignore", ".gitattributes", ".hgignore", ".npmignore", ".prettierignore"})


class Repository:
    """The Python files of a monorepo and its other texts, and which files count on what in them.

    `projects`: the roots of all projects that files may belong to. Files that git ignores are copies, builds and
    caches: they are not looked at. Raises GuardFailed if git cannot tell.
    """

    def __init__(self, root: Path, projects: frozenset[Path]) -> None:
        files = {path.relative_to(root).as_posix(): path for path in _walk(root)}
        ignored = git.find_ignored(root, files)
        listed = [path for name, path in files.items() if name not in ignored]
        self.root = root
        self.projects = projects
        self.programs = tuple(path for path in listed if path.suffix == ".py")
        self.shadows = tuple(path for path in self.programs if path.name == "common_tasks.py")
        self._others = tuple(path for path in listed if path.suffix != ".py")
        self._ignored = tuple(files[name] for name in sorted(ignored) if name.endswith(".py"))

    def home(self, path: Path) -> Path | None:
        """Return the project that a file belongs to: the nearest above it."""
        return next((folder for folder in path.parents if folder in self.projects), None)

    @cached_property
    def engine(self) -> str:
        """The module that new names are imported from: `common.temp`, if no `common` of the repository hides it."""
        names = {path.with_suffix("").as_posix().removesuffix("/__init__") for path in self.programs}
        hidden = any(name.endswith(("/common", "/common/temp")) for name in names)
        return "common_tasks.temp" if hidden else "common.temp"

    @cached_property
    def texts(self) -> dict[Path, str]:
        """The text of every program. Files over 1 MiB, binary files and those that cannot be read are skipped."""
        return dict(_read_all(self.programs))

    @cached_property
    def classes(self) -> Classes:
        """What the programs define."""
        return Classes(self.root, self.texts)

    @cached_property
    def settings(self) -> dict[Path, str]:
        """The text of every other file, except documents and lists of ignored files."""
        paths = (p for p in self._others if p.suffix.lower() not in _DOCUMENTS and p.name not in _IGNORING)
        return dict(_read_all(paths))

    @cached_property
    def replacing(self) -> tuple[Path, str] | None:
        """The first file that replaces functions of tempfile by others, and where, in words."""
        made = {path: text for path, text in self.texts.items() if "tempfile" in text or "TemporaryDirectory" in text}
        return _find_first(_REPLACES, made)

    def read(self) -> None:
        """Read what is needed to look at any file, so that forked workers need not do it again."""
        _ = self.replacing, self.classes

    @cached_property
    def _users(self) -> dict[str, set[Path]]:
        users: dict[str, set[Path]] = {}
        for path, text in self.texts.items():
            for name in _mentioned(text):
                users.setdefault(name, set()).add(path)
        return users

    def users_of(self, module: Path, name: str) -> list[Path]:
        """Return the files, other than the module's own, that may count on `name` in it."""
        label = _label(module)
        files = self._users.get(f"{label}.{name}", set()) | self._users.get(f"{label}.*", set())
        return sorted(files - {module})

    def who_mentions(self, module: Path, name: str) -> list[Path]:
        """Return the files, other than a module's own, that contain both its name and `name`, whatever they mean."""
        words = re.compile(rf"\b(?:{re.escape(_label(module))}|{re.escape(name)})\b")
        return [path for path, text in self.texts.items() if path != module and len({*words.findall(text)}) == 2]

    @cached_property
    def unlooked(self) -> dict[Path, str]:
        """The text of every file that is not looked at as a program: settings, and programs that git ignores."""
        return {**self.settings, **dict(_read_all(self._ignored))}

    def who_names(self, word: re.Pattern[str], texts: Mapping[Path, str]) -> str | None:
        """Return the first place where a word stands in texts, in words."""
        found = _find_first(word, texts)
        return f"{found[1]} names it" if found else None

    @cached_property
    def with_fixtures(self) -> tuple[Path, ...]:
        """The programs that may define fixtures."""
        return tuple(path for path, text in self.texts.items() if "fixture" in text)

    @cached_property
    def naming_base(self) -> tuple[Path, ...]:
        """The programs that name a base."""
        return tuple(path for path, text in self.texts.items() if _BASE.search(text))

    @cached_property
    def who_names_base(self) -> str | None:
        """Where a script or a setting names a base, other than to remove it."""
        return self.who_names(_NAMES_BASE, self.settings)


class Program(NamedTuple):
    """What each rule is given: a parsed file and its repository. `helpers`: dotted names of legacy helpers."""

    file: Path
    module: Module
    repository: Repository
    helpers: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        """The path, relative to the monorepo's root."""
        return self.file.relative_to(self.repository.root)

    @property
    def is_test(self) -> bool:
        """Whether the file holds tests, or helps them."""
        return is_test(self.path)

    def report(self, node: ast.stmt | ast.expr, code: str, message: str) -> Finding:
        """Return the finding for a node, as one that is only reported."""
        line, column = self.module.place(node)
        return Finding(self.file, line, column, code, message, last_line=node.end_lineno or line)


def _find_first(word: re.Pattern[str], texts: Mapping[Path, str]) -> tuple[Path, str] | None:
    """Return the first file in which a word stands, and its name with the line."""
    for path, text in texts.items():
        if found := word.search(text):
            return path, f"{path.name} line {line_of(text, found.start())}"
    return None


def _label(module: Path) -> str:
    return module.parent.name if module.stem == "__init__" else module.stem


def _walk(root: Path) -> Iterator[Path]:
    """Yield the plain files of a repository; links are not followed, other people's code is not entered."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if here != root and not FOREIGN.isdisjoint({*folders, *files}):
            folders.clear()
            continue
        folders[:] = sorted({*folders} - {*NEVER_ENTERED, COMPILED_IN})
        for path in (here / name for name in sorted(files)):
            if not is_foreign(path.relative_to(root)) and path.is_file() and not path.is_symlink():
                yield path


def _read_all(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        try:
            data = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b"\0"
        except OSError:  # gone meanwhile, or not for us to read: nobody here can run it either
            continue
        if b"\0" not in data:
            yield path, data.decode("utf-8", "replace")


def _mentioned(text: str) -> set[str]:
    """Return what a program mentions of others, as `module.name` with the module's last part only."""
    names = {short: name for name, short in _AS.findall(text)}
    pairs = [(names.get(home, home), name) for home, name in (*_DOTTED.findall(text), *_OBJECT.findall(text))]
    dotted = [*(f"{home}.{name}" for home, name in pairs), *(name for _, name in imports(text))]
    return {".".join(name.rsplit(".", 2)[-2:]) for name in dotted}
