"""A monorepo of three legacy projects: migrated, its tests pass, its tasks work, a second run finds nothing open."""

from pathlib import Path

import pytest

from ..helpers import git, inv, inv_json, python, run_pytest
from .helpers import PYPROJECT, migrate, put
from .test_guide import HELPER, MANUAL, TESTS

BARE = """
    from invoke import task


    @task
    def build(c):
        "Build it."
        print("built")
"""
COLLECTION = BARE.replace("import task", "import Collection, task") + "\n\n    ns = Collection(build)\n"
SHARED = """
    import tempfile

    import pytest


    @pytest.fixture
    def folder():
        with tempfile.TemporaryDirectory() as name:
            yield str(name)


    def test_folder(folder):
        assert isinstance(folder, str)
"""


@pytest.mark.slow  # the guide's own monorepo is quicker
def test_three_projects_are_migrated(tmp_path: Path) -> None:
    top = tmp_path / "monorepo"
    one, two, three = (top / "projects" / name for name in ("one", "two", "three"))
    put(one, {"scripts/demo.py": HELPER, "tests/test_sync.py": TESTS, "tasks.py": BARE, ".gitignore": "dist/\n"})
    put(two, {"scripts/work.py": MANUAL, "tests/test_folder.py": SHARED, "tasks.py": COLLECTION})
    put(three, {"tests/test_sync.py": TESTS})
    (three / "tasks.py").unlink()
    (three / ".gitignore").unlink()
    put(top, {})
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "commit", "-qm", "legacy")
    assert "[ ]" in migrate(one, "--all-projects", "--check", code=1)
    migrate(one, "--all-projects", "--write", "--unsafe")
    assert "[ ]" not in migrate(two, "--all-projects", "--check")
    for root in (one, two, three):
        done = run_pytest(root, "-q", "tests")
        assert done.returncode == 0, done.stdout
        assert inv_json(root, "temp-status")["root"] == str(root)
    assert inv(one, "build").stdout == inv(two, "build").stdout == "built\n"
    python("import runpy; runpy.run_path('scripts/demo.py')", cwd=one)
    assert [entry["category"] for entry in inv_json(one, "temp-status")["entries"]] == ["debug"]
    assert inv_json(two, "temp-status")["entries"] == []


def test_project_alone_leaves_the_others_alone(tmp_path: Path) -> None:
    put(tmp_path, {"tests/test_a.py": TESTS, "nested/tests/test_b.py": TESTS, "nested/pyproject.toml": ""})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "legacy")
    migrate(tmp_path, "--write")
    assert "pytest_temp_dirs" in (tmp_path / "tests/test_a.py").read_text()
    assert "pytest_temp_dirs" not in (tmp_path / "nested/tests/test_b.py").read_text()


SAMPLES = ("tests/one", "tests/e2e/app", "docs/tutorial", "examples/one", "src/templates/new", "src/testdata/one")


def test_samples_templates_and_test_data_are_no_projects(tmp_path: Path) -> None:
    own = ("apps/one", "tests")
    put(tmp_path, {f"{folder}/pyproject.toml": PYPROJECT for folder in (*SAMPLES, *own)})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "legacy")
    migrate(tmp_path, "--all-projects", "--write")
    made = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("tasks.py")}
    assert made == {".", *own}


def test_environments_and_other_repositories_are_not_entered(tmp_path: Path) -> None:
    files = {
        "venv/pyvenv.cfg": "",
        "venv/tests/test_a.py": TESTS,
        "other/tests/test_b.py": TESTS,
        "_vendor/c.py": MANUAL,
    }
    put(tmp_path, files)
    (tmp_path / "other/.git").mkdir()
    migrate(tmp_path, "--check")


def test_what_git_ignores_is_left_alone(tmp_path: Path) -> None:
    put(
        tmp_path,
        {"build/lib/tests/test_a.py": TESTS, "tests/test_é.py": TESTS, ".gitignore": "/build/\n.tmp/\n.temp/\n"},
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "legacy")
    migrate(tmp_path, "--write")
    assert "pytest_temp_dirs" not in (tmp_path / "build/lib/tests/test_a.py").read_text()
    assert "pytest_temp_dirs" in (tmp_path / "tests/test_é.py").read_text()
