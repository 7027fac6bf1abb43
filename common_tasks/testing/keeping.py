"""Keeps the directories of tests that failed.

A directory is made where it will stay. Whether it does is decided after the last teardown of the test,
or of the fixture of a wider scope, that it was lent to.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ..fs.program import running

if TYPE_CHECKING:
    from ..temp.layout import Project
    from ..temp.testdirs import LentDir

_SECTION = "Temporary directories"


class Row(NamedTuple):
    """A line of the closing summary: a directory that is still there, whose it is, and what went wrong."""

    path: str
    owner: str
    fault: str = ""


@dataclass
class Loan:
    """A directory that is lent: to `item`, or to what shares the fixture `fixture` where that is set."""

    made: "LentDir"
    owner: str
    item: pytest.Item | None
    fixture: str = ""
    ended: bool = False
    failed: bool = False

    def serves(self, item: pytest.Item) -> bool:
        """Tell whether a test works with this directory."""
        return item is self.item or self.fixture in _fixtures_of(item)


class Keeper:
    """Lends directories to the tests of one session, and settles what becomes of them."""

    def __init__(self, config: pytest.Config, policy: str) -> None:
        self._policy = policy
        self._root = config.rootpath
        self._pid = os.getpid()
        self._item: pytest.Item | None = None
        self._setups: list[Any] = []  # the requests of the fixtures that are being set up, outermost first
        self._loans: list[Loan] = []
        self._failed: pytest.Item | None = None
        self._interrupted = False
        self._project: Project | None = None
        self._kept: set[Path] = set()
        self.rows: list[Row] = []

    # Lending

    def lend(self) -> contextlib.AbstractContextManager[Path]:
        """Lend whoever runs now a directory for the block."""
        if self._policy == "none":
            from ..temp import TempManager

            return TempManager.auto_cleanup_dir("pytest")
        return self.lend_in_project()

    def lend_in_project(self) -> contextlib.AbstractContextManager[Path]:
        """Lend a directory in `.tmp/test/`, whatever the policy."""
        if os.getpid() == self._pid and (self._item or self._setups):
            return self._lend()
        from ..temp.testdirs import lend_until_passed

        # In a forked child, or outside of any test, nobody comes later to decide.
        return lend_until_passed(self._root)

    @contextlib.contextmanager
    def _lend(self) -> Iterator[Path]:
        from ..temp import TempManager
        from ..temp.testdirs import create_if_writable

        name, owner, item, fixture = self._borrower()
        made = create_if_writable(name, self._root)
        if made is None:
            with TempManager.auto_cleanup_dir("pytest") as folder:
                yield folder
            return
        loan = Loan(made, owner, item, fixture)
        self._loans.append(loan)
        self._project = made.project
        try:
            yield made.path
        finally:
            loan.ended = True

    def _borrower(self) -> tuple[str, str, pytest.Item | None, str]:
        """Return the name that a directory gets, who is said to own it, and what decides on it."""
        request = self._setups[-1] if self._setups else None
        if request is None or request.scope == "function":
            item: pytest.Item = self._item or self._setups[-1].node
            return item.name, item.nodeid, item, ""
        node = request.node
        name = Path(node.name).stem if isinstance(node, pytest.Module) else node.name
        shared = node.nodeid or "the session"
        if not isinstance(node, pytest.Module | pytest.Class | pytest.Item):
            name = "session"
        return name, f"{shared} (fixture {request.fixturename})", None, request.fixturename

    # What pytest tells

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Know which test runs."""
        self._item = item
        running.begin(item.nodeid)
        yield
        running.end()
        self._item = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, request: Any) -> Iterator[None]:
        """Know which fixture is being set up."""
        self._setups.append(request)
        yield
        self._setups.pop()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Note a failure, with the directories to look at; settle after the teardown."""
        outcome: Any = yield
        if outcome.excinfo:
            return
        report: pytest.TestReport = outcome.get_result()
        if report.failed:
            self._failed = item
        if not self._loans:
            return
        if self._failed is item:
            self._note_failure(item, report)
        if report.when == "teardown":
            rows = self._settle([loan for loan in self._loans if loan.ended])
            if rows:
                # Travels with the report, from an xdist worker too.
                report.__dict__["temp_dirs"] = [list(row) for row in rows]

    def _note_failure(self, item: pytest.Item, report: pytest.TestReport) -> None:
        served = [loan for loan in self._loans if loan.serves(item)]
        for loan in served:
            loan.failed = True
        if served and report.failed and self._policy != "none":
            report.sections.append((_SECTION, "\n".join(str(loan.made.path) for loan in served)))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect what a test's report says was kept."""
        self.rows += [Row(*row) for row in getattr(report, "temp_dirs", ())]

    def pytest_keyboard_interrupt(self) -> None:
        """Of a test that was interrupted nobody knows whether it would have passed."""
        self._interrupted = True

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Settle what the last teardowns of an interrupted session, or of one with `-x`, have ended."""
        yield
        if os.getpid() != self._pid:
            return
        rows = self._settle(self._loans) + self._tidy()
        output = getattr(session.config, "workeroutput", None)
        if output is None:
            self.rows += rows
        else:
            output["temp_dirs"] = [list(row) for row in rows]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Collect what an xdist worker settled at its end."""
        self.rows += [Row(*row) for row in getattr(node, "workeroutput", {}).get("temp_dirs", ())]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which directories are still there."""
        if self.rows:
            terminalreporter.section("temporary directories kept")
        for path, owner, fault in self.rows:
            terminalreporter.write_line(f"not removed, of {owner}: {fault}" if fault else f"{path}  {owner}")

    # Settling

    def _settle(self, loans: list[Loan]) -> list[Row]:
        rows = [row for loan in loans if (row := self._settle_one(loan))]
        self._loans = [loan for loan in self._loans if loan not in loans]
        return rows

    def _settle_one(self, loan: Loan) -> Row | None:
        from ..errors import Unremovable

        if loan.made.maker != os.getpid():
            return None
        path = str(loan.made.path)
        if self._stays(loan):
            self._kept.add(loan.made.path)
            return Row(path, loan.owner)
        try:
            loan.made.discard()
        except Unremovable as error:
            return Row(path, loan.owner, str(error))
        return None

    def _stays(self, loan: Loan) -> bool:
        return self._policy == "all" or (self._policy == "failed" and (loan.failed or self._interrupted))

    def _tidy(self) -> list[Row]:
        """Keep to the newest of each test's directories, and leave no empty category behind."""
        if self._project is None:
            return []
        from ..temp import testdirs

        faults = testdirs.keep_newest(self._project, self._kept) if self._kept else []
        with contextlib.suppress(OSError):  # not empty, or never made
            os.rmdir(self._project.bases[0].path / testdirs.CATEGORY)
        return [Row("", "older directories", fault) for fault in faults]


def _fixtures_of(item: pytest.Item) -> set[str]:
    """Return the names of all fixtures that a test uses, those that it asked for while it ran included."""
    request = getattr(item, "_request", None)
    return set(getattr(request, "fixturenames", ())) | set(getattr(item, "fixturenames", ()))
