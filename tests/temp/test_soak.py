"""A minute of making and using against two cleaners that never rest: nobody fails, and nobody loses anything."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..helpers import clean, take, trash_is_empty

CREATORS = 8
GENERATIONS = 4  # processes that end while others go on: what they made and used becomes idle
SECONDS = 15

# It reads back all it has, all the time.
CREATOR = """
import os, sys, time
from common_tasks.temp import TempManager, get_cache_temp_dir, temp_working_dir

until = time.monotonic() + float(sys.argv[1])
rounds = 0
caches, mine = {}, []

def fill(folder):
    assert folder.is_dir(), folder
    file = folder / "deep" / f"{os.getpid()}"
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(file))
    return file

def check():
    for file in [*mine, *caches.values()]:
        assert file.read_text() == str(file), file

while time.monotonic() < until:
    rounds += 1
    made = TempManager.create_persistent_dir(f"made{rounds % 3}", f"soak{rounds % 2}")
    assert not os.listdir(made), made
    mine.append(fill(made))
    name = f"cache{rounds % 2}"
    cache = fill(get_cache_temp_dir(name))
    assert caches.setdefault(name, cache) == cache, (cache, caches)
    with temp_working_dir() as folder:
        file = fill(folder)
        check()
        assert file.read_text() == str(file)
    assert not folder.exists(), folder
check()
print(rounds)
"""

# The first one cleans as `inv temp-clean` does, the system's temporary folder too; the second as a script does.
CLEANERS = (
    """
import os, sys, time
from common_tasks.temp import inventory, layout, removal, retention

removed = rounds = 0
while not os.path.exists(sys.argv[1]):
    rounds += 1
    entries = inventory.scan([layout.find_project()])
    policy = retention.Policy(max_age=0.0 if rounds % 2 else None)
    outcome = removal.carry_out(retention.make_plan(entries, policy, time.time()))
    assert not outcome.failed, outcome.failed
    removed += len(outcome.removed)
print(removed)
""",
    """
import os, sys
from common_tasks.temp import TempManager

removed = rounds = 0
while not os.path.exists(sys.argv[1]):
    rounds += 1
    removed += TempManager.clean_persistent_temps(0 if rounds % 2 else None)
print(removed)
""",
)


@contextmanager
def start(code: str, word: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run code in which a warning is an error; it does not outlive the block."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-W", "error", "-c", code, word], cwd=cwd, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def counted(process: subprocess.Popen[str]) -> int:
    """Return what a process that ended well has counted."""
    out, err = process.communicate(timeout=SECONDS + 60)
    assert (process.returncode, err) == (0, "")
    return int(out)


def create_at_once(project: Path) -> list[int]:
    with ExitStack() as stack:
        crowd = [stack.enter_context(start(CREATOR, str(SECONDS), project)) for _ in range(CREATORS)]
        return [counted(process) for process in crowd]


@pytest.mark.slow
def test_nothing_in_use_is_lost_and_nobody_fails_while_cleaners_never_rest(project: Path, system_temp: Path) -> None:
    stop = project / "stop"
    with ExitStack() as stack:
        cleaners = [stack.enter_context(start(code, str(stop), project)) for code in CLEANERS]
        made = [number for _ in range(GENERATIONS) for number in create_at_once(project)]
        stop.touch()
        removed = [counted(cleaner) for cleaner in cleaners]
    # That all were at work at the same time is what makes it a test.
    assert min(made) > 20
    assert min(removed) > 0
    assert not clean(project).failed
    assert take(project) == ()
    assert trash_is_empty(project)
    left = {".auto", ".gitignore", ".leases", "CACHEDIR.TAG", "cache", "soak0", "soak1"}
    assert set(os.listdir(project / ".tmp")) == left
    assert os.listdir(system_temp) == []
