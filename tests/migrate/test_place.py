"""Which files may be made to import this package, and why the others may not."""

from pathlib import Path

import pytest

from common_tasks.migrate.names import Module
from common_tasks.migrate.place import why_not_import
from common_tasks.migrate.repository import Program, Repository

from .helpers import PYPROJECT, put

HOOK = PYPROJECT + '[tool.hatch.build.hooks.custom]\npath = "hooks/build.py"\n'
POETRY = PYPROJECT + '[tool.poetry]\nbuild = "hooks/build.py"\n'
BACKEND = PYPROJECT + '[build-system]\nrequires = []\nbuild-backend = "build"\nbackend-path = ["hooks"]\n'
BUILT = "build.py runs where the package is built"


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
        (".github/report.py", "report.py runs in CI, before anything is installed"),
        ("tests/data/sample.py", "sample.py is test data, a sample or a template"),
    ],
)
def test_place_of_a_file_may_say_no(tmp_path: Path, path: str, reason: str) -> None:
    assert why_not(tmp_path, path) == reason


def test_script_with_dependencies_of_its_own_may_not(tmp_path: Path) -> None:
    script = "# /// script\n# dependencies = []\n# ///\n"
    assert why_not(tmp_path, "scripts/build.py", script) == "build.py names its own dependencies (PEP 723)"


@pytest.mark.parametrize("pyproject", [HOOK, POETRY, BACKEND], ids=["hatch", "poetry", "backend-path"])
def test_what_the_build_backend_runs_may_not(tmp_path: Path, pyproject: str) -> None:
    assert why_not(tmp_path, "hooks/build.py", **{"pyproject.toml": pyproject}) == BUILT


def test_what_setup_imports_is_loaded_where_the_package_is_built(tmp_path: Path) -> None:
    setup = "import os\nfrom release import version\nfrom setuptools import setup\nsetup(version=version)\n"
    reason = why_not(tmp_path, "release.py", **{"setup.py": setup})
    assert reason == "setup.py line 2 loads it; setup.py runs where the package is built"


# What loads a script where this package need not be installed, and what is said of it.
LOADING = {
    "setup.py": ("import helper\n", "helper.py line 1 loads it; setup.py runs where the package is built"),
    "noxfile.py": ("from scripts import build\n", "noxfile.py line 1 loads it; noxfile.py runs in nox's own"),
    "docs/conf.py": ("import sys\nimport build\n", "conf.py line 2 loads it; conf.py runs where the documentation"),
    ".github/check.py": ("run('scripts/build.py')\n", "check.py line 1 loads it; check.py runs in CI"),
    "scripts/a.py": ("# /// script\n# ///\nimport build\n", "a.py line 3 loads it; a.py names its own dependencies"),
    "Dockerfile": ('CMD ["python", "/build.py"]\n', "Dockerfile line 1 starts build.py by a plain python"),
    "crontab": ("0 1 * * * /usr/bin/python3 /srv/build.py\n", "crontab line 1 starts build.py"),
    "run.sh": ('# a\n"$PYTHON" -u scripts/build.py\n', "run.sh line 2 starts build.py"),
    "Makefile": ("run:\n\tPYTHONPATH=. python3 -m scripts.build\n", "Makefile line 2 starts build.py"),
    "deploy.sh": ("ssh host python3 - < scripts/build.py\n", "deploy.sh line 1 starts build.py"),
    "scripts/b.py": ('run(\n    ["python3", "build.py"]\n)\n', "b.py line 2 starts build.py"),
    "ci.mk": ("\tpython3 scripts/c.py\n", "c.py line 1 loads it; ci.mk line 1 starts c.py by a plain python"),
}


@pytest.mark.parametrize("path", LOADING)
def test_what_is_loaded_where_this_package_need_not_be_may_not(tmp_path: Path, path: str) -> None:
    text, told = LOADING[path]
    others = {path: text, "scripts/c.py": "import build\n", "helper.py": "import build\n"}
    reason = why_not(tmp_path, "scripts/build.py", "import os\nx = 1\n", **others)
    assert (reason or "").startswith(told)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Makefile", "run:\n\tuv run python scripts/build.py\n"),
        ("Makefile", "run:\n\t.venv/bin/python scripts/build.py\n"),
        ("README.md", "python scripts/build.py\n"),
        ("scripts/b.py", '"""Run python scripts/build.py."""\n'),
        ("Makefile", "run:\n\tpython scripts/c.py\n"),
    ],
)
def test_what_an_environment_of_the_project_runs_may(tmp_path: Path, path: str, text: str) -> None:
    files = {path: text, "scripts/c.py": "import build, rich\n"}
    assert why_not(tmp_path, "scripts/build.py", "import os\nx = 1\n", **files) is None


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"setup.py": 'setup(name="x", python_requires=">=3.8")\n'}, "setup.py allows Python 3.8"),
        (
            {"pyproject.toml": PYPROJECT + 'classifiers = ["Programming Language :: Python :: 3.9"]\n'},
            "pyproject.toml allows Python 3.9",
        ),
        (
            {"pyproject.toml": "[project]\n# no common-tasks\ndependencies = ['common-tasks-x']\n", "tasks.py": ""},
            "the project does not declare common-tasks as a dependency",
        ),
        ({"lib/common_tasks/__init__.py": ""}, "the package lib/common_tasks hides this one"),
    ],
)
def test_project_that_has_an_older_python_or_not_this_package_may_not(
    tmp_path: Path, files: dict[str, str], reason: str
) -> None:
    assert (why_not(tmp_path, "scripts/build.py", **files) or "").startswith(reason)
