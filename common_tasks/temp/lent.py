"""Directories lent for a block, in the system's temporary location.

Each has a sealed name (see `seal`), so that what a killed process leaves is recognized, and is locked before it gets
that name. Deleting one loads only the modules that this takes.
"""

import atexit
import errno
import os
import re
import sys
from pathlib import Path
from types import ModuleType, TracebackType

from ..fs.directory import DIRECTORY, NOFOLLOW, Directory, Opener, can_compare_mounts, open_on_same_mount
from ..fs.values import Key, complaint, no_progress
from ..project.errors import Unremovable
from . import hold, maker, names

_ASIDE = "ended"  # how the name begins of a directory that was taken from its path, and is still to be decided on
_UNNAMED = r"\.trash-[0-9a-f]{16}"
_PLACES = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108  (as tempfile's documentation lists them)


def system_folder() -> Path:
    """Return the system's temporary location, as `tempfile.gettempdir` finds it, without writing there.

    The first of these in which this process may make something: `tempfile.tempdir` if it is set, TMPDIR, TEMP,
    TMP, `/tmp`, `/var/tmp`, `/usr/tmp` and the working directory; `/tmp` if there is none.
    """
    chosen = getattr(sys.modules.get("tempfile"), "tempdir", None)
    named = [os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    places = [os.fsdecode(place) for place in (chosen, *named) if place]
    for place in map(os.path.abspath, (*places, *_PLACES, os.curdir)):
        if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    return Path(_PLACES[0])


def is_unnamed(name: str) -> bool:
    """Tell whether this is the name of a directory before it gets its sealed name; if it is ours, it is empty."""
    return re.fullmatch(_UNNAMED, name) is not None


class LentDirectory:
    """A context manager that lends a directory; see `TempManager.auto_cleanup_dir`.

    `folder`: its path, once it is lent; something else may have taken its place there.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._key: Key = (0, 0)
        self._maker = 0
        self.folder = Path()

    def __enter__(self) -> Path:
        return self.start()

    def start(self) -> Path:
        """Make it, and lend it."""
        if self._maker:
            raise RuntimeError("this directory was lent before: ask for another one")
        system = system_folder()
        names.check_name(self._name, "the name", system)
        self.folder, self._key = _make(system, self._name)
        self._maker = os.getpid()
        _lent[self._key] = self
        return self.folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.end()
        except OSError as left:
            if error is None:
                raise
            error.add_note(str(left))

    @property
    def is_lent(self) -> bool:
        """Whether it still has to be decided on: only the process that made it does that, and only once."""
        return self._key in _lent and os.getpid() == self._maker

    def set_aside(self) -> None:
        """Rename it, so that its path is free, to decide on it later. Raises OSError if that cannot be done."""
        if not self.is_lent:
            return
        with Directory.at(self.folder.parent, follow=True) as parent:
            aside = names.seal(_ASIDE, parent.look(self.folder.name).st_ino)
            parent.rename(self.folder.name, parent, aside)
        self.folder = self.folder.parent / aside

    def end(self) -> None:
        """Remove it; a second call, and one in a forked child, does nothing. Raises Unremovable."""
        if self.is_lent:
            try:
                discard(self.folder)
            finally:
                self.let_go()

    def let_go(self) -> None:
        """Leave it to whoever has it now: it is no longer in use by this process."""
        _lent.pop(self._key, None)
        hold.drop(self._key)


_lent: dict[Key, LentDirectory] = {}  # until their blocks end


@atexit.register
def _end_all() -> None:
    # A generator that is still in its block when Python ends is closed too late to remove anything.
    for directory in list(_lent.values()):
        try:
            directory.end()
        except OSError as left:
            sys.stderr.write(f"{left}\n")


_given: set[str] = set()  # names that this process has used: tests may remember paths, and inodes are used again
_DRAWS = 100


def _new_name(name: str, inode: int) -> str:
    for _ in range(_DRAWS):
        sealed = names.seal(name, inode)
        if sealed not in _given:
            break
    _given.add(sealed)
    return sealed


def _make(system: Path, name: str) -> tuple[Path, Key]:
    """Make a directory with a sealed name; it gets that name only after it is in use."""
    while True:
        unnamed = system / f"{names.TRASH}-{os.urandom(8).hex()}"
        unnamed.mkdir(0o700)
        try:
            key = hold.share(Directory(os.open(unnamed, DIRECTORY | NOFOLLOW)))
        except FileNotFoundError:  # a clean thought that a killed process had left it
            continue
        except OSError:  # too many open files, for instance
            unnamed.rmdir()
            raise
        if key is None:
            continue
        maker.sign(os.fspath(unnamed), "/")
        folder = system / _new_name(name, key[1])
        try:
            unnamed.rename(folder)
        except FileNotFoundError:
            hold.drop(key)
            continue
        return folder, key


def discard(folder: Path) -> None:
    """Remove whatever is at the path of a directory that this process made: out of sight first, then deleted.

    Nobody else gets a directory with this path, so what the block has put in its place goes, too, unless it belongs to
    another user. Raises Unremovable, naming the first thing that stood in the way.
    """
    try:
        with Directory.at(folder.parent, follow=True) as parent:
            found = parent.look(folder.name)
            if found.st_uid != os.geteuid() and os.geteuid():
                raise PermissionError(errno.EPERM, "another user's directory is in its place")
            delete(parent, folder.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unremovable(folder, f"was not removed: {complaint('', error)}") from error


def delete(parent: Directory, name: str) -> None:
    """Remove `name` in the open `parent`. Raises OSError; if there is a mount on it or inside, nothing is removed."""
    from ..fs.deletion import delete_tree

    refuse_mounts(parent, name)
    trash = names.seal(names.TRASH, parent.look(name).st_ino)
    parent.rename(name, parent, trash)
    fault = delete_tree(parent, trash, no_progress, opener())
    if fault:
        raise OSError(fault)


def refuse_mounts(parent: Directory, name: str) -> None:
    """Raise OSError if something is mounted on or inside `name` in the open `parent`."""
    from ..fs.kernel import Mounts

    mounted = Mounts().inside(parent, (name,))
    if mounted:
        raise OSError(f"a mount point is inside: {mounted}")


def opener() -> Opener:
    """Return a function that opens directories on the same mount only; without `/proc`, its module is slow to load."""
    from ..fs import walk

    if not isinstance(os, ModuleType):  # a test's fake file system (pyfakefs), which has no mounts
        return walk.open_directory
    if can_compare_mounts():
        return open_on_same_mount
    from ..fs import syscalls

    return syscalls.open_on_same_mount
