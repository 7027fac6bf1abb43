"""Notes which names appear in the temporary directory, and what was running then."""

import contextlib
import json
import os
import re
import stat
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from .containment import Containment
from .findings import Owner

# Made by multiprocessing for itself, and removed by it when its process ends.
_ALWAYS_ACCEPTED = ("pymp-*",)
_GENERATED = re.compile(r"_(?:xunit|unittest)_(\w+?)_fixture_(.*)")
# A directory's time of change comes from a clock that ticks every 10 ms at the slowest: a younger one
# may hide another change that falls into the same tick.
_TICK_NS = 20_000_000
# Few names (a listing takes 0.3 us for each) are listed at every look. With more, one listing is paid for by looks that
# are left out: then an owner is one of the tests since the last listing.
_FEW_NAMES = 2000
_NAMES_PER_LOOK = 25

_START, _BETWEEN, _END = (
    Owner("the start of the run", once=True),
    Owner("between tests"),
    Owner("the end of the run", once=True),
)


class System:
    """The functions that looking needs, as they were when pytest started: tests may replace them."""

    def __init__(self) -> None:
        self.getpid, self.listdir, self.stat, self.mkdir = os.getpid, os.listdir, os.lstat, os.mkdir
        self.unlink = os.unlink
        self.open, self.write, self.close, self.time_ns = os.open, os.write, os.close, time.time_ns


class Record:
    """Who owns the names that are there; None where the name is accepted.

    A worker's record is written to a file as it grows: the process may end at any moment.
    """

    def __init__(self, system: System, file: str | None = None) -> None:
        self.owners: dict[str, Owner | None] = {}
        self.notes: list[str] = []
        self._system = system
        self._file = file

    def add(self, name: str, owner: Owner | None) -> None:
        """Note who made what bears a name."""
        self.owners[name] = owner
        self._append([name, owner])

    def note(self, text: str) -> None:
        """Note something else that the report has to say."""
        self.notes.append(text)
        self._append([text])

    def _append(self, row: list[object]) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # a full disk, say: then the report knows no owner
            self._write(self._file, json.dumps(row).encode() + b"\n")

    def _write(self, file: str, line: bytes) -> None:
        fd = self._system.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._system.write(fd, line)
        finally:
            self._system.close(fd)

    @classmethod
    def read(cls, file: Path) -> "Record":
        """Read what another process has written, if anything; a last line that was cut short is ignored."""
        record = cls(System())
        if file.exists():
            for line in file.read_text().split("\n")[:-1]:
                record._take(json.loads(line))
        return record

    def _take(self, row: list[Any]) -> None:
        if len(row) == 1:
            self.notes.append(row[0])
        else:
            self.owners[row[0]] = row[1] and Owner(*row[1])


