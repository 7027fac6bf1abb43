"""What a file or folder is, by its path relative to the root of the repository."""

import re
from pathlib import Path

_TEST_FOLDERS = frozenset({"test", "tests", "testing"})
_TEST_FILE = re.compile(r"test_.*|.*_test|.*_tests|tests?|conftest")
_SAMPLES = frozenset({"examples", "samples", "templates", "template"})
_DATA = frozenset({"data", "cases", "fixtures", "test_data", "testdata", "packages"}) | _SAMPLES
_DOCS = frozenset({"doc", "docs"})
_FOREIGN = frozenset({"_vendor", "vendor", "vendored", "site-packages", "third_party"})


def is_test(path: Path) -> bool:
    """Tell whether a file holds tests or helps them."""
    return not _TEST_FOLDERS.isdisjoint(path.parts[:-1]) or _TEST_FILE.fullmatch(path.stem) is not None


def is_test_module(path: Path) -> bool:
    """Tell whether a file holds tests itself: other tests do not run it."""
    return path.stem != "conftest" and _TEST_FILE.fullmatch(path.stem) is not None


def is_documentation(path: Path) -> bool:
    """Tell whether a file is part of the documentation."""
    return not _DOCS.isdisjoint(path.parts[:-1])


def is_data(path: Path) -> bool:
    """Tell whether a file is test data, a sample or a template: read more than run."""
    in_template = any("{{" in part for part in path.parts)
    return in_template or _has_below(path, _TEST_FOLDERS, _DATA) or _has_below(path, _DOCS, _SAMPLES)


def is_sample_project(path: Path) -> bool:
    """Tell whether a project is a sample, a template or test data, by its own name and the folders that it is in."""
    around = {*path.parts[:-1]}
    samples = _SAMPLES | {"fixtures", "test_data", "testdata"}
    return is_data(path / "x") or not around.isdisjoint(_TEST_FOLDERS | _DOCS) or not samples.isdisjoint(path.parts)


def _has_below(path: Path, tops: frozenset[str], names: frozenset[str]) -> bool:
    """Tell whether a path leads through one of `names` after one of `tops`."""
    folders = path.parts[:-1]
    first = next((number for number, name in enumerate(folders, 1) if name in tops), len(folders))
    return not names.isdisjoint(folders[first:])


def is_foreign(path: Path) -> bool:
    """Tell whether a path leads to a copy of other people's code."""
    return not _FOREIGN.isdisjoint(path.parts)
