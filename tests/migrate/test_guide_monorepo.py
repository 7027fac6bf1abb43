"""The guide's own monorepo: after --write all runs as before, after --unsafe too, and temp-status works everywhere."""

import os
from pathlib import Path

import pytest

from ..helpers import THEIRS, fresh_python, git, inv, inv_json, run_pytest
from .helpers import migrate, put
from .test_guide import MANUAL, TESTS

PYPROJECT = '[project]\nname = "{}"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["common-tasks"]\n'
# The guide's helper, and tasks: one that does no more than ours, one that does more.
COMMON = '''
    """Tasks that all projects share."""

    import time
    from pathlib import Path

    from invoke import task


    def get_temp_dir(name_prefix="temp"):
        temp_base = Path(".tmp")
        temp_base.mkdir(exist_ok=True)
        timestamp = int(time.time())
        temp_dir = temp_base / f"{name_prefix}_{timestamp}"
        temp_dir.mkdir(exist_ok=True)
        return temp_dir


    def shout(text):
        return text.upper()


    @task
    def clean(c):
        """Remove what was built."""
        c.run("echo cleaned")


    @task
    def temp_status(c):
        """Show what lies in .tmp."""
        c.run("ls .tmp")
'''
A_TASKS = '''
    """Tasks of a."""

    import sys

    from invoke import task

    sys.path.insert(0, "../COMMON")
    from common_tasks import clean, get_temp_dir, shout  # noqa: E402, F401


    @task
    def demo(c):
        """Make something."""
        temp_dir = get_temp_dir("demo")
        (temp_dir / "made.txt").write_text(shout("made"))
        print(temp_dir.name.partition("_")[0])
'''
LOADED = """
    import importlib
    import sys

    sys.path.insert(0, "../COMMON")
    shared = importlib.import_module("common_tasks")
    print(shared.shout("loaded"))
"""
FILES = {
    "COMMON/common_tasks.py": COMMON,
    "a/pyproject.toml": PYPROJECT.format("a"),
    "a/tasks.py": A_TASKS,
    "a/scripts/loaded.py": LOADED,
    "b/pyproject.toml": PYPROJECT.format("b"),
    "b/scripts/work.py": MANUAL,
    "b/tests/test_sync.py": TESTS,
    "c/pyproject.toml": PYPROJECT.format("c"),
    "c/common_tasks.py": COMMON,
    "c/tasks.py": '"""All of them."""\n\nfrom common_tasks import *  # noqa: F403\n',
}


@pytest.fixture
def monorepo(tmp_path: Path) -> Path:
    root = tmp_path / "monorepo"
    put(root, FILES)
    for name in ("tasks.py", "pyproject.toml", ".gitignore"):
        (root / name).unlink()
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "legacy")
    return root


def behaviour(root: Path) -> list[str]:
    """Return what the tasks, the scripts and the tests say."""
    said = [inv(root / "a", "demo", imported=THEIRS).stdout, inv(root / "c", "clean", imported=THEIRS).stdout]
    said += [" ".join(inv(root / name, "--list", imported=THEIRS).stdout.split()[:2]) for name in ("a", "c")]
    for folder, script in (("a", "scripts/loaded.py"), ("b", "scripts/work.py")):
        done = fresh_python(f"import runpy; runpy.run_path({script!r}, run_name='__main__')", cwd=root / folder)
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)
    # Apart from what other runs left in the system's temporary location, of which pytest may have to say something.
    alone = {**os.environ, "PYTEST_DEBUG_TEMPROOT": str(root.parent)}
    done = run_pytest(root / "b", "-q", "tests", env=alone)
    said.append(done.stdout.partition(" in ")[0])
    return said


def test_all_runs_as_before_after_write_and_after_unsafe(monorepo: Path) -> None:
    before = behaviour(monorepo)
    migrate(monorepo, "--all-projects", "--write")
    assert "common_tasks" not in migrate(monorepo, "--all-projects", "--diff")
    assert behaviour(monorepo) == before
    git(monorepo, "add", ".")
    git(monorepo, "commit", "-qm", "safe")
    migrate(monorepo, "--all-projects", "--write", "--unsafe")
    assert not list(monorepo.rglob("common_tasks.py"))
    assert "def clean" in (monorepo / "c/common_tasks_legacy.py").read_text()
    assert behaviour(monorepo) == before
    for name in ("a", "b", "c"):
        assert inv_json(monorepo / name, "temp-status")["root"] == str(monorepo / name)
    assert [entry["category"] for entry in inv_json(monorepo / "a", "temp-status")["entries"]].count("debug") == 1
    git(monorepo, "add", ".")
    git(monorepo, "commit", "-qm", "unsafe")
    again = migrate(monorepo, "--all-projects", "--write", "--unsafe")
    assert "fixed" not in again


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a/Makefile", "list:\n\tinv -c common_tasks --list\n"),
        ("a/scripts/named.py", 'name = "x"\nprint(f"{name} common_tasks")\n'),
        ("a/scripts/dotted.py", "import COMMON.common_tasks\n"),
        ("COMMON/common_tasks_legacy.py", "x = 1\n"),
    ],
)
def test_line_that_stops_the_renaming_is_named_and_nothing_of_the_group_is_written(
    monorepo: Path, path: str, text: str
) -> None:
    put(monorepo, {path: text})
    (monorepo / "tasks.py").unlink()
    git(monorepo, "add", ".")
    git(monorepo, "commit", "-qm", "more")
    shown = migrate(monorepo, "--all-projects", "--write", "--unsafe")
    assert Path(path).name in shown
    assert "is stopped" in shown
    assert {file.name for file in monorepo.rglob("common_tasks.py")} == {"common_tasks.py"}
    assert "get_debug_temp_dir" not in (monorepo / "a/tasks.py").read_text()
    assert "temp_working_dir" not in (monorepo / "b/scripts/work.py").read_text()


def test_file_with_unsaved_work_stops_the_whole_group(monorepo: Path) -> None:
    tasks = monorepo / "a/tasks.py"
    tasks.write_text(tasks.read_text() + "# mine\n")
    migrate(monorepo, "--all-projects", "--write", "--unsafe", code=1)
    assert (monorepo / "COMMON/common_tasks.py").exists()
    assert tasks.read_text().endswith("# mine\n")
    assert "common_tasks_legacy" not in (monorepo / "a/scripts/loaded.py").read_text()
