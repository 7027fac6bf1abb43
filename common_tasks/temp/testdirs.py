"""Directories that tests are lent: gone with the test that passes, kept with the one that fails.

They are made where they will stay, at `.tmp/test/<test name>_<unix>/`, so keeping one needs no copy.
"""

import contextlib
import errno
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import EngineWarning, GuardFailed, Unremovable
from ..fs.values import Key
from . import layout, lease
from .api import TempManager, create_entry
from .lent import discard
from .names import check_name, parse_name

if TYPE_CHECKING:
    from .entry import Entry

CATEGORY = "test"
VARIABLE = "PYTEST_KEEP_TEMPS"
NEWEST = 3  # so many directories of one test's name stay

Lender = Callable[[], contextlib.AbstractContextManager[Path]]

_DEFAULT_NAMES = ("source", "target", "working", "output", "backup")
_PLUGIN = "common_tasks.testing"
_NO_NAME = "pytest"
_LONGEST = 100
_NOT_PLAIN = re.compile(r"[^\w.-]+", re.ASCII)
_NOT_FAILED = {"GeneratorExit", "Skipped", "SkipTest", "XFailed"}
_READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def pytest_temp_dirs(num_dirs: int | None = None, names: Sequence[str] | None = None) -> Iterator[tuple[Path, ...]]:
    """Lend `num_dirs` empty directories for the block, in order and ready to unpack.

    Without a number they are as many as there are `names`, else two. They are called `names`; where those are
    missing, source, target, working, output, backup, then temp_5 …. All lie in one directory
    `.tmp/test/<test name>_<unix>/`, which is gone when the test has passed, and kept when it has failed (see
    `lend_until_passed`; the pytest plugin decides after the test's last teardown). Raises ValueError for fewer than
    one directory, for more names than directories and for a name used twice, TypeError for names that are one text.
    """
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
    with lend() as parent:
        folders = tuple(parent / label for label in labels)
        for folder in folders:
            folder.mkdir()
        yield folders


class LentDir(NamedTuple):
    """A directory in a project's `.tmp/test/`, and the process that made it."""

    path: Path
    project: layout.Project
    key: Key
    maker: int

    def discard(self) -> None:
        """Remove it: in the process that made it, and nowhere else. Raises Unremovable."""
        if os.getpid() == self.maker:
            discard(self.path, self.key[1])
            lease.drop(self.key)

    def discard_with_category(self) -> None:
        """Remove it, and `.tmp/test` if nothing else is in there. Raises Unremovable."""
        self.discard()
        with contextlib.suppress(OSError):  # something else is in there
            self.path.parent.rmdir()


def create(name: str, root: Path | None = None) -> LentDir:
    """Make `.tmp/test/<name>_<unix>/` in the project of `root`, of the working directory where it is None.

    Any text will do as `name` (see `plain_name`). Raises as `TempManager.create_persistent_dir`.
    """
    project = layout.find_project(root)
    path = create_entry(project, plain_name(name), CATEGORY)
    found = os.lstat(path)
    return LentDir(path, project, (found.st_dev, found.st_ino), os.getpid())


def create_if_writable(name: str, root: Path | None = None) -> LentDir | None:
    """Do as `create`; return None, with an EngineWarning, where the project cannot be written to."""
    try:
        return create(name, root)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        warnings.warn(f"a test's directory will not be kept: {error}", EngineWarning, 3)
        return None


def plain_name(name: str) -> str:
    """Return `name` as part of a file name that every shell takes as it is.

    Where more than a parameter's brackets had to go, a checksum keeps different names apart.
    """
    plain = _NOT_PLAIN.sub("_", name).strip("._-")
    if 0 < len(plain) <= _LONGEST and plain == name.replace("[", "_").removesuffix("]"):
        return plain
    import zlib

    checksum = zlib.crc32(name.encode("utf-8", "surrogatepass"))
    return f"{plain[:_LONGEST] or _NO_NAME}-{checksum:08x}"


