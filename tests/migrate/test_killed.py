"""What is left where `temp-migrate --write` is killed at any step of writing a file."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common_tasks.migrate import write as writing
from common_tasks.migrate.finding import Change

OLD, NEW = b"old", b"new" * 1000
# Runs with the name of a function of `os`, which kills the process instead of (or after) doing what it does.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from common_tasks.migrate.finding import Change
from common_tasks.migrate.write import write

name, when, without, path = sys.argv[1:]
real = getattr(os, name)

def kill(*args, **options):
    if when == "after":
        real(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

if without:
    del os.O_TMPFILE
setattr(os, name, kill)
write([Change(Path(path), b"old", b"new" * 1000)])
"""
NAMELESS = [("fchmod", "before"), ("link", "before"), ("link", "after"), ("replace", "before"), ("replace", "after")]
NAMED = [("rename", "after"), ("fchmod", "before"), ("replace", "before"), ("replace", "after")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "a.py").write_bytes(OLD)
    return folder / "a.py"


@pytest.mark.parametrize(
    ("step", "when", "without"),
    [*((*row, "") for row in NAMELESS), *((*row, "without O_TMPFILE") for row in NAMED)],
)
def test_killed_write_leaves_the_file_whole_and_nothing_that_the_next_run_does_not_remove(
    path: Path, step: str, when: str, without: str
) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, step, when, without, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == (NEW if (step, when) == ("replace", "after") else OLD)
    writing.write([Change(path, path.read_bytes(), b"newer")])
    assert path.read_bytes() == b"newer"
    assert list(path.parent.iterdir()) == [path]


def test_killed_before_its_new_content_has_a_name_it_leaves_nothing(path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, "link", "before", "", path], check=False)
    assert list(path.parent.iterdir()) == [path]
