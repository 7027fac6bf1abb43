"""SIGKILL at every step of a clean, and at any time: an entry is whole or gone, and the next run finishes."""

import os
import pty
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from common_tasks.temp import TempManager, temp_working_dir

from ..helpers import OLD, clean, make_entry, slow, states, take, trash_is_empty

STEPS = ("rename", "unlink", "rmdir")


def killed_at(step: int, act: Callable[[], object], steps: Sequence[str] = STEPS) -> bool:
    """Run `act` in a child that is killed before its `step`-th one of these; tell if it came to that."""
    child = os.fork()
    if child == 0:
        count = 0

        def counted(real: Callable[..., None]) -> Callable[..., None]:
            def call(*args: object, **options: object) -> None:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(*args, **options)

            return call

        for name in steps:
            setattr(os, name, counted(getattr(os, name)))
        act()
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def whole(entry: Path) -> bool:
    return sorted(path.name for path in entry.rglob("*")) == ["file-0", "file-1", "sub"]


@pytest.mark.parametrize("stride", [5, slow(1)])
def test_clean_killed_at_any_step_leaves_each_entry_whole_or_gone(project: Path, stride: int) -> None:
    entries = [project / f".tmp/debug/one_{OLD}", project / ".tmp/two", project / f".temp/three_{OLD}"]
    step = 1 - stride
    was_killed = True
    while was_killed:
        step += stride
        for entry in entries:
            make_entry(entry, hours=9)
        was_killed = killed_at(step, lambda: clean(project))
        assert all(whole(entry) for entry in entries if entry.exists())
        left = {path for path in project.rglob("file-*") if ".trash" in path.parts}
        found = [entry.path for entry in take(project)]
        assert all(any(path.is_relative_to(entry) for entry in found) for path in left)
        assert not clean(project).failed
        assert not any(entry.exists() for entry in entries)
        assert trash_is_empty(project)
    assert step > 15


@pytest.mark.parametrize("stride", [2, slow(1)])
def test_block_killed_at_any_step_of_its_end_leaves_an_orphan_or_nothing(
    project: Path, system_temp: Path, stride: int
) -> None:
    def work() -> None:
        with temp_working_dir() as folder:
            make_entry(folder / "below")

    step = 1 - stride
    was_killed = True
    assert tempfile.gettempdir() == str(system_temp)  # finding it out makes and unlinks a file
    while was_killed:
        step += stride
        was_killed = killed_at(step, work)
        left = os.listdir(system_temp)
        seen = [entry.state for entry in take(project)]
        assert seen in (["orphaned"], ["unfinished"], [])
        assert len(left) == len(seen)
        assert not clean(project).failed
        assert not os.listdir(system_temp)
    assert step > 5


@pytest.mark.parametrize(("times", "files"), [(1, 50), slow(8, 200)])
def test_clean_killed_while_it_deletes_is_finished_by_the_next(project: Path, times: int, files: int) -> None:
    for step in random.Random(5).sample(range(10, 5 * files), times):
        for number in range(6):
            make_entry(project / f".tmp/debug/e{number}_{OLD}", files=files, content=b"")
        assert killed_at(step, lambda: clean(project))
        assert [*project.glob(".tmp/debug/*")] == []
        assert "unfinished" in states(project).values()
        clean(project)
        assert trash_is_empty(project)
        assert take(project) == ()


@pytest.mark.slow
def test_clean_killed_at_any_time_leaves_each_entry_whole_or_gone(project: Path) -> None:
    code = "from common_tasks.temp import TempManager; print(flush=True); TempManager.clean_persistent_temps()"
    chance = random.Random(5)
    for _ in range(100):
        for number in range(6):
            if not (project / f".tmp/debug/e{number}_{OLD}").exists():
                make_entry(project / f".tmp/debug/e{number}_{OLD}", files=200, content=b"")
        with subprocess.Popen([sys.executable, "-c", code], cwd=project, stdout=subprocess.PIPE) as cleaner:
            assert cleaner.stdout
            cleaner.stdout.readline()
            time.sleep(chance.random() * 0.1)
            cleaner.kill()
        for entry in project.glob(".tmp/debug/*"):
            assert len(os.listdir(entry / "sub")) == 200
    TempManager.clean_persistent_temps()
    assert trash_is_empty(project)
    assert take(project) == ()


SLOW = """
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs have it ignored
for name in {names!r}:
    def slow(*args, real=getattr(os, name), **options):
        time.sleep(0.1)
        return real(*args, **options)
    setattr(os, name, slow)
"""


@pytest.mark.parametrize(("when", "names"), [slow("scan", ["scandir"]), ("clean", ["unlink"])])
def test_ctrl_c_ends_it_at_once_with_130_and_the_terminal_as_it_was(
    project: Path, tmp_path: Path, when: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(150):
        make_entry(project / f".tmp/debug/e{number}_{OLD}", hours=9)
    (tmp_path / "sitecustomize.py").write_text(SLOW.format(names=names))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    leader, follower = pty.openpty()
    command = [str(Path(sys.executable).parent / "inv"), "temp-clean", "--max-age-hours", "1"]
    with subprocess.Popen(command, cwd=project, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        seen = b""
        while b"files" not in seen:  # the progress bar is drawn
            seen += os.read(leader, 4096)
        process.send_signal(signal.SIGINT)
        try:
            while chunk := os.read(leader, 4096):
                seen += chunk
        except OSError:  # the other side is closed
            pass
        assert process.wait() == 130
    os.close(leader)
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l")
    assert b"Traceback" not in seen
    for entry in project.glob(".tmp/debug/*"):
        assert whole(entry)
    assert len(list(project.glob(".tmp/debug/*"))) == (150 if when == "scan" else 0)
    # It ended where it was: what was still to be done is not.
    assert when == "scan" or not trash_is_empty(project)
    clean(project)
    assert trash_is_empty(project)


def test_clean_killed_before_it_has_moved_anything_leaves_nothing_to_see(project: Path) -> None:
    for name, hours in {"old": 9, "young": 0}.items():
        make_entry(project / ".tmp" / name, hours=hours)
    assert killed_at(1, lambda: clean(project))
    assert states(project) == {"old": "idle", "young": "idle"}
    clean(project, max_age=3600)
    assert states(project) == {"young": "idle"}
    assert trash_is_empty(project)
