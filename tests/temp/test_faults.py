"""What the system refuses: the rest goes on, the failure is named, and a later run succeeds."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common_tasks.fs import kernel
from common_tasks.temp import Unremovable, removal, retention, states, temp_working_dir, uses

from ..conftest import As
from ..helpers import OLD, clean, eventually, inv, inv_json, make_entry, plan, reasons, take, trash_is_empty

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


@pytest.fixture
def three(project: Path) -> Path:
    """Return the middle one of three old entries."""
    for name in "abc":
        make_entry(project / ".tmp" / name, hours=9)
    return project / ".tmp/b"


def fails_once_then_succeeds(project: Path, why: str, undo: Callable[[], object]) -> None:
    outcome = clean(project)
    assert sorted(row.entry.path.name for row in outcome.removed) == ["a", "c"]
    [failed] = outcome.failed
    assert failed.entry.path.name == "b"
    assert why in failed.reason
    undo()
    assert not clean(project).failed
    assert take(project) == ()
    assert trash_is_empty(project)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EBUSY, errno.EPERM, errno.EACCES])
def test_rename_that_is_refused_leaves_the_entry_whole(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.rename

    def refuse(source: str, *args: object, **options: object) -> None:
        if source == "b":
            raise OSError(number, os.strerror(number), source)
        real(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", refuse)

    def undo() -> None:
        monkeypatch.undo()
        os.chdir(project)

    fails_once_then_succeeds(project, os.strerror(number), undo)


@ROOT
def test_immutable_file_is_named_and_the_rest_waits_in_the_trash(project: Path, three: Path) -> None:
    file = three / "sub/file-1"
    chattr = subprocess.run(["chattr", "+i", file], capture_output=True, check=False)
    if chattr.returncode:
        pytest.skip("no immutable files on this file system")
    inode = file.stat().st_ino

    def undo() -> None:
        [left] = [path for path in project.rglob("*") if path.lstat().st_ino == inode]
        assert ".trash" in left.parts
        subprocess.run(["chattr", "-i", left], check=True)

    fails_once_then_succeeds(project, "sub/file-1: Operation not permitted; the rest waits in the trash", undo)


@ROOT
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
@pytest.mark.parametrize("where", ["inside", "itself"])
def test_mount_point_is_not_crossed(project: Path, three: Path, tmp_path: Path, kind: str, where: str) -> None:
    precious = make_entry(tmp_path / "precious")
    point = three if where == "itself" else three / "sub/mnt with space"
    point.mkdir(exist_ok=True)
    words = ["-t", "tmpfs", "none"] if kind == "tmpfs" else ["--bind", precious]
    mounted = subprocess.run(["mount", *words, point], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        (point / "file on it").touch()
        outcome = clean(project)
        assert "mount point" in reasons((*outcome.failed, *outcome.kept))["b"]
        assert (point / "file on it").exists()
    finally:
        subprocess.run(["umount", point], check=True)
    assert kind == "tmpfs" or (precious / "sub/file-0").exists()
    assert (three / "sub/file-1").exists()
    # For a moment another process may have a copy of all mounts, which uses the entry.
    assert eventually(lambda: not clean(project).failed and take(project) == ())


@ROOT
def test_block_does_not_cross_a_mount_point_when_it_ends(project: Path, tmp_path: Path, system_temp: Path) -> None:
    precious = make_entry(tmp_path / "precious")
    with pytest.raises(Unremovable, match="a mount point is inside"), temp_working_dir() as folder:
        point = folder / "mnt"
        point.mkdir()
        if subprocess.run(["mount", "--bind", precious, point], capture_output=True, check=False).returncode:
            pytest.skip("mounting is not allowed here")
    try:
        assert (precious / "sub/file-0").exists()
        [orphan] = take(project)
        assert orphan.obstacle
        assert inv_json(project, "temp-clean", "--dry-run", code=1)["failed"]
    finally:
        subprocess.run(["umount", point], check=True)
    assert not clean(project).failed
    assert not os.listdir(system_temp)


@ROOT
def test_file_system_mounted_too_late_to_be_seen_is_not_entered(
    project: Path, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = three / "sub/mnt"
    point.mkdir()
    decided = plan(project)
    monkeypatch.setattr(kernel, "mount_table", list)
    if subprocess.run(["mount", "-t", "tmpfs", "none", point], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    (point / "precious").touch()
    outcome = removal.carry_out(decided)
    [left] = project.glob(".tmp/.trash/**/sub/mnt")
    try:
        assert "sub/mnt: another file system is mounted here" in reasons(outcome.failed)["b"]
        assert (left / "precious").exists()
    finally:
        subprocess.run(["umount", left], check=True)
    assert not clean(project).failed
    assert trash_is_empty(project)


@pytest.mark.usefixtures("three")
def test_folder_that_may_not_be_changed(project: Path, nobody: As) -> None:
    locked = project / ".tmp/work"
    entry = make_entry(locked / f"x_{OLD}")
    locked.chmod(0o555)
    outcome = nobody(lambda: clean(project))
    assert "Permission denied" in reasons(outcome.failed)[entry.name]
    assert sorted(reasons(outcome.removed)) == ["a", "b", "c"]
    assert (entry / "sub/file-0").exists()
    locked.chmod(0o755)
    assert not clean(project).failed


WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print(flush=True)
number = 0
while True:
    number += 1
    try:
        os.close(os.open(f"w{number}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    except FileNotFoundError:
        break
"""


