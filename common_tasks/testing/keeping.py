"""Lends tests their directories, and decides what becomes of them.

A block in a test's own body that ends without an exception removes its directory at once. Any other directory is moved
away from its path when its block ends. What becomes of it is decided after the last teardown of the test that it was
lent to, or of the fixture if that has a wider scope.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..fs.program import running
from ..project.errors import TempError
from ..temp import kept, testdirs
from ..temp.kept import Borrower, LentInProject, LentToTest
from .loans import Lent, Loan, Row, borrower_of_fixture, show_in_reports

Lend = Callable[..., tuple[Path, ...]]


def start(config: pytest.Config, name: str) -> None:
    """Lend tests their directories from now on until the configuration is no longer used. `name`: the plugin's."""
    keeper = Keeper(config, keep_policy(config))
    config.pluginmanager.register(keeper, name)
    stack = contextlib.ExitStack()
    stack.enter_context(testdirs.lent_by(keeper.lend))
    config.add_cleanup(stack.close)


def keep_policy(config: pytest.Config) -> str:
    """Return whose directories are kept, as the option says, else the environment, else the ini file."""
    asked = config.getoption("temp_dirs_keep") or ("all" if testdirs.keeps_all() else config.getini("temp_dirs_keep"))
    return asked or "failed"


class Keeper:
    """Lends directories to the tests of one session, and settles what becomes of them."""

    def __init__(self, config: pytest.Config, policy: str) -> None:
        self._config = config
        self._policy = policy
        self._root = config.rootpath
        self._pid = os.getpid()
        self._item: pytest.Item | None = None
        self._in_body = False
        self._setups: list[Any] = []  # the requests of the fixtures that are being set up, outermost first
        self._loans: list[Loan] = []
        self._failures = 0  # of the attempt at a test that is running: sub-tests and phases
        self._interrupted = False
        self.rows: list[Row] = []

    # Lending

    def lend(self, lent: Lent | None = None) -> contextlib.AbstractContextManager[Path]:
        """Lend the running test or fixture a directory for the block: `lent`, or a new one in the system's location."""
        if os.getpid() == self._pid and (self._item or self._setups):
            return self._lend(lent or LentToTest())
        # In a forked child, or outside any test, nothing will decide on it later.
        return testdirs.LentUntilFailed(Borrower("pytest", "outside of any test"), self._root)

    @contextlib.contextmanager
    def lend_many(self) -> Iterator[Lend]:
        """Give a function that lends directories until the block ends, by their names or by their number."""
        with contextlib.ExitStack() as stack:
            yield lambda *names: stack.enter_context(testdirs.pytest_temp_dirs(*_number_and_names(names)))

    @contextlib.contextmanager
    def lend_in_project(self) -> Iterator[Path]:
        """Lend a directory in `.tmp/test/` for the block; if that cannot be made, one in the system's location."""
        lent: Lent | None = None
        # In a read-only checkout, say, the test can do its work all the same.
        with contextlib.suppress(OSError, TempError):
            lent = LentInProject(self._root, self._borrower()[0].name)
        with self.lend(lent) as folder:
            yield folder

    @contextlib.contextmanager
    def _lend(self, lent: Lent) -> Iterator[Path]:
        loan = Loan(lent, *self._borrower())
        failures, is_over = self._known_failures(), False
        folder = lent.start()
        self._loans.append(loan)
        try:
            yield folder
            in_body = self._in_body and not self._setups
            is_over = in_body and self._policy != "all" and self._known_failures() == failures
        finally:
            if is_over and lent.is_lent:
                self._loans.remove(loan)
                lent.end()
            else:
                loan.ended = True
                with contextlib.suppress(OSError):  # gone; or it cannot be moved, and stays until it is decided on
                    lent.set_aside()

    def _borrower(self) -> tuple[Borrower, str]:
        """Return a directory's borrower, and the fixture's name if the tests that use it decide on the directory."""
        request = self._setups[-1] if self._setups else None
        if request is None or request.scope == "function":
            item: pytest.Item = self._item or self._setups[-1].node
            return Borrower(item.name, item.nodeid), ""
        return borrower_of_fixture(request), request.fixturename

    def _known_failures(self) -> int:
        """Return how many failures are known while the test still runs; unittest notes its own."""
        return self._failures + len(getattr(self._item, "_excinfo", None) or ())

    # Hooks that pytest calls

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note which test runs."""
        self._item = item
        running.begin(item.nodeid)
        yield
        running.end()
        self._item = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Note whether it is the test's own body that runs."""
        self._in_body = True
        yield
        self._in_body = False

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, request: Any) -> Iterator[None]:
        """Note which fixture is being set up."""
        self._setups.append(request)
        yield
        self._setups.pop()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Note a failure; settle after the teardown."""
        outcome: Any = yield
        if outcome.excinfo:
            return
        report: pytest.TestReport = outcome.get_result()
        if report.when == "setup":
            self._failures = 0
        self._failures += report.failed
        if self._failures:
            for loan in self._loans:
                loan.note_failure(item)
        if report.when == "teardown":
            rows = self._settle([loan for loan in self._loans if loan.ended])
            if rows:
                # Travels with the report, from an xdist worker too.
                report.__dict__["temp_dirs"] = [tuple(row) for row in rows]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Collect what a test's report says was kept; also count a failed part of the running test."""
        self.rows += map(Row._make, getattr(report, "temp_dirs", ()))
        if self._in_body and self._item and report.nodeid == self._item.nodeid and report.failed:
            self._failures += 1

    def pytest_keyboard_interrupt(self) -> None:
        """Note that it is unknown whether the running test would have passed."""
        self._interrupted = True

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Settle what was lent until the last teardowns of a session that was interrupted, or ran with `-x`."""
        yield
        if os.getpid() != self._pid:
            return
        rows = self._settle(self._loans)
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["temp_dirs"] = [tuple(row) for row in rows]
            return
        self.rows += rows
        if faults := kept.keep_newest(self._root, {Path(row.path): row.owner for row in self.rows if row.path}):
            self.rows.append(Row("", "older directories were not removed", faults))
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            show_in_reports(self.rows, reporter.getreports)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Collect what an xdist worker settled at its end."""
        self.rows += map(Row._make, getattr(node, "workeroutput", {}).get("temp_dirs", ()))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which directories are still there."""
        if self.rows:
            terminalreporter.section("temporary directories kept")
        for line in (line for row in self.rows for line in row.lines):
            terminalreporter.write_line(line)

    # Settling

    def _settle(self, loans: list[Loan]) -> list[Row]:
        rows = [row for loan in loans if loan.lent.is_lent and (row := self._settle_one(loan))]
        self._loans = [loan for loan in self._loans if loan not in loans]
        return rows

    def _settle_one(self, loan: Loan) -> Row | None:
        stays = self._policy == "all" or (self._policy == "failed" and (loan.failed or self._interrupted))
        if not stays:
            return loan.end()
        # A run that is watched for leaks has a temporary directory of its own, which goes with it.
        watched: Any = self._config.pluginmanager.get_plugin("common_tasks_leaks")
        return loan.keep(self._root, watched.system if watched else None)


def _number_and_names(names: tuple[str | int, ...]) -> tuple[int, list[str] | None]:
    if len(names) == 1 and isinstance(names[0], int):
        return names[0], None
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"temp_dirs takes names, or how many directories, not {names}")
    return len(names), [str(name) for name in names]
