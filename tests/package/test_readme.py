"""What the README says is so: every command and every block is run as printed."""

import os
import pty
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from common_tasks.project.patterns import ARTIFACTS

from ..helpers import INV, OLD, inv, inv_json, make_entry, python

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
PATH = f"{Path(INV).parent}{os.pathsep}{os.environ['PATH']}"


def blocks(language: str, containing: str = "") -> list[str]:
    return [text for found, text in BLOCKS if found == language and containing in text]


def run(script: str, cwd: Path, path: str = PATH, code: int = 0, **variables: str) -> str:
    environment = {**os.environ, "PATH": path, **variables}
    words = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_newcomers_commands_are_the_first_thing() -> None:
    first, second = blocks("bash")[0].splitlines()
    assert first.endswith("inv demo")
    assert second.endswith("inv test")
    assert README.index("```bash") < 40


def test_each_promise_names_a_test_that_there_is() -> None:
    section = README.partition("## What it promises")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*) \| `(test_\w+)` \|$", section, re.MULTILINE)
    written = "\n".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert len(rows) > 20
    assert [name for _, name in rows if f"def {name}(" not in written] == []
    assert [promise for promise, _ in rows if not promise.endswith(".")] == []


def test_each_link_leads_to_a_heading() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", README, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", README)) <= headings


