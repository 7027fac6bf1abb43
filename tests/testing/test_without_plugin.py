"""`pytest_temp_dirs` where no plugin decides: an exception that passes through the block is a failure."""

import os
from pathlib import Path

import pytest

from common_tasks.temp import names, testdirs

from ..helpers import inv_json, python, running, said
from .conftest import Suite

BLOCK = """
import os, unittest
from common_tasks.temp import pytest_temp_dirs
with pytest_temp_dirs(2) as (source, target):
    (source / "file").touch()
    print(source, flush=True)
    {act}
"""


def run_block(project: Path, act: str, **variables: str) -> Path:
    environment = {**os.environ, "PYTEST_CURRENT_TEST": "", **variables}  # as where no test runs
    done = python(BLOCK.format(act=act), cwd=project, env=environment)
    return Path(done.stdout.strip())


@pytest.mark.parametrize("act", ["raise ValueError", "assert 0", "raise KeyboardInterrupt", "raise SystemExit(1)"])
def test_what_fails_is_kept(project: Path, act: str) -> None:
    source = run_block(project, act)
    assert source.parent.parent == project / ".tmp" / "test"
    assert (source / "file").exists()
    [row] = inv_json(project, "temp-status")["entries"]
    assert (row["category"], row["state"], row["name"]) == ("test", "idle", "pytest")


@pytest.mark.parametrize("act", ["pass", "raise unittest.SkipTest", "raise GeneratorExit"])
def test_what_does_not_fail_leaves_nothing(project: Path, act: str) -> None:
    assert not run_block(project, act).parent.exists()


@pytest.mark.parametrize(("value", "kept"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_the_variable_keeps_all(project: Path, value: str, kept: bool) -> None:
    assert run_block(project, "pass", PYTEST_KEEP_TEMPS=value).exists() == kept


def test_the_exception_says_where(project: Path) -> None:
    done = python(BLOCK.format(act="raise ValueError"), cwd=project)
    assert f"kept: {Path(done.stdout.strip()).parent}" in done.stderr


def test_a_killed_process_leaves_an_entry_that_was_in_use(project: Path) -> None:
    with running(BLOCK.format(act="input()"), project) as process:
        made = Path(said(process)).parent
        assert [row["state"] for row in inv_json(project, "temp-status")["entries"]] == ["in-use"]
        process.kill()
        process.wait()
    assert [row["state"] for row in inv_json(project, "temp-status")["entries"]] == ["idle"]
    assert [Path(row["path"]).name for row in inv_json(project, "temp-clean")["removed"]] == [made.name]


def test_a_forked_child_that_leaves_the_block_removes_nothing(project: Path) -> None:
    act = "child = os.fork()\n    if child: os.waitpid(child, 0); assert source.exists()"
    assert not run_block(project, act).exists()


# Root, too, is refused where nothing can be made.
UNWRITABLE = """
import errno
from common_tasks.temp import api as manager
def refuse(*_): raise OSError(errno.EROFS, "Read-only file system")
manager.make_base = refuse
"""


def test_in_a_project_that_cannot_be_written_to_it_is_lent_elsewhere(project: Path, system_temp: Path) -> None:
    done = python(UNWRITABLE + BLOCK.format(act="pass"), cwd=project)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(system_temp)
    assert "EngineWarning: a test's directory will not be kept: [Errno 30] Read-only file system" in done.stderr
    assert not list(system_temp.iterdir())


def test_without_the_plugin_the_running_test_gives_the_name(serial: Suite) -> None:
    serial.write("""
from common.temp import pytest_temp_dirs

class TestIt:
    @pytest.mark.parametrize("value", ["a::b", "x"])
    def test_it(self, value):
        with pytest_temp_dirs(1): assert 0
""")
    done = serial.run("-p", "no:common_tasks")
    assert done.outcomes == {"failed": 2}
    names = [path.name.rpartition("_")[0] for path in serial.kept()]
    assert names == [testdirs.plain_name("test_it[a::b]"), "test_it_x"]
    assert all(f"kept: {path}" in done.out for path in serial.kept())


def test_without_the_plugin_the_newest_three_of_a_name_stay(serial: Suite) -> None:
    serial.write("from common.temp import pytest_temp_dirs\ndef test_it():\n    with pytest_temp_dirs(1): assert 0\n")
    for number in range(1, 6):
        (serial.root / f".tmp/test/test_it_{1600000000 + number}").mkdir(parents=True)
    serial.run("-p", "no:common_tasks")
    assert [path.name for path in serial.kept()][:2] == ["test_it_1600000004", "test_it_1600000005"]
    assert len(serial.kept()) == 3


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("test_it", "test_it"),
        ("test_it[a-b]", "test_it_a-b"),
        ("test_it[1.5]", "test_it_1.5"),
        ("test_it[a/b]", "test_it_a_b-"),
        ("test_it[a_b]", "test_it_a_b"),
        ("", "pytest-"),
        ("..", "pytest-"),
        ("ü", "pytest-"),
        ("x" * 300, "x" * 100 + "-"),
    ],
)
def test_a_plain_name_is_a_file_name_and_belongs_to_one_test(name: str, plain: str) -> None:
    made = testdirs.plain_name(name)
    assert made.startswith(plain)
    assert (made == plain) == (not plain.endswith("-"))
    names.check_name(made, "the name", Path("/"))
