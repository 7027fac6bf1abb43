"""What was taken out of sight and may not go comes back, whatever happens meanwhile."""

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common_tasks.fs.directory import Directory
from common_tasks.temp import names
from common_tasks.temp.removal import run, second_look
from common_tasks.temp.removal.folders import Batch, Folders
from common_tasks.temp.removal.move import Move
from common_tasks.temp.tag import SIGNATURE

from ..helpers import (
    HOUR,
    OLD,
    before,
    clean,
    leave_out_of_sight,
    make_entry,
    plan,
    reasons,
    running,
    said,
    slow,
    take,
    trash_is_empty,
)
from .test_file_systems import overlay
from .test_file_systems import pytestmark as only_root_can_mount

DAY = 24 * HOUR


# The steps of a clean once the first entry is out of sight: what is called there, and for which time.
STEPS: dict[str, tuple[Any, str, int]] = {
    "moved": (Batch, "inodes", 1),  # of entries of a category
    "given": (run, "put_back_given", 1),
    "look": (run, "look_at_uses", 2),  # the first look is before
    "look again": (run, "look_at_uses", 3),
    "measure": (second_look, "measure", 1),
    "decide": (Batch, "decide", 1),
    "decide one": (Move, "decide", 1),
    "delete": (run, "delete_from", 1),
}


