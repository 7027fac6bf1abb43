"""What a failure leaves is moved into the project whole, or stays where it is and is named."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from common_tasks.temp import TempManager, Unremovable, creation, evidence, layout, temp_working_dir
from common_tasks.temp.kept import LentInProject

from ..helpers import inv, inv_json, python


@pytest.fixture
def other_file_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Let the system's temporary location be on another file system than the project."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system only")
    monkeypatch.setenv("TMPDIR", str(shared))
    with temp_working_dir("other") as folder:
        monkeypatch.setenv("TMPDIR", str(folder))
        yield folder


def fail_in(error: BaseException, **options: bool) -> tuple[Path, list[str]]:
    block = temp_working_dir("report", **options)
    made = block.__enter__()
    (made / "file").write_text("evidence")
    assert not block.__exit__(type(error), error, None)
    return made, getattr(error, "__notes__", [])


FAILURES = [ValueError("x"), KeyboardInterrupt(), SystemExit(2), SystemExit("no")]  # each is used once
OTHERS = [SystemExit(0), SystemExit(None), GeneratorExit(), asyncio.CancelledError()]


@pytest.mark.parametrize("error", FAILURES, ids=repr)
def test_what_an_error_leaves_is_moved_and_named(project: Path, system_temp: Path, error: BaseException) -> None:
    made, notes = fail_in(error, keep_on_error=True)
    [kept] = project.glob(".tmp/debug/report_*")
    assert notes == [f"kept: {kept}"]
    assert (kept / "file").read_text() == "evidence"
    assert not made.exists()
    assert os.listdir(system_temp) == []
    assert [row["name"] for row in inv_json(project, "temp-status")["entries"]] == ["report"]


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_what_is_no_error_leaves_nothing(project: Path, error: BaseException) -> None:
    made, notes = fail_in(error, keep_on_error=True)
    assert (made.exists(), notes) == (False, [])
    assert not (project / ".tmp").exists()


def test_without_the_option_or_an_error_nothing_is_kept(project: Path) -> None:
    assert fail_in(ValueError(), keep_on_error=False)[1] == []
    with TempManager.auto_cleanup_dir("report", keep_on_error=True) as made:
        pass
    assert not made.exists()
    assert not (project / ".tmp").exists()


def test_it_is_the_project_of_the_block_s_start(project: Path) -> None:
    code = (
        "import os\nfrom common.temp import *\nwith temp_working_dir('x', keep_on_error=True) as d: os.chdir(d); 1 / 0"
    )
    done = python(code, cwd=project)
    [kept] = project.glob(".tmp/debug/x_*")
    assert f"ZeroDivisionError: division by zero\nkept: {kept}\n" in done.stderr


def test_it_is_copied_from_another_file_system(project: Path, other_file_system: Path) -> None:
    with pytest.raises(ValueError, match="x") as caught, temp_working_dir("report", keep_on_error=True) as made:
        (made / "deep/er").mkdir(parents=True)
        (made / "link").symlink_to("deep")
        os.mkfifo(made / "fifo")
        (made / "deep").chmod(0o500)
        raise ValueError("x")
    [kept] = project.glob(".tmp/debug/report_*")
    assert caught.value.__notes__ == [f"kept: {kept}"]
    assert sorted(os.listdir(kept)) == ["deep", "fifo", "link"]
    assert kept.stat().st_mode & 0o777 == 0o700
    assert os.listdir(other_file_system) == []


def test_a_copy_that_fails_leaves_all_where_it_was(
    project: Path, other_file_system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    _, notes = fail_in(ValueError(), keep_on_error=True)
    [left] = other_file_system.iterdir()
    assert notes == [f"kept: {left}", "not moved to the project: No space left on device"]
    assert (left / "file").read_text() == "evidence"
    assert list(project.glob(".tmp/debug/[!.]*")) == []
    assert "orphaned" in [row["state"] for row in inv_json(project, "temp-status")["entries"]]
    inv(project, "temp-clean")
    assert not left.exists()


def test_where_no_base_can_be_made_it_stays_and_is_named(project: Path) -> None:
    (project / ".tmp").touch()
    made, notes = fail_in(ValueError(), keep_on_error=True)
    assert notes[0] == f"kept: {made}"
    assert notes[1].startswith(f"not moved to the project: '{project}/.tmp' ")
    assert (made / "file").exists()


def test_it_may_be_left_in_another_folder(project: Path, system_temp: Path) -> None:
    (project / ".tmp").touch()
    inner = system_temp / "run"
    (inner / "x").mkdir(parents=True)
    made = evidence.keep(inner / "x", lambda: creation.create_entry(layout.find_project(), "x", "debug"), system_temp)
    assert made.path.parent == system_temp
    assert made.path.is_dir()
    assert os.listdir(inner) == []


@pytest.mark.usefixtures("project")
def test_what_the_block_removed_is_told() -> None:
    with pytest.raises(ValueError, match="x") as caught, temp_working_dir("report", keep_on_error=True) as made:
        made.rmdir()
        raise ValueError("x")
    assert caught.value.__notes__[0].startswith("nothing was kept: ")


def test_a_directory_that_took_its_place_goes_with_the_block(project: Path, system_temp: Path) -> None:
    with temp_working_dir() as made:
        made.rmdir()
        made.mkdir()
        (made / "file").touch()
    assert os.listdir(system_temp) == []
    with temp_working_dir() as made:
        made.rmdir()
        made.symlink_to(project)
    assert os.listdir(system_temp) == []
    assert (project / "pyproject.toml").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts")
def test_what_holds_a_mount_stays_and_is_told(project: Path) -> None:
    (project / "mounted").mkdir()
    (project / "mounted" / "precious").touch()
    made = Path()
    try:
        with pytest.raises(ValueError, match="x") as caught, temp_working_dir(keep_on_error=True) as made:
            (made / "here").mkdir()
            subprocess.run(["mount", "--bind", project / "mounted", made / "here"], check=True)
            raise ValueError("x")
        assert caught.value.__notes__ == [
            f"kept: {made}",
            f"not moved to the project: a mount point is inside: {made}/here",
        ]
        assert (project / "mounted" / "precious").exists()
    finally:
        subprocess.run(["umount", made / "here"], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts")
def test_a_block_that_leaves_a_mount_ends_in_an_error(project: Path) -> None:
    made = Path()
    try:
        with pytest.raises(Unremovable, match="a mount point is inside"), temp_working_dir() as made:
            subprocess.run(["mount", "--bind", project, made], check=True)
        assert (project / "pyproject.toml").exists()
    finally:
        subprocess.run(["umount", made], check=True)


def test_a_umask_that_keeps_the_owner_out_makes_no_base_unusable(project: Path) -> None:
    old = os.umask(0o777)
    try:
        fail_in(ValueError(), keep_on_error=True)
    finally:
        os.umask(old)
    for name in (".tmp", ".tmp/debug", ".tmp/.gitignore", ".tmp/CACHEDIR.TAG"):
        assert (project / name).stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize(
    "lent",
    [
        "pytest_temp_dirs(1)",
        "kept.LentInProject(Path.cwd(), 't')",
        "temp_working_dir(keep_on_error=True)",
    ],
)
def test_forked_child_that_fails_in_the_block_takes_nothing_from_its_parent(project: Path, lent: str) -> None:
    code = f"""
import os
from pathlib import Path
from common_tasks.temp import kept, pytest_temp_dirs, temp_working_dir
lent = {lent}
with lent as got:
    folder = got[0] if isinstance(got, tuple) else got
    if os.fork() == 0:
        try:
            raise ValueError
        except ValueError as error:
            lent.__exit__(ValueError, error, None)
        os._exit(0)
    os.wait()
    print(folder.exists())
print(folder.exists())
"""
    assert python(code, cwd=project).stdout == "True\nFalse\n"


def test_process_does_not_clean_what_it_has_lent_in_the_project(project: Path) -> None:
    lent = LentInProject(project, "test")
    assert TempManager.clean_persistent_temps() == 0
    assert lent.folder.is_dir()
    lent.end()
    assert not lent.folder.exists()


@pytest.mark.usefixtures("project")
def test_directory_is_lent_once() -> None:
    block = temp_working_dir()
    with block:
        pass
    with pytest.raises(RuntimeError, match="lent before"), block:
        pass
