"""Suites that are written, run by a pytest of their own, and looked at afterwards."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from .. import warm
from ..helpers import PYTEST, python, words_for_pytest

# The suites' own Python may have another pytest than the one that runs these tests.
PYTHON = os.environ.get("PLUGIN_PYTHON", sys.executable)
SERIAL = pytest.param((), id="serial")
NEEDS_XDIST = pytest.mark.skipif(find_spec("xdist") is None, reason="pytest-xdist is not installed")
# Two workers take seconds to start.
XDIST = pytest.param(("-n", "2"), id="xdist", marks=[NEEDS_XDIST, pytest.mark.slow])


@dataclass(frozen=True)
class Done:
    """How a run ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def outcomes(self) -> dict[str, int]:
        """How many tests passed, failed, …"""
        line = next(line for line in self.out.splitlines()[::-1] if re.search(r" in [\d.]+s\b", line))
        return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", line.partition(" in ")[0])}

    @property
    def owners(self) -> dict[str, int]:
        """Who left how many names, as the closing section says."""
        row = r"^ +(\d+) +[\d.]+ [kMGT]?B  (.*?)(?: \(in each of \d+ processes\))?: '.*'(?:, …)?$"
        return {owner: int(names) for names, owner in re.findall(row, self.out, re.MULTILINE)}


class Suite:
    """A project with tests, and an empty system's temporary folder."""

    def __init__(self, root: Path, system: Path, workers: tuple[str, ...]) -> None:
        self.root = root
        self.system = system
        self.workers = workers
        self._loaded = ""

    def load(self, plugin: str) -> None:
        """Let the suite have one of the plugins that are installed beside ours."""
        self._loaded = plugin

    def write(self, code: str, name: str = "test_it.py") -> None:
        """Write a file of the suite."""
        file = self.root / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text("import os, pathlib, shutil, sys, tempfile, pytest\n" + code)

    def command(self, *words: str) -> list[str]:
        """Return what Python takes to run the suite."""
        return words_for_pytest(*self.workers, *words, loaded=self._loaded)

    def run(self, *words: str, environment: dict[str, str] | None = None, prefix: tuple[str, ...] = ()) -> Done:
        """Run the suite in a process of its own; `prefix`: the command that starts it."""
        command, variables = self.command(*words), {**os.environ, **(environment or {})}
        if prefix:
            done = subprocess.run(
                [*prefix, PYTHON, *command],
                cwd=self.root,
                env=variables,
                capture_output=True,
                text=True,
                check=False,
                timeout=100,
            )
        else:
            done = warm.run(PYTHON, PYTEST, command, cwd=self.root, env=variables, timeout=100)
        return Done(done.returncode, done.stdout, done.stderr)

    def interrupt(self, signal_number: int, *words: str) -> Done:
        """Run the suite, and send a signal to it once a test has made the file `ready`."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen([PYTHON, *self.command(*words)], cwd=self.root, start_new_session=True, **pipes) as run:
            while not (self.root / "ready").exists():
                assert run.poll() is None, run.communicate()
                time.sleep(0.01)
            os.killpg(run.pid, signal_number)
            out, err = run.communicate(timeout=60)
        return Done(run.returncode, out, err)

    def left(self) -> list[str]:
        """Return what is left in the system's temporary folder, but for what belongs to pytest."""
        return sorted(name for name in os.listdir(self.system) if not name.startswith("pytest-of-"))

    def kept(self) -> list[Path]:
        """Return what stands in `.tmp/test/`."""
        return sorted((self.root / ".tmp" / "test").glob("[!.]*"))


def make_older(root: Path, name: str, number: int) -> list[Path]:
    """Make so many kept directories of a test, as runs before this one did; the oldest comes first."""
    make = f"TempManager.create_persistent_dir({name!r}, 'test')"
    code = f"from common.temp import *\nfor _ in range({number}): print({make})"
    return [Path(line) for line in python(code, cwd=root).stdout.splitlines()]


@pytest.fixture(scope="session")
def outer_temp() -> str:
    """Return the temporary directory of this very run: a short path, as unix sockets need it."""
    return tempfile.gettempdir()


@pytest.fixture
def make_suite(tmp_path: Path, outer_temp: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Suite]]:
    for name in (
        "PYTEST_ADDOPTS",
        "PYTEST_DEBUG_TEMPROOT",
        "PYTEST_KEEP_TEMPS",
        "PYTEST_XDIST_WORKER",
        "CI",
        "BUILD_NUMBER",
    ):
        monkeypatch.delenv(name, raising=False)

    def make(*workers: str) -> Suite:
        root = tmp_path / "suite"
        root.mkdir()
        (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
        return Suite(root, system, workers)

    system = Path(tempfile.mkdtemp(prefix="s", dir=outer_temp))
    monkeypatch.setenv("TMPDIR", str(system))
    yield make
    shutil.rmtree(system)


@pytest.fixture(params=[SERIAL, XDIST])
def both(request: pytest.FixtureRequest, make_suite: Callable[..., Suite]) -> Suite:
    """Make a suite that is run once as it is, and once by two workers."""
    return make_suite(*request.param)


@pytest.fixture(params=[SERIAL, XDIST])
def suite(request: pytest.FixtureRequest, make_suite: Callable[..., Suite]) -> Suite:
    """Make a suite that is run as it is, and by two workers where there is time for it."""
    return make_suite(*request.param)


@pytest.fixture(params=[XDIST])
def two_workers(request: pytest.FixtureRequest, make_suite: Callable[..., Suite]) -> Suite:
    """Make a suite that is run by two workers."""
    return make_suite(*request.param)


@pytest.fixture
def serial(make_suite: Callable[..., Suite]) -> Suite:
    """Make a suite that is run as it is."""
    return make_suite()


SIGINT, SIGKILL = signal.SIGINT, signal.SIGKILL
# Root, but one whom permissions bind: an ordinary user may not be able to read this Python.
BOUND = "-dac_override,-dac_read_search"
AS_ORDINARY = ("setpriv", "--inh-caps=-all", f"--bounding-set={BOUND}") if os.geteuid() == 0 else ()
