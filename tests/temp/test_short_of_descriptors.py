"""A process that may open no more files cannot look, and removes nothing by that."""

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common_tasks.fs import kernel, processes
from common_tasks.fs.directory import Directory
from common_tasks.temp import BaseRefused, TempManager, get_cache_temp_dir, removal

from ..helpers import INV, OLD, clean, make_entry, plan, running, said, slow, trash_is_empty


@contextlib.contextmanager
def short_of_descriptors(spare: int) -> Iterator[None]:
    """Leave this process so many descriptors for the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 20, hard))
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(spare):
            os.close(taken.pop())
        yield
    finally:
        for file in taken:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("spare", [0, 1])
def test_who_cannot_look_at_uses_says_so(project: Path, spare: int) -> None:
    entry = make_entry(project / ".tmp/x")
    with running(f"kept = open({str(entry)!r} + '/sub/file-0'); print(flush=True); input()", project) as user:
        said(user)
        with (
            Directory.at(project / ".tmp") as base,
            short_of_descriptors(spare),
            pytest.raises(OSError, match="Too many open files"),
        ):
            processes.look([base])


def test_who_cannot_look_at_mounts_says_so() -> None:
    with short_of_descriptors(0), pytest.raises(OSError, match="Too many open files"):
        kernel.Mounts()


@pytest.mark.parametrize(("task", "limit"), [("clean", 12), slow("clean", 6), slow("temp-status", 12)])
def test_task_that_may_open_only_a_few_files_says_so_in_one_line_and_touches_nothing(
    project: Path, task: str, limit: int
) -> None:
    make_entry(project / ".tmp/x")
    command = ["bash", "-c", f'ulimit -n {limit}; exec "$@"', "bash", INV, task]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    [line] = done.stderr.splitlines()
    assert done.returncode == 2
    assert "a task needs 16: see `ulimit -n`; nothing was touched" in line
    assert os.listdir(project / ".tmp") == ["x"]


@pytest.mark.parametrize("spare", range(3))
@pytest.mark.parametrize("call", [get_cache_temp_dir, TempManager.inventory, TempManager.clean_persistent_temps])
def test_script_that_may_open_no_more_files_is_told_so(project: Path, call: Callable[[], object], spare: int) -> None:
    make_entry(project / f".tmp/work/x_{OLD}/.keep")
    call()  # what it takes is loaded
    with short_of_descriptors(spare), pytest.raises(BaseRefused, match=r"\.tmp' cannot be .*Too many open files"):
        call()


@pytest.mark.parametrize("spare", range(3))
def test_what_is_used_stays_where_the_second_look_finds_no_descriptors(
    project: Path, monkeypatch: pytest.MonkeyPatch, spare: int
) -> None:
    entry = make_entry(project / f".tmp/debug/x_{OLD}")
    decided = plan(project)
    real = processes.look

    def look(*arguments: Any, **options: Any) -> Any:
        with short_of_descriptors(spare):
            return real(*arguments, **options)

    with running(f"kept = open({str(entry)!r} + '/sub/file-0'); print(flush=True); input()", project) as user:
        said(user)
        monkeypatch.setattr(processes, "look", look)
        with contextlib.suppress(OSError):
            removal.carry_out(decided)
        assert (entry / "sub/file-0").exists()
        monkeypatch.undo()
    os.chdir(project)
    assert trash_is_empty(project)
    clean(project)
    assert not entry.exists()
