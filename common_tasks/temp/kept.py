"""Directories that are kept for tests: moved to `.tmp/test/<test name>_<unix>/`, the newest three of each test.

A file in each says which test it was, so that tests with one name in several files do not push one another out.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..fs.directory import DIRECTORY, NOFOLLOW, Directory
from ..fs.modes import accessible
from ..project import marks
from ..project.errors import GuardFailed, TempError
from . import evidence, hold, layout
from .creation import create_entry
from .evidence import Kept
from .lent import LentDirectory
from .names import parse_name

if TYPE_CHECKING:
    from .entry import Entry

CATEGORY = "test"
NEWEST = 3  # how many directories of one test stay
TEST_ID = ".test-id"  # the file in a kept directory that says which test it was

_NAME = "t"  # of a lent directory: short, because the path of a Unix socket in it has to fit
_NO_NAME = "pytest"
_LONGEST = 100
_MOST_ID = 4096
_NOT_PLAIN = re.compile(r"[^\w.-]+", re.ASCII)


class Borrower(NamedTuple):
    """The test that a directory is lent to: a name for files, and an id that tells it from others of that name."""

    name: str
    id: str


class LentToTest(LentDirectory):
    """A directory in the system's temporary location."""

    def __init__(self) -> None:
        super().__init__(_NAME)

    def keep(self, borrower: Borrower, root: Path | None, elsewhere: Path | None = None) -> Kept | None:
        """Move it to `.tmp/test/` of a project, and return where it is now; None if nothing is left of it.

        If it cannot be moved there, it stays in the system's temporary location (see `evidence.keep`).
        """
        try:
            _note_id(self.folder, borrower.id)
            return evidence.keep(self.folder, lambda: create(root, borrower.name), elsewhere)
        except FileNotFoundError:
            return None
        finally:
            self.let_go()


class LentInProject(LentDirectory):
    """A directory in `.tmp/test/` of a project, where it stays if it is kept."""

    def __init__(self, root: Path, name: str) -> None:
        """Make it. Raises what `create` raises."""
        super().__init__(name)
        self.folder = create(root, name)
        self._maker = os.getpid()
        # A process may clean what it made itself, but not what it has lent: that is locked.
        self._key = hold.share(Directory(os.open(self.folder, DIRECTORY | NOFOLLOW))) or self._key

    def start(self) -> Path:
        """Lend it."""
        return self.folder

    @property
    def is_lent(self) -> bool:
        """Whether this process decides what becomes of it."""
        return os.getpid() == self._maker

    def set_aside(self) -> None:
        """Leave it where it is, to be decided on later."""

    def keep(self, borrower: Borrower, root: object, elsewhere: object = None) -> Kept | None:
        """Leave it where it is, and return where that is; None if nothing is left of it."""
        del root, elsewhere
        _note_id(self.folder, borrower.id)
        self.let_go()
        return Kept(self.folder) if self.folder.is_dir() else None


def find_root() -> Path | None:
    """Return the root of the project of the working directory; None if that directory is gone."""
    with contextlib.suppress(FileNotFoundError):
        return Path(marks.find_root())
    return None


def create(root: Path | None, name: str) -> Path:
    """Make `.tmp/test/<name>_<unix>/` in the project of `root`; any text will do as `name` (see `plain_name`).

    Whatever umask a test has set, the owner may use what is made. Raises as `TempManager.create_persistent_dir` does.
    """
    if root is None:
        raise TempError("there is no project: the working directory was removed")
    project = layout.find_project(root)
    umask = os.umask(0o077)
    os.umask(umask & ~0o700)
    try:
        return create_entry(project, plain_name(name), CATEGORY)
    finally:
        os.umask(umask)


def _note_id(folder: Path, test_id: str) -> None:
    """Write down in a directory which test it was; if that cannot be written, the directory's name has to do."""
    with (
        contextlib.suppress(OSError),
        Directory.at(folder.parent, follow=True) as parent,
        accessible(parent, folder.name) as top,
        top.opened(TEST_ID, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600) as note,
    ):
        os.write(note, test_id.encode("utf-8", "surrogateescape")[:_MOST_ID])


