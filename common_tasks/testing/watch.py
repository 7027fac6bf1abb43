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
from types import SimpleNamespace
from typing import Any

import pytest

from .containment import Containment
from .findings import Owner

# Made by multiprocessing for itself, and removed by it when its process ends.
_ALWAYS_ACCEPTED = ("pymp-*",)
_GENERATED = re.compile(r"_(?:xunit|unittest)_(\w+?)_fixture_(.*)")
# A directory's modification time comes from a clock that ticks every 10 ms at the slowest: a recent time
# may hide another change in the same tick.
_TICK_NS = 20_000_000
# Few names (a listing takes 0.3 us for each) are listed at every look. With more, looks are skipped to make up for the
# time that a listing takes: then an owner is one of the tests since the last listing.
_FEW_NAMES = 2000
_NAMES_PER_LOOK = 25

_START, _BETWEEN, _END = (
    Owner("the start of the run", once=True),
    Owner("between tests"),
    Owner("the end of the run", once=True),
)


# The functions that looking needs, as they were when pytest started: tests may replace them.
_SYSTEM = SimpleNamespace(
    **{name: getattr(os, name) for name in ("getpid", "listdir", "lstat", "mkdir", "unlink", "open", "write", "close")},
    time_ns=time.time_ns,
)


class Record:
    """Who owns each name that is there; None if the name is accepted.

    A worker's record is written to a file as it grows: the process may end at any moment.
    """

    def __init__(self, file: str | None = None) -> None:
        self.owners: dict[str, Owner | None] = {}
        self.notes: list[str] = []
        self._file = file

    def add(self, name: str, owner: Owner | None) -> None:
        """Note who made what has this name."""
        self.owners[name] = owner
        self._append(name, owner)

    def note(self, text: str) -> None:
        """Note something else that the report has to say, once."""
        if text not in self.notes:
            self.notes.append(text)
            self._append(text)

    def _append(self, *row: object) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # such as a full disk: then the report knows no owner
            fd = _SYSTEM.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                _SYSTEM.write(fd, json.dumps(row).encode() + b"\n")
            finally:
                _SYSTEM.close(fd)

    @classmethod
    def read(cls, file: Path) -> "Record":
        """Read what another process has written, if anything; a last line that was cut short is ignored."""
        record = cls()
        text = file.read_text() if file.exists() else ""
        for line in text.split("\n")[:-1]:
            match json.loads(line):
                case [note]:
                    record.notes.append(note)
                case [name, owner]:
                    record.owners[name] = owner and Owner(*owner)
        return record


