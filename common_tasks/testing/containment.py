"""One temporary directory for a whole run: lent by the engine, gone when the run ends.

    <system's temporary folder>/t_<ten letters>/    the run's, in use while it lives
        m/                                          TMPDIR of pytest itself
        0/  0.log                                   TMPDIR of the xdist worker gw0, and what it saw

Names are short because the path of a Unix socket may have no more than 104 bytes in all.
"""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from ..fs.directory import Directory
from ..temp import TempManager, hold
from ..temp.lent import opener
from .findings import MAIN

# How a run tells its xdist workers where they belong; each removes it from its environment at once.
HANDOVER = "COMMON_TASKS_TEST_RUN"

_TMPDIR = "TMPDIR"
_PYTEST_ROOT = "PYTEST_DEBUG_TEMPROOT"


class Containment:
    """A folder of the run's own, which `TMPDIR` and `tempfile.tempdir` name until `patch` is undone."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._stack = contextlib.ExitStack()
        self.pid = os.getpid()
        self.worker = ""
        handed = os.environ.pop(HANDOVER, "")
        if os.path.isdir(handed):
            self.run = Path(handed)
            self.worker = os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")
            _hold(handed)  # in use, even if only this worker is left of the run
        else:
            self.run = self._stack.enter_context(TempManager.auto_cleanup_dir("t"))
        self.system = os.path.dirname(self.run)
        self.folder = f"{self.run}/{self.worker or MAIN}"
        os.mkdir(self.folder, 0o700)
        # Other code may have asked for the directory already, so setting the variable alone is not enough.
        patch.setattr(tempfile, "tempdir", self.folder)
        patch.setenv(_TMPDIR, self.folder)
        if _PYTEST_ROOT not in os.environ:  # tmp_path and pytest-of-<user> stay where they are
            patch.setenv(_PYTEST_ROOT, self.system)

    def is_in_force(self) -> bool:
        """Tell whether temporary files still go here, or where a test chose, and not back to the system's folder."""
        return os.environ.get(_TMPDIR, "") not in ("", self.system) and tempfile.tempdir != self.system

    def open(self, process: str) -> Directory:
        """Open the directory of a process to look into it; the caller closes it.

        Raises OSError if it is gone, if a link has taken its place, or if something is mounted on it.
        """
        with Directory.at(self.run) as run:
            return Directory(opener()(run.fd, process))

    def remove(self) -> None:
        """Remove the run's directory, if this process made it. Raises Unremovable."""
        self._stack.close()


def _hold(folder: str) -> None:
    hold.share(Directory(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)))