def at(step: str, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let `act` happen just before a step of the removal, the first time that it is reached."""
    where, name, call = STEPS[step]
    before(monkeypatch, where, name, act, call=call)


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("max_age", [None, DAY])
def test_use_that_begins_meanwhile_is_put_back_though_another_clean_tidied_the_category(
    project: Path, monkeypatch: pytest.MonkeyPatch, max_age: float | None
) -> None:
    entries = [make_entry(project / f".tmp/debug/{name}_{OLD}", hours=99) for name in "xy"]
    opened: list[Any] = []

    def open_and_tidy() -> None:
        (project / ".tmp/debug").rmdir()
        opened.extend(path.open() for path in project.glob(".tmp/.trash/**/sub/file-0"))

    at("look", monkeypatch, open_and_tidy)
    outcome = clean(project, max_age)
    assert [f"in use by pid {os.getpid()}" in row.reason for row in outcome.kept] == [True, True]
    assert all((entry / "sub/file-0").exists() for entry in entries)
    assert trash_is_empty(project)
    for file in opened:
        file.close()


@pytest.mark.parametrize("step", ["moved", "given", "look", "look again", "measure"])
@pytest.mark.parametrize("place", [f".tmp/debug/x_{OLD}", slow(".tmp/by hand")])
def test_ctrl_c_before_it_is_decided_puts_all_back(
    project: Path, monkeypatch: pytest.MonkeyPatch, step: str, place: str
) -> None:
    entries = [make_entry(project / place, hours=99), make_entry(project / ".tmp/other", hours=99)]
    at(step, monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        clean(project, DAY)
    assert all((entry / "sub/file-0").exists() for entry in entries)
    assert trash_is_empty(project)
    assert len(clean(project, DAY).removed) == 2


def test_ctrl_c_after_it_is_decided_leaves_it_to_the_next_clean(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = make_entry(project / ".tmp/x", hours=99)
    at("delete", monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        clean(project, DAY)
    monkeypatch.undo()
    os.chdir(project)
    assert not entry.exists()
    assert list(reasons(clean(project, DAY).removed).values()) == ["left by an interrupted clean"]
    assert trash_is_empty(project)


def young_work() -> list[Any]:
    """Return every place and step, without and with a full disk; but for a few they are slow."""
    places = [f".tmp/debug/x_{OLD}", ".tmp/by hand", ".temp/by hand"]
    steps = ["look", "look again", "measure", "decide"]
    every = [(*case, full) for case in itertools.product(places, steps) for full in (False, True)]
    quick = [(places[0], step, False) for step in steps] + [(places[-1], "decide", True)]
    return [case if case in quick else slow(*case) for case in every]


@pytest.mark.parametrize(("place", "step", "full"), young_work())
def test_young_work_survives_a_clean_killed_before_it_was_decided(
    project: Path, monkeypatch: pytest.MonkeyPatch, step: str, place: str, *, full: bool
) -> None:
    make_entry(project / place, hours=99)
    if full:
        monkeypatch.setattr(Folders, "new_batch", lambda *_: None)
        step = step.replace("decide", "decide one")

    def write_and_die() -> None:
        [file] = project.glob(".t*mp/**/sub/file-0")
        file.write_text("young")
        os._exit(9)

    child = os.fork()
    if child == 0:
        at(step, monkeypatch, write_and_die)
        clean(project, DAY)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    [entry] = [entry for entry in take(project) if entry.state == "unfinished"]
    home = place.partition("/")[2]
    assert entry.reason == f"moved by an interrupted clean; the next one puts it back as {home}"
    assert reasons(plan(project, DAY).keep)[entry.path.name] == "younger than 24 h"
    assert reasons(clean(project, DAY).kept)[entry.path.name] == f"younger than 24 h; it was put back as {home}"
    assert (project / place / "sub/file-0").read_text() == "young"
    assert trash_is_empty(project)
    assert (project / place).name in reasons(clean(project).removed)
    assert take(project) == ()
    assert trash_is_empty(project)


@pytest.mark.parametrize("pin", [".keep", "sub/.keep", "sub/.git"])
def test_what_was_not_decided_is_kept_as_any_other_entry(project: Path, pin: str) -> None:
    entry = make_entry(leave_out_of_sight(project / ".tmp", names.UNDECIDED) / "0", hours=99)
    (entry / pin).touch()
    assert "kept" in [row.reason[:4] for row in clean(project, DAY).kept]
    assert entry.exists()


@only_root_can_mount
def test_what_is_deleted_where_it_stands_is_lent_to_nobody_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_cache_in_a_lower_layer(tmp_path) as cache, asking_for_it(cache) as ask:
        monkeypatch.chdir(cache.parents[2])
        given: list[Path] = []
        at("delete", monkeypatch, lambda: given.append(ask()))
        assert list(reasons(clean(Path.cwd(), DAY).removed)) == [cache.name]
        assert given[0].is_dir()
        assert given[0].name != cache.name


@only_root_can_mount
def test_what_was_lent_before_it_is_deleted_where_it_stands_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_cache_in_a_lower_layer(tmp_path) as cache, asking_for_it(cache) as ask:
        monkeypatch.chdir(cache.parents[2])
        given: list[Path] = []
        at("decide", monkeypatch, lambda: given.append(ask()))
        [(name, why)] = reasons(clean(Path.cwd(), DAY).kept).items()
        assert name == cache.name
        assert why.startswith("in use by pid")
        assert given == [cache]
        assert cache.is_dir()


@contextlib.contextmanager
def a_cache_in_a_lower_layer(folder: Path) -> Iterator[Path]:
    """Yield an old cache that an overlay file system cannot rename."""
    cache = make_entry(folder / f"lower/project/.tmp/cache/c_{OLD}", hours=99)
    (folder / "lower/project/pyproject.toml").touch()
    (folder / "lower/project/.tmp/CACHEDIR.TAG").write_bytes(SIGNATURE)
    with overlay(folder, "redirect_dir=off") as merged:
        yield merged / cache.relative_to(folder / "lower")


@contextlib.contextmanager
def asking_for_it(cache: Path) -> Iterator[Callable[[], Path]]:
    """Yield what has a process ask for a cache, return what it was given, and use that until the block ends."""
    code = "from common_tasks.temp import *\nfrom common_tasks.temp import base_lock\nbase_lock.PATIENCE = 0.1\n"
    code += "print(get_cache_temp_dir('c'), flush=True); input()"
    with contextlib.ExitStack() as stack:
        yield lambda: Path(said(stack.enter_context(running(code, cache.parents[2]))))


def test_entry_that_has_moved_unseen_comes_back_if_it_cannot_be_looked_at(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / f".tmp/debug/x_{OLD}")

    def has_gone(_: Move) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Batch, "inodes", lambda _: iter(()))
    monkeypatch.setattr(Move, "has_gone", has_gone)
    assert reasons(clean(project).failed) == {entry.name: "Input/output error"}
    assert (entry / "sub/file-0").exists()
    assert trash_is_empty(project)


def test_what_is_in_the_trash_is_its_owners_alone(project: Path) -> None:
    (project / ".tmp").mkdir()
    with Directory.at(".tmp") as base, contextlib.ExitStack() as stack:
        assert Folders(stack).new_batch(base)
        assert os.stat(".tmp/.trash").st_mode & 0o777 == 0o700


def test_trash_that_another_clean_tidies_away_meanwhile_is_made_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_entry(project / ".tmp/x")
    real, left = Directory.enter, [1, 2, 3]

    def enter(folder: Directory, name: str) -> Directory:
        if name == ".trash" and left and left.pop():
            folder.remove(name)
        return real(folder, name)

    monkeypatch.setattr(Directory, "enter", enter)
    assert list(reasons(clean(project).removed)) == ["x"]
    assert trash_is_empty(project)


ASK = """
from common_tasks.temp import get_cache_temp_dir
print(get_cache_temp_dir("model"), flush=True)
input()
"""
SAYS_THAT_IT_WAITS = """
from common_tasks.fs import kernel
def work_of_holders(fd, real=kernel.work_of_holders):
    print("waits", flush=True)
    return real(fd)
kernel.work_of_holders = work_of_holders
"""
WITHOUT_LOCKS = """
import errno, fcntl
def flock(fd, operation): raise OSError(errno.ENOLCK, "no locks")
fcntl.flock = flock
"""


def test_cache_that_is_asked_for_during_a_clean_of_a_base_without_our_tag_is_another_or_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_entry(project / f".tmp/cache/model_{OLD}")
    with contextlib.ExitStack() as stack:
        asking: list[Any] = []

        def ask() -> None:
            process: Any = stack.enter_context(running(SAYS_THAT_IT_WAITS + ASK, project))
            asking.extend([process, said(process)])

        before(monkeypatch, Move, "send", ask)
        clean(project)
        process, answer = asking
        while answer == "waits":
            answer = said(process)
        assert Path(answer).is_dir()


def test_cache_that_is_given_during_a_clean_stays_where_there_are_no_locks(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = make_entry(project / f".tmp/cache/model_{OLD}")
    with contextlib.ExitStack() as stack:
        given: list[str] = []

        def ask() -> None:
            given.append(said(stack.enter_context(running(WITHOUT_LOCKS + ASK, project))))

        before(monkeypatch, Move, "send", ask)
        outcome = clean(project)
        assert given == [str(cached)]
        assert cached.is_dir()
        assert "in use" in reasons(outcome.kept)[cached.name]