class Watch:
    """Looks into the temporary directory between the steps of a run: tests, fixtures, imports.

    A new name belongs to the innermost step that has run since the last look.
    """

    def __init__(self, containment: Containment, ignore: list[str]) -> None:
        self._containment = containment
        self._folder = containment.folder
        log = f"{containment.run}/{containment.worker}.log" if containment.worker else None
        self.record = Record(log)
        self._accepted = (*_ALWAYS_ACCEPTED, *ignore)
        self._running = [_START]  # the innermost last
        self._item: pytest.Item | None = None
        self._latest = ""  # the test that runs, or that ran last
        self._seen: int | None = None  # the directory's modification time at the last listing
        self._settled_at = 0  # until then, another change may have the same time
        self._looks_to_skip = 0
        self._skipped = False  # a look has been skipped since the last listing
        self._in_force = True

    # Looking

    def look(self) -> None:
        """Note what is new. Costs one `stat` if nothing has changed."""
        if _SYSTEM.getpid() != self._containment.pid:
            return
        try:
            if _SYSTEM.time_ns() > self._settled_at and _SYSTEM.lstat(self._folder).st_mtime_ns == self._seen:
                return
            if self._looks_to_skip:
                self._looks_to_skip -= 1
                self._skipped = True
                return
            self._list()
        except (FileNotFoundError, NotADirectoryError):
            self._make_anew()

    def look_closely(self) -> None:
        """Note what is new, even if looks are to be skipped."""
        self._looks_to_skip, self._seen = 0, None
        self.look()

    def _list(self) -> None:
        found = _SYSTEM.lstat(self._folder)
        if not stat.S_ISDIR(found.st_mode):  # a link to somebody's files is not looked into
            raise NotADirectoryError
        names = dict.fromkeys(_SYSTEM.listdir(self._folder))
        self._seen, self._settled_at = found.st_mtime_ns, found.st_mtime_ns + _TICK_NS
        self._looks_to_skip = max(0, len(names) - _FEW_NAMES) // _NAMES_PER_LOOK
        owners = self.record.owners
        for name in [name for name in names if name not in owners]:
            self.record.add(name, self._owner_of(name))
        for name in [name for name in owners if name not in names]:
            del owners[name]
        self._skipped = False

    def _owner_of(self, name: str) -> Owner | None:
        """Return who made a new name: the innermost running step; if looks were skipped, only roughly which test."""
        marks = self._item.iter_markers("temp_leaks") if self._item else ()
        globs = [glob for mark in marks for glob in (mark.args or ("*",))]
        if any(fnmatchcase(name, glob) for glob in (*self._accepted, *globs)):
            return None
        return Owner(f"about {self._latest}") if self._skipped and self._latest else self._running[-1]

    def _make_anew(self) -> None:
        """Make the directory again after a test has removed or replaced it: the next test needs it."""
        self.record.owners.clear()
        self._seen = None
        who = self._running[-1].label
        try:
            with contextlib.suppress(FileNotFoundError):
                _SYSTEM.unlink(self._folder)
            _SYSTEM.mkdir(self._folder, 0o700)
        except OSError as error:
            self.record.note(f"unseen, since {who}: {error}")
        else:
            self.record.note(f"{who} removed the temporary directory itself: it was made again")

    def _check(self, when: str) -> None:
        """Note a test that sends temporary files back to the system's folder, and one that undoes this."""
        if _SYSTEM.getpid() != self._containment.pid or self._containment.is_in_force() == self._in_force:
            return
        self._in_force = not self._in_force
        says = "contained again" if self._in_force else "uncontained: TMPDIR or tempfile.tempdir was reset"
        self.record.note(f"{says}, since {when}")

    @contextlib.contextmanager
    def _during(self, owner: Owner) -> Iterator[None]:
        """Count what appears during the block as made by `owner`."""
        self._running.append(owner)
        yield
        self.look()
        self._running.pop()

    def _fixture(self, fixture: Any) -> Owner:
        """Return the owner for a fixture; one that only passes on a test's parameter is not an owner of its own."""
        if getattr(fixture.func, "__name__", "") == "get_direct_param_fixture_func":
            return self._running[-1]
        generated = _GENERATED.fullmatch(fixture.argname)
        place = fixture.baseid or (generated and generated[2])
        name = generated[1] if generated else f"fixture {fixture.argname} ({fixture.scope})"
        return Owner(f"{name} of {place}" if place else name, once=fixture.scope == "session")

    # Hooks that pytest calls

    def pytest_plugin_registered(self, plugin: object) -> None:
        """See what importing a conftest.py has left: it is registered right afterwards."""
        file = getattr(plugin, "__file__", None)
        if isinstance(file, str) and os.path.basename(file) == "conftest.py":
            with self._during(_import(os.path.relpath(file))):
                pass

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """See what importing a test module leaves."""
        self.look()
        with self._during(_import(collector.nodeid)):
            yield

    def pytest_collection_finish(self) -> None:
        """Note that what comes now is between tests."""
        self.look()
        self._running[0] = _BETWEEN

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
        self.look()
        with self._during(self._fixture(fixturedef)):
            yield

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """See what the test has left, before its fixtures end."""
        self.look()

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_post_finalizer(self, fixturedef: Any) -> None:
        """See what tearing down a fixture has left."""
        with self._during(self._fixture(fixturedef)):
            pass

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Iterator[None]:
        """Note that no test follows."""
        self.look()
        self._running[0] = _END
        yield
        self.look()


def _import(what: str) -> Owner:
    return Owner(f"import of {what}" if what else "collection", once=True)
