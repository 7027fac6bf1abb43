"""File systems that are full, layered or mounted on: real ones, mounted by the tests where that is allowed."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from common_tasks.fs import deletion, directory, kernel, syscalls
from common_tasks.fs.directory import Directory
from common_tasks.fs.joint_deletion import delete_together
from common_tasks.fs.places import Place
from common_tasks.fs.values import no_progress
from common_tasks.fs.workers import Workers
from common_tasks.temp import BaseRefused, get_debug_temp_dir, removal, temp_working_dir
from common_tasks.temp.removal import run

from ..helpers import OLD, before, clean, make_entry, make_project, plan, reasons, states, take

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@contextlib.contextmanager
def mounted(point: Path, *words: str) -> Iterator[Path]:
    """Mount something for the block; skip the test where that is not allowed."""
    point.mkdir(exist_ok=True)
    if subprocess.run(["mount", *words, point], capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    before = Path.cwd()
    try:
        yield point
    finally:
        os.chdir(before)
        subprocess.run(["umount", "-l", point], check=True)


def fill_up(folder: Path) -> None:
    """Use up every block and inode below a folder."""
    with contextlib.suppress(OSError):
        for number in range(100_000):
            with (folder / f"filler-{number}").open("wb") as file:
                file.write(b"x" * 4096)
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (folder / f"empty-{number}").touch()


@pytest.mark.parametrize("options", ["size=2m,nr_inodes=300", "size=300k,nr_inodes=9000"])
@pytest.mark.parametrize("marked", [True, False])
def test_full_disk_can_be_cleaned(tmp_path: Path, options: str, *, marked: bool) -> None:
    with mounted(tmp_path / "full", "-t", "tmpfs", "-o", options, "none") as disk:
        root = make_project(disk / "project")
        os.chdir(root)
        if marked:
            subprocess.run(
                [sys.executable, "-c", "from common_tasks.temp import *; get_debug_temp_dir()"], cwd=root, check=True
            )
        for name in ("by hand", f"old_{OLD}"):
            make_entry(root / ".tmp" / name, content=b"x" * 4096)
        make_entry(root / f".temp/legacy_{OLD}", content=b"x" * 4096)
        (root / ".tmp/file").write_bytes(b"x" * 4096)
        fill_up(disk)
        with pytest.raises(OSError, match="No space"):
            (root / "one more").mkdir()
        before = len(take(root))
        outcome = clean(root)
        assert reasons(outcome.failed) == {}
        assert len(outcome.removed) == before >= 4
        assert take(root) == ()


def test_orphan_that_fills_the_temporary_folder_is_found_and_cleaned(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "full", "-t", "tmpfs", "-o", "size=1m,nr_inodes=100", "none") as disk:
        code = "import os; from common_tasks.temp import *\n"
        code += "made = temp_working_dir('left').__enter__(); print(made, flush=True); os._exit(0)"
        environment = {**os.environ, "TMPDIR": str(disk)}
        made = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        fill_up(Path(made.stdout.strip()))
        monkeypatch.setenv("TMPDIR", str(disk))
        monkeypatch.setattr(tempfile, "tempdir", None)
        [orphan] = take(project)
        assert orphan.state == "orphaned"
        assert len(clean(project).removed) == 1
        assert os.listdir(disk) == []


@contextlib.contextmanager
def overlay(tmp_path: Path, *options: str) -> Iterator[Path]:
    """Mount an overlay file system whose lower layer is what `tmp_path / "lower"` holds."""
    # Its upper layer may not lie on every file system: a tmpfs will do.
    with mounted(tmp_path / "layers", "-t", "tmpfs", "none") as layers:
        for name in ("upper", "work"):
            (layers / name).mkdir()
        places = f"lowerdir={tmp_path}/lower,upperdir={layers}/upper,workdir={layers}/work"
        with mounted(tmp_path / "merged", "-t", "overlay", "-o", ",".join((places, *options)), "none") as merged:
            yield merged


@pytest.mark.parametrize("options", [(), ("xino=off",), ("redirect_dir=off",)])
def test_what_comes_from_an_images_layer_is_removed(tmp_path: Path, options: tuple[str, ...]) -> None:
    root = make_project(tmp_path / "lower")
    for place in (".tmp/by hand", f".tmp/debug/x_{OLD}", f".temp/y_{OLD}"):
        make_entry(root / place, hours=99)
    (root / ".tmp/file").write_text("x")
    os.utime(root / ".tmp/file", (OLD, OLD))
    with overlay(tmp_path, *options) as merged:
        for _ in range(2):
            os.chdir(merged)
            outcome = clean(merged, max_age=3600)
            assert reasons(outcome.failed) == {}
            assert reasons(outcome.kept) == {}
            assert take(merged) == ()
            assert not list(merged.glob(".t*mp/.trash"))
        assert len(outcome.removed) == 0
    assert (tmp_path / "lower/.tmp/by hand/sub/file-0").exists()


def test_what_is_young_or_used_on_an_overlay_stays(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lower")
    make_entry(root / ".tmp/old", hours=99)
    make_entry(root / ".tmp/written", hours=99)
    with overlay(tmp_path) as merged:
        os.chdir(merged)
        (merged / ".tmp/written/sub/file-0").write_text("new")
        made = get_debug_temp_dir()
        with open(merged / ".tmp/old/sub/file-0"):
            assert states(merged)["old"] == "in-use"
            assert reasons(clean(merged, max_age=3600).removed) == {}
        assert list(reasons(clean(merged, max_age=3600).removed)) == ["old"]
        assert made.exists()


OPENERS = {"openat2": syscalls.open_on_same_mount, "fdinfo": directory.open_on_same_mount}


@pytest.mark.parametrize("opener", OPENERS)
def test_bind_mount_that_comes_after_the_rename_is_not_crossed(tmp_path: Path, opener: str) -> None:
    precious = make_entry(tmp_path / "precious")
    tree = make_entry(tmp_path / "tree")
    with mounted(tree / "sub/mnt", "--bind", str(precious)), Directory.at(tmp_path) as parent:
        fault = deletion.delete_tree(parent, "tree", no_progress, OPENERS[opener])
        assert fault == "sub/mnt: another file system is mounted here"
        assert (precious / "sub/file-0").exists()
    assert not (tree / "sub/file-0").exists()


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("trees", [1, 60])
def test_bind_mount_is_not_crossed_by_a_shared_deletion_either(tmp_path: Path, opener: str, trees: int) -> None:
    precious = make_entry(tmp_path / "precious")
    names = [f"tree-{number}" for number in range(trees)]
    for name in names:
        make_entry(tmp_path / name)
    with mounted(tmp_path / "tree-0/sub/mnt", "--bind", str(precious)), Directory.at(tmp_path) as parent:
        places = [Place(parent, (name,)) for name in names]
        left = delete_together(places, lambda place: place, Workers(2), OPENERS[opener])
        assert places[0] in left
        assert (precious / "sub/file-0").exists()
    assert not any((tmp_path / name).exists() for name in names[1:])


def test_bind_mount_that_comes_before_the_deletion_is_not_crossed(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = make_entry(tmp_path / "precious")
    make_entry(project / ".tmp/old/sub/mnt", hours=99)
    points: list[Path] = []

    def mount() -> None:
        [point] = project.glob(".tmp/.trash/**/sub/mnt")
        if subprocess.run(["mount", "--bind", precious, point], capture_output=True, check=False).returncode:
            pytest.skip("mounting is not allowed here")
        points.append(point)

    before(monkeypatch, run, "delete_from", mount)
    outcome = clean(project)
    subprocess.run(["umount", *points], check=True)
    assert "another file system is mounted here" in reasons(outcome.failed)["old"]
    assert (precious / "sub/file-0").exists()


DELETE = """
from common_tasks.fs import deletion, syscalls, values
from common_tasks.fs.directory import Directory
syscalls.HAS_OPENAT2 = False
print(deletion.delete_tree(Directory.at("."), "tree", values.no_progress, syscalls.open_on_same_mount))
"""


def test_where_mounts_cannot_be_told_nothing_below_is_deleted(tmp_path: Path) -> None:
    tree = make_entry(tmp_path / "tree")
    words = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$0" -c "$1"', sys.executable, DELETE]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    if done.returncode:
        pytest.skip("namespaces are not allowed here")
    assert "cannot tell what is mounted" in done.stdout
    assert (tree / "sub/file-0").exists()


@pytest.mark.usefixtures("project")
def test_mount_inside_a_block_is_not_crossed_when_the_table_of_mounts_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "mount_table", list)
    precious = make_entry(tmp_path / "precious")
    with pytest.raises(OSError, match="another file system is mounted here"), temp_working_dir() as folder:
        point = folder / "mnt"
        point.mkdir()
        if subprocess.run(["mount", "--bind", precious, point], capture_output=True, check=False).returncode:
            pytest.skip("mounting is not allowed here")
    [left] = Path(os.environ["TMPDIR"]).glob(".trash_*/mnt")
    subprocess.run(["umount", left], check=True)
    assert (precious / "sub/file-0").exists()


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
@pytest.mark.parametrize(
    "point", [".tmp", ".temp", ".tmp/cache", ".tmp/.trash", f".tmp/cache/m_{OLD}", ".tmp/mine/sub"]
)
def test_no_mount_point_is_entered_on_the_way(project: Path, tmp_path: Path, point: str, kind: str) -> None:
    make_entry(project / f".tmp/idle_{OLD}")
    (project / point).mkdir(parents=True, exist_ok=True)
    words = ["--bind", str(make_entry(tmp_path / "precious"))] if kind == "bind" else ["-t", "tmpfs", "none"]
    with mounted(project / point, *words):
        make_entry(project / point / f"model_{OLD}", hours=99)
        before = sorted((project / point).rglob("*"))
        if point in (".tmp", ".temp"):
            with pytest.raises(BaseRefused, match="another file system is mounted here"):
                clean(project)
        else:
            planned, outcome = plan(project), clean(project)
            assert reasons(planned.remove).keys() == reasons(outcome.removed).keys() == {f"idle_{OLD}"}
            assert ["mount point" in row.reason for row in outcome.failed] == [True]
            assert reasons(planned.fail) == reasons(outcome.failed)
        assert sorted((project / point).rglob("*")) == before


@pytest.mark.parametrize("name", ["a\rb", "a\vb", "a b", "a\nb", "a\\040b"])
def test_mount_in_an_entry_of_any_name_is_seen(project: Path, name: str) -> None:
    entry = make_entry(project / ".tmp" / name)
    with mounted(entry / "mnt", "-t", "tmpfs", "none"):
        outcome = clean(project)  # where a process happens to have a copy of all mounts, it is in use by that
        assert "mount point" in reasons((*outcome.failed, *outcome.kept))[name]
        assert (entry / "sub/file-0").exists()


def test_mount_that_comes_after_the_plan_keeps_the_entry_whole(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    decided = plan(project)
    with mounted(entry / "sub/mnt", "-t", "tmpfs", "none"):
        os.utime(entry, ns=(decided.remove[0].entry.identity.mtime_ns,) * 2)
        assert "a mount point is inside" in reasons(removal.carry_out(decided).failed)["x"]
        assert (entry / "sub/file-0").exists()


def test_what_is_mounted_inside_is_no_part_of_an_entry(project: Path) -> None:
    entry = make_entry(project / ".tmp/x", files=2)
    with mounted(entry / "mnt", "-t", "tmpfs", "none"):
        (entry / "mnt/large").write_bytes(b"x" * 2**20)
        [found] = take(project)
        assert found.usage
        assert found.usage.files == 2
        assert found.usage.disk_bytes < 2**20
