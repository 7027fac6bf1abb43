"""Which artifacts an environment still uses: the metadata and the links of editable installs."""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# The files in a `site-packages` that name folders outside of it: of `setup.py develop`, of plain and of strict
# editable installs (PEP 660), of those of meson-python and scikit-build-core, and of pip (PEP 610).
_NAMING = ("*.egg-link", "*.pth", "*editable*.py", "*.dist-info/direct_url.json")
_SITES = ("lib/python*/site-packages", "lib64/python*/site-packages", "site-packages")
_MOST_READ = 2**20
_METADATA = ".egg-info"


class Installs:
    """What environments name. `environments`: their folders; the one that runs this program is always included."""

    def __init__(self, environments: Iterable[Path]) -> None:
        self._named = [(each, _read_names(each)) for each in dict.fromkeys([*environments, Path(sys.prefix)])]

    def find_user(self, artifact: Path) -> Path | None:
        """Return an environment that uses an artifact: a package's metadata, or a folder that it links to."""
        wanted = [os.fsencode(form) for form in _forms(artifact)]
        return next((each for each, text in self._named if any(_names(text, path) for path in wanted)), None)


def _forms(artifact: Path) -> Iterator[str]:
    """Yield the paths by which an environment would name an artifact: for metadata, the folder around it."""
    for folder in {artifact.parent, artifact.parent.resolve()}:
        yield str(folder if artifact.name.endswith(_METADATA) else folder / artifact.name)


def _names(text: bytes, path: bytes) -> bool:
    """Tell whether a text names a path, or one below it."""
    at = text.find(path)
    while at >= 0:
        if text[at + len(path) : at + len(path) + 1] in b"\n\r\t'\"/;,":
            return True
        at = text.find(path, at + 1)
    return False


def _naming_files(environment: Path) -> list[Path]:
    """Return the files that may name something; none in an environment that this user may not read."""
    try:
        return [file for site in _SITES for naming in _NAMING for file in environment.glob(f"{site}/{naming}")]
    except PermissionError:
        return []


def _read_names(environment: Path) -> bytes:
    texts = []
    for file in _naming_files(environment):
        with contextlib.suppress(OSError), file.open("rb") as opened:
            text = opened.read(_MOST_READ)
            # What was installed from a wheel in `dist/` no longer needs it.
            texts += [text] if file.suffix != ".json" or b'"editable"' in text else []
    return b"\n".join([*texts, b""])
