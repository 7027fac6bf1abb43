"""The command `common-tasks`, where there is no tasks.py at all."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from .. import warm
from ..helpers import COMMAND, OLD, OURS, SETUP, inv, make_entry, slow

COMMANDS = {"common-tasks": [COMMAND], "python -m common_tasks": ["-m", "common_tasks"]}


@pytest.fixture(params=["common-tasks", slow("python -m common_tasks")])
def command(request: pytest.FixtureRequest) -> list[str]:
    return COMMANDS[request.param]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder that nobody has prepared for us."""
    root = tmp_path / "checkout"
    (root / "src").mkdir(parents=True)
    (root / "setup.py").write_text(SETUP)
    make_entry(root / f".tmp/debug/demo_{OLD}", hours=100)
    make_entry(root / "build")
    return root


def run(command: list[str], root: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = warm.run(sys.executable, OURS, [*command, *words], cwd=root, env=os.environ, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_version_is_the_installed_one(command: list[str], tmp_path: Path) -> None:
    assert run(command, tmp_path, "--version").stdout == f"common-tasks {version('common-tasks')}\n"


def test_help_names_the_tasks_first_and_then_the_options_that_matter(command: list[str], tmp_path: Path) -> None:
    shown = run(command, tmp_path, "--help").stdout
    assert shown.startswith("Usage: common-tasks [OPTIONS] TASK")
    places = [shown.index(f"  {name} ") for name in ("clean", "temp-clean", "temp-status", "-R, --dry")]
    assert places == sorted(places)
    assert "sudo" not in shown


def test_without_a_task_it_shows_the_status_and_where_help_is(command: list[str], checkout: Path) -> None:
    lines = run(command, checkout).stdout.splitlines()
    assert lines[0] == str(checkout)
    assert lines[-1] == "For the other tasks: common-tasks --help"
    assert lines[-2].endswith(" temp-clean --dry-run")


def test_empty_folder_is_a_monorepo_of_one_project(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(command, tmp_path / "empty", "temp-status", "-a").stdout.endswith("empty (1 project)\n")


def test_tasks_work_without_a_tasks_file(command: list[str], checkout: Path) -> None:
    document = json.loads(run(command, checkout / "src", "temp-status", "--json").stdout)
    assert document["root"] == str(checkout)
    assert len(document["entries"]) == 1
    run(command, checkout / "src", "clean", "--temp-age-hours", "1000")
    assert not (checkout / "build").exists()
    run(command, checkout, "temp-clean")
    assert not (checkout / ".tmp/debug").exists()


def test_hints_name_the_command(checkout: Path) -> None:
    shown = run(COMMANDS["common-tasks"], checkout, "temp-status").stdout
    assert "common-tasks temp-clean would free" in shown
    shown = run(COMMANDS["python -m common_tasks"], checkout, "temp-status").stdout
    assert re.search(r"python[0-9.]* -m common_tasks temp-clean would free", shown)


def said_by(command: list[str], root: Path, *words: str) -> Any:
    return json.loads(run(command, root, *words, "--json").stdout)


@pytest.mark.parametrize("name", ["invoke.yaml", "invoke.yml", "invoke.json"])
def test_it_reads_the_configuration_that_inv_would(command: list[str], checkout: Path, name: str) -> None:
    settings = {
        "temp": {"retention": {"debug": {"max_age": "7d"}}},
        "clean": {"keep": ["/build/"]},
        "run": {"dry": True},
    }
    (checkout / name).write_text(json.dumps(settings))
    ours = said_by(command, checkout, "clean")
    assert (ours["dry_run"], ours["removed"]) == (True, [])
    assert [row["reason"] for row in ours["kept"]] == ["younger than 7 days"]
    (checkout / "tasks.py").write_text("from common_tasks import ns\n")
    assert json.loads(inv(checkout, "clean", "--json").stdout) == ours


def test_configuration_that_is_a_program_is_not_run(command: list[str], checkout: Path) -> None:
    (checkout / "invoke.py").write_text("import pathlib\npathlib.Path('was-run').touch()\n")
    done = run(command, checkout, "clean", code=2)
    assert "is not run to find its settings" in done.stderr
    assert not (checkout / "was-run").exists()
    assert (checkout / "build").exists()


CONFIGURED = 'from common_tasks import ns\nns.configure({"clean": {"keep": ["/build/"]}})\n'


def test_what_tasks_that_are_not_run_configure_is_not_taken_for_nothing(command: list[str], checkout: Path) -> None:
    (checkout / "tasks.py").write_text(CONFIGURED)
    run(command, checkout, "clean")
    assert (checkout / "build").exists()
    (checkout / "tasks.py").write_text(CONFIGURED.replace("configure({", "configure({**OTHER, "))
    advice = "tasks are not run to find their settings: set clean.artifacts, clean.keep, temp.retention in invoke.yaml"
    assert advice in run(command, checkout, "clean", code=2).stderr
    run(command, checkout, "temp-status")
    (checkout / ".git").mkdir()
    (checkout / "below").mkdir()
    (checkout / "tasks.py").rename(checkout / "below/tasks.py")
    make_entry(checkout / "below/build")
    assert "FAILED" in run(command, checkout, "clean", "-a", code=1).stdout
    assert ((checkout / "build").exists(), (checkout / "below/build").exists()) == (False, True)
    (checkout / "below/tasks.py").write_text(CONFIGURED)
    assert json.loads(inv(checkout / "below", "clean", "--json").stdout)["removed"] == []
    (checkout / "below/tasks.py").write_text("from common_tasks import ns\nns.configure({'run': {'echo': True}})\n")
    run(command, checkout, "clean", "-a")
    assert not (checkout / "below/build").exists()


def test_projects_own_tasks_are_not_run(command: list[str], checkout: Path) -> None:
    (checkout / "tasks.py").write_text("import invoke, pathlib\npathlib.Path('was-run').touch()\n")
    run(command, checkout, "temp-status", "-a")
    assert not (checkout / "was-run").exists()
