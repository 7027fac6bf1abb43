"""A project's own `common_tasks` goes before ours: the plugin is off then, says so in one line, and breaks nothing."""

import pytest

from .conftest import Suite

OWN = "def helper(): return 'theirs'\n"
USES = "def test_it():\n    import common_tasks\n    assert common_tasks.helper() == 'theirs'\n"
LINE = "common-tasks: the pytest plugin is off: {} stands in the way of the package common_tasks"
SETTINGS = """
[tool.pytest.ini_options]
temp_leaks = "{leaks}"
temp_dirs_keep = "all"
addopts = "--strict-markers --strict-config -W error"
"""


@pytest.fixture
def hidden(suite: Suite) -> Suite:
    suite.write(OWN, "common_tasks.py")
    suite.write(USES)
    return suite


@pytest.mark.parametrize("leaks", ["off", "report", "fail"])
def test_tests_run_and_one_line_says_that_it_is_off(hidden: Suite, leaks: str) -> None:
    (hidden.root / "pyproject.toml").write_text(SETTINGS.format(leaks=leaks))
    done = hidden.run()
    assert (done.code, done.outcomes) == (0, {"passed": 1}), done.out + done.err
    assert done.out.count("common-tasks: ") == 1
    assert LINE.format(hidden.root / "common_tasks.py") in done.out


def test_nothing_of_the_module_is_run_for_that(hidden: Suite) -> None:
    hidden.write("pathlib.Path(__file__).with_suffix('.ran').touch()\n", "common_tasks.py")
    hidden.write("def test_it(): pass\n")
    assert hidden.run().code == 0
    assert not (hidden.root / "common_tasks.ran").exists()


def test_a_package_of_that_name_hides_it_too(hidden: Suite) -> None:
    (hidden.root / "common_tasks.py").unlink()
    hidden.write(OWN, "common_tasks/__init__.py")
    done = hidden.run()
    assert done.outcomes == {"passed": 1}
    assert LINE.format(hidden.root / "common_tasks/__init__.py") in done.out


def test_it_may_come_onto_the_path_with_the_tests_alone(hidden: Suite) -> None:
    (hidden.root / "common_tasks.py").unlink()
    hidden.write(OWN, "tests/common_tasks.py")
    hidden.write("import common_tasks\n" + USES, "tests/test_there.py")
    done = hidden.run("tests")
    assert done.outcomes == {"passed": 1}, done.out
    assert LINE.format(hidden.root / "tests/common_tasks.py") in done.out


def test_a_test_that_needs_the_fixtures_is_told_why_it_cannot_have_them(hidden: Suite) -> None:
    hidden.write("def test_it(temp_dirs): pass\ndef test_other(persistent_temp_dir): pass\n")
    done = hidden.run()
    assert list(done.outcomes.values()) == [2]
    assert done.out.count(LINE.format(hidden.root / "common_tasks.py")) >= 3


def test_common_temp_works_all_the_same(hidden: Suite) -> None:
    hidden.write("""
import common_tasks
from common.temp import pytest_temp_dirs
def test_it():
    with pytest_temp_dirs(2) as (source, target): assert 0
""")
    done = hidden.run()
    assert done.outcomes == {"failed": 1}
    [kept] = hidden.kept()
    assert f"kept: {kept}" in done.out
