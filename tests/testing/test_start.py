"""What the plugin costs, and that it changes nothing by itself."""

import os

import pytest

from ..helpers import fresh_python
from .conftest import Suite

USES_NOTHING = """
def test_it(tmp_path):
    assert "TMPDIR" not in os.environ or os.path.basename(os.path.dirname(os.environ["TMPDIR"]))[:2] != "t_"
    assert "PYTEST_DEBUG_TEMPROOT" not in os.environ
    loaded = {name for name in sys.modules if name.startswith("common_tasks")}
    assert not [name for name in loaded if name.startswith(("common_tasks.cli", "common_tasks.report"))]
    assert not set(sys.modules) & {"invoke", "rich", "humanize", "ctypes.util"}
    assert "common_tasks.testing.leaks" not in loaded
    tempfile.mkdtemp()
"""


def test_with_its_defaults_it_loads_next_to_nothing_and_changes_nothing(suite: Suite) -> None:
    suite.write(USES_NOTHING)
    done = suite.run("-W", "error")
    assert done.outcomes == {"passed": 1}, done.out
    assert len(suite.left()) == 1  # what the test left, where the test left it
    assert not (suite.root / ".tmp").exists()


def test_it_can_be_turned_off(suite: Suite) -> None:
    suite.write("def test_it(request): assert not request.config.pluginmanager.get_plugin('common_tasks_keeping')\n")
    assert suite.run("-p", "no:common_tasks").outcomes == {"passed": 1}
    suite.write("def test_it(temp_dirs): pass\n")
    assert suite.run("-p", "no:common_tasks").outcomes == {"error": 1}


def test_the_plugin_imports_pytest_and_neither_invoke_nor_drawing() -> None:
    modules = "common_tasks.testing.keeping, common_tasks.testing.leaks"
    done = fresh_python(f"import sys, {modules}\nprint(*sys.modules)", env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & {"invoke", "rich", "humanize", "isort", "libcst"}


@pytest.mark.parametrize("option", ["--help", "--version", "--markers", "--fixtures"])
def test_runs_without_tests_say_nothing_and_leave_nothing(serial: Suite, option: str) -> None:
    done = serial.run(option, "--temp-leaks=report")
    assert done.code == 0
    assert "temp-leaks: none" not in done.out
    assert "left in the temporary directory" not in done.out
    assert serial.left() == []


def test_a_usage_error_leaves_nothing(serial: Suite) -> None:
    assert serial.run("--temp-leaks=report", "--no-such-option").code == 4
    assert serial.run("--temp-leaks=report", "no-such-file.py").code == 4
    serial.write("raise ValueError", "conftest.py")
    assert serial.run("--temp-leaks=report").code == 4
    assert serial.left() == []
