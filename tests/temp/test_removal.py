import os
import socket
import subprocess
from pathlib import Path

import pytest

from common_tasks.temp import TempManager, get_debug_temp_dir, names, removal

from ..conftest import As
from ..helpers import (
    OLD,
    clean,
    git,
    leave_out_of_sight,
    make_entry,
    plan,
    reasons,
    running,
    said,
    states,
    take,
    trash_is_empty,
)


def test_clean_removes_what_is_planned_and_nothing_else(project: Path) -> None:
    old = make_entry(project / f".tmp/debug/old_{OLD}", hours=30)
    young = make_entry(project / f".tmp/debug/young_{OLD}", hours=3)
    outcome = clean(project, max_age=24 * 3600)
    assert reasons(outcome.removed) == {old.name: "older than 24 h"}
    assert reasons(outcome.kept) == {young.name: "younger than 24 h"}
    assert (old.exists(), young.exists()) == (False, True)
    assert clean(project, max_age=24 * 3600).removed == ()


def test_freed_bytes_are_those_of_the_plan(project: Path) -> None:
    make_entry(project / ".tmp/x", content=b"x" * 100_000)
    [entry] = take(project)
    assert entry.usage
    assert clean(project).freed_bytes == entry.usage.disk_bytes > 200_000


def test_file_with_a_link_outside_is_not_freed_and_one_of_which_all_links_go_is(project: Path) -> None:
    one, two, three = (make_entry(project / ".tmp" / name, files=1) for name in ("one", "two", "three"))
    shared = one / "shared"
    shared.write_bytes(b"x" * 10**6)
    os.link(shared, two / "shared")
    kept = three / "outside"
    kept.write_bytes(b"x" * 10**6)
    os.link(kept, project / "outside")
    planned = plan(project)
    assert planned.remove
    assert sum(row.entry.usage.disk_bytes for row in planned.remove if row.entry.usage) < 10**6
    assert 10**6 <= clean(project).freed_bytes < 2 * 10**6


def test_file_of_which_one_link_stays_in_another_entry_is_not_freed(project: Path) -> None:
    one, two = (make_entry(project / ".tmp" / name, files=1) for name in ("one", "two"))
    (one / "shared").write_bytes(b"x" * 10**6)
    os.link(one / "shared", two / "shared")
    (two / ".keep").touch()
    assert 0 < clean(project).freed_bytes < 10**6


def test_category_that_the_engine_made_stays_when_it_is_emptied(project: Path) -> None:
    made = get_debug_temp_dir()
    assert len(clean(project).removed) == 1
    assert made.parent.exists()
    assert take(project) == ()
    assert clean(project).removed == ()
    assert get_debug_temp_dir().parent == made.parent


def test_hand_made_categories_that_are_emptied_go_and_others_stay(project: Path) -> None:
    make_entry(project / f".tmp/debug/x_{OLD}", hours=9)
    make_entry(project / f".tmp/data/x_{OLD}", hours=9)
    make_entry(project / f".tmp/data/y_{OLD}")
    clean(project, max_age=3600)
    assert sorted(os.listdir(project / ".tmp")) == ["data"]


@pytest.mark.parametrize("mode", [0o000, 0o111, 0o444, 0o555])
def test_read_only_tree_is_removed(project: Path, mode: int, nobody: As) -> None:
    entry = make_entry(project / ".tmp/locked")
    (entry / "sub/below").mkdir()
    (entry / "sub/below/file").touch()
    for folder in (entry / "sub/below", entry / "sub", entry):
        folder.chmod(mode)
    outcome = nobody(lambda: clean(project))
    assert reasons(outcome.failed) == {}
    assert reasons(outcome.removed) == {"locked": "not in use"}
    assert not entry.exists()
    assert trash_is_empty(project)


