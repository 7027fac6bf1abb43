"""A copy has all that the tree had: links, modes, times, attributes, holes, sockets, FIFOs, whatever the depth."""

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common_tasks.fs import syscalls
from common_tasks.fs.copying import copy_tree
from common_tasks.fs.directory import Directory
from common_tasks.temp import temp_working_dir

from ..conftest import As


def copy(source: Path, target: Path) -> list[str]:
    target.mkdir()
    with Directory.at(source.parent) as parent, Directory.at(target) as top:
        return copy_tree(parent, source.name, top, syscalls.open_on_same_mount)


def facts(top: Path) -> dict[str, tuple[object, ...]]:
    """Return what makes up a tree, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [top, *top.rglob("*")]:
        row = path.lstat()
        holds = os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(row.st_mode) else ""
        attributes = {} if path.is_symlink() else {each: os.getxattr(path, each) for each in os.listxattr(path)}
        links = 0 if path.is_dir() else row.st_nlink
        found[str(path.relative_to(top))] = (row.st_mode, row.st_mtime_ns, links, holds, attributes)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "inner" / "empty").mkdir(parents=True)
    (top / "file").write_bytes(b"x" * 3_000_000)
    (top / "inner" / "program").write_text("#!/bin/sh\n")
    (top / "inner" / "program").chmod(0o4751)
    (top / "inner" / "again").hardlink_to(top / "file")
    (top / "link").symlink_to("inner/program")
    (top / "dangling").symlink_to("/nowhere/at/all")
    (top / "inner" / "up").symlink_to("..")
    os.mkfifo(top / "fifo", 0o640)
    with contextlib.suppress(OSError):  # a file system without attributes
        os.setxattr(top / "file", "user.who", b"me")
        os.setxattr(top / "inner", "user.what", b"folder")
    (top / "inner" / "empty").chmod(0o1777)
    for path in (top / "link", top / "file", top / "fifo", top / "inner" / "empty", top / "inner", top):
        os.utime(path, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321), follow_symlinks=False)
    return top


def test_a_copy_is_equal_in_all_that_can_be_seen(tree: Path, tmp_path: Path) -> None:
    before = facts(tree)
    assert copy(tree, tmp_path / "copy") == []
    assert facts(tmp_path / "copy") == before
    assert facts(tree) == before
    assert (tmp_path / "copy/file").samefile(tmp_path / "copy/inner/again")


def test_a_socket_is_one_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tree").mkdir()
    monkeypatch.chdir(tmp_path / "tree")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
    assert copy(tmp_path / "tree", tmp_path / "copy") == []
    assert stat.S_ISSOCK((tmp_path / "copy/s").lstat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone makes devices")
def test_a_device_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "tree/in").mkdir(parents=True)
    os.mknod(tmp_path / "tree/in/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    assert copy(tmp_path / "tree", tmp_path / "copy") == ["left out: in/null: a device"]


def test_holes_stay_holes(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    with open(tmp_path / "tree/sparse", "wb") as file:
        file.truncate(2**40)
        os.pwrite(file.fileno(), b"data", 2**39)
    assert copy(tmp_path / "tree", tmp_path / "copy") == []
    made = (tmp_path / "copy/sparse").stat()
    assert made.st_size == 2**40
    assert made.st_blocks * 512 < 2**20
    with open(tmp_path / "copy/sparse", "rb") as file:
        assert os.pread(file.fileno(), 4, 2**39) == b"data"


LEVELS = 450


@pytest.fixture
def fewer_calls_than_levels() -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(LEVELS)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("fewer_calls_than_levels")
def test_depth_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with temp_working_dir() as top:  # which can remove it, as pytest's own cannot
        (top / "tree").mkdir()
        monkeypatch.chdir(top / "tree")
        for _ in range(LEVELS):
            os.mkdir("deep" * 4)
            os.chdir("deep" * 4)
        os.close(os.open("bottom", os.O_CREAT))
        assert copy(top / "tree", top / "copy") == []
        os.chdir(top / "copy")
        for _ in range(LEVELS):
            os.chdir("deep" * 4)
        assert os.listdir() == ["bottom"]
        os.chdir("/")


def test_what_its_owner_may_not_read_is_copied_by_its_owner_s_right(project: Path, nobody: As) -> None:
    tree = project / "tree"
    (tree / "closed").mkdir(parents=True)
    (tree / "closed" / "file").write_text("secret")
    (tree / "closed" / "file").chmod(0)
    (tree / "closed").chmod(0)

    def act() -> list[str]:
        return copy(tree, project / "copy")

    assert nobody(act) == []
    (project / "copy" / "closed").chmod(0o700)
    assert stat.S_IMODE((project / "copy/closed/file").stat().st_mode) == 0
    (project / "copy/closed/file").chmod(0o600)
    assert (project / "copy/closed/file").read_text() == "secret"


def test_a_umask_that_denies_everything_is_no_hindrance(tree: Path, project: Path, nobody: As) -> None:
    tree.rename(project / "tree")

    def copy_it() -> list[str]:
        (project / "copy").mkdir()
        os.umask(0o777)
        with Directory.at(project) as parent, Directory.at(project / "copy") as top:
            left_out = copy_tree(parent, "tree", top, syscalls.open_on_same_mount)
        assert facts(project / "copy") == facts(project / "tree")
        return left_out

    assert nobody(copy_it) == []


def test_a_link_that_takes_a_directory_s_place_is_not_followed(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    look = Directory.look

    def swap(directory: Directory, name: str) -> os.stat_result:
        found = look(directory, name)
        if name == "inner" and (tree / "inner").is_dir() and not (tree / "inner").is_symlink():
            (tree / "inner").rename(tmp_path / "away")
            (tree / "inner").symlink_to(outside)
        return found

    monkeypatch.setattr(Directory, "look", swap)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        copy(tree, tmp_path / "copy")
    assert not list((tmp_path / "copy").rglob("precious"))
