"""Finds what a run has left in its temporary directory, says whose it is, and removes it."""

import atexit
import contextlib
import gc
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..fs.directory import Directory
from ..fs.places import Place
from ..fs.usage import measure
from ..fs.values import complaint
from ..temp import TempError, Unremovable, evidence, kept
from ..temp.lent import refuse_mounts
from . import pending
from .containment import HANDOVER, Containment
from .findings import MAIN, Leak, Owner, describe, list_all
from .keeping import keep_policy
from .watch import Record, Watch

_NAME = "temp-leaks"
_LIST = ".temp-leaks.txt"  # says who left what is kept beside it


def watch_run(config: pytest.Config, mode: str) -> None:
    """Contain a run until its configuration is no longer used, and then say what was left."""
    run = Run(config, mode)
    config.add_cleanup(run.finish)


class Run:
    """A contained run, in one of its processes."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self._config = config
        self._mode = mode
        self._interrupted = False
        self._crashed: dict[str, str] = {}  # the test that each worker was running when it ended early
        self._notes: list[str] = []
        self._patch = pytest.MonkeyPatch()
        self._containment = Containment(self._patch)
        self.system = Path(self._containment.system)
        atexit.register(self._remove_at_exit)  # first, so that it comes last
        self._at_exit = pending.AtExit(self._patch)
        self._watch = Watch(self._containment, config.getini("temp_leaks_ignore"))
        config.pluginmanager.register(self, "common_tasks_leaks")
        config.pluginmanager.register(self._watch, "common_tasks_watch")

    # Hooks that pytest calls

    def pytest_keyboard_interrupt(self) -> None:
        """Note that the list will be incomplete, because of Ctrl-C or `pytest.exit`."""
        self._interrupted = True

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: list[Any]) -> None:
        """Tell xdist's workers where they belong."""
        for spec in specs:
            spec.env[HANDOVER] = str(self._containment.run)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """Note which test a worker ran when it crashed."""
        worker = getattr(report, "node", None)
        if worker is not None:
            self._crashed[worker.gateway.id.removeprefix("gw")] = crashitem

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note that a worker ended early."""
        if error:
            self._notes.append(f"worker {node.gateway.id} ended early: the list is incomplete for its tests")

    # The end

    def finish(self) -> None:
        """Look for the last time, say what was found, and remove it."""
        if os.getpid() != self._containment.pid:
            return
        self._watch.look_closely()
        self._patch.undo()
        session: Any = self._config.pluginmanager.get_plugin("session")
        # For an xdist worker, pytest itself looks and removes, after all its workers have ended.
        waiting = session and not self._containment.worker and self._settle(session)
        if not waiting:
            self._remove()
            atexit.unregister(self._remove_at_exit)

    def _settle(self, session: pytest.Session) -> bool:
        """Report what was left, and tell whether something waits for this process to end."""
        waiting = self._waiting()
        self._watch.record.owners |= dict.fromkeys(waiting)
        records = self._records()
        leaks = tuple(leak for process, record in records.items() for leak in self._leaks(process, record))
        notes = [*self._notes, *(note for record in records.values() for note in record.notes)]
        if self._interrupted or session.shouldstop or session.shouldfail:
            notes.append("the run was interrupted, so this list is incomplete")
        verbose = self._config.getoption("verbose") > 0
        self._say(describe(leaks, notes, self._mode, self._containment.folder, verbose=verbose))
        if leaks and self._mode == "fail":
            if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self._say(self._keep(leaks))
        return bool(waiting)

    def _waiting(self) -> set[str]:
        """Return the names that will still be removed when this process ends."""
        seen = self._watch.record.owners.keys()
        if not seen:
            return set()
        gc.collect()
        return pending.will_be_removed(self._containment.folder, self._at_exit.calls) & seen

    def _leaks(self, process: str, record: Record) -> Iterator[Leak]:
        unknown = Owner(self._crashed.get(process, f"unknown, in worker gw{process}"))
        try:
            folder = self._containment.open(process)
        except OSError as error:
            self._notes.append(f"not looked at: {self._containment.run}/{complaint(process, error)}")
            return
        with folder:
            left = {name: owner for name in sorted(folder.names()) if (owner := record.owners.get(name, unknown))}
            usages = measure([Place(folder, (name,)) for name in left])
        for (name, owner), usage in zip(left.items(), usages, strict=True):
            if usage:  # else it has gone meanwhile
                yield Leak(name, process, owner, usage.disk_bytes)

    def _records(self) -> dict[str, Record]:
        workers = [folder for folder in self._containment.run.iterdir() if folder.name.isdigit()]
        return {MAIN: self._watch.record} | {worker.name: Record.read(Path(f"{worker}.log")) for worker in workers}

    def _keep(self, leaks: tuple[Leak, ...]) -> list[str]:
        """Keep what was left, so that it can be looked at; return what to say about that."""
        if keep_policy(self._config) == "none":
            return ["removed; --temp-dirs-keep=failed keeps them to be looked at"]
        root, gathered = self._config.rootpath, self._containment.run / "kept"
        try:
            faults = self._gather(leaks, gathered)
            where = evidence.keep(gathered, lambda: kept.create(root, _NAME), self.system)
        except (OSError, TempError) as error:
            return [f"not kept: {error}"]
        listed = f"who left what: {where.path / _LIST}"
        return [*where.lines, listed, *faults, *kept.keep_newest(root, {where.path: _NAME})]

    def _gather(self, leaks: tuple[Leak, ...], place: Path) -> list[str]:
        """Move what was left into a directory of its own; return what could not be moved, and why."""
        place.mkdir(0o700)
        (place / _LIST).write_text(list_all(leaks), "utf-8", "backslashreplace")
        faults = []
        for leak in leaks:
            target = (place / leak.place).parent
            target.mkdir(mode=0o700, exist_ok=True)
            try:
                self._move(leak, target)
            except OSError as error:
                faults.append(f"not kept: {self._containment.run}/{leak.process}/{leak.name}: {complaint('', error)}")
        return faults

    def _move(self, leak: Leak, place: Path) -> None:
        """Move what was left, on one file system; no mount is crossed. Raises OSError."""
        with self._containment.open(leak.process) as folder, Directory.at(place) as target:
            refuse_mounts(folder, leak.name)
            is_directory = stat.S_ISDIR(folder.look(leak.name).st_mode)
            with evidence.movable(folder, leak.name) if is_directory else contextlib.nullcontext():
                folder.rename(leak.name, target, leak.name)

    def _say(self, lines: list[str]) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        for line in lines:
            if reporter:
                reporter.write_line(line)
            else:
                print(line, file=sys.stderr)

    def _remove_at_exit(self) -> None:
        if os.getpid() == self._containment.pid:
            pending.release_open_files(self._containment.folder)
            self._remove()

    def _remove(self) -> None:
        try:
            self._containment.remove()
        except Unremovable as error:
            self._say([str(error)])
