"""What the README says is so: every command and every block is run as printed."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from common_tasks import clean
from common_tasks.project.patterns import ARTIFACTS

from ..helpers import INV, OLD, command, fresh_python, git, inv, inv_json, make_entry, make_project

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TASKS = (ROOT / "common_tasks/cli/README.md").read_text()
HOUSE = (ROOT / "common_tasks/README.md").read_text()
PROMISES = (ROOT / "tests/README.md").read_text()
PAGES = sorted(path for path in ROOT.glob("**/*.md") if not any(part.startswith(".") for part in path.parts))
PATH = f"{Path(INV).parent}{os.pathsep}{os.environ['PATH']}"


def blocks(language: str, containing: str = "", page: str = README) -> list[str]:
    found = re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL)
    return [text for kind, text in found if kind == language and containing in text]


def run(script: str, cwd: Path, path: str = PATH, code: int = 0, **variables: str) -> str:
    environment = {**os.environ, "PATH": path, **variables}
    words = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout + done.stderr


def test_readme_is_short_and_its_first_commands_are_a_newcomers() -> None:
    assert len(README.splitlines()) <= 250
    first, second = blocks("bash")[0].splitlines()
    assert first.endswith("inv demo")
    assert second.endswith("inv test")
    assert README.index("```text") < README.index("uvx ") < README.index("```bash")


def test_each_promise_names_a_test_that_there_is() -> None:
    rows = re.findall(r"^\| (.*) \| `(test_\w+)` \|$", PROMISES, re.MULTILINE)
    written = "\n".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert len(rows) > 50
    assert [name for _, name in rows if f"def {name}(" not in written] == []
    assert [promise for promise, _ in rows if not promise.endswith(".")] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_somewhere(page: Path) -> None:
    text = page.read_text()
    headings = {
        re.sub(r"[^\w -]", "", found).lower().replace(" ", "-") for found in re.findall(r"^#+ (.*)$", text, re.M)
    }
    links = set(re.findall(r"\]\(([^)\s]+)\)", text))
    assert {link for link in links if link.startswith("#") and link[1:] not in headings} == set()
    files = {link.partition("#")[0] for link in links if not re.match(r"#|https?:", link)}
    assert {link for link in files if not (page.parent / link).exists()} == set()


def test_page_for_who_works_here_names_what_there_is() -> None:
    modules = set(re.findall(r"`(\w+(?:/\w+)*\.py|\w+/)`", HOUSE)) - {"move.py", "verify.py"}
    assert len(modules) > 15
    assert {name for name in modules if not (ROOT / "common_tasks" / name).exists()} == set()
    rooms = {path.parent.name for path in ROOT.glob("common_tasks/*/__init__.py")}
    assert {room for room in rooms if f"| `{room}/` |" not in HOUSE} == set()


COMMANDS = blocks("bash", "temp-migrate")[0].splitlines()


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_runs(project: Path, line: str) -> None:
    entry = make_entry(project / f".tmp/debug/demo_{OLD}", hours=100)
    program, *words = shlex.split(line, comments=True)
    assert program == "inv"
    inv(project, *words)
    assert entry.exists() is any(word in line for word in ("dry-run", "status", "migrate"))


@pytest.mark.parametrize("code", [*blocks("python"), *blocks("python", page=TASKS)])
def test_each_python_block_runs(project: Path, code: str) -> None:
    done = fresh_python(code, cwd=project)
    assert done.returncode == 0, done.stderr


def test_clean_of_ones_own_lives_beside_ours(project: Path) -> None:
    [tasks] = blocks("python", "add_collection", TASKS)
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
    [error] = blocks("text", "ImportError", TASKS)
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
    [variable] = re.findall(r"`(INVOKE_CLEAN_KEEP=\S+)`", README)
    for name in ("out", "dist", "build"):
        make_entry(project / name)
    name, value = variable.split("=")
    shown = inv(project, "clean", "--dry-run", env={**os.environ, name: value}).stdout
    assert re.findall(r"would remove +(\S+)", shown) == ["build"]


@pytest.mark.parametrize("text", blocks("toml", "common-tasks", TASKS))
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
    calls = re.findall(r"\| `([a-zA-Z_.]+\([^`|]*\))` \|$", README, re.MULTILINE)
    assert len(calls) == 8
    code = "from common_tasks.temp import *\n" + "\n".join(calls)
    done = fresh_python(code, cwd=project)
    assert done.returncode == 0, done.stderr


def test_all_that_is_swept_is_named_here_and_in_the_help() -> None:
    for text in (README, clean.__doc__ or ""):
        for pattern in ARTIFACTS:
            name = pattern.strip("/").rpartition("/")[2]
            assert name.strip("*.").removesuffix("_cache").partition(".")[0] in text, pattern


def test_demo_prints_what_the_readme_shows(project: Path) -> None:
    shutil.copy(ROOT / "tasks.py", project)
    status, plan = blocks("text", "Total: 5 entries")[0], blocks("text", "Would remove 2 entries")[0]
    assert masked(seen("inv demo", project)) == masked(status)[1:]
    shown = seen("inv temp-clean --max-age 1d --dry-run", project, COMMON_TASKS_AGE="modified")
    assert masked(shown) == masked(plan)[1:]


def test_monorepo_is_shown_as_the_readme_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", PATH)
    git(tmp_path, "init", "-q")
    shown = blocks("text", "packages/billing")[0]
    for name, entries, files in (("aws", 5, 9), ("billing", 2, 3), ("web", 1, 1), ("docs", 0, 0)):
        root = make_project(tmp_path / "packages" / name)
        for number in range(entries):
            make_entry(root / f".tmp/debug/demo_{OLD + number}", files=files, hours=100)
    (tmp_path / "packages/aws/invoke.yaml").write_text("temp: {retention: {default: {max_age: 1d}}}")
    (tmp_path / "invoke.yaml").write_text("temp: {retention: {default: {max_age: 5d}}}")
    printed = masked(command(tmp_path, "temp-status", "-a").stdout)
    told = [line for line in masked(shown)[1:] if not line.startswith((" packages", "Due", "Total"))]
    assert [line for line in told if line not in printed] == []
    assert [line.split()[0] for line in printed if "packages/" in line] == re.findall(r"packages/\w+", shown)


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
    words = [
        re.sub(r"\S*/inv\b|\binv\b(?= temp)", "inv", re.sub(r"\d+(\.\d)?( [KMG]iB)?", "0", line)) for line in lines
    ]
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