def lend() -> contextlib.AbstractContextManager[Path]:
    """Lend the running test a directory for the block: the plugin does it while its session lasts."""
    # It is pytest that loads the plugin: nothing is imported for this.
    lender: Lender | None = getattr(sys.modules.get(_PLUGIN), "lender", None)
    return lender() if lender else lend_until_passed()


@contextlib.contextmanager
def lend_until_passed(root: Path | None = None) -> Iterator[Path]:
    """Lend a directory for the block, and keep it where an exception passes through.

    The exception gets a note that says where it is. What skips a test, or is expected of it, is no
    failure. `PYTEST_KEEP_TEMPS=1` keeps it in any case. Where the project cannot be written to, it is
    made in the system's temporary location and not kept.
    """
    made = create_if_writable(_running_test(), root)
    if made is None:
        with TempManager.auto_cleanup_dir(_NO_NAME) as folder:
            yield folder
        return
    try:
        yield made.path
    except BaseException as error:
        _settle_ended(made, error)
        raise
    if not keeps_all():
        made.discard_with_category()
        return
    for line in keep_newest(made.project, {made.path}):
        warnings.warn(line, EngineWarning, 3)


def _settle_ended(made: LentDir, error: BaseException) -> None:
    """Keep a directory or remove it, and note on what ended its block what is still there."""
    if keeps_all() or is_failure(error):
        for line in (f"kept: {made.path}", *keep_newest(made.project, {made.path})):
            error.add_note(line)
        return
    try:
        made.discard_with_category()
    except Unremovable as left:
        error.add_note(str(left))


def is_failure(error: BaseException) -> bool:
    """Tell whether an exception that ends a test's block means that the test failed."""
    return not any(kind.__name__ in _NOT_FAILED for kind in type(error).__mro__)


def keeps_all() -> bool:
    """Tell whether the environment asks to keep the directories of every test."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def _running_test() -> str:
    """Return the name of the test that pytest says is running: `file::Class::name[parameters] (phase)`."""
    node = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
    head, bracket, parameters = node.partition("[")
    return head.rpartition("::")[2] + bracket + parameters or _NO_NAME


def keep_newest(project: layout.Project, kept: Collection[Path]) -> list[str]:
    """Remove older directories of the tests that `kept` belong to, but for the newest three of each name.

    `kept` themselves stay, however many they are of one name, and so does what a clean would leave
    alone. Returns what stood in the way, in words: a test's own failure matters more.
    """
    names = {stamped.name for path in kept if (stamped := parse_name(path.name))}
    try:
        if not _too_many(project.bases[0].path / CATEGORY, names):
            return []
        return _remove_older(project, kept, names)
    except (OSError, GuardFailed) as error:
        return [str(error)]


def _remove_older(project: layout.Project, kept: Collection[Path], names: set[str]) -> list[str]:
    from . import inventory, removal
    from .entry import Decision, Plan

    entries = inventory.scan([project], orphans=False)
    surplus = [
        Decision(entry=entry, reason=f"not among the newest {NEWEST} of this test")
        for entry in _beyond_newest([e for e in entries if e.category == CATEGORY and e.name in names])
        if entry.path not in kept and entry.state == "idle"
    ]
    failed = removal.carry_out(Plan(remove=tuple(surplus))).failed
    return [f"{os.fspath(row.entry.path)!r} was not removed: {row.reason}" for row in failed]


def _too_many(folder: Path, names: set[str]) -> bool:
    """Tell whether there is anything to remove, at the price of one listing."""
    found = Counter(stamped.name for child in os.listdir(folder) if (stamped := parse_name(child)))
    return any(found[name] > NEWEST for name in names)


def _beyond_newest(entries: Iterable["Entry"]) -> Iterator["Entry"]:
    """Yield the entries that have `NEWEST` or more of their own name that are newer."""
    seen: dict[str, int] = {}
    for entry in sorted(entries, key=lambda entry: parse_name(entry.parts[-1]) or (), reverse=True):
        seen[entry.name] = seen.get(entry.name, 0) + 1
        if seen[entry.name] > NEWEST:
            yield entry
