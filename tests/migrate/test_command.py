"""The real inv, on real projects in real git checkouts."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..helpers import INV, fresh_python, git, inv, inv_json
from .helpers import plain, put

TEST = """
    import tempfile


    def test_it():
        with tempfile.TemporaryDirectory() as d:
            open(f"{d}/x", "w").close()
"""
DOUBTFUL = TEST.replace("open(", "check(locals(), ")


@pytest.fixture
def legacy(project: Path) -> Path:
    """Return a project with one thing to do in each file, under git."""
    put(project, {"tests/test_it.py": TEST, ".gitignore": ".tmp/\n", "tests/test_b.py": DOUBTFUL})
    (project / ".gitignore").write_text(".tmp/\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "as it was")
    return project


def status(root: Path) -> str:
    done = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def test_without_flags_it_lists_and_writes_nothing(legacy: Path) -> None:
    shown = inv(legacy, "temp-migrate").stdout
    assert shown == plain(
        """
        project
          scripts
            [x] Scripts take their temporary directories from TempManager
          tests
            [ ] Tests take their temporary directories from pytest_temp_dirs
                tests/test_b.py:5:10  T2  unsafe  TemporaryDirectory: with temp_working_dir("it") as d; \
line 6 looks names up by their text
                tests/test_it.py:5:10  T2  safe    TemporaryDirectory: with temp_working_dir("it") as d
          task files
            [x] No module of its own hides common_tasks
            [x] Task files use TempManager in place of get_temp_dir
            [x] tasks.py has temp-status, temp-clean and clean
          configuration
            [ ] git ignores .tmp/ and .temp/
                .gitignore:1:1  T6  safe    git does not ignore .temp/ here

        3 open in 1 project; 2 safe: --write rewrites them; 1 unsafe: --write --unsafe rewrites them too
        """
    )
    assert status(legacy) == ""


def test_diff_is_a_patch_that_git_applies_to_the_same_as_write(legacy: Path) -> None:
    for flags in ([], ["--unsafe"]):
        patch = inv(legacy, "temp-migrate", "--diff", *flags).stdout
        assert status(legacy) == ""
        inv(legacy, "temp-migrate", "--write", *flags)
        written = status(legacy), subprocess.check_output(["git", "diff"], cwd=legacy)
        git(legacy, "checkout", "-q", ".")
        subprocess.run(["git", "apply"], input=patch, cwd=legacy, text=True, check=True)
        assert (status(legacy), subprocess.check_output(["git", "diff"], cwd=legacy)) == written
        git(legacy, "checkout", "-q", ".")


def test_diff_is_coloured_on_a_terminal(legacy: Path) -> None:
    command = f"script -qec '{INV} temp-migrate --diff' /dev/null"
    done = subprocess.run(["bash", "-c", command], cwd=legacy, capture_output=True, text=True, check=True)
    assert "\x1b[" in done.stdout
    assert "temp_working_dir" in done.stdout


def test_check_is_a_gate(legacy: Path) -> None:
    inv(legacy, "temp-migrate", "--check", code=1)
    assert "temp_working_dir" in inv(legacy, "temp-migrate", "--diff", "--check", code=1).stdout
    inv(legacy, "temp-migrate", "--write", "--check", code=1)
    git(legacy, "commit", "-qam", "safe")
    inv(legacy, "temp-migrate", "--write", "--unsafe", "--check")
    inv(legacy, "temp-migrate", "--check")


def test_json_is_as_promised(legacy: Path) -> None:
    document = inv_json(legacy, "temp-migrate")
    assert list(document) == ["schema", "root", "findings", "checklist", "summary"]
    assert (document["schema"], document["root"]) == (1, str(legacy))
    assert document["findings"][-1] == {
        "path": "tests/test_it.py",
        "line": 5,
        "column": 10,
        "code": "T2",
        "safety": "safe",
        "message": 'TemporaryDirectory: with temp_working_dir("it") as d',
        "fixed": False,
    }
    assert document["summary"] == {"safe": 2, "unsafe": 1, "report": 0, "fixed": 0, "files": 3}
    assert {row["project"] for row in document["checklist"]} == {"."}
    assert [row["done"] for row in document["checklist"]] == [True, False, True, True, True, False]
    fixed = inv_json(legacy, "temp-migrate", "--write")
    assert fixed["summary"] == {"safe": 0, "unsafe": 1, "report": 0, "fixed": 2, "files": 3}


def test_file_with_uncommitted_changes_is_left_and_named_and_the_others_are_written(legacy: Path) -> None:
    path = legacy / "tests/test_it.py"
    path.write_text(path.read_text() + "# mine\n")
    done = inv(legacy, "temp-migrate", "--write", code=1)
    assert "not written: tests/test_it.py: uncommitted changes" in done.stderr
    assert "temp_working_dir" not in path.read_text()
    assert ".temp/" in (legacy / ".gitignore").read_text()
    inv(legacy, "temp-migrate", "--write", "--force")
    assert "temp_working_dir" in path.read_text()
    assert path.read_text().endswith("# mine\n")


def test_git_that_cannot_tell_is_a_refusal(legacy: Path) -> None:
    (legacy / ".git/index").write_bytes(b"broken")
    done = inv(legacy, "temp-migrate", "--write", code=2)
    assert (done.stdout, done.stderr.startswith("git cannot answer"), done.stderr.count("\n")) == ("", True, 1)


def test_changes_elsewhere_are_no_matter(legacy: Path) -> None:
    (legacy / "README.md").write_text("# mine\n")
    inv(legacy, "temp-migrate", "--write")
    assert "temp_working_dir" in (legacy / "tests/test_it.py").read_text()


def test_paths_narrow_it(legacy: Path) -> None:
    rows = inv_json(legacy, "temp-migrate", "--paths", "tests/test_it.py", "--paths", ".gitignore")["findings"]
    assert [row["path"] for row in rows] == [".gitignore", "tests/test_it.py"]
    (legacy / "link").symlink_to("tests")
    for path in ("test_b.py", "../tests/test_b.py", "../link/test_b.py"):
        assert inv_json(legacy / "tests", "temp-migrate", "--paths", path)["summary"]["files"] == 1


BAD: dict[str, list[str]] = {
    "--diff only shows and --write changes": ["--diff", "--write"],
    "--paths takes files and folders that exist": ["--paths", "nowhere"],
}


@pytest.mark.parametrize("told", BAD)
def test_bad_use_is_one_line_and_nothing_is_written(legacy: Path, told: str) -> None:
    done = inv(legacy, "temp-migrate", *BAD[told], code=2)
    assert done.stderr.startswith(told)
    assert (done.stdout, done.stderr.count("\n"), status(legacy)) == ("", 1, "")


@pytest.mark.parametrize("value", [["plain"], [1], ["a.b", None]])
def test_bad_setting_is_one_line(project: Path, value: Any) -> None:
    (project / "invoke.json").write_text(json.dumps({"migrate": {"helpers": value}}))
    done = inv(project, "temp-migrate", code=2)
    assert (done.stderr.startswith("the setting migrate.helpers takes"), done.stderr.count("\n")) == (True, 1)


def test_helper_is_configured(project: Path) -> None:
    put(project, {"scripts/a.py": "from tools import scratch\n\nscratch('x')\n"})
    (project / "invoke.json").write_text(json.dumps({"migrate": {"helpers": ["tools.scratch"]}}))
    assert [row["code"] for row in inv_json(project, "temp-migrate")["findings"]] == ["T1"]


def test_without_libcst_it_says_how_to_get_it(legacy: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['libcst'] = None\n")
    done = inv(legacy, "temp-migrate", env={**os.environ, "PYTHONPATH": str(hidden)}, code=2)
    assert (done.stdout, done.stderr) == ("", "temp-migrate needs LibCST: pip install 'common-tasks[migrate]'\n")


def test_file_that_cannot_be_written_is_named_and_the_others_are(legacy: Path) -> None:
    before = (legacy / "tests/test_it.py").read_text()
    blocked = "import pathlib\nold = pathlib.Path.replace\n"
    blocked += "def replace(path, to):\n    if to.name == 'test_it.py': raise PermissionError('blocked')\n"
    blocked += "    return old(path, to)\npathlib.Path.replace = replace\n"
    program = "from invoke import Program; from common_tasks import ns; Program(namespace=ns)"
    done = fresh_python(f"{blocked}{program}.run(['x', 'temp-migrate', '--write'])", cwd=legacy)
    assert done.returncode == 1
    assert "not written: tests/test_it.py: blocked" in done.stderr
    assert (legacy / "tests/test_it.py").read_text() == before
    assert ".temp/" in (legacy / ".gitignore").read_text()


def test_hostile_names_break_neither_list_nor_patch(legacy: Path) -> None:
    name = 'tests/test_\x1b[31m \u202e\n".py'
    (legacy / name).write_text(plain(TEST))
    git(legacy, "add", ".")
    git(legacy, "commit", "-qm", "hostile")
    shown = inv(legacy, "temp-migrate").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    patch = inv(legacy, "temp-migrate", "--diff").stdout
    subprocess.run(["git", "apply"], input=patch, cwd=legacy, text=True, check=True)
    assert "temp_working_dir" in (legacy / name).read_text()


def test_many_files_are_shared_by_workers_with_the_same_result(legacy: Path) -> None:
    for number in range(80):
        (legacy / f"tests/test_{number}.py").write_text(plain(TEST))
    git(legacy, "add", ".")
    git(legacy, "commit", "-qm", "many")
    rows = inv_json(legacy, "temp-migrate")["findings"]
    assert sum(row["code"] == "T2" for row in rows) == 82
    inv(legacy, "temp-migrate", "--write")
    assert all("temp_working_dir" in (legacy / f"tests/test_{number}.py").read_text() for number in range(80))


def test_project_in_a_monorepo_is_shown_by_its_own_root(legacy: Path) -> None:
    put(legacy / "nested", {"tests/test_it.py": TEST})
    document = inv_json(legacy / "nested", "temp-migrate")
    assert document["root"] == str(legacy / "nested")
    assert [row["path"] for row in document["findings"]] == ["tests/test_it.py"]
    document = inv_json(legacy / "nested", "temp-migrate", "--all-projects")
    assert document["root"] == str(legacy)
    assert {row["project"] for row in document["checklist"]} == {".", "nested"}
    assert "b/nested/tests/test_it.py" in inv(legacy / "nested", "temp-migrate", "--diff").stdout  # for git apply
