"""A clean that was killed before it decided: the next one puts back what it had moved."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.temp import TempManager, names
from common_tasks.temp.aside import home_of_alone, seal_alone
from common_tasks.temp.removal.folders import Folders
from common_tasks.temp.retention import Policy, make_plan
from common_tasks.temp.tag import SIGNATURE

from ..conftest import As
from ..helpers import (
    HOUR,
    OLD,
    clean,
    leave_out_of_sight,
    make_entry,
    plan,
    reasons,
    states,
    take,
    trash_is_empty,
)
from .test_crashes import killed_at
from .test_put_back import at

DAY = 24 * HOUR
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def die() -> None:
    os._exit(9)


def kill_a_clean(project: Path, monkeypatch: pytest.MonkeyPatch, step: str = "look") -> None:
    """Have a clean of everything killed just before a step."""
    child = os.fork()
    if child == 0:
        at(step, monkeypatch, die)
        clean(project)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("place", [f".tmp/debug/x_{OLD}", ".tmp/by hand", f".temp/old_{OLD}"])
def test_what_somebody_uses_is_at_its_place_again_after_the_next_clean(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str, *, full: bool
) -> None:
    entry = make_entry(project / place)
    if full:
        monkeypatch.setattr(Folders, "new_batch", lambda *_: None)
    kill_a_clean(project, monkeypatch)
    monkeypatch.undo()
    os.chdir(project)
    [hidden] = project.glob(".t*mp/**/sub/file-0")
    with hidden.open():
        assert not entry.exists()
        assert f"in use by pid {os.getpid()}" in str(reasons(clean(project).kept))
        assert (entry / "sub/file-0").exists()
        assert trash_is_empty(project)
    assert clean(project).failed == ()
    assert take(project) == ()


def test_what_was_moved_with_its_journal_comes_back_with_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".tmp").mkdir()
    for name in ("data.db", "data.db-wal"):
        (project / ".tmp" / name).touch()
    kill_a_clean(project, monkeypatch)
    [entry] = take(project)
    assert entry.companions == ("data.db-wal",)
    clean(project, DAY)
    assert states(project) == {"data.db": "idle"}
    assert sorted(os.listdir(project / ".tmp")) == ["data.db", "data.db-wal"]


def test_rules_of_its_category_hold_for_what_was_moved(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        make_entry(project / f".tmp/debug/x_{OLD + number}")
    kill_a_clean(project, monkeypatch)
    found = take(project)
    assert [entry.category for entry in found if entry.home] == ["debug"] * 3
    newest = make_plan(found, Policy(keep_last=1), 0).keep
    assert ("debug", f"x_{OLD + 2}") in [row.entry.home for row in newest]
    (project / ".tmp/debug/.keep").touch()
    assert "kept: .keep of debug" in str(reasons(clean(project).kept))
    assert len([*project.glob(".tmp/debug/x_*")]) == 3


@pytest.mark.parametrize("step", ["given", "look", "decide"])
def test_what_a_running_clean_has_moved_is_left_to_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make_entry(project / f".tmp/debug/x_{OLD}")
    make_entry(project / f".tmp/debug/y_{OLD}/.keep")  # so the category stays
    make_entry(project / ".tmp/by hand")
    seen: list[object] = []

    def clean_too() -> None:
        seen.extend([reasons(plan(project).remove), clean(project, DAY).removed])

    at(step, monkeypatch, clean_too)
    assert len(clean(project).removed) == 2
    assert seen == [{}, ()]
    assert trash_is_empty(project)


def test_place_that_is_taken_is_left_alone_and_what_was_moved_is_aged(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / f".tmp/debug/x_{OLD}", files=1)
    kill_a_clean(project, monkeypatch)
    make_entry(entry, files=2)
    assert [each.reason for each in take(project)] == ["moved by an interrupted clean", None]
    assert clean(project, DAY).removed == ()
    assert len(os.listdir(entry / "sub")) == 2
    assert len(clean(project).removed) == 2


def test_of_two_that_belong_at_one_place_the_first_comes_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        make_entry(project / f".tmp/debug/x_{OLD}")
        kill_a_clean(project, monkeypatch)
    homes = sorted(entry.home for entry in take(project) if entry.state == "unfinished")
    assert homes == [(), ("debug", f"x_{OLD}")]
    assert clean(project, DAY).removed == ()
    assert [*project.glob(".tmp/debug/*")] == [project / f".tmp/debug/x_{OLD}"]
    assert len(clean(project).removed) == 2
    assert trash_is_empty(project)


def test_clean_killed_while_it_puts_back_is_finished_by_the_next(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [make_entry(project / f".tmp/c{number}/x_{OLD}") for number in range(3)]
    kill_a_clean(project, monkeypatch)
    step = 0
    was_killed = True
    while was_killed:
        step += 1
        was_killed = killed_at(step, lambda: clean(project, DAY), ("mkdir", "rmdir"))
    assert step > 3
    assert all((entry / "sub/file-1").exists() for entry in entries)
    assert len(clean(project).removed) == 3
    assert trash_is_empty(project)


@ROOT
@pytest.mark.parametrize("kind", ["another user's", "open to others"])
def test_where_another_user_says_that_something_belongs_counts_for_nothing(
    project: Path, nobody: As, kind: str
) -> None:
    del nobody
    batch = leave_out_of_sight(project / ".tmp", names.UNDECIDED)
    make_entry(batch / f"in/cache/model_{OLD}")
    if kind == "another user's":
        os.chown(batch, 65534, 65534)
    else:
        batch.chmod(0o777)
    [entry] = take(project)
    assert (entry.state, entry.home) == ("unfinished", ())
    clean(project, DAY)
    assert not (project / ".tmp/cache").exists()


def test_way_home_is_known_where_the_file_system_shows_all_as_open_to_everybody(project: Path) -> None:
    batch = leave_out_of_sight(project / ".tmp", names.UNDECIDED)
    make_entry(batch / f"in/cache/model_{OLD}")
    for path in (project / ".tmp", batch):
        path.chmod(0o777)
    clean(project, DAY)
    assert (project / f".tmp/cache/model_{OLD}/sub/file-0").exists()


@pytest.mark.parametrize("home", [".leases/1-abc", ".trash/x", "debug"])
def test_nothing_is_put_where_no_entry_can_be(project: Path, tmp_path: Path, home: str) -> None:
    batch = leave_out_of_sight(project / ".tmp", names.UNDECIDED)
    if "/" in home:
        make_entry(batch / "in" / home)
    else:  # a link in place of a category
        (batch / "in").mkdir()
        (batch / "in" / home).symlink_to(make_entry(tmp_path / "outside"))
    assert [entry.home for entry in take(project)] == [()] * ("/" in home)
    clean(project, DAY)
    assert (tmp_path / "outside").exists() is ("/" not in home)


@ROOT
def test_trash_that_root_makes_in_a_users_project_is_that_users(project: Path) -> None:
    make_entry(project / ".tmp/x")
    (project / ".tmp/CACHEDIR.TAG").write_bytes(SIGNATURE)
    os.chown(project / ".tmp", 65534, 65534)
    assert killed_at(1, lambda: clean(project))
    assert (project / ".tmp/.trash").stat().st_uid == 65534


def test_what_was_moved_is_not_listed_as_if_it_were_at_its_place(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_entry(project / f".tmp/debug/x_{OLD}")
    kill_a_clean(project, monkeypatch)
    assert f"x_{OLD}" not in [path.name for path in TempManager.list_persistent_temps()]
    assert TempManager.clean_persistent_temps(24) == 0
    assert f"x_{OLD}" in [path.name for path in TempManager.list_persistent_temps()]


PART = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40)


@given(st.lists(PART, min_size=1, max_size=2).map(tuple), st.integers(1, 2**40))
def test_name_of_what_stands_alone_says_where_that_belongs_or_nothing(home: tuple[str, ...], inode: int) -> None:
    unsealed = names.unseal(seal_alone(home, inode), inode)
    assert unsealed
    expected = () if len(home) == 2 and ":" in home[0] else home
    assert home_of_alone(unsealed) == expected
