"""Which files of a project are left-overs of builds and tests: the patterns, and matching one path.

They are those of a `.gitignore`, the plain part of it: `*.pyc` anywhere below the root, `/build` at
the root, `src/*.egg-info` at that path, a slash at the end for directories only. In a list of patterns
`...` stands for the built-in ones.
"""

import fnmatch
import re
from collections.abc import Iterable, Sequence

ARTIFACTS = (
    "__pycache__/",
    "*.pyc",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".ipynb_checkpoints/",
    "/.coverage",
    "/.coverage.*",
    "/coverage.xml",
    "/htmlcov/",
    "/build/",
    "/dist/",
    "/*.egg-info/",
    "/src/*.egg-info/",
    "/.tox/",
    "/.nox/",
    "/.eggs/",
)
BUILT_IN = "..."


class Patterns:
    """A list of patterns, made ready for asking. Raises ValueError, naming it, for one that is no pattern."""

    def __init__(self, patterns: Iterable[str]) -> None:
        texts = [text for pattern in patterns for text in (ARTIFACTS if pattern == BUILT_IN else (pattern,))]
        split = [(_parts(text), text.endswith("/")) for text in texts]
        self._names = _regex([(parts, folder) for parts, folder in split if parts[0]])
        anchored = [(parts[1:], folder) for parts, folder in split if parts[0] == ""]
        self._paths = _regex(anchored)
        self._deepest = max((len(parts) for parts, _ in anchored), default=0)

    def match(self, path: Sequence[str], name: str, *, directory: bool) -> bool:
        """Tell whether `name`, in the folder `path` relative to the root, is meant."""
        slash = "/" if directory else ""
        if self._names.fullmatch(name + slash):
            return True
        return len(path) < self._deepest and self._paths.fullmatch("/".join((*path, name)) + slash) is not None


def _parts(text: str) -> list[str]:
    """Split a pattern; the first part is empty where it holds for one path, not for a name anywhere."""
    parts = text.removesuffix("/").split("/")
    if len(parts) > 1 and parts[0]:
        parts.insert(0, "")
    named = parts[1:] if parts[0] == "" else parts
    if not named or any(part in ("", ".", "..", "**") for part in named):
        raise ValueError(f"{text!r} is no pattern: give one such as '*.pyc', '/build/' or 'src/*.egg-info'")
    return parts


def _regex(patterns: list[tuple[list[str], bool]]) -> re.Pattern[str]:
    alternatives = [
        "/".join(fnmatch.translate(part)[:-2] for part in parts) + ("/" if folder else "/?")
        for parts, folder in patterns
    ]
    return re.compile("|".join(alternatives) or r"(?!)")
