"""What the files of a repository count on in each other: names, folders, modules that one takes from another."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from .base_paths import BASES
from .classes import Classes
from .shadowing import Shadows, find_shadows

_MOST_BYTES = 2**20
_DOTTED = re.compile(r"\b([A-Za-z_]\w*)(?=\.([A-Za-z_]\w*))")
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)", re.MULTILINE)
_OBJECT = re.compile(r"\b(?:object|setattr)\(\s*([\w.]+)\s*,\s*[\"'](\w+)[\"']")
_WORD = re.compile(r"[A-Za-z_*]\w*")
_BASE = re.compile(r"\.te?mp\b")
_LISTS = re.compile(r"\b(?:r?glob|iglob|iterdir|listdir|scandir|walk)\b|/\*")
_HELPER = "def get_temp_dir"  # its prefix has a default of its own
_CLEANS = re.compile(r"\brm\b")
_REPLACES = re.compile(r"\b(?:patch|object|setattr|multiple)\([^)]{0,200}?\b(?:tempfile|TemporaryDirectory|mkdtemp)\b")
_PLAIN_PYTHON = re.compile(r"(?<![\w./-])python3?(?:\.\d+)?[ \t]+(?:-[\w=]+[ \t]+)*[\"']?([\w./{}$-]+\.py)\b")
_RUNNERS = re.compile(r"\b(?:uv|poetry|hatch|pdm|pipenv|rye|tox|nox)\s+run\b")
_DOCUMENTS = frozenset({".md", ".rst", ".adoc", ".html", ".ipynb"})
_IGNORING = frozenset({".gitignore", ".dockerignore", ".gitattributes", ".hgignore", ".npmignore", ".prettierignore"})


class Repository:
    """The Python files of a monorepo and its other texts, and who counts on what in them.

    `projects`: the roots of all projects that files may belong to.
    """

    def __init__(self, root: Path, programs: Iterable[Path], others: Iterable[Path], projects: frozenset[Path]) -> None:
        self.root = root
        self.programs = tuple(programs)
        self.projects = projects
        self._others = tuple(others)

    def home(self, path: Path) -> Path | None:
        """Return the project that a file belongs to: the nearest above it."""
        return next((folder for folder in path.parents if folder in self.projects), None)

    @cached_property
    def shadows(self) -> Shadows:
        """The modules of the repository's own that hide ours."""
        return find_shadows(self.classes, self.programs)

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
        """The text of every other file but documents and lists of what is ignored."""
        paths = (p for p in self._others if p.suffix.lower() not in _DOCUMENTS and p.name not in _IGNORING)
        return dict(_read_all(paths))

    @cached_property
    def bare_scripts(self) -> frozenset[str]:
        """The names of the scripts that something starts by a plain `python`."""
        lines = (line for text in self.settings.values() if ".py" in text for line in text.splitlines())
        return frozenset(
            found.rpartition("/")[2]
            for line in lines
            if "python" in line and not _RUNNERS.search(line)
            for found in _PLAIN_PYTHON.findall(line)
        )

    @cached_property
    def replacing(self) -> tuple[Path, str] | None:
        """The first file that replaces functions of tempfile by others, and where, in words."""
        for path, text in self.texts.items():
            found = _REPLACES.search(text) if "tempfile" in text or "TemporaryDirectory" in text else None
            if found:
                return path, f"{path.name} line {text.count(chr(10), 0, found.start()) + 1}"
        return None

    def read(self) -> None:
        """Read what each file is looked at with, so that forked workers need not do it again."""
        _ = self.shadows, self.bare_scripts, self.replacing, self.classes

    @cached_property
    def _users(self) -> dict[str, set[Path]]:
        users: dict[str, set[Path]] = {}
        for path, text in self.texts.items():
            for name in _mentioned(text):
                users.setdefault(name, set()).add(path)
        return users

    def users_of(self, module: Path, name: str) -> list[Path]:
        """Return the files, other than the module's own, that may count on `name` in it."""
        label = module.parent.name if module.stem == "__init__" else module.stem
        files = self._users.get(f"{label}.{name}", set()) | self._users.get(f"{label}.*", set())
        return sorted(files - {module})

    def who_looks(self, made_in: Path, name: str) -> str | None:
        """Return who may look for the folder `name` of a base, made in one file; a `*` in it stands for a time.

        Any other file that names a base, beside the name or with a listing of what is there, may do so; and any
        script or setting that names a base at all, other than to remove it.
        """
        start = _named(name)
        for path, text in self.texts.items():
            if path == made_in or not _BASE.search(text):
                continue
            if _LISTS.search(text) or (start and start.search(text) and _HELPER not in text):
                return f"{path.name} may look for it"
        for path, text in self.settings.items():
            for number, line in enumerate(text.splitlines() if _BASE.search(text) else (), 1):
                if _BASE.search(line) and not _CLEANS.search(line):
                    return f"{path.name} line {number} names {BASES[0]}"
        return None


def _named(folder: str) -> re.Pattern[str] | None:
    """Return what names a folder of a base in a program, given as `report` or `demo_*`; None where nobody knows."""
    if folder.startswith("*"):
        return None
    if folder.endswith("_*"):
        return re.compile(rf"""["'/]{re.escape(folder[:-2])}(?:_|\*|["'])""")
    return re.compile(rf"""(?<![\w-]){re.escape(folder)}(?![\w-])""")


def _read_all(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        try:
            data = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else b"\0"
            if b"\0" not in data:
                yield path, data.decode("utf-8", "replace")
        except OSError:  # gone meanwhile, or not for us to read: nobody here can run it either
            continue


def _mentioned(text: str) -> set[str]:
    """Return what a program mentions of others, as `module.name` with the module's last part only."""
    objects = [(base.rpartition(".")[2], name) for base, name in _OBJECT.findall(text)]
    found = {f"{base}.{name}" for base, name in [*_DOTTED.findall(text), *objects]}
    for home, names in _FROM.findall(text):
        base = home.rpartition(".")[2]
        found.update(f"{base}.{name}" for name in _WORD.findall(names))
    return found
