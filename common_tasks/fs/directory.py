"""An open directory.

Everything is done to names inside it (`openat`, `fstatat`, `renameat`, …), no link is followed and no other mount
entered, bind mounts included. So it makes no difference if somebody swaps something on the path that led to it.
"""

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from .values import Key

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NOFOLLOW = os.O_NOFOLLOW
# How directories are opened to be looked into or emptied. Nobody opens a directory to append to it, so whoever looks
# for uses (see `processes`) can tell from the flag that this is not one.
VISITING = DIRECTORY | NOFOLLOW | os.O_APPEND
_NAMING = DIRECTORY | getattr(os, "O_PATH", os.O_APPEND)  # O_PATH is Linux's
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})  # the name is not a directory, or does not exist
SWAPPED = frozenset({errno.ENOTDIR, errno.ELOOP})  # a link, or another kind of file

_UNLIMITED = 4096  # descriptors that we assume to be available if there is no limit
_CAN_ASK_AS_EFFECTIVE = os.access in os.supports_effective_ids


Opener = Callable[[int, str], int]  # opens the directory of that name in an open one


class MountPoint(OSError):
    """Another file system, or another part of this one, is mounted here."""


def mount_point(name: str) -> MountPoint:
    """Return the error for a directory where another mount begins."""
    return MountPoint(errno.EXDEV, "another file system is mounted here", name)


def open_on_same_mount(parent: int, name: str) -> int:
    """Open the directory `name` in the open `parent` to look into it, unless something is mounted on it.

    Raises MountPoint if another mount begins there, bind mounts included, or another OSError: ELOOP or ENOTDIR for a
    link or something that is not a directory, EXDEV if the mount cannot be told. `syscalls.open_on_same_mount` does
    the same faster, but takes longer to load.
    """
    return _open_if_same(parent, name, mount_of)


def _open_if_same(parent: int, name: str, mount: Callable[[int], int]) -> int:
    fd = os.open(name, VISITING, dir_fd=parent)
    try:
        same = mount(fd) == mount(parent)
    except BaseException:
        os.close(fd)
        raise
    if same:
        return fd
    os.close(fd)
    raise mount_point(name)


def can_compare_mounts() -> bool:
    """Tell whether the system says which mount an open file is on, or has no bind mounts to tell apart."""
    return not sys.platform.startswith("linux") or os.path.exists("/proc/self/fdinfo")


def mount_of(fd: int) -> int:
    """Return which mount an open file is on. Only the kernel's number tells a bind mount from its surroundings.

    Raises OSError: EXDEV if that cannot be told.
    """
    if not sys.platform.startswith("linux"):
        return os.fstat(fd).st_dev
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb", buffering=0) as rows:
            return int(rows.read(512).partition(b"mnt_id:")[2].split(None, 1)[0])
    except (FileNotFoundError, PermissionError, IndexError):
        raise OSError(errno.EXDEV, "cannot tell what is mounted here: neither openat2 nor /proc") from None


def _mount_or_device(fd: int) -> int:
    """Return the mount of an open file, or its device if there is no /proc: enough for looking, not for deleting."""
    try:
        return mount_of(fd)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return os.fstat(fd).st_dev


class Directory:
    """An open directory. Whoever opened it closes it, best with a `with` block; closing it again does nothing."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    @classmethod
    def at(cls, path: "str | os.PathLike[str]", *, follow: bool = False) -> "Directory":
        """Open the directory at `path`. Raises OSError; with `follow` the last name may be a link."""
        return cls(os.open(path, VISITING & ~NOFOLLOW if follow else VISITING))

    @classmethod
    def named(cls, path: "str | os.PathLike[str]") -> "Directory":
        """Open the directory that `path` leads to, to act on names inside it; it need not be readable."""
        return cls(os.open(path, _NAMING))

    def __enter__(self) -> "Directory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def enter(self, name: str) -> "Directory":
        """Open the directory `name`, unless something is mounted on it; raises as `open_on_same_mount` does."""
        return Directory(_open_if_same(self.fd, name, _mount_or_device))

    def descend(self, parts: Iterable[str], opener: Opener | None = None) -> "Directory":
        """Open the directory that `parts` lead to, one after the other; without any, open this one once more.

        `opener`: what opens each instead of `enter`, such as `syscalls.open_on_same_mount`. Raises what that raises.
        """
        reached = Directory(os.dup(self.fd))
        for name in parts:
            with reached:
                reached = Directory(opener(reached.fd, name)) if opener else reached.enter(name)
        return reached

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open the file `name`, which must not be a link, and return its descriptor."""
        return os.open(name, flags | NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=self.fd)

    @contextmanager
    def opened(self, name: str, flags: int, mode: int = 0o666) -> Iterator[int]:
        """Open a file as `open` does, for the block."""
        fd = self.open(name, flags, mode)
        try:
            yield fd
        finally:
            os.close(fd)

    def scan(self) -> "AbstractContextManager[Iterator[os.DirEntry[str]]]":
        """List what is inside, as `os.scandir` does."""
        return os.scandir(self.fd)

    def names(self) -> list[str]:
        """Return the names inside."""
        return os.listdir(self.fd)

    def subdirectories(self) -> list[str]:
        """Return the names of the directories inside."""
        with self.scan() as rows:
            return [row.name for row in rows if row.is_dir(follow_symlinks=False)]

    def status(self) -> os.stat_result:
        """Look at the directory itself."""
        return os.fstat(self.fd)

    def key(self) -> Key:
        """Return its device and inode."""
        found = os.fstat(self.fd)
        return found.st_dev, found.st_ino

    def look(self, name: str) -> os.stat_result:
        """Look at `name` itself, even if it is a link. Raises OSError. May be a path if its folders are trusted."""
        return os.lstat(name, dir_fd=self.fd)

    def has(self, name: str) -> bool:
        """Tell whether there is something called `name`; what cannot be told counts as no."""
        try:
            os.lstat(name, dir_fd=self.fd)
        except OSError:
            return False
        return True

    def owner(self, name: str) -> int | None:
        """Return the owner of `name`; None if that cannot be told."""
        try:
            return os.lstat(name, dir_fd=self.fd).st_uid
        except OSError:
            return None

    def allows(self, mode: int, name: str = ".") -> bool:
        """Tell whether this user may do what `mode` says, as for `os.access`, with what `name` leads to."""
        return os.access(name, mode, dir_fd=self.fd, effective_ids=_CAN_ASK_AS_EFFECTIVE)

    def make(self, name: str, mode: int = 0o777) -> None:
        """Make the directory `name`. Raises FileExistsError if something has that name."""
        os.mkdir(name, mode, dir_fd=self.fd)

    def rename(self, name: str, target: "Directory", new: str) -> None:
        """Rename `name` to `new` in `target`. Raises OSError; an empty directory there is replaced."""
        os.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=target.fd)

    def unlink(self, name: str) -> None:
        """Remove something that is not a directory."""
        os.unlink(name, dir_fd=self.fd)

    def remove(self, name: str) -> None:
        """Remove an empty directory."""
        os.rmdir(name, dir_fd=self.fd)

    def real_path(self) -> str:
        """Return its path as the kernel's tables name it. Raises OSError if there is no `/proc`."""
        return os.readlink(f"/proc/self/fd/{self.fd}")


def most_descriptors() -> int:
    """Return how many descriptors this process may have open, or _UNLIMITED if the system sets no limit."""
    most = os.sysconf("SC_OPEN_MAX")
    return most if most > 0 else _UNLIMITED
