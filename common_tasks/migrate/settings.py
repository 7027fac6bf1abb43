"""What the settings of projects say: TOML files, and the nearest of them."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=256)
def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file says; nothing if it cannot be read: its own tools cannot read it either."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def table(file: Path, *keys: str) -> object:
    """Return what stands in a TOML file below these keys; None if nothing does."""
    found: object = read_toml(file)
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def nearest(path: Path, root: Path, *names: str) -> Path | None:
    """Return the nearest file of one of the names in the folders above a path, up to `root`."""
    folders = [folder for folder in path.parents if folder.is_relative_to(root)]
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)
