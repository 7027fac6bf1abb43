"""How a program is called."""

import subprocess
import sys
from pathlib import Path

import pytest

from common_tasks.fs.program import describe, running


@pytest.mark.parametrize(
    ("path", "root", "called"),
    [
        ("/p/scripts/report.py", "/p", "scripts/report.py"),
        ("/p/report/__main__.py", "/p", "report/__main__.py"),
        ("/other/report.py", "/p", "report.py"),
        ("/p2/report.py", "/p", "report.py"),
        ("/usr/lib/python3/report/__main__.py", "/p", "report"),
        ("/p/.venv/bin/pytest", "/p", "pytest"),
        ("/home/me/report.py", "/", "/home/me/report.py"),
        ("", "/p", "python"),
    ],
)
def test_program_is_called_by_its_path_in_the_project_else_by_its_name(path: str, root: str, called: str) -> None:
    assert describe(path, root, "/p/.venv") == called


def test_running_test_is_known(request: pytest.FixtureRequest) -> None:
    assert running.test == request.node.nodeid


def test_program_is_known_by_its_absolute_path(tmp_path: Path) -> None:
    script = tmp_path / "report.py"
    script.write_text("from common_tasks.fs.program import program; print(program())")
    done = subprocess.run([sys.executable, "report.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{script.resolve()}\n"
