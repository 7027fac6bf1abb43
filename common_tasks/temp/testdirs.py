"""Directories that tests are lent: in the system's temporary location, and gone when the block ends.

What becomes of those of a failed test is decided by the pytest plugin while its session lasts (see `lent_by`), and
otherwise when the block ends.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from . import evidence
from .kept import Borrower, LentToTest, find_root, keep_newest
from .names import check_name

Lender = Callable[[], contextlib.AbstractContextManager[Path]]

_DEFAULT_NAMES = ("source", "target", "working", "output", "backup")
_NOT_FAILED = {"Skipped", "SkipTest", "XFailed"}
_FAILED = {"Failed", "Exit"}  # pytest's, which do not derive from `Exception`


def pytest_temp_dirs(
    num_dirs: int | None = None, names: Sequence[str] | None = None
) -> contextlib.AbstractContextManager[tuple[Path, ...]]:
    """Lend `num_dirs` empty directories for the block, in order and ready to unpack.

    Without `num_dirs` there are as many as `names`, or two if there are no names either. They have the names in
    `names`, or source, target, working, output and backup; further ones are called after their index, such as
    temp_5. All are in one directory of mode 0700 in the system's temporary location, which is gone when the block
    ends. If a test fails, it is moved to `.tmp/test/<test name>_<unix>/`: the pytest plugin decides after the test's
    last teardown; without it, an exception that ends the block is a failure (see `LentUntilFailed`). Raises
    ValueError for fewer than one directory, for more names than directories and for a name used twice, TypeError if
    `names` is a single string.
    """
    return _lend_labelled(_labels(num_dirs, names), _caller())


def _labels(num_dirs: int | None, names: Sequence[str] | None) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"names takes a list of names, such as ['source', 'target'], not the text {names!r}")
    given = _DEFAULT_NAMES if names is None else tuple(names)
    if num_dirs is None:
        num_dirs = 2 if names is None else len(given)
    if num_dirs < 1:
        raise ValueError(f"num_dirs takes a number from 1 up, not {num_dirs}")
    if names is not None and len(given) > num_dirs:
        raise ValueError(f"names holds {len(given)} names for {num_dirs} directories: raise num_dirs")
    labels = [given[i] if i < len(given) else f"temp_{i}" for i in range(num_dirs)]
    if len(set(labels)) < num_dirs:
        raise ValueError(f"names holds a name twice: {labels}")
    for label in labels:
        check_name(label, "the name", Path("/"))
    return labels


def _caller() -> Borrower:
    """Return the caller's caller as the borrower: without a plugin, that is the test function."""
    code = sys._getframe(2).f_code
    name = code.co_name if code.co_name.isidentifier() else "pytest"
    return Borrower(name, f"{code.co_filename}::{code.co_qualname}")


@contextlib.contextmanager
def _lend_labelled(labels: Sequence[str], caller: Borrower) -> Iterator[tuple[Path, ...]]:
    with _lender() if _lender else LentUntilFailed(caller) as parent:
        folders = tuple(parent / label for label in labels)
        for folder in folders:
            folder.mkdir(0o700)
        yield folders


_lender: Lender | None = None


@contextlib.contextmanager
def lent_by(lender: Lender) -> Iterator[None]:
    """Let `lender` lend the directories of `pytest_temp_dirs` while the block lasts."""
    global _lender
    before, _lender = _lender, lender
    try:
        yield
    finally:
        _lender = before


class LentUntilFailed(LentToTest):
    """Lends a directory for the block, and keeps it if an exception ends the block; a note on that says where.

    An exception that skips a test, or is an expected failure, does not count. `PYTEST_KEEP_TEMPS=1` keeps it always.
    """

    def __init__(self, borrower: Borrower, root: Path | None = None) -> None:
        super().__init__()
        self._borrower = borrower
        self._root = root or find_root()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stays = keeps_all() or (error is not None and is_failure(error))
        if not (stays and self.is_lent):
            super().__exit__(kind, error, trace)
            return
        for line in self._keep():
            if error is not None:
                error.add_note(line)

    def _keep(self) -> tuple[str, ...]:
        kept = self.keep(self._borrower, self._root)
        if kept is None:
            return ("nothing was kept: the test removed it",)
        return *kept.lines, *keep_newest(self._root, {kept.path: self._borrower.id})


def is_failure(error: BaseException) -> bool:
    """Tell whether an exception that ends a test's block means that the test failed."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return not kinds & _NOT_FAILED and (bool(kinds & _FAILED) or evidence.ends_in_failure(error))


def keeps_all() -> bool:
    """Tell whether the environment asks to keep the directories of every test."""
    return os.environ.get("PYTEST_KEEP_TEMPS", "") not in ("", "0")
