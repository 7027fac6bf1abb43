"""A laptop's day: 500 runs of scripts and 40 runs of tests, ten of them killed, in a project that cleans by itself.

`python -m tests.benchmarks.laptop` prints what the disk holds over the day, and whether it ever held more than the
budget. Every process is real; the clock is not: a file says how far it is ahead, and each process adds that to
`time.time()`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common_tasks.temp import mark, names

HOURS = 12
BUDGET = 200_000_000
_CLOCK = """
import os, time
_real = time.time
_ahead = os.path.join(os.path.dirname(__file__), "ahead")

def _fake():
    with open(_ahead) as file:
        return _real() + float(file.read())

time.time = _fake
"""
_SCRIPT = """
import os, sys, time
from common_tasks.temp import get_debug_temp_dir
made = get_debug_temp_dir("report")
(made / "data").write_bytes(os.urandom(500_000))
for path in (made / "data", made):
    os.utime(path, (time.time(), time.time()))
"""
_TEST = """
import os, signal, time
from common_tasks.temp import TempManager

def test_it():
    made = TempManager.create_persistent_dir("integration", "test")
    (made / "data").write_bytes(os.urandom(3_000_000))
    for path in (made / "data", made):
        os.utime(path, (time.time(), time.time()))
    if os.environ.get("KILLED"):
        os.kill(os.getpid(), signal.SIGKILL)
"""
_HOLD = """
import os, sys, time
from common_tasks.temp import get_debug_temp_dir
made = get_debug_temp_dir("server")
(made / "data").write_bytes(os.urandom(5_000_000))
print(made, flush=True)
sys.stdin.read()
"""
_SETTINGS = """
temp:
  auto: hourly
  max_total: 200MB
  retention:
    test: {keep_last: 3, max_age: 3d}
"""


class Moment(NamedTuple):
    """What the disk held at an hour of the day, in bytes, and how many entries."""

    hour: float
    held: int
    entries: int


class Day:
    """A project, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self._clock = folder / "clock"
        self.ahead = 0.0
        for path in (self.root / "scripts", self.root / "tests", self._clock, folder / "system"):
            path.mkdir(parents=True)
        (self._clock / "sitecustomize.py").write_text(_CLOCK)
        (self.root / "invoke.yaml").write_text(_SETTINGS)
        (self.root / "pyproject.toml").touch()
        (self.root / "scripts" / "report.py").write_text(_SCRIPT)
        (self.root / "scripts" / "server.py").write_text(_HOLD)
        (self.root / "tests" / "test_it.py").write_text(_TEST)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COMMON_TASKS_"))},
            "PYTHONPATH": str(self._clock),
            "COMMON_TASKS_AGE": "modified",
            "TMPDIR": str(folder / "system"),
        }
        self.advance(0)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += seconds
        written = self._clock / "new"
        written.write_text(str(self.ahead))
        written.rename(self._clock / "ahead")

    def start(self, *words: str, **more: str) -> "subprocess.Popen[str]":
        """Start a program of the project."""
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.root,
            env={**self._environment, **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, *words: str, **more: str) -> None:
        """Run a program of the project to its end."""
        with self.start(*words, **more) as process:
            process.communicate()

    def look(self) -> Moment:
        """Return what the disk holds now."""
        made = [path for path in self.root.glob(".tmp/*/*_*") if path.is_dir()]
        held = sum(path.stat().st_blocks * 512 for each in made for path in (each, *each.rglob("*")) if path.exists())
        return Moment(self.ahead / 3600, held, len(made))

    def wait_for_clean(self) -> mark.Report | None:
        """Wait until no clean runs, as a day does between two runs; return what the last one did."""
        for _ in range(500):
            if not _runs(self.root):
                break
            time.sleep(0.02)
        return mark.read_report(str(self.root / ".tmp" / names.AUTO))


def _runs(root: Path) -> bool:
    """Tell whether a process cleans a project in the background."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(root) in words and b"-c" in words:
            return True
    return False


def simulate(folder: Path, scripts: int, tests: int, killed: int) -> Iterator[tuple[Moment, int, mark.Report | None]]:
    """Yield, after each run: what the disk holds, the part of it that is in use, and what the last clean did."""
    day = Day(folder)
    kept = folder / "project" / ".tmp" / "debug" / "evidence_1600000000"
    kept.mkdir(parents=True)
    (kept / ".keep").touch()
    with day.start("scripts/server.py") as server:
        assert server.stdout
        used = Path(server.stdout.readline().strip())
        runs = scripts + tests
        for number in range(runs):
            day.advance(HOURS * 3600 / runs)
            nth = number * tests // runs
            if (number + 1) * tests // runs > nth:
                day.run("-m", "pytest", "-q", "-p", "no:cacheprovider", **({"KILLED": "1"} if nth < killed else {}))
            else:
                day.run("scripts/report.py")
            yield day.look(), 5_000_000, day.wait_for_clean()
        assert (used / "data").stat().st_size == 5_000_000, "what was in use is gone"
        assert (kept / ".keep").exists(), "what was kept is gone"
        server.kill()


def main() -> None:
    """Simulate a day, and print its curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=int, default=500)
    parser.add_argument("--tests", type=int, default=40)
    parser.add_argument("--killed", type=int, default=10)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    most, cleans, hour = 0, set(), -1.0
    try:
        for moment, used, report in simulate(folder, options.scripts, options.tests, options.killed):
            most = max(most, moment.held - used)
            if report and report.entries:
                cleans.add(report)
            if moment.hour >= hour + 0.5:
                hour = moment.hour
                bar = "█" * round(moment.held / 5e6)
                print(
                    f"{8 + moment.hour:5.1f} h {moment.held / 1e6:6.1f} MB {moment.entries:4} entries {bar}", flush=True
                )
        print(f"at most {most / 1e6:.1f} MB beside what is in use, of {BUDGET / 1e6:.0f} MB;", end=" ")
        print(f"{len(cleans)} cleans removed {sum(each.entries for each in cleans)} entries")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(most > BUDGET)


if __name__ == "__main__":
    main()
