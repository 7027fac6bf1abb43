"""How a project sorts its imports and how long its lines are, by its isort, ruff and black settings."""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import isort

from .settings import nearest, read_toml

_USUAL = 88
# Settings of ruff that isort also has, under the same name.
_SHARED = (
    "case_sensitive combine_as_imports extra_standard_library force_single_line force_sort_within_sections "
    "force_to_top from_first known_first_party known_local_folder known_third_party length_sort lines_after_imports "
    "lines_between_types no_sections order_by_type relative_imports_order single_line_exclusions"
)
_SECTIONS = {"standard-library": "STDLIB"}


class WrongSettings(ValueError):
    """Settings of isort or ruff that cannot be read."""


class Position(NamedTuple):
    """Where an import belongs among sorted ones: after how many, and whether blank lines are above and below it."""

    after: int
    blank_above: bool
    blank_below: bool


class Style(NamedTuple):
    """The style of a file. `order`: how its imports are sorted. `required`: the imports that each file has to have."""

    order: isort.Config
    required: tuple[str, ...]
    length: int

    def sort(self, text: str) -> str:
        """Return a program with its imports sorted and their lines folded."""
        return isort.code(text, config=self.order)

    def find_position(self, imports: Sequence[str], new: str) -> Position | None:
        """Return where a new import belongs among the imports, one per line; None if these are not sorted."""
        if [line for line in self.sort("\n".join(imports)).split("\n") if line] != [*imports]:
            return None
        lines = self.sort("\n".join(dict.fromkeys((*imports, new)))).split("\n")
        at = lines.index(new)
        above, below = lines[at - 1 : at], lines[at + 1 :]
        return Position(sum(map(bool, lines[:at])), above == [""], below[:1] == [""] and any(below))


@lru_cache(maxsize=1024)
def style_of(folder: Path, root: Path) -> Style:
    """Return the style for the files of a folder: the settings nearest above it, up to `root`. Raises WrongSettings."""
    home, tools = _find_tools(folder, root)
    ruff, black = tools.get("ruff", {}), tools.get("black", {})
    with warnings.catch_warnings(action="ignore"):  # about settings that another program made, for another program
        try:
            own, by_ruff = isort.Config(settings_path=str(folder)), _of_ruff(ruff, home)
        except Exception as error:  # isort passes on what its parsers and plugins raise
            raise WrongSettings(f"the settings for sorting imports are wrong: {error}") from error
    named = any(str(source.get("source", "")).endswith((".cfg", ".toml", ".ini")) for source in own.sources)
    length = ruff.get("line-length", black.get("line-length", own.line_length if named else _USUAL))
    order = own if named else by_ruff
    return Style(isort.Config(config=order, add_imports=frozenset()), tuple(sorted(order.add_imports)), length)


def _of_ruff(ruff: dict[str, Any], home: Path) -> isort.Config:
    """Return how ruff sorts, which is close to isort's profile black."""
    table = {**ruff.get("isort", {}), **ruff.get("lint", {}).get("isort", {})}
    given: dict[str, Any] = {
        key.replace("-", "_"): tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    shared: dict[str, Any] = {key: value for key, value in given.items() if key in _SHARED.split()}
    shared |= {f"known_{name}": tuple(modules) for name, modules in given.get("sections", {}).items()}
    if order := given.get("section_order"):
        shared["sections"] = tuple(_SECTIONS.get(name, name.upper().replace("-", "")) for name in order)
    return isort.Config(
        profile="black",
        line_length=ruff.get("line-length", _USUAL),
        src_paths=tuple(home / source for source in ruff.get("src", (".", "src"))),
        add_imports=frozenset(given.get("required_imports", ())),
        **shared,
    )


def _find_tools(folder: Path, root: Path) -> tuple[Path, dict[str, Any]]:
    """Return the nearest settings of tools in TOML, and the folder that they are in."""
    file = nearest(folder / "x", root, "ruff.toml", ".ruff.toml", "pyproject.toml")
    found = read_toml(file) if file else {}
    tools = found.get("tool", {}) if file and file.name == "pyproject.toml" else {"ruff": found}
    return file.parent if file else root, tools
