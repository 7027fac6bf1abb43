"""Tasks of this project itself, beside the ones it makes for others."""

import os
import subprocess
import sys
import time
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from common_tasks import ns
from common_tasks.temp import TempManager, get_cache_temp_dir, get_debug_temp_dir

_PYTHON = f'"{sys.executable}"'
_INV = Path(sys.executable).with_name("inv")


@task(help={"slow": "Also run what takes minutes: soaks, crashes at every step, whole test runs under the plugin."})
def test(c: Context, slow: bool = False) -> None:
    """Run the tests, on all cores."""
    print(f"This takes about {'eight minutes' if slow else 'a minute'} on two cores.", flush=True)
    c.run(f"{_PYTHON} -m pytest -n auto" + (" -m 'slow or not slow'" if slow else ""), pty=sys.stdout.isatty())


@task
def lint(c: Context) -> None:
    """Check style, types and the import contract."""
    for tool in ("ruff check .", "ruff format --check .", "mypy"):
        c.run(f"{_PYTHON} -m {tool}")
    c.run(f'"{Path(sys.executable).with_name("lint-imports")}"')


@task(
    help={
        "only": "The one contest to run: entries, files, growth, sweep or monorepo for whole commands; scan, remove, "
        "sight, artifacts, start, create or scale.",
        "rounds": "How often each contestant has its turn.",
        "big": "Also the trees of 2,000,000 files.",
    }
)
def bench(c: Context, only: str = "", rounds: int = 5, big: bool = False) -> None:
    """Measure speed and memory beside du, rm, find and others."""
    words = ["--rounds", str(rounds), *(["--only", only] if only else []), *(["--big"] if big else [])]
    c.run(f"{_PYTHON} -m tests.benchmarks " + " ".join(words), pty=sys.stdout.isatty())


@task
def demo(c: Context) -> None:
    """Make a few temporary directories, and show them."""
    # What another process made, and ended; what this one makes is in use.
    c.run(f'{_PYTHON} "{__file__}"')
    _fill(get_debug_temp_dir("demo"), 40_000, 3, hours=0)
    # The ages are made up, so only the files' own times count. `c.run` would cut characters in two.
    subprocess.run([_INV, "temp-status"], env={**os.environ, "COMMON_TASKS_AGE": "modified"}, check=True)


def _make_old() -> None:
    _fill(get_debug_temp_dir("crash_report"), 900_000, 2, hours=5)
    _fill(get_cache_temp_dir("thumbnails"), 20_000, 60, hours=50)
    pinned = TempManager.create_persistent_dir("reference", "data")
    (pinned / ".keep").touch()
    _fill(pinned, 250_000, 1, hours=24 * 21)
    by_hand = pinned.parents[1] / "processing"
    by_hand.mkdir(exist_ok=True)
    _fill(by_hand, 300_000, 4, hours=24 * 9)


def _fill(folder: Path, size: int, files: int, hours: float) -> None:
    for number in range(files):
        (folder / f"part-{number}.bin").write_bytes(b"\0" * size)
    changed = time.time() - hours * 3600
    for path in (*folder.iterdir(), folder):
        os.utime(path, (changed, changed))


for own in (test, lint, bench, demo):
    ns.add_task(own)  # type: ignore[arg-type]  # invoke calls what `task` returns a plain function


if __name__ == "__main__":
    _make_old()