class Watch:
    """Looks into the temporary directory between the steps of a run: tests, fixtures, imports.

    A new name belongs to the innermost step that has run since the last look.
    """

    def __init__(self, containment: Containment, ignore: list[str]) -> None:
        self._system = System()
        self._containment = containment
        self._pid = containment.pid
        self._folder = containment.folder
        log = f"{containment.run}/{containment.worker}.log" if containment.worker else None
        self.record = Record(self._system, log)
        self._accepted = (*_ALWAYS_ACCEPTED, *ignore)
        self._running = [_START]  # the innermost last
        self._item: pytest.Item | None = None
        self._latest = ""  # the test that runs, or that ran last
        self._names: list[str] = []  # as they were listed last, when the directory had last changed at `_seen`
        self._seen: int | None = None
        self._settled_at = 0  # until then, the time of a change may hide another one
        self._looks_to_skip = 0
        self._skipped = False  # a look has been left out since the last listing
        self._in_force = True

    # Looking

    def look(self) -> None:
        """Note what is new. Costs one `stat` where nothing has changed."""
        system = self._system
        if system.getpid() != self._pid:
            return
        try:
            if system.time_ns() > self._settled_at and system.stat(self._folder).st_mtime_ns == self._seen:
                return
            if self._looks_to_skip:
                self._looks_to_skip -= 1
                self._skipped = True
                return
            self._list()
        except (FileNotFoundError, NotADirectoryError):
            self._make_anew()

    def look_closely(self) -> None:
        """Note what is new, whatever has been left out before."""
        self._looks_to_skip, self._seen = 0, None
        self.look()

    def _list(self) -> None:
        found = self._system.stat(self._folder)
        if not stat.S_ISDIR(found.st_mode):  # a link to somebody's files is not looked into
            raise NotADirectoryError
        changed = found.st_mtime_ns
        names = self._system.listdir(self._folder)
        self._seen, self._settled_at = changed, changed + _TICK_NS
        self._looks_to_skip = max(0, len(names) - _FEW_NAMES) // _NAMES_PER_LOOK
        if names != self._names:
            self._note(names)
        self._skipped = False

    def _note(self, names: list[str]) -> None:
        owners = self.record.owners
        for name in [name for name in names if name not in owners]:
            self.record.add(name, self._owner_of(name))
        if len(owners) > len(names):
            for name in owners.keys() - set(names):
                del owners[name]
        self._names = names

    def _owner_of(self, name: str) -> Owner | None:
        marks = self._item.iter_markers("temp_leaks") if self._item else ()
        globs = [glob for mark in marks for glob in (mark.args or ("*",))]
        accepted = any(fnmatchcase(name, glob) for glob in (*self._accepted, *globs))
        return None if accepted else self._innermost()

    def _innermost(self) -> Owner:
        """Say what has run since the last look; where looks were left out, that is only approximate."""
        return Owner(f"about {self._latest}") if self._skipped and self._latest else self._running[-1]

    def _make_anew(self) -> None:
        """Make the directory again that a test has removed or replaced: the next one needs it."""
        self.record.owners.clear()
        self._names, self._seen = [], None
        who = self._running[-1].label
        try:
            with contextlib.suppress(FileNotFoundError):
                self._system.unlink(self._folder)
            self._system.mkdir(self._folder, 0o700)
        except OSError as error:
            self._note_once(f"unseen, since {who}: {error}")
        else:
            self._note_once(f"{who} removed the temporary directory itself: it was made again")

    def _note_once(self, text: str) -> None:
        if text not in self.record.notes:
            self.record.note(text)

    def _check(self, when: str) -> None:
        """Note a test after which what is made goes to the system's temporary folder again."""
        if self._system.getpid() != self._pid or self._containment.is_in_force() == self._in_force:
            return
        self._in_force = not self._in_force
        says = "contained again" if self._in_force else "uncontained: TMPDIR or tempfile.tempdir was reset"
        self.record.note(f"{says}, since {when}")

    def _enter(self, owner: Owner) -> None:
        self.look()
        self._running.append(owner)

    def _leave(self) -> None:
        self.look()
        self._running.pop()

    def _rename_outermost(self, owner: Owner) -> None:
        self.look()
        self._running[0] = owner

    # What pytest tells

    def pytest_plugin_registered(self, plugin: object) -> None:
        """See what importing a conftest.py has left: it is registered right afterwards."""
        file = getattr(plugin, "__file__", None)
        if isinstance(file, str) and os.path.basename(file) == "conftest.py":
            self._running.append(_import(os.path.relpath(file)))
            self._leave()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """See what importing a test module leaves."""
        self._enter(_import(collector.nodeid))
        yield
        self._leave()

    def pytest_collection_finish(self) -> None:
        """Note that what comes now is between tests."""
        self._rename_outermost(_BETWEEN)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """See what a test leaves."""
        look = self.look_closely if item.get_closest_marker("temp_leaks") else self.look
        look()
        self._item, self._latest = item, item.nodeid
        self._running.append(Owner(item.nodeid))
        yield
        look()
        self._running.pop()
        self._item = None
        self._check(item.nodeid)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """See what setting up a fixture leaves."""
        if _is_parameter(fixturedef):
            yield
            return
        self._enter(_fixture(fixturedef))
        yield
        self._leave()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """See what the test has left, before its fixtures end."""
        self.look()

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """See what tearing down a fixture has left."""
        if _is_parameter(fixturedef):
            return
        self._running.append(_fixture(fixturedef))
        self._leave()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """Note that no test follows."""
        self._rename_outermost(_END)
        yield
        self.look()


def _is_parameter(fixture: Any) -> bool:
    """Tell whether a fixture only hands out a test's parameter."""
    return getattr(fixture.func, "__name__", "") == "get_direct_param_fixture_func"


def _import(what: str) -> Owner:
    return Owner(f"import of {what}" if what else "collection", once=True)


def _fixture(fixture: Any) -> Owner:
    generated = _GENERATED.fullmatch(fixture.argname)
    place = fixture.baseid or (generated and generated[2])
    name = generated[1] if generated else f"fixture {fixture.argname} ({fixture.scope})"
    return Owner(f"{name} of {place}" if place else name, once=fixture.scope == "session")