COMMANDS = [line for text in blocks("bash")[3:] for line in text.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_runs(project: Path, line: str) -> None:
    entry = make_entry(project / f".tmp/debug/demo_{OLD}", hours=100)
    run(line, project)
    if "touch" in line:
        assert inv_json(project, "temp-status")["entries"][0]["reason"] == "kept: .keep"
    else:
        assert entry.exists() is ("dry-run" in line or "status" in line)


@pytest.mark.parametrize("code", blocks("python"))
def test_each_python_block_runs(project: Path, code: str) -> None:
    done = python(code, cwd=project)
    assert done.returncode == 0, done.stderr


def test_clean_of_ones_own_lives_beside_ours(project: Path) -> None:
    [tasks] = blocks("python", "add_collection")
    (project / "tasks.py").write_text(tasks)
    left = make_entry(project / "build")
    inv(project, "clean")
    assert left.exists()
    inv(project, "common.clean")
    assert not left.exists()


LEGACY = """
import time
from pathlib import Path
from invoke import task


def get_temp_dir(name_prefix="temp"):
    temp_dir = Path(".tmp") / f"{name_prefix}_{int(time.time())}"
    temp_dir.mkdir(parents=True, exist_ok=True)
    return temp_dir


def helper():
    return "ours"


@task
def build(c):
    print(helper(), get_temp_dir("demo"))
"""
OLD_TASKS = (
    "@task\ndef clean(c):\n    pass\n\n@task\ndef temp_clean(c):\n    pass\n\n@task\ndef temp_status(c):\n    pass\n"
)


def test_module_in_the_way_is_named_by_the_error_that_is_printed(project: Path) -> None:
    (project / "common_tasks.py").write_text(LEGACY + OLD_TASKS)
    [error] = blocks("text", "ImportError")
    said = run(f"{sys.executable} -c 'from common_tasks import ns'", project, code=1)
    assert said.splitlines()[-1] == error.strip().replace("/home/me/mono", str(project))


def test_steps_that_replace_a_module_of_ones_own_work(project: Path) -> None:
    (project / "tasks.py").write_text("from our_tasks import *\n")
    without_helper = LEGACY.replace(LEGACY[LEGACY.index("def get_temp_dir") : LEGACY.index("def helper")], "")
    (project / "our_tasks.py").write_text("from common_tasks import *\n" + without_helper)
    listed = inv(project, "--list").stdout
    assert [name for name in ("build", "clean", "temp-clean", "temp-status") if f" {name} " not in listed] == []
    assert "ours" in inv(project, "build").stdout
    [entry] = inv_json(project, "temp-status")["entries"]
    assert entry["path"].startswith(".tmp/uncategorized/demo_")


def test_settings_in_the_readme_work(project: Path) -> None:
    [settings] = blocks("yaml", "artifacts:")
    (project / "invoke.yaml").write_text(settings)
    for name in ("out", "dist", "build"):
        make_entry(project / name)
    (project / "x.log").touch()
    inv(project, "clean")
    assert sorted(path.name for path in project.iterdir()) == ["dist", "invoke.yaml", "pyproject.toml", "tasks.py"]


@pytest.mark.parametrize("settings", blocks("yaml"))
def test_each_block_of_settings_is_accepted(project: Path, settings: str) -> None:
    (project / "invoke.yaml").write_text(settings)
    inv(project, "temp-clean", "--dry-run")


def test_variable_in_the_readme_works(project: Path) -> None:
    [line] = blocks("bash", "INVOKE_CLEAN_KEEP")
    for name in ("htmlcov", "dist", "build"):
        make_entry(project / name)
    assert re.findall(r"would remove +(\S+)", run(line, project)) == ["htmlcov"]


@pytest.mark.parametrize("text", blocks("toml", "common-tasks"))
def test_lines_for_pyproject_toml_are_valid_and_leave_python_3_10_out(text: str) -> None:
    settings = tomllib.loads(text)
    project = settings.get("project", {})
    requirements = [Requirement(line) for line in project.get("dependencies", [])]
    for requirement in requirements:
        assert requirement.name == "common-tasks"
        assert requirement.marker
        assert not requirement.marker.evaluate({"python_version": "3.10"})
        assert requirement.marker.evaluate({"python_version": "3.13"})
    poetry = settings.get("tool", {}).get("poetry", {}).get("dependencies", {})
    assert requirements or poetry["common-tasks"]["python"] == ">=3.11"
    for line in re.findall(r"^# (common-tasks = .*)$", text, re.MULTILINE):
        assert tomllib.loads(line)["common-tasks"].keys() & {"path", "git"}


def test_calls_of_the_table_work(project: Path) -> None:
    calls = re.findall(r"\| `([a-zA-Z_.]+\([^`|]*\))`(?:, from here)? \|$", README, re.MULTILINE)
    assert len(calls) == 8
    code = "from common_tasks.temp import *\n" + "\n".join(calls)
    done = python(code, cwd=project)
    assert done.returncode == 0, done.stderr


def test_left_overs_that_are_named_are_swept() -> None:
    named = {"__pycache__/", "*.pyc", "/build/", "/dist/", "/*.egg-info/", "/htmlcov/"}
    assert named <= set(ARTIFACTS)


def test_demo_prints_what_the_readme_shows(project: Path) -> None:
    shutil.copy(ROOT / "tasks.py", project)
    status, plan = blocks("text", "Total: 5 entries")[0], blocks("text", "Would remove 2 entries")[0]
    assert masked(seen("inv demo", project)) == masked(status)
    shown = seen("inv temp-clean --max-age-hours 24 --dry-run", project, COMMON_TASKS_AGE="modified")
    assert masked(shown) == masked(plan)


def seen(command: str, cwd: Path, **variables: str) -> str:
    """Run a command on a terminal of 80 columns, and return what can be read there."""
    terminal, theirs = pty.openpty()
    environment = {**os.environ, "PATH": PATH, "COLUMNS": "80", "TERM": "xterm", **variables}
    with subprocess.Popen(["bash", "-c", command], cwd=cwd, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(terminal, 65536):
                said += part
        except OSError:  # how Linux says that nobody writes any more
            pass
    os.close(terminal)
    assert process.returncode == 0, said
    return re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", said.decode().replace("\r", ""))


def masked(text: str) -> list[str]:
    """Leave out what differs from run to run: where it stands, times, numbers, and how wide that makes a column."""
    lines = text.strip().splitlines()[1:]
    words = [re.sub(r"\S*/inv\b|\binv\b(?= temp)", "inv", re.sub(r"\d+(\.\d)?", "0", line)) for line in lines]
    return [re.sub(r" +", " ", line) for line in words]


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Return an empty folder beside a checkout."""
    names = shutil.ignore_patterns(".venv", ".tmp", ".git", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, tmp_path / "common-tasks", ignore=names)
    (tmp_path / "aws").mkdir()
    return tmp_path / "aws"


@pytest.mark.slow
def test_pip_installs_it_as_printed(beside: Path) -> None:
    [script] = blocks("bash", "pip install -e ../common-tasks")
    assert "No temporary directories in" in run(script, beside, os.environ["PATH"])


@pytest.mark.slow
def test_uv_installs_it_as_printed(beside: Path) -> None:
    [script] = blocks("bash", "uv run")
    run(f"{sys.executable} -m venv uv && uv/bin/pip install -q uv", beside.parent)
    said = run(script, beside, f"{beside.parent}/uv/bin{os.pathsep}{os.environ['PATH']}")
    assert "No temporary directories in" in said
