"""Finds what a run has left in its temporary directory, says whose it is, and removes it."""

import atexit
import contextlib
import gc
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..temp import Unremovable, testdirs
from . import keep_policy, pending
from .containment import MAIN, Containment
from .findings import Findings, Leak, describe
from .watch import Record, Watch


def watch_run(config: pytest.Config, mode: str) -> None:
    """Contain a run from now on until its configuration goes out of use, and say then what was left."""
    run = Run(config, mode)
    config.add_cleanup(run.finish)


class Run:
    """A contained run, in one of its processes."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self._config = config
        self._mode = mode
        self._session: pytest.Session | None = None
        self._interrupted = False
        self._containment = Containment()
        atexit.register(self._remove_at_exit)  # first, so that it comes last
        self._at_exit = pending.AtExit()
        self._watch = Watch(self._containment, config.getini("temp_leaks_ignore"))
        config.pluginmanager.register(self, "common_tasks_leaks")
        config.pluginmanager.register(self._watch, "common_tasks_watch")

    # What pytest tells

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Know whose exit status it is."""
        self._session = session

    def pytest_keyboard_interrupt(self) -> None:
        """Know that the list is incomplete: Ctrl-C, or `pytest.exit`."""
        self._interrupted = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: list[Any]) -> None:
        """Tell xdist's workers where they belong."""
        for spec in specs:
            self._containment.hand_over(spec)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Know that a worker did not live to see its end."""
        if error:
            self._watch.record.note(f"worker {node.gateway.id} ended early: of its tests the list is incomplete")

    # The end

    def finish(self) -> None:
        """Look for the last time, say what was found, and remove it."""
        if os.getpid() != self._containment.pid:
            return
        self._watch.look_closely()
        self._containment.restore()
        self._at_exit.restore()
        if self._containment.worker:  # pytest itself looks, and removes, when all its workers have ended
            atexit.unregister(self._remove_at_exit)
            return
        waiting = self._session is not None and self._settle(self._session)
        if not waiting:
            self._remove()
            atexit.unregister(self._remove_at_exit)

    def _settle(self, session: pytest.Session) -> bool:
        """Report what was left, and tell whether something waits for this process to end."""
        waiting = self._waiting()
        found = Findings(tuple(self._leaks(waiting)), tuple(self._notes()), self._is_incomplete(session))
        lines = describe(found, self._mode, self._containment.folder, self._config.getoption("verbose") > 0)
        if found.leaks and self._mode == "fail":
            lines += self._fail(session, found.leaks)
        self._say(lines)
        return bool(waiting)

    def _waiting(self) -> set[str]:
        """Return the paths that will still be removed when this process ends."""
        if not self._paths(MAIN):
            return set()
        gc.collect()
        return pending.will_be_removed(self._paths(MAIN), self._at_exit.calls)

    def _is_incomplete(self, session: pytest.Session) -> bool:
        stopped = session.shouldstop or session.shouldfail
        return bool(self._interrupted or stopped) or session.exitstatus == pytest.ExitCode.INTERRUPTED

    def _leaks(self, waiting: set[str]) -> Iterator[Leak]:
        for process, record in self._records().items():
            for path in self._paths(process) - waiting:
                owner = record.owners.get(os.path.basename(path), f"unknown, in worker gw{process}")
                if owner is not None:
                    yield Leak(path, process, owner, _disk_bytes(path))

    def _notes(self) -> list[str]:
        return [note for record in self._records().values() for note in record.notes]

    def _records(self) -> dict[str, Record]:
        workers = [folder for folder in self._containment.run.iterdir() if folder.name.isdigit()]
        return {MAIN: self._watch.record} | {worker.name: Record.read(Path(f"{worker}.log")) for worker in workers}

    def _paths(self, process: str) -> set[str]:
        folder = self._containment.run / process
        return {f"{folder}/{name}" for name in os.listdir(folder)} if folder.is_dir() else set()

    def _fail(self, session: pytest.Session, leaks: tuple[Leak, ...]) -> list[str]:
        """Let the run fail, and keep what was left for looking at; return what to say of that."""
        if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if keep_policy(self._config) == "none":
            return ["removed; --temp-dirs-keep=failed keeps them to be looked at"]
        return keep(leaks, self._config.rootpath)

    def _say(self, lines: list[str]) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None:
            sys.stderr.writelines(line + "\n" for line in lines)
            return
        for line in lines:
            reporter.write_line(line)

    def _remove_at_exit(self) -> None:
        if os.getpid() == self._containment.pid:
            pending.release_open_files(self._containment.folder)
            self._remove()

    def _remove(self) -> None:
        if os.getpid() != self._containment.pid:
            return
        try:
            self._containment.remove()
        except Unremovable as error:
            self._say([str(error)])


def _disk_bytes(path: str) -> int:
    """Return what a tree takes up, as far as it can be read."""
    total = os.lstat(path).st_blocks * 512
    for folder, directories, files in os.walk(path):
        for name in (*directories, *files):
            with contextlib.suppress(OSError):  # removed meanwhile, by what still runs
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


def keep(leaks: tuple[Leak, ...], root: Path) -> list[str]:
    """Move what was left to `.tmp/test/temp-leaks_<unix>/`; return what to say of that."""
    made = testdirs.create_if_writable("temp-leaks", root)
    if made is None:
        return []
    faults = [fault for leak in leaks if (fault := _move(leak, made.path))]
    return [f"kept: {made.path}", *faults, *testdirs.keep_newest(made.project, {made.path})]


def _move(leak: Leak, folder: Path) -> str | None:
    place = folder if leak.process == MAIN else folder / f"gw{leak.process}"
    try:
        place.mkdir(exist_ok=True)
        if os.path.isdir(leak.path) and not os.path.islink(leak.path):
            os.chmod(leak.path, 0o700)  # a folder that may not be written to cannot be moved
        shutil.move(leak.path, place)
    except (OSError, shutil.Error) as error:
        return f"not kept: {leak.path}: {error}"
    return None
