"""Where things are in their file system, and by which paths mount namespaces show them."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.fs import kernel
from common_tasks.fs.directory import Directory
from common_tasks.fs.kernel import Location, Mount
from common_tasks.fs.views import View, heads_of

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system has no /proc")


def mounted(root: str, point: str, device: str = "8:1") -> Mount:
    return Mount(1, device, root, point, "ext4", "/dev/sda1", "rw")


@LINUX
def test_open_directory_has_a_location(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    table = kernel.mount_table()
    with Directory.at(tmp_path / "a") as above, Directory.at(tmp_path / "a/b") as below:
        place = kernel.locate(above, table)
        assert kernel.locate(below, table) == place.below("b")
        found = os.stat(tmp_path)
    assert (
        place.device == f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
        or "btrfs" in Path("/proc/mounts").read_text()
    )
    assert place.path.endswith("/a")


@LINUX
def test_directory_on_a_mount_that_the_table_does_not_list_has_none() -> None:
    with Directory.at("/") as root, pytest.raises(OSError, match="does not list"):
        kernel.locate(root, [])


@LINUX
def test_own_table_always_has_a_row_for_the_root() -> None:
    assert any(mount.point == "" for mount in kernel.mount_table())


def test_location_holds_itself_and_what_is_below() -> None:
    place = Location("8:1", "/a")
    assert place.holds(place)
    assert place.holds(place.below("b", "c"))
    assert not place.holds(Location("8:1", "/ab"))
    assert not place.holds(Location("8:2", "/a/b"))
    assert Location("8:1", "").holds(place)
    assert list(place.below("b").upward()) == [place.below("b"), place, Location("8:1", "")]


@pytest.mark.parametrize(
    ("mount", "path", "where"),
    [
        (mounted("", ""), "/srv/.tmp/x", "/srv/.tmp/x"),
        (mounted("", ""), "/srv/.tmp", "/srv/.tmp"),
        (mounted("", "/host"), "/host/srv/.tmp/x", "/srv/.tmp/x"),
        (mounted("/srv", "/src"), "/src/.tmp/x", "/srv/.tmp/x"),
        (mounted("/srv/.tmp", "/t"), "/t/x", "/srv/.tmp/x"),
        (mounted("/srv/.tmp/x", "/data"), "/data", "/srv/.tmp/x"),
        (mounted("/srv/.tmp/x", "/data"), "/data/f", "/srv/.tmp/x/f"),
        (mounted("/srv/.tmp/x", "/data"), "/database", None),
        (mounted("/srv", "/src"), "/srv/.tmp/x", None),
        (mounted("/other", "/src"), "/src/.tmp/x", None),
        (mounted("", "", "8:2"), "/srv/.tmp/x", None),
    ],
)
def test_path_of_a_namespace_leads_to_a_location(mount: Mount, path: str, where: str | None) -> None:
    view = View([Location("8:1", "/srv/.tmp")], [mount])
    assert [place.path for place in view.locate(path)] == ([] if where is None else [where])


def test_points_of_a_process_with_another_root_begin_there() -> None:
    view = View([Location("8:1", "/srv/.tmp")], [mounted("/srv", "/src")], "/jail")
    assert [place.path for place in view.locate("/jail/src/.tmp/x")] == ["/srv/.tmp/x"]
    assert list(view.locate("/src/.tmp/x")) == []


def test_every_mount_counts_also_where_a_later_one_hides_it() -> None:
    view = View([Location("8:1", "/srv/.tmp")], [mounted("", ""), mounted("/home", "/srv")])
    assert [place.path for place in view.locate("/srv/.tmp/x")] == ["/srv/.tmp/x"]


def test_mount_covers_a_location() -> None:
    inside = mounted("/else", "/srv/.tmp/x/sub")
    view = View([Location("8:1", "/srv/.tmp")], [mounted("", ""), inside])
    assert view.locate_point(inside) == Location("8:1", "/srv/.tmp/x/sub")
    assert view.locate_point(mounted("", "")) is None


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ("rw,lowerdir=/a:/b,upperdir=/c,workdir=/d,index=off", ["overlay", "/a", "/b", "/c", "/d"]),
        (r"rw,lowerdir=/a\:b:/c\,d", ["overlay", "/a:b", "/c,d"]),
        ("rw,lowerdir+=/a,lowerdir+=/b", ["overlay", "/a", "/b"]),
    ],
)
def test_overlay_is_made_of_its_layers(options: str, paths: list[str]) -> None:
    assert list(Mount(1, "0:50", "", "/m", "overlay", "overlay", options).made_of()) == paths


names = st.text("ab", min_size=1, max_size=2)
places = st.builds(
    lambda device, parts: Location(device, "".join(f"/{part}" for part in parts)),
    st.sampled_from(["8:1", "8:2"]),
    st.lists(names, max_size=6),
)


@given(st.sets(places, max_size=60))
def test_few_heads_hold_all_folders(folders: set[Location]) -> None:
    heads = heads_of(folders)
    assert len(heads) <= 16
    assert all(sum(head.holds(folder) for head in heads) == 1 for folder in folders)
    assert len(folders) > 16 or all(head in folders for head in heads)


def test_lock_that_one_reading_of_the_table_misses_is_seen_by_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "1: FLOCK  ADVISORY  READ 4123 08:01:77 0 EOF\n"
    for tables in ([row, ""], ["", row]):
        monkeypatch.setattr(kernel, "read_whole", lambda _, left=tables: left.pop())
        assert kernel.lock_holders() == {("8:1", 77): {4123}}
