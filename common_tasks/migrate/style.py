"""How a project wants its imports and lines: what its ruff, isort, black or flake8 settings say."""

import configparser
import re
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

FUTURE, STANDARD, THIRD, FIRST, LOCAL = range(5)
_FILES = ("ruff.toml", ".ruff.toml", "pyproject.toml", ".isort.cfg", "setup.cfg", "tox.ini", ".flake8")
_SECTIONS: dict[str, tuple[str, ...]] = {
    ".isort.cfg": ("settings", "isort"),
    "setup.cfg": ("isort", "flake8"),
    "tox.ini": ("isort", "flake8"),
}
_SECTIONS[".flake8"] = ("flake8",)
_USUAL = 88


class Style(NamedTuple):
    """What holds for a file. `roots`: the folders that packages of the project's own lie in."""

    roots: tuple[Path, ...] = ()
    length: int = _USUAL
    mixed: bool = False  # `from` and plain imports are sorted together
    single: bool = False  # a name a line
    from_first: bool = False
    no_sections: bool = False
    required: tuple[str, ...] = ()  # imports that every file has to have
    own: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()

    def section(self, name: str, level: int) -> int:
        """Return the part of the imports that a module belongs to."""
        top = name.partition(".")[0]
        if level:
            return LOCAL
        if top == "__future__":
            return FUTURE
        if self.no_sections:
            return THIRD
        if top in self.own:
            return FIRST
        if top in self.foreign:
            return THIRD
        if top in sys.stdlib_module_names:
            return STANDARD
        here = any((root / top).is_dir() or (root / f"{top}.py").is_file() for root in self.roots)
        return FIRST if here else THIRD

    def order(self, name: str, *, is_from: bool) -> tuple[object, ...]:
        """Return what the imports of one part are sorted by."""
        natural = tuple((part.isdigit(), int(part) if part.isdigit() else part) for part in _parts(name.lower()))
        if self.mixed:
            return (natural, is_from)
        return (is_from != self.from_first, natural)


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"(\d+)", name) if part]


@lru_cache(maxsize=1024)
def style_of(folder: Path, root: Path) -> Style:
    """Return the style for the files of a folder: the settings nearest above it, up to `root`."""
    options: dict[str, Any] = {}
    home = None
    for above in (folder, *folder.parents):
        if not above.is_relative_to(root):
            break
        for name in _FILES:
            found = _options(above / name) if (above / name).is_file() else {}
            home = home or (above if found or (name == "pyproject.toml" and (above / name).is_file()) else None)
            options = {**found, **options}
        if home:
            break
    return _style(home or root, options)


def _style(home: Path, options: dict[str, Any]) -> Style:
    sources = options.get("src") or options.get("src_paths") or [".", "src"]
    length = options.get("line_length", options.get("max_line_length", _USUAL))
    return Style(
        roots=tuple(home / str(source) for source in _list(sources)),
        length=int(length) if str(length).isdigit() else _USUAL,
        mixed=_yes(options.get("force_sort_within_sections")),
        single=_yes(options.get("force_single_line")),
        from_first=_yes(options.get("from_first")),
        no_sections=_yes(options.get("no_sections")),
        required=tuple(_lines(options.get("required_imports", options.get("add_imports", [])))),
        own=frozenset(map(str, _list(options.get("known_first_party", [])))),
        foreign=frozenset(map(str, _list(options.get("known_third_party", [])))),
    )


def _yes(value: object) -> bool:
    return str(value).lower() in ("true", "1", "yes", "on")


def _lines(value: object) -> list[str]:
    found = re.split(r"[,;\n]", value) if isinstance(value, str) else value if isinstance(value, list) else []
    return [str(line).strip() for line in found if str(line).strip()]


def _list(value: object) -> list[object]:
    return (
        [part for part in re.split(r"[\s,]+", value) if part]
        if isinstance(value, str)
        else list(value)
        if isinstance(value, list)
        else []
    )


def _options(path: Path) -> dict[str, Any]:
    """Return what a file says, whichever tool's it is; hyphens as underscores. What cannot be read says nothing."""
    try:
        text = path.read_text("utf-8")
        found = _from_toml(path.name, text) if path.suffix == ".toml" else _from_ini(path.name, text)
    except (OSError, ValueError, configparser.Error):  # TOMLDecodeError and UnicodeError are ValueErrors
        return {}
    return {key.replace("-", "_"): value for key, value in found.items()}


def _from_toml(name: str, text: str) -> dict[str, Any]:
    document = tomllib.loads(text)
    tools = document.get("tool", {}) if name == "pyproject.toml" else {"ruff": document}
    ruff, isort, black = (tools.get(tool, {}) for tool in ("ruff", "isort", "black"))
    lint = ruff.get("lint", {})
    flat = {key: value for key, value in {**black, **isort, **ruff}.items() if not isinstance(value, dict)}
    return {**flat, **ruff.get("isort", {}), **lint.get("isort", {})}


def _from_ini(name: str, text: str) -> dict[str, Any]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    sections = [parser[section] for section in _SECTIONS[name] if parser.has_section(section)]
    return {key: value for section in reversed(sections) for key, value in section.items()}
