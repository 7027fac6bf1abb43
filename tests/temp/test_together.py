"""Entries are moved out of sight by several processes: whichever is killed or interrupted, none is lost."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common_tasks.fs import workers as pool
from common_tasks.fs.workers import Workers
from common_tasks.temp import removal
from common_tasks.temp.entry import Outcome
from common_tasks.temp.removal.move import Move

from ..helpers import (
    HOUR,
    OLD,
    before,
    clean,
    eventually,
    examples,
    make_entry,
    make_project,
    plan,
    python,
    reasons,
    take,
    trash_is_empty,
)

# A clean of the project that three processes share. Before each move, a process does `act`.
SHARED = """
import itertools, os, signal, time
from common_tasks.fs import workers
from common_tasks.temp import inventory, layout, removal, retention
from common_tasks.temp.removal.move import Move
signal.signal(signal.SIGINT, signal.default_int_handler)
parent, moves, real = os.getpid(), itertools.count(), Move.send
def send(move):
    number = next(moves)  # of this process
    {act}
    real(move)
Move.send = send
workers.WORTH_FORKING = 1
entries = inventory.scan([layout.find_project()])
plan = retention.make_plan(entries, retention.Policy(max_age={max_age}), time.time())
print(len(removal.carry_out(plan, workers.Workers(3)).removed))
"""
AGE = 24 * HOUR


def make_entries(project: Path, number: int = 60) -> list[Path]:
    return [make_entry(project / f".tmp/debug/e{each}_{OLD}", hours=99) for each in range(number)]


def whole(entries: list[Path]) -> bool:
    return all(sorted(os.listdir(entry / "sub")) == ["file-0", "file-1"] for entry in entries)


def out_of_sight(project: Path) -> list[Path]:
    return [*project.glob(".tmp/.trash/.aside*/in/debug/*")]


@contextlib.contextmanager
def cleaning(project: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """Run a clean until each of its processes has moved three entries, and lend it with its workers.

    They go on when there is a file "go" in the project.
    """
    act = "while number >= 3 and not os.path.exists('go'): time.sleep(0.001)"
    code = SHARED.format(act=act, max_age=AGE)
    with subprocess.Popen([sys.executable, "-c", code], cwd=project, stderr=subprocess.DEVNULL) as process:
        try:
            assert eventually(lambda: len(out_of_sight(project)) == 9)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            yield process, [int(pid) for pid in children.split()]
        finally:
            process.kill()
            (project / "go").touch()


def run(pids: list[int]) -> bool:
    return any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_what_a_killed_worker_has_moved_goes_with_the_rest(project: Path) -> None:
    make_entries(project)
    act = "if number == 3 and os.getpid() != parent: os.kill(os.getpid(), signal.SIGKILL)\n"
    act += "    time.sleep(0.002)"
    done = python(SHARED.format(act=act, max_age=None), cwd=project)
    assert (done.stdout, done.stderr) == ("60\n", "")
    assert trash_is_empty(project)
    assert take(project) == ()


def test_ctrl_c_while_workers_move_puts_all_back_and_ends_them(project: Path) -> None:
    entries = make_entries(project)
    with cleaning(project) as (process, workers):
        process.send_signal(signal.SIGINT)
        assert process.wait(50) == -signal.SIGINT
        assert not run(workers)
    assert whole(entries)
    assert trash_is_empty(project)


def test_what_workers_of_a_killed_clean_have_moved_is_put_back_by_the_next(project: Path) -> None:
    entries = make_entries(project)
    with cleaning(project) as (process, workers):
        process.kill()
        process.wait()
        assert run(workers)
        assert len(take(project)) == len(entries) - 9  # they hold its locks: as if it still worked
    assert eventually(lambda: not run(workers))
    assert len(out_of_sight(project)) == 11  # each has ended after its piece
    for entry in [*project.glob(".tmp/debug/*"), *out_of_sight(project)]:
        (entry / "young").touch()
    assert not clean(project, AGE).removed
    assert all(os.listdir(entry / "sub") and (entry / "young").exists() for entry in entries)
    assert trash_is_empty(project)


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process fork though the test runner has threads, and for little work."""
    monkeypatch.setattr(pool, "can_fork", lambda: True)
    monkeypatch.setattr(pool, "WORTH_FORKING", 1)


def meanwhile(what: str, entry: Path, away: Path, stack: contextlib.ExitStack) -> None:
    """Let something happen to an entry after it was planned for."""
    if what == "changed":
        (entry / "new").touch()
    if what == "pinned":
        (entry / ".keep").touch()
    if what == "in use":
        stack.enter_context((entry / "sub/file-0").open())
    if what == "read-only":
        entry.chmod(0o500)
    if what in ("gone", "replaced", "link"):
        entry.rename(away)
    if what == "replaced":
        make_entry(entry)
    if what == "link":
        entry.symlink_to(away)


WHAT = "idle", "changed", "pinned", "in use", "read-only", "gone", "replaced", "link"
PLACES = ".tmp/debug/{}_1696348800", ".tmp/by hand {}", ".tmp/{}_1696348800", ".temp/{}"


def outcome_of(kinds: list[tuple[str, str]], workers: int) -> tuple[object, ...]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        project = make_project(Path(folder, "project"))
        entries = [make_entry(project / place.format(number)) for number, (place, _) in enumerate(kinds)]
        decided = plan(project)
        for number, (_, what) in enumerate(kinds):
            meanwhile(what, entries[number], Path(folder, f"away {number}"), stack)
        outcome = removal.carry_out(decided, Workers(workers))
        assert trash_is_empty(project)
        left = [number for number, entry in enumerate(entries) if os.path.lexists(entry)]
        return reasons(outcome.removed), reasons(outcome.kept), reasons(outcome.failed), left


@pytest.mark.usefixtures("forking")
@settings(max_examples=examples(of=10))
@given(kinds=st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(WHAT)), min_size=3, max_size=9))
def test_outcome_is_the_same_whoever_moves(kinds: list[tuple[str, str]]) -> None:
    assert outcome_of(kinds, 1) == outcome_of(kinds, 3)


@pytest.mark.usefixtures("forking")
def test_what_is_swapped_in_while_workers_move_is_put_back(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [entry, *_] = make_entries(project, 4)
    young = make_entry(tmp_path / "young", files=3)
    decided = plan(project)

    def swap() -> None:
        entry.rename(tmp_path / "away")
        young.rename(entry)

    before(monkeypatch, Move, "send", swap)
    outcome: Outcome = removal.carry_out(decided, Workers(2))
    assert len(outcome.removed) == 3
    assert reasons(outcome.kept) == {entry.name: "changed since it was looked at"}
    assert len(os.listdir(entry / "sub")) == 3
    assert trash_is_empty(project)
