"""What is young stays: by all times inside, by what changes while a clean runs, and by the clock."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common_tasks.fs import usage
from common_tasks.fs.directory import Directory
from common_tasks.temp import InvalidAge, TempManager, layout, removal, retention, states
from common_tasks.temp.removal import second_look

from ..helpers import HOUR, OLD, before, clean, inv, inv_json, make_entry, plan, reasons, set_age, take, trash_is_empty


@pytest.fixture(autouse=True)
def count_every_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count as users do: changes of state, too."""
    monkeypatch.delenv("COMMON_TASKS_AGE", raising=False)


def unpack(old: Path, new: Path) -> None:
    new.mkdir()
    subprocess.run(f"tar c -C '{old}' . | tar x -C '{new}'", shell=True, check=True)


def copy_tree(old: Path, new: Path) -> None:
    shutil.copytree(old, new)
    os.utime(new, (OLD, OLD))


ARRIVALS: dict[str, Callable[[Path, Path], object]] = {
    "cp -a": lambda old, new: subprocess.run(["cp", "-a", old, new], check=True),
    "mv": lambda old, new: subprocess.run(["mv", old, new], check=True),
    "tar x": unpack,
    "copytree": copy_tree,
    "rename": Path.rename,
}


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_what_has_just_arrived_is_young_however_old_its_files_say_they_are(
    project: Path, tmp_path: Path, arrival: str
) -> None:
    old = make_entry(tmp_path / "old", hours=240)
    new = project / ".tmp/new"
    new.parent.mkdir()
    ARRIVALS[arrival](old, new)
    assert clean(project, max_age=24 * HOUR).removed == ()
    assert clean(project, max_age=0).removed != ()


def test_json_tells_the_newest_mtime_and_what_the_age_counts_from(project: Path) -> None:
    entry = make_entry(project / ".tmp/x", hours=240)
    [row] = inv_json(project, "temp-status")["entries"]
    assert row["modified"] == pytest.approx(entry.stat().st_mtime)
    assert row["changed"] == pytest.approx(max(path.stat().st_ctime for path in [entry, *entry.rglob("*")]))


def test_state_of_a_file_with_several_links_does_not_count(project: Path) -> None:
    entry = make_entry(project / ".tmp/x", files=1)
    os.link(entry / "sub/file-0", project / "elsewhere")
    time.sleep(0.02)
    changed = time.time()
    os.chmod(project / "elsewhere", 0o600)
    [found] = take(project)
    assert found.usage
    assert found.usage.changed < changed <= (entry / "sub/file-0").stat().st_ctime + 0.01


