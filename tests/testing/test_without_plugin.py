"""`pytest_temp_dirs` where no plugin decides: an exception that passes through the block is a failure."""

import os
import stat
from pathlib import Path

import pytest

from common_tasks.temp import kept, names

from ..helpers import inv_json, python, running, said
from .conftest import Suite, make_older

BLOCK = """
import os, sys, unittest
from common_tasks.temp import pytest_temp_dirs
with pytest_temp_dirs(2) as (source, target):
    (source / "file").touch()
    print(source, flush=True)
    {act}
"""


def run_block(project: Path, act: str, **variables: str) -> Path:
    done = python(BLOCK.format(act=act), cwd=project, env={**os.environ, **variables})
    return Path(done.stdout.strip())


def kept_in(project: Path) -> list[Path]:
    return sorted(project.glob(".tmp/test/[!.]*"))


@pytest.mark.parametrize(
    "act", ["raise ValueError", "assert 0", "raise KeyboardInterrupt", "raise SystemExit(1)", "sys.exit('no')"]
)
def test_what_fails_is_moved_into_the_project(project: Path, system_temp: Path, act: str) -> None:
    source = run_block(project, act)
    assert source.is_relative_to(system_temp)
    assert not source.parent.exists()
    [folder] = kept_in(project)
    assert (folder / "source" / "file").exists()
    assert (folder / "target").is_dir()
    [row] = inv_json(project, "temp-status")["entries"]
    assert (row["category"], row["state"], row["name"]) == ("test", "idle", "pytest")
    assert os.listdir(system_temp) == []


@pytest.mark.parametrize("act", ["pass", "raise unittest.SkipTest", "raise GeneratorExit", "sys.exit()", "sys.exit(0)"])
def test_what_does_not_fail_leaves_nothing(project: Path, act: str) -> None:
    assert not run_block(project, act).parent.exists()
    assert kept_in(project) == []


@pytest.mark.parametrize(("value", "number"), [("1", 1), ("yes", 1), ("0", 0), ("", 0)])
def test_the_variable_keeps_all(project: Path, value: str, number: int) -> None:
    run_block(project, "pass", PYTEST_KEEP_TEMPS=value)
    assert len(kept_in(project)) == number


def test_the_exception_says_where(project: Path) -> None:
    done = python(BLOCK.format(act="raise ValueError"), cwd=project)
    [folder] = kept_in(project)
    assert f"kept: {folder}" in done.stderr


def test_its_mode_is_private_and_its_path_short(project: Path, system_temp: Path) -> None:
    done = python(BLOCK.format(act="print(oct(source.stat().st_mode), oct(source.parent.stat().st_mode))"), cwd=project)
    path, modes = done.stdout.splitlines()
    assert modes == "0o40700 0o40700"
    assert len(path) - len(str(system_temp)) <= len("/t_") + 10 + len("/source")


def test_a_killed_process_leaves_an_orphan_that_was_in_use(project: Path) -> None:
    with running(BLOCK.format(act="input()"), project) as process:
        made = Path(said(process)).parent
        assert inv_json(project, "temp-status")["entries"] == []
        assert inv_json(project, "temp-clean", "--force")["removed"] == []
        assert made.exists()
        process.kill()
        process.wait()
    assert [row["state"] for row in inv_json(project, "temp-status")["entries"]] == ["orphaned"]
    assert [Path(row["path"]).name for row in inv_json(project, "temp-clean")["removed"]] == [made.name]


def test_a_forked_child_that_leaves_the_block_removes_nothing(project: Path) -> None:
    act = "child = os.fork()\n    if child: os.waitpid(child, 0); assert source.exists()"
    assert not run_block(project, act).exists()
    assert kept_in(project) == []


def test_where_the_project_cannot_be_written_to_it_stays_in_the_system_s_place(
    project: Path, system_temp: Path
) -> None:
    (project / ".tmp").touch()  # root, too, can make no directory there
    done = python(BLOCK.format(act="assert 0"), cwd=project)
    [left] = system_temp.iterdir()
    assert f"kept: {left}" in done.stderr
    assert "not moved to the project: '" in done.stderr
    assert (left / "source" / "file").exists()
    assert stat.S_IMODE(left.stat().st_mode) == 0o700


def test_without_the_plugin_the_test_gives_the_name(serial: Suite) -> None:
    serial.write("""
from common.temp import pytest_temp_dirs

class TestIt:
    @pytest.mark.parametrize("value", ["a::b", "x"])
    def test_it(self, value):
        with pytest_temp_dirs(1): assert 0
""")
    done = serial.run("-p", "no:common_tasks")
    assert done.outcomes == {"failed": 2}
    assert [path.name.rpartition("_")[0] for path in serial.kept()] == ["test_it", "test_it"]
    assert all(f"kept: {path}" in done.out for path in serial.kept())


def test_without_the_plugin_the_newest_three_of_a_test_stay(serial: Suite) -> None:
    code = "from common.temp import pytest_temp_dirs\ndef test_it():\n    with pytest_temp_dirs(1): assert 0\n"
    serial.write(code)
    serial.write(code, "test_other.py")
    older = make_older(serial.root, "test_it", 5)
    serial.run("-p", "no:common_tasks", "test_it.py")
    assert set(serial.kept()) >= set(older[3:])
    assert len(serial.kept()) == 3
    before = serial.kept()
    serial.run("-p", "no:common_tasks", "test_other.py")
    assert set(serial.kept()) >= {before[-1]}


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
    made = kept.plain_name(name)
    assert made.startswith(plain)
    assert (made == plain) == (not plain.endswith("-"))
    names.check_name(made, "the name", Path("/"))
