import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.fs import tally, usage
from common_tasks.fs import workers as pool
from common_tasks.fs.directory import Directory
from common_tasks.fs.places import Place
from common_tasks.fs.values import Usage, freed_bytes
from common_tasks.fs.workers import Workers

from ..helpers import OLD, make_entry, python, slow


def measure(path: Path, processes: int = 1) -> Usage | None:
    with Directory.at(path.parent) as parent:
        return usage.measure([Place(parent, (path.name,))], Workers(processes))[0]


def du(path: Path) -> int:
    """Return what du counts: the peer that users would ask."""
    done = subprocess.run(["du", "-s", "--block-size=1", path], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def test_bytes_are_those_of_du_and_files_are_counted(tmp_path: Path) -> None:
    entry = make_entry(tmp_path / "entry", files=7)
    (entry / "sparse").touch()
    os.truncate(entry / "sparse", 10**9)
    (entry / "link").symlink_to("/")
    os.mkfifo(entry / "fifo")
    found = measure(entry)
    assert found
    assert (found.disk_bytes, found.files) == (du(entry), 10)


def test_file_with_several_links_inside_counts_once(tmp_path: Path) -> None:
    entry = make_entry(tmp_path / "entry", files=1, content=b"x" * 100_000)
    os.link(entry / "sub/file-0", entry / "again")
    found = measure(entry)
    assert found
    assert (found.disk_bytes, found.shared) == (du(entry), ())


@pytest.mark.parametrize("processes", [1, 3])
def test_file_with_a_link_outside_counts_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(pool, "can_fork", lambda: True)
    monkeypatch.setattr(pool, "WORTH_FORKING", 1)
    entry = make_entry(tmp_path / "entry", files=9, content=b"x" * 100_000)
    without = du(entry) - 102_400
    file = entry / "sub/file-0"
    os.link(file, entry / "sub/again")
    os.link(file, tmp_path / "outside")
    found = measure(entry, processes)
    assert found
    assert found.disk_bytes == pytest.approx(without, abs=4096)
    assert [(link.links, link.inside, link.disk_bytes) for link in found.shared] == [
        (3, 2, file.stat().st_blocks * tally.BLOCK)
    ]


def test_trees_that_share_a_file_give_it_back_together_and_only_then(tmp_path: Path) -> None:
    trees = [make_entry(tmp_path / name, files=1, content=b"x" * 100_000) for name in "abc"]
    for other in trees[1:]:
        os.link(trees[0] / "sub/file-0", other / "linked")
    usages = [found for tree in trees if (found := measure(tree))]
    alone = sum(found.disk_bytes for found in usages)
    assert freed_bytes(usages[:2]) == usages[0].disk_bytes + usages[1].disk_bytes
    assert freed_bytes(usages) == alone + (trees[0] / "sub/file-0").stat().st_blocks * tally.BLOCK


def test_newest_change_is_that_of_anything_inside(tmp_path: Path) -> None:
    entry = make_entry(tmp_path / "entry", hours=100)
    (entry / "link").symlink_to("nowhere")
    for path in (*entry.rglob("*"), entry):
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    for number, path in enumerate((entry / "sub/file-1", entry / "link", entry / "sub", entry)):
        changed = OLD + 1 + number
        os.utime(path, (changed, changed), follow_symlinks=False)
        found = measure(entry)
        assert found
        assert found.modified == changed


@pytest.mark.parametrize("which", [".", "sub", "sub/file-0", "linked"])
def test_time_in_the_future_is_passed_over(tmp_path: Path, which: str) -> None:
    entry = make_entry(tmp_path / "entry", hours=100)
    os.link(entry / "sub/file-1", entry / "linked")
    before = max(path.stat().st_mtime for path in entry.rglob("*"))
    os.utime(entry, (OLD, OLD))
    os.utime(entry / which, (3e9, 3e9))
    found = measure(entry)
    assert found
    assert found.modified == before


def test_where_every_time_lies_in_the_future_the_age_is_unknown(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.utime(file, (3e9, 3e9))
    with Directory.at(tmp_path) as parent:
        [found] = usage.measure([Place(parent, ("file",))], ctimes=False)
    assert found
    assert (found.changed, found.fault) == (0.0, "all times in it are in the future")


def test_time_before_1970_is_a_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.utime(file, (-86_400, -86_400))
    found = measure(file)
    assert found
    assert found.modified == -86_400


def test_what_is_not_there_has_no_usage(tmp_path: Path) -> None:
    assert measure(tmp_path / "nothing") is None


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    found = measure(tmp_path / "link")
    assert found
    assert found.files == 1


@pytest.mark.parametrize("when", ["scandir", "open"])
def test_what_vanishes_while_it_is_walked_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    entry = make_entry(tmp_path / "entry", files=3)
    (entry / "other").mkdir()
    real = getattr(os, when)

    def vanish(*args: object, **options: object) -> object:
        result = real(*args, **options)
        if when == "scandir":
            (entry / "sub/file-1").unlink(missing_ok=True)
        elif (entry / "other").exists():
            (entry / "other").rmdir()
        return result

    monkeypatch.setattr(os, when, vanish)
    found = measure(entry)
    assert found
    assert found.fault is None
    assert found.files in (2, 3)


DEEP = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
fd = os.open(".", os.O_RDONLY)
os.makedirs(".tmp/deep")
top = fd = os.open(".tmp/deep", os.O_RDONLY)
for _ in range(int(sys.argv[1])):
    os.mkdir("d", dir_fd=fd)
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    below = os.open("d", os.O_RDONLY, dir_fd=fd)
    os.close(fd)
    fd = below
os.close(fd)
import time
from common_tasks.temp import TempManager, inventory, layout
[entry] = inventory.scan([layout.find_project()])
print(entry.usage.files, entry.usage.fault)
print(TempManager.clean_persistent_temps(), os.listdir(".tmp"))
"""


@pytest.mark.parametrize("levels", [1100, slow(3000)])
def test_tree_of_thousands_of_levels_is_measured_and_removed_with_200_descriptors(project: Path, levels: int) -> None:
    done = python(DEEP, str(levels), cwd=project)
    assert done.stdout == f"{levels} None\n1 []\n", done.stderr


NAMES = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(st.integers(0, 20_000), lambda below: st.dictionaries(NAMES, below, max_size=3), max_leaves=12)


def build(path: Path, tree: object) -> None:
    if isinstance(tree, dict):
        path.mkdir()
        for name, below in tree.items():
            build(path / name, below)
    else:
        path.write_bytes(b"x" * int(str(tree)))


@given(TREES)
def test_any_tree_is_what_du_and_find_say(tree: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder, "top")
        build(top, tree)
        found = measure(top)
        assert found
        every = [top, *top.rglob("*")]
        assert found.disk_bytes == du(top)
        assert found.files == sum(not path.is_dir() for path in every)
        assert found.modified == max(path.stat().st_mtime for path in every)
