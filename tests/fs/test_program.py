"""How a program is called."""

import pytest

from common_tasks.fs.program import describe, program, running


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
    assert program().startswith("/")
