"""Directories lent for a block, in the system's temporary location.

Each has a sealed name (see `seal`), so what a killed process leaves is known again, and is locked before it gets
that name. Deleting one loads no more than that takes.
"""

import atexit
import os
import re
import sys
from pathlib import Path
from types import TracebackType

from ..errors import Unremovable
from ..fs.directory import DIRECTORY, NOFOLLOW, Directory
from ..fs.values import Key, complaint, no_progress
from ..fs.walk import Opener
from . import lease, maker, names

_UNNAMED = r"\.trash-[0-9a-f]{16}"
_PLACES = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108  (as tempfile's documentation lists them)


def system_folder() -> Path:
    """Return the system's temporary location, as `tempfile.gettempdir` finds it, without writing there.

    The first of these in which this process may make something: `tempfile.tempdir` if it is set, TMPDIR, TEMP,
    TMP, `/tmp`, `/var/tmp`, `/usr/tmp` and the working directory; `/tmp` where there is none.
    """
    chosen = getattr(sys.modules.get("tempfile"), "tempdir", None)
    named = [os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    places = [os.fsdecode(place) for place in (chosen, *named) if place]
    for place in map(os.path.abspath, (*places, *_PLACES, os.curdir)):
        if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    return Path(_PLACES[0])


def is_unnamed(name: str) -> bool:
    """Tell whether a directory of this name was killed off before it got its sealed one: empty, if it is ours."""
    return re.fullmatch(_UNNAMED, name) is not None


class LentDirectory:
    """A context manager that lends a directory; see `TempManager.auto_cleanup_dir`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._folder: Path | None = None
        self._key: Key = (0, 0)
        self._maker = 0

    def __enter__(self) -> Path:
        if self._folder is not None:
            raise RuntimeError("this directory was lent before: ask for another one")
        system = system_folder()
        names.check_name(self._name, "the name", system)
        self._folder, held = _make(system, self._name)
        self._key, self._maker = held.key, os.getpid()
        _lent[held.key] = self
        return self._folder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.end()
        except OSError as left:
            if error is None:
                raise
            error.add_note(str(left))

    def end(self) -> None:
        """Remove the directory; a second call, and one in a forked child, does nothing. Raises Unremovable."""
        if self._folder is None or _lent.pop(self._key, None) is None or os.getpid() != self._maker:
            return
        try:
            discard(self._folder, self._key[1])
        finally:
            lease.drop(self._key)


_lent: dict[Key, LentDirectory] = {}  # until their blocks end


@atexit.register
def _end_all() -> None:
    # A generator that is still in its block when Python ends is closed too late to remove anything.
    for directory in list(_lent.values()):
        try:
            directory.end()
        except OSError as left:
            sys.stderr.write(f"{left}\n")


def _make(system: Path, name: str) -> tuple[Path, lease.Hold]:
    """Make a directory under a sealed name; it bears that name only once it is in use."""
    while True:
        unnamed = system / f"{names.TRASH}-{os.urandom(8).hex()}"
        unnamed.mkdir(0o700)
        try:
            held = lease.share(Directory(os.open(unnamed, DIRECTORY | NOFOLLOW)))
        except FileNotFoundError:  # a cleaner took it for one that was left
            continue
        except OSError:  # too many open files, say
            unnamed.rmdir()
            raise
        if held is None:
            continue
        lease.hold_for_block(held)
        maker.sign(held.fd, "/")
        folder = system / names.seal(name, held.key[1])
        try:
            unnamed.rename(folder)
        except FileNotFoundError:
            lease.drop(held.key)
            continue
        return folder, held


def discard(folder: Path, inode: int) -> None:
    """Remove a directory that this process made, known by its inode: out of sight first, then deleted.

    Nothing happens where it is gone, or has made room for another. Raises Unremovable, naming the first thing that
    stood in the way.
    """
    try:
        with Directory.at(folder.parent, follow=True) as parent:
            if parent.look(folder.name).st_ino == inode:
                _delete(parent, folder.name, inode)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unremovable(folder, f"was not removed: {complaint('', error)}") from error


def _delete(parent: Directory, name: str, inode: int) -> None:
    from ..fs.deletion import delete_tree
    from ..fs.kernel import Mounts

    mounted = Mounts().inside(parent, (name,))
    if mounted:
        raise OSError(f"a mount point is inside: {mounted}")
    trash = names.seal(names.TRASH, inode)
    parent.rename(name, parent, trash)
    fault = delete_tree(parent, trash, no_progress, _opener())
    if fault:
        raise OSError(fault)


def _opener() -> Opener:
    """Return what opens directories on one mount alone: without `/proc` that takes a module that is slow to load."""
    from ..fs import kernel

    if kernel.can_compare_mounts():
        return kernel.open_and_compare_mounts
    from ..fs import syscalls

    return syscalls.open_on_same_mount
