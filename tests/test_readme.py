"""What the README says is so."""

import re
import shlex
from pathlib import Path

import pytest

from common_tasks.patterns import ARTIFACTS

from .helpers import OLD, inv, make_entry, python

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def test_each_promise_names_a_test_that_there_is() -> None:
    section = README.partition("## What it promises")[2]
    named = re.findall(r"`(test_\w+)`", section)
    written = "\n".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert len(named) > 15
    assert [name for name in named if f"def {name}(" not in written] == []


@pytest.mark.parametrize("code", blocks("python"))
def test_each_python_block_runs(project: Path, code: str) -> None:
    done = python(code, cwd=project)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for text in blocks("bash")[1:] for line in text.splitlines()])
def test_each_command_runs(project: Path, line: str) -> None:
    make_entry(project / f".tmp/debug/demo_{OLD}", hours=100)
    words = shlex.split(line, comments=True)
    assert words[0] == "inv"
    inv(project, *words[1:])


def test_settings_in_the_readme_work(project: Path) -> None:
    [settings] = blocks("yaml")
    (project / "invoke.yaml").write_text(settings)
    for name in ("out", "dist", "build"):
        make_entry(project / name)
    (project / "x.log").touch()
    inv(project, "clean")
    assert sorted(path.name for path in project.iterdir()) == ["dist", "invoke.yaml", "pyproject.toml", "tasks.py"]


def test_calls_of_the_table_work(project: Path) -> None:
    calls = re.findall(r"\| `([a-zA-Z_.]+\([^`|]*\))`(?:, from here)? \|$", README, re.MULTILINE)
    assert len(calls) == 8
    code = "from common_tasks.temp import *\n" + "\n".join(calls)
    done = python(code, cwd=project)
    assert done.returncode == 0, done.stderr


def test_newcomers_commands_are_the_first_thing() -> None:
    first, second = blocks("bash")[0].splitlines()
    assert first.endswith("inv demo")
    assert second.endswith("inv test")
    assert README.index("```bash") < 40


def test_left_overs_that_are_named_are_swept() -> None:
    assert {"__pycache__/", "*.pyc", "/build/", "/dist/"} <= set(ARTIFACTS)