def test_somebody_who_still_writes_into_it_cannot_stop_the_others(project: Path, three: Path) -> None:
    decided = plan(project, force=True)
    with subprocess.Popen([sys.executable, "-c", WRITER, three / "sub"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        outcome = removal.carry_out(decided)
        writer.kill()
    assert {"a", "c"} <= {row.entry.path.name for row in outcome.removed}
    assert all("not empty" in row.reason for row in outcome.failed)
    assert not three.exists()
    assert not clean(project).failed
    assert trash_is_empty(project)


@pytest.mark.usefixtures("three")
def test_file_that_vanishes_between_listing_and_unlink_is_no_failure(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.unlink

    def first_somebody_else(name: str, **options: int) -> None:
        if name == "file-1":
            real(name, **options)
        real(name, **options)

    monkeypatch.setattr(os, "unlink", first_somebody_else)
    outcome = clean(project)
    assert (len(outcome.removed), outcome.failed) == (3, ())


def test_trash_that_is_no_directory_fails_every_entry_and_loses_none(project: Path, three: Path) -> None:
    (project / "elsewhere").mkdir()
    (project / ".tmp/.trash").symlink_to(project / "elsewhere")
    outcome = clean(project)
    assert set(reasons(outcome.failed)) == {"a", "b", "c"}
    assert three.exists()
    (project / ".tmp/.trash").unlink()
    assert not clean(project).failed


@pytest.fixture
def broken(project: Path, three: Path, nobody: As) -> Iterator[Path]:
    """Make a project in which one entry cannot be removed by anybody but root."""
    del nobody
    subprocess.run(["chattr", "+i", three], check=True)
    yield project
    subprocess.run(["chattr", "-i", three], check=True)


@ROOT
def test_failure_is_exit_code_1_and_named_in_table_and_json(broken: Path) -> None:
    done = inv(broken, "temp-clean", code=1)
    assert "1 could not be removed" in done.stdout
    assert "b: Operation not permitted" in done.stdout
    again = inv_json(broken, "clean", code=1)
    assert [row["path"] for row in again["failed"]] == [".tmp/b"]
    assert again["removed"] == []


@pytest.mark.parametrize("changed", [4_000_000_000, -86_400, 0])
def test_clocks_that_are_wrong_remove_nothing_of_unknown_age(project: Path, changed: int) -> None:
    entry = make_entry(project / ".tmp/x")
    for path in [*entry.rglob("*"), entry]:
        os.utime(path, (changed, changed))
    outcome = clean(project, max_age=3600)
    assert bool(outcome.removed) is (changed <= 0)
    assert not clean(project).failed
    assert take(project) == ()


def test_clock_that_jumps_back_makes_everything_young(project: Path) -> None:
    make_entry(project / ".tmp/x", hours=5)
    [entry] = take(project)
    assert entry.usage
    policy = retention.Policy(max_age=3600)
    assert retention.make_plan([entry], policy, entry.usage.modified - 1e6).remove == ()


@pytest.mark.parametrize("place", [".tmp/.trash/mine", f".tmp/debug/x_{OLD}"])
def test_folder_that_another_clean_tidies_away_while_this_one_looks_is_no_fault(
    project: Path, nobody: As, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    entry = make_entry(project / place)
    real = uses.look_at_uses

    def look_at_uses(*arguments: Any, **options: Any) -> Any:
        if entry.exists():
            shutil.rmtree(entry.parent)
        return real(*arguments, **options)

    monkeypatch.setattr(states, "look_at_uses", look_at_uses)
    outcome = nobody(lambda: clean(project))
    assert outcome.failed == ()