def plain_name(name: str) -> str:
    """Return `name` as part of a file name that needs no quoting in any shell.

    If more than a parameter's brackets had to be replaced, a checksum keeps different names apart.
    """
    plain = _NOT_PLAIN.sub("_", name).strip("._-")
    if 0 < len(plain) <= _LONGEST and plain == name.replace("[", "_").removesuffix("]"):
        return plain
    import zlib

    checksum = zlib.crc32(name.encode("utf-8", "surrogatepass"))
    return f"{plain[:_LONGEST] or _NO_NAME}-{checksum:08x}"


def keep_newest(root: Path | None, kept: Mapping[Path, str]) -> tuple[str, ...]:
    """Remove older directories of the tests in `kept` (path to test id); the newest three of each test stay.

    All of `kept` stay, even more than three of one test, and so does what a clean would leave alone. Faults are
    returned, in words, and not raised: a test's own failure matters more.
    """
    names = {stamped.name for path in kept if (stamped := parse_name(path.name))}
    if not names:  # all of them stayed in the system's temporary location
        return ()
    try:
        project = layout.find_project(root)
        if not _too_many(project.bases[0].path / CATEGORY, names):
            return ()
        return _remove_older(project, kept, names)
    except FileNotFoundError:  # nothing was kept there
        return ()
    except (OSError, GuardFailed) as error:
        return (str(error),)


def _too_many(folder: Path, names: set[str]) -> bool:
    """Tell from one listing whether there is anything to remove."""
    found = Counter(stamped.name for child in os.listdir(folder) if (stamped := parse_name(child)))
    return any(found[name] > NEWEST for name in names)


def _remove_older(project: layout.Project, kept: Mapping[Path, str], names: set[str]) -> tuple[str, ...]:
    from . import inventory, removal
    from .entry import Decision, Plan

    entries = inventory.scan([project], orphans=False)
    of_these = [entry for entry in entries if entry.category == CATEGORY and entry.name in names]
    surplus = [
        Decision(entry=entry, reason=f"not among the newest {NEWEST} of this test")
        for entry in _beyond_newest(of_these, kept)
        if entry.path not in kept and entry.state == "idle"
    ]
    failed = removal.carry_out(Plan(remove=tuple(surplus))).failed
    return tuple(f"{os.fspath(row.entry.path)!r} was not removed: {row.reason}" for row in failed)


def _beyond_newest(entries: Iterable["Entry"], kept: Mapping[Path, str]) -> Iterator["Entry"]:
    """Yield the entries of the tests in `kept` for which there are `NEWEST` or more newer ones of the same test.

    `kept` count as the newest: within a second, they may have the numbers of entries that were removed in between.
    """

    def age(entry: "Entry") -> tuple[bool, tuple[object, ...]]:
        return entry.path in kept, parse_name(entry.parts[-1]) or ()

    seen: Counter[str] = Counter()
    for entry in sorted(entries, key=age, reverse=True):
        test = _noted_id(entry.path) or _id_of_name(entry.name, kept)
        seen[test] += 1
        if seen[test] > NEWEST and test in kept.values():
            yield entry


def _id_of_name(name: str, kept: Mapping[Path, str]) -> str:
    """Return the id of the test in `kept` with that name: an entry without a note counts as that test's."""
    return next(test for path, test in kept.items() if (parse_name(path.name) or ("",))[0] == name)


def _noted_id(folder: Path) -> str:
    """Return the id of the test that a kept directory was lent to, as noted in it; empty if there is no note."""
    with (
        contextlib.suppress(OSError),
        Directory.at(folder) as top,
        top.opened(TEST_ID, os.O_RDONLY | os.O_NONBLOCK) as note,
    ):
        return os.read(note, _MOST_ID).decode("utf-8", "surrogateescape")
    return ""