def test_fifos_sockets_and_links_are_only_unlinked(project: Path, tmp_path: Path) -> None:
    precious = make_entry(tmp_path / "precious")
    entry = make_entry(project / ".tmp/x")
    os.mkfifo(entry / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(entry)
        server.bind("socket")
        os.chdir(project)
    (entry / "outside").symlink_to(precious)
    (entry / "dangling").symlink_to("nowhere")
    (entry / "loop").symlink_to("loop")
    (project / ".tmp/link").symlink_to(precious)
    os.mkfifo(project / ".tmp/fifo")
    assert len(clean(project).removed) == 3
    assert (precious / "sub/file-1").exists()
    assert not os.listdir(project / ".tmp")


def test_what_an_interrupted_run_left_is_shown_and_finished(project: Path) -> None:
    batch = leave_out_of_sight(project / ".tmp", names.TRASH)
    make_entry(batch / "0")
    assert states(project) == {batch.name: "unfinished"}
    assert TempManager.list_persistent_temps() == []
    outcome = clean(project, max_age=3600)  # whatever its age
    assert reasons(outcome.removed) == {batch.name: "left by an interrupted clean"}
    assert trash_is_empty(project)
    assert clean(project).removed == ()


@pytest.mark.parametrize("what", ["young", "with .keep", "with a repository", "a file"])
def test_what_somebody_put_into_the_trash_is_an_entry_like_others(project: Path, what: str) -> None:
    mine = make_entry(project / ".tmp/.trash/mine", hours=0 if what == "young" else 99)
    file = project / ".tmp/.trash/file"
    file.touch()
    if what == "with .keep":
        (mine / ".keep").touch()
    if what == "with a repository":
        git(mine, "init", "-q")
    outcome = clean(project, max_age=3600 if what == "young" else None)
    assert mine.exists() is (what != "a file")
    assert file.exists() is (what == "young")
    assert {entry.category for entry in take(project)} <= {"legacy"}
    assert not outcome.failed


def test_what_bears_a_time_in_the_trash_is_of_no_category(project: Path) -> None:
    make_entry(project / ".tmp/.trash/mine_1696348800")
    [entry] = take(project)
    assert (entry.category, entry.made) == ("legacy", False)


def test_name_of_the_trash_is_sealed_for_one_folder(project: Path) -> None:
    batch = leave_out_of_sight(project / ".tmp", names.TRASH)
    copy = make_entry(project / ".tmp/.trash/copy")
    batch.rmdir()
    copy.rename(batch)
    assert states(project) == {batch.name: "idle"}
    assert clean(project, max_age=3600).removed == ()


@pytest.mark.parametrize("change", ["file", "replaced", "pinned", "gone", "link", "used"])
def test_entry_that_changed_since_the_plan_stays(project: Path, tmp_path: Path, change: str) -> None:
    entry = make_entry(project / ".tmp/x", hours=100)
    other = make_entry(project / ".tmp/y", hours=100)
    decided = plan(project)
    if change == "file":
        (entry / "new").touch()
    elif change == "pinned":
        (entry / ".keep").touch()
    elif change == "used":
        os.utime(entry)
    else:
        entry.rename(tmp_path / "away")
        if change == "replaced":
            make_entry(entry, hours=100)
        if change == "link":
            entry.symlink_to(tmp_path / "away")
            (tmp_path / "away").chmod(0o500)
    outcome = removal.carry_out(decided)
    assert reasons(outcome.removed) == {"y": "not in use"}
    assert not outcome.failed
    # What is gone was removed by somebody else: that is neither removed nor kept nor failed.
    expected = {"gone": {}, "pinned": {"x": "kept: .keep"}}
    assert reasons(outcome.kept) == expected.get(change, {"x": "changed since it was looked at"})
    assert os.path.lexists(entry) is (change != "gone")
    assert not other.exists()
    if change in ("link", "replaced", "gone"):
        assert (tmp_path / "away/sub/file-0").exists()
        assert (tmp_path / "away").stat().st_mode & 0o777 == (0o500 if change == "link" else 0o755)


def test_entry_put_to_use_after_the_plan_stays(project: Path) -> None:
    code = """
import os, sys
from common_tasks.temp import get_cache_temp_dir
os.utime = lambda *a, **k: None
print(get_cache_temp_dir("c"), flush=True); input()
"""
    cache = make_entry(project / f".tmp/cache/c_{OLD}", hours=100)
    decided = plan(project)
    with running(code, project) as user:
        assert said(user) == str(cache)
        outcome = removal.carry_out(decided)
    assert "in use by pid" in reasons(outcome.kept)[cache.name]
    assert cache.exists()


def test_swap_between_check_and_rename_is_put_back(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x", hours=100)
    young = make_entry(tmp_path / "young")
    real = os.rename

    def swap(source: str, target: str, **options: int) -> None:
        if source == "x" and young.exists():
            real(entry, tmp_path / "away")
            real(young, entry)
        real(source, target, **options)

    decided = plan(project)
    monkeypatch.setattr(os, "rename", swap)
    outcome = removal.carry_out(decided)
    assert reasons(outcome.kept) == {"x": "changed since it was looked at"}
    assert (entry / "sub/file-0").exists()
    assert (tmp_path / "away/sub/file-0").exists()
    assert trash_is_empty(project)


@pytest.mark.parametrize("obstacle", ["mount", "none"])
def test_no_descriptor_is_left_open(project: Path, obstacle: str) -> None:
    if obstacle == "mount":
        (project / ".tmp/.trash").mkdir(parents=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "none", project / ".tmp/.trash"], check=False)
        if mounted.returncode:
            pytest.skip("mounting is not allowed here")
    for number in range(6):
        entry = make_entry(project / ".tmp" / f"e{number}")
        (entry / "/".join("d" * 40)).mkdir(parents=True)
    before = sorted(os.listdir("/proc/self/fd"))
    clean(project)
    after = sorted(os.listdir("/proc/self/fd"))
    if obstacle == "mount":
        subprocess.run(["umount", project / ".tmp/.trash"], check=True)
    assert after == before


def test_what_is_in_use_in_the_trash_stays_until_its_user_ends(project: Path) -> None:
    code = """
from common_tasks.temp import get_debug_temp_dir
made = get_debug_temp_dir("held")
kept = open(made / "file", "w")
print(made, flush=True)
input()
"""
    with running(code, project) as holder:
        held = Path(said(holder))
        batch = leave_out_of_sight(project / ".tmp", names.TRASH)
        held.rename(batch / "0")
        assert "in use by pid" in reasons(clean(project).kept)[batch.name]
        assert not trash_is_empty(project)
    assert reasons(clean(project).removed)[batch.name] == "left by an interrupted clean"
    assert trash_is_empty(project)


def test_category_that_is_pinned_after_the_plan_stays(project: Path) -> None:
    entry = make_entry(project / f".tmp/debug/x_{OLD}")
    decided = plan(project)
    (project / ".tmp/debug/.keep").touch()
    assert reasons(removal.carry_out(decided).kept) == {entry.name: "kept: .keep of debug"}
    assert entry.exists()
