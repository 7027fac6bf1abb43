"""Which artifacts an environment still uses: the metadata and the links of editable installs."""

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..project.marks import identify

# The files in a `site-packages` that name folders outside it: made by `setup.py develop`, by plain and strict editable
# installs (PEP 660), by those of meson-python and scikit-build-core, and by pip (PEP 610).
_NAMING = ("*.egg-link", "*.pth", "*editable*.py", "*.dist-info/direct_url.json")
_SITES = ("lib*/python*/site-packages", "lib*/python*/dist-packages", "site-packages")
_ABSOLUTE = re.compile(r"/[^\n\r\t'\";,]*")
_RUNNING = Path(sys.prefix)
_MOST_READ = 2**20
_METADATA = ".egg-info"


class Installs:
    """What environments name: compared by device and inode, so links and bind mounts do not matter.

    `environments`: their folders. Always included are the one that runs this program, those that are activated, the
    user's own and the system's.
    """

    def __init__(self, environments: Iterable[Path]) -> None:
        self._running = _identify_around([_RUNNING])
        every = dict.fromkeys([*environments, *_find_usual()])
        named = [(environment, _find_named(environment)) for environment in every]
        self._named = [(environment, _identify(paths), _identify_around(paths)) for environment, paths in named]

    def find_user(self, artifact: Path) -> Path | None:
        """Return an environment that uses an artifact: as a package's metadata, or as a folder that it links to.

        The environment that runs this program also uses the folders around it.
        """
        wanted = identify(artifact)
        if wanted in self._running:
            return _RUNNING
        if artifact.name.endswith(_METADATA):
            beside = identify(artifact.parent)
            return next((environment for environment, named, _ in self._named if beside in named), None)
        return next((environment for environment, _, around in self._named if wanted in around), None)


def _find_usual() -> Iterator[Path]:
    yield _RUNNING
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if environment := os.environ.get(variable):
            yield Path(environment)
    yield from (Path(os.path.expanduser("~/.local")), Path("/usr/local"), Path("/usr"))


def _identify(paths: Iterable[Path]) -> set[tuple[int, int] | None]:
    """Return device and inode of what paths lead to, without what this user cannot look at: it must match nothing."""
    return {*map(identify, paths)} - {None}


def _identify_around(paths: Iterable[Path]) -> set[tuple[int, int] | None]:
    return _identify(folder for path in paths for folder in (path, *path.parents))


def _find_named(environment: Path) -> set[Path]:
    """Return the paths that an environment names outside itself."""
    inside = f"{os.path.abspath(environment)}/"
    names = (f"/{name.lstrip('/')}" for file in _find_naming(environment) for name in _read_names(file))
    return {Path(path) for path in map(os.path.normpath, names) if not f"{path}/".startswith(inside)}


def _find_naming(environment: Path) -> list[Path]:
    """Return the files that may name something; none in an environment that this user may not read."""
    try:
        return [file for site in _SITES for naming in _NAMING for file in environment.glob(f"{site}/{naming}")]
    except PermissionError:
        return []


def _read_names(file: Path) -> list[str]:
    """Return the absolute paths that a file names."""
    with contextlib.suppress(OSError), file.open(encoding="utf-8", errors="surrogateescape") as opened:
        text = opened.read(_MOST_READ)
        if file.suffix == ".json":
            from urllib.parse import unquote

            # What was installed from a wheel in `dist/` no longer needs it.
            text = unquote(text, errors="surrogateescape") if '"editable"' in text else ""
        lines = text.splitlines() if file.suffix in (".pth", ".egg-link") else []
        return [*(os.path.join(file.parent, line.strip()) for line in lines), *_ABSOLUTE.findall(text)]
    return []
