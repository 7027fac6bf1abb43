"""What the files of a repository count on in each other: names that one imports, patches or reads from another."""

import re
from collections.abc import Iterable
from pathlib import Path

from .folders import walk

_MOST_BYTES = 2**20
_DOTTED = re.compile(r"\b([A-Za-z_]\w*)(?=\.([A-Za-z_]\w*))")
_FROM = re.compile(r"^[ \t]*from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)", re.MULTILINE)
_OBJECT = re.compile(r"\b(?:object|setattr)\(\s*([\w.]+)\s*,\s*[\"'](\w+)[\"']")
_IN_BASE = re.compile(r"""\.te?mp(?:/|["']\)?\s*[/,]\s*["'])([\w-]+)""")
_WORD = re.compile(r"[A-Za-z_*]\w*")


class References:
    """For each name, as `module.name` with the module's last part only, the files that mention it.

    A directory that is made by hand has the name `.tmp/<name>`.
    """

    def __init__(self) -> None:
        self._files: dict[str, set[Path]] = {}

    def add(self, path: Path, text: str) -> None:
        """Note what a file mentions."""
        found = {f"{base}.{name}" for base, name in [*_DOTTED.findall(text), *_last_parts(_OBJECT.findall(text))]}
        found.update(f".tmp/{name}" for name in _IN_BASE.findall(text))
        for home, names in _FROM.findall(text):
            base = home.rpartition(".")[2]
            found.update(f"{base}.{name}" for name in _WORD.findall(names))
        for name in found:
            self._files.setdefault(name, set()).add(path)

    def of(self, module: Path, name: str) -> list[Path]:
        """Return the files, other than the module's own, that may count on `name` in it."""
        if name.startswith("."):
            return sorted(self._files.get(name, set()) - {module})
        label = module.parent.name if module.stem == "__init__" else module.stem
        files = self._files.get(f"{label}.{name}", set()) | self._files.get(f"{label}.*", set())
        return sorted(files - {module})


def _last_parts(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(base.rpartition(".")[2], name) for base, name in pairs]


def find_mention(root: Path, text: str) -> Path | None:
    """Return the first file of the repository, other than a program, that names the path `text`.

    Larger ones than a script or a setting is are not read.
    """
    for folder, names in walk(root):
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith(".py") and _holds(path, text.encode()):
                return path
    return None


def _holds(path: Path, text: bytes) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _MOST_BYTES and text in path.read_bytes()
    except OSError:  # gone meanwhile, or not for us to read
        return False


def read_references(programs: Iterable[Path], words: Iterable[str] = ()) -> References:
    """Return what the files mention; given `words`, only those files count that hold one of them."""
    wanted = [word.rpartition("/")[2].encode() for word in words]
    references = References()
    for path in programs:
        data = path.read_bytes()
        if not wanted or any(word in data for word in wanted):
            references.add(path, data.decode("utf-8", "replace"))
    return references
