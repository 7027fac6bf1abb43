"""Which files may be made to import this package, and why the others may not."""

from pathlib import Path

import pytest

from common_tasks.migrate.names import Module
from common_tasks.migrate.place import why_not_import
from common_tasks.migrate.program import Program
from common_tasks.migrate.repository import Repository

from .helpers import PYPROJECT, put

HOOK = PYPROJECT + '[tool.hatch.build.hooks.custom]\npath = "hooks/build.py"\n'
POETRY = PYPROJECT + '[tool.poetry]\nbuild = "hooks/build.py"\n'
BACKEND = PYPROJECT + '[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["hooks"]\n'
BUILT = "it runs where the package is built"


def why_not(root: Path, path: str, text: str = "x = 1\n", **files: str) -> str | None:
    put(root, {**files, path: text})
    doubt = why_not_import(Program(root / path, Module(text), Repository(root, frozenset())))
    return doubt.reason if doubt else None


def test_script_of_a_project_that_declares_the_package_may(tmp_path: Path) -> None:
    assert why_not(tmp_path, "scripts/build.py") is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("noxfile.py", "noxfile.py runs in nox's own environment"),
        ("sitecustomize.py", "sitecustomize.py runs in every Python"),
        ("docs/conf.py", "conf.py runs where the documentation is built"),
        ("docs/tools/make.py", "it is part of the documentation"),
        (".github/report.py", "it runs in CI, before anything is installed"),
        ("tests/data/sample.py", "it is test data, a sample or a template"),
    ],
)
def test_place_of_a_file_may_say_no(tmp_path: Path, path: str, reason: str) -> None:
    assert why_not(tmp_path, path) == reason


def test_script_with_dependencies_of_its_own_may_not(tmp_path: Path) -> None:
    script = "# /// script\n# dependencies = []\n# ///\n"
    assert why_not(tmp_path, "scripts/build.py", script) == "it names its own dependencies (PEP 723)"


@pytest.mark.parametrize("pyproject", [HOOK, POETRY, BACKEND], ids=["hatch", "poetry", "backend-path"])
def test_what_the_build_backend_runs_may_not(tmp_path: Path, pyproject: str) -> None:
    assert why_not(tmp_path, "hooks/build.py", **{"pyproject.toml": pyproject}) == BUILT


def test_what_setup_imports_is_loaded_where_the_package_is_built(tmp_path: Path) -> None:
    setup = "import os\nfrom release import version\nfrom setuptools import setup\nsetup(version=version)\n"
    reason = why_not(tmp_path, "release.py", **{"setup.py": setup})
    assert reason == "setup.py line 2 imports release where the package is built"