def test_variable_makes_only_mtimes_count(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry(project / ".tmp/x", hours=240)
    assert clean(project, max_age=24 * HOUR).removed == ()
    monkeypatch.setenv("COMMON_TASKS_AGE", "modified")
    assert len(clean(project, max_age=24 * HOUR).removed) == 1


def test_variable_with_another_value_is_refused_in_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = make_entry(project / ".tmp/x")
    monkeypatch.setenv("COMMON_TASKS_AGE", "created")
    with pytest.raises(InvalidAge, match="COMMON_TASKS_AGE takes 'modified' or nothing, not 'created'"):
        take(project)
    assert inv(project, "temp-clean", code=2).stderr.count("\n") == 1
    assert entry.exists()


@pytest.fixture
def old_and_deep(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an old entry with a file deep inside, in a project where only mtimes count."""
    monkeypatch.setenv("COMMON_TASKS_AGE", "modified")
    return make_entry(project / ".tmp/aaa", hours=240)


def test_what_is_written_deep_inside_between_plan_and_removal_is_put_back_whole(
    project: Path, old_and_deep: Path
) -> None:
    decided = plan(project, max_age=24 * HOUR)
    top = old_and_deep.stat().st_mtime_ns
    (old_and_deep / "sub/file-1").write_text("new")
    assert old_and_deep.stat().st_mtime_ns == top
    outcome = removal.carry_out(decided)
    assert reasons(outcome.kept) == {"aaa": "changed since it was looked at"}
    assert (old_and_deep / "sub/file-1").read_text() == "new"
    assert (old_and_deep / "sub/file-0").exists()
    assert trash_is_empty(project)


def test_what_is_written_once_it_is_out_of_sight_is_put_back(
    project: Path, old_and_deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write() -> None:
        [hidden] = project.glob(".tmp/.trash/*/*/*")
        (hidden / "sub/new").touch()

    decided = plan(project, max_age=24 * HOUR)
    before(monkeypatch, second_look, "measure", write)
    assert reasons(removal.carry_out(decided).kept) == {"aaa": "changed since it was looked at"}
    assert (old_and_deep / "sub/new").exists()


def test_own_rename_makes_nothing_young(project: Path) -> None:
    make_entry(project / ".tmp/x")
    make_entry(project / f".tmp/debug/x_{OLD}")
    (project / ".tmp/file").touch()
    entries = take(project)
    later = time.time() + 10 * HOUR
    outcome = removal.carry_out(retention.make_plan(entries, retention.Policy(max_age=HOUR), later))
    assert reasons(outcome.kept) == {}
    assert len(outcome.removed) == 3


def test_what_was_put_back_has_its_mode_again(project: Path, old_and_deep: Path) -> None:
    old_and_deep.chmod(0o500)
    os.utime(old_and_deep, (OLD, OLD))
    decided = plan(project, max_age=24 * HOUR)
    (old_and_deep / "sub/file-1").write_text("new")
    removal.carry_out(decided)
    assert old_and_deep.stat().st_mode & 0o777 == 0o500


def test_place_that_was_taken_meanwhile_is_not_replaced(
    project: Path, old_and_deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_its_place() -> None:
        [hidden] = project.glob(".tmp/.trash/*/*/*")
        (hidden / "sub/new").touch()
        old_and_deep.mkdir()  # an empty directory is what a plain rename replaces without a word

    decided = plan(project, max_age=24 * HOUR)
    before(monkeypatch, second_look, "measure", take_its_place)
    [(name, why)] = reasons(removal.carry_out(decided).kept).items()
    assert (name, why) == ("aaa", "changed since it was looked at; its place was taken, so it is now called aaa-2")
    assert os.listdir(old_and_deep) == []
    assert (project / ".tmp/aaa-2/sub/new").exists()


@pytest.mark.parametrize("which", ["sub/file-0", "sub", "."])
def test_time_in_the_future_is_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    monkeypatch.setenv("COMMON_TASKS_AGE", "modified")
    entry = make_entry(project / ".tmp/x", hours=50)
    future = time.time() + 5000 * HOUR
    os.utime(entry / which, (future, future))
    assert clean(project, max_age=60 * HOUR).removed == ()
    assert reasons(clean(project, max_age=40 * HOUR).removed) == {"x": "older than 40 h"}


def test_where_every_time_lies_in_the_future_the_age_is_unknown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMON_TASKS_AGE", "modified")
    set_age(make_entry(project / ".tmp/x"), hours=-5000)
    assert "all times in it are in the future" in reasons(clean(project, max_age=HOUR).kept)["x"]
    assert len(clean(project).removed) == 1


def test_database_and_its_journal_are_one_entry(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMON_TASKS_AGE", "modified")
    (project / ".tmp").mkdir()
    for name in ("data.db", "data.db-wal", "data.db-shm", "lone-wal"):
        (project / ".tmp" / name).write_bytes(b"x" * 5000)
        set_age(project / ".tmp" / name, 100)
    os.utime(project / ".tmp/data.db-wal")
    assert {entry.path.name: entry.companions for entry in take(project)} == {
        "data.db": ("data.db-shm", "data.db-wal"),
        "lone-wal": (),
    }
    assert list(reasons(clean(project, max_age=HOUR).removed)) == ["lone-wal"]
    assert sorted(path.name for path in project.glob(".tmp/data*")) == ["data.db", "data.db-shm", "data.db-wal"]
    assert list(reasons(clean(project).removed)) == ["data.db"]
    assert not list(project.glob(".tmp/*"))


def test_measuring_again_counts_no_ctime_of_the_top(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    time.sleep(0.02)
    entry.chmod(0o700)
    with Directory.at(project / ".tmp") as base:
        place = next(states.Listed(base, list(take(project))).places())
        [first], [second] = usage.measure([place]), usage.measure([place], moved=True)
    assert first
    assert second
    assert first.changed == entry.stat().st_ctime > second.changed
    assert layout.counts_ctimes()
    assert TempManager.list_persistent_temps() == [entry]
