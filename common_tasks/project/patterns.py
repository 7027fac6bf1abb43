r"""Which files of a project are leftovers of builds and tests: the patterns, and matching one path.

They are lines of a `.gitignore` (https://git-scm.com/docs/gitignore): `*.pyc` anywhere below the root, `/build` at
the root, `src/*.egg-info` at that path, `docs/**/out` at any depth below another, `docs/**` for all that is inside, a
slash at the end for directories only, `\` before a character that stands for itself. Negations (`!name`) and comments
(`# …`) are refused. In a list of patterns, `...` stands for the built-in ones.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, NoReturn

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
_MOST_KNOWN = 10_000  # names
_ANY_DEPTH = "**"
_TOKEN = re.compile(r"\\(?P<plain>.)|(?P<star>\*+)|(?P<one>\?)|\[(?P<set>[!^]?\]?[^\]]*)\]|(?P<char>.)", re.DOTALL)


class _Pattern(NamedTuple):
    """A pattern taken apart: `parts` of a path from the root if it is `anchored`, else one name anywhere."""

    parts: tuple[str, ...]
    anchored: bool
    directory: bool


class Patterns:
    """A list of patterns, ready for matching. Raises ValueError for one that is not valid, and names it."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._texts = [text for pattern in patterns for text in (ARTIFACTS if pattern == BUILT_IN else (pattern,))]
        parsed = [_parse(text) for text in self._texts]
        self._anchored = [pattern for pattern in parsed if pattern.anchored]
        self._any_name = len(self._anchored) < len(parsed)
        names = _regex(pattern for pattern in parsed if not pattern.anchored)
        self._match_name = lru_cache(_MOST_KNOWN)(names.fullmatch)  # most names occur again and again
        self._paths = _regex(self._anchored)
        # At this depth in a tree, and deeper, names alone decide.
        depths = (float("inf") if _ANY_DEPTH in each.parts else len(each.parts) for each in self._anchored)
        self.deepest = max(depths, default=0)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __reduce__(self) -> tuple[Callable[[tuple[str, ...]], "Patterns"], tuple[tuple[str, ...]]]:
        return parse, (tuple(self._texts),)

    def match(self, path: Sequence[str], name: str, *, directory: bool) -> bool:
        """Tell whether `name`, in the folder `path` relative to the root, matches."""
        text = f"{name}/" if directory else name
        if self._match_name(text):
            return True
        return len(path) < self.deepest and self._paths.fullmatch("/".join((*path, text))) is not None

    def may_match_below(self, path: Sequence[str]) -> bool:
        """Tell whether anything in the folder `path` may match."""
        return self._any_name or any(_leads_through(pattern, path) for pattern in self._anchored)


@lru_cache
def parse(patterns: tuple[str, ...]) -> Patterns:
    """Return these patterns, ready for matching; equal ones are one object. Raises ValueError as `Patterns` does."""
    return Patterns(patterns)


def _parse(text: str) -> _Pattern:
    """Take a pattern apart. Raises ValueError if the text is not a pattern."""
    if text.startswith("!"):
        _refuse(text, rf"name what is to stay in clean.keep; for a name that begins with '!' write {chr(92) + text!r}")
    if text.startswith("#"):
        _refuse(text, rf"it is a comment; for a name that begins with '#' write {chr(92) + text!r}")
    line = re.sub(r"(?<!\\) +$", "", text)
    parts = line.removesuffix("/").split("/")
    if parts[-1] == _ANY_DEPTH:
        parts.append("*")
    anchored = len(parts) > 1
    if parts[:1] == [""]:
        parts = parts[1:]
    elif len(parts) == 2 and parts[0] == _ANY_DEPTH:
        parts, anchored = parts[1:], False
    if not parts or any(part in ("", ".", "..") or "[:" in part for part in parts):
        _refuse(text, "give one such as '*.pyc', '/build/' or 'src/*.egg-info'")
    return _Pattern(tuple(_translate(part, text) for part in parts), anchored, line.endswith("/"))


def _refuse(text: str, advice: str) -> NoReturn:
    raise ValueError(f"{text!r} is not a pattern: {advice}")


def _translate(part: str, text: str) -> str:
    """Return what one part of a path matches, as a regular expression; `**` as it is."""
    if part == _ANY_DEPTH:
        return part
    expression = "".join(map(_translate_token, _TOKEN.finditer(part)))
    try:
        re.compile(expression)
    except re.error:
        _refuse(text, "its brackets do not hold a set of characters")
    return expression


def _translate_token(token: re.Match[str]) -> str:
    if token["star"]:
        return "[^/]*"
    if token["one"]:
        return "[^/]"
    if token["set"] is None:
        return re.escape(token["plain"] or token["char"])
    negated = "^" if token["set"][:1] in ("!", "^") else ""
    inside = re.sub(r"([\\\]\[^&~|])", r"\\\1", token["set"][len(negated) :])
    return f"(?!/)[{negated}{inside}]"


def _leads_through(pattern: _Pattern, path: Sequence[str]) -> bool:
    """Tell whether a pattern may match something in the folder `path`."""
    for part, name in zip(pattern.parts, path, strict=False):
        if part == _ANY_DEPTH:
            return True
        if not re.fullmatch(part, name):
            return False
    return len(pattern.parts) > len(path)


def _regex(patterns: Iterable[_Pattern]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, patterns)) or r"(?!)", re.DOTALL)


def _expression(pattern: _Pattern) -> str:
    parts = ["(?:[^/]+/)*" if part == _ANY_DEPTH else f"{part}/" for part in pattern.parts]
    return "".join(parts) + ("" if pattern.directory else "?")
