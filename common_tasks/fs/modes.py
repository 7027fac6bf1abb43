"""Directories with a mode that keeps even their owner out: opened by changing it, as the owner may."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .directory import DIRECTORY, NOFOLLOW, Directory


def is_restricted(mode: int) -> bool:
    """Tell whether a directory of this mode keeps its owner from listing, entering or changing it."""
    return mode & stat.S_IRWXU != stat.S_IRWXU


def allow_owner(directory: Directory) -> int | None:
    """Let the owner list, enter and change an open directory; return its former mode if that was changed.

    Users who are not the owner may not need this, so it is not an error if the change is refused.
    """
    mode = directory.status().st_mode
    if is_restricted(mode):
        with suppress(PermissionError):
            os.fchmod(directory.fd, stat.S_IMODE(mode) | stat.S_IRWXU)
            return stat.S_IMODE(mode)
    return None


def enter_restricted(parent: Directory, name: str) -> tuple[Directory, int | None]:
    """Open a directory whatever its mode, as its owner may; also return its former mode if that was changed.

    The mode is changed through a descriptor that only names the directory: no link is followed. Root needs no change.
    """
    try:
        directory = parent.enter(name)
    except PermissionError:
        mode = _allow_owner_unopened(parent, name)
        return parent.enter(name), mode
    return directory, allow_owner(directory) if os.geteuid() else None


def _allow_owner_unopened(parent: Directory, name: str) -> int:
    if not hasattr(os, "O_PATH"):  # macOS
        mode = stat.S_IMODE(parent.look(name).st_mode)
        os.chmod(name, mode | stat.S_IRWXU, dir_fd=parent.fd, follow_symlinks=False)
        return mode
    fd = os.open(name, os.O_PATH | DIRECTORY | NOFOLLOW, dir_fd=parent.fd)
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        os.chmod(f"/proc/self/fd/{fd}", mode | stat.S_IRWXU)
        return mode
    except FileNotFoundError:
        raise PermissionError(errno.EACCES, "cannot be opened, and without /proc its mode cannot be changed") from None
    finally:
        os.close(fd)


@contextmanager
def accessible(parent: Directory, name: str) -> Iterator[Directory]:
    """Open the directory `name` for the block, whatever its mode, as its owner may; then restore its mode."""
    directory, mode = enter_restricted(parent, name)
    with directory:
        try:
            yield directory
        finally:
            if mode is not None:
                os.fchmod(directory.fd, mode)
