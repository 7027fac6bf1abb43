"""Copying trees to another file system: everything that a tree consists of, or nothing.

By descriptor on both sides: no link is followed and no mount crossed, and depth is bounded by memory alone.
"""

import contextlib
import errno
import os
import stat

from .directory import Directory, Opener
from .modes import enter_restricted
from .values import printable
from .walk import Position, Visitor, walk

_CHUNK = 2**20
_NOT_MADE_HERE = {errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def copy_tree(parent: Directory, name: str, target: Directory, opener: Opener) -> list[str]:
    """Copy the contents, mode and times of the directory `name` in the open `parent` to the empty `target`.

    Links, hard links, modes, times, extended attributes, holes, sockets and FIFOs are kept, and owners if this process
    runs as root. Returns what could not be copied and why: devices, and attributes that the other file system does not
    take. Raises OSError if anything else cannot be copied; the caller must then remove what was already copied.
    """
    copying = _Copying(target)
    with copying.position:
        walk(parent, name, copying, opener)
    return copying.left_out


class _Copying(Visitor):
    """Copies what it visits; a second walker goes down and up in the copy along with it."""

    def __init__(self, target: Directory) -> None:
        self.position = Position(target)
        self.left_out: list[str] = []
        self._top = target
        self._entered: list[os.stat_result] = []
        self._links: dict[int, str] = {}  # where the copy of a file with several links is, by the file's inode

    def enter(self, position: Position, name: str) -> list[str] | None:
        found = position.directory.look(name)
        try:
            position.enter(name)
        except PermissionError:
            enter_restricted(position.directory, name)[0].close()
            position.enter(name)
        if self._entered:
            self.position.directory.make(name, 0o700)
            os.chmod(name, 0o700, dir_fd=self.position.directory.fd)  # whatever the umask
            self.position.enter(name)
        self._entered.append(found)
        self._copy_attributes(position.directory.fd, self.position.directory.fd, "")
        return self._copy_files(position.directory)

    def left(self, position: Position, name: str) -> bool:
        del position, name
        _copy_status(self.position.directory.fd, self._entered.pop())
        if self._entered:
            self.position.leave()
        return True

    def _copy_files(self, source: Directory) -> list[str]:
        below = []
        for name in source.names():
            found = source.look(name)
            if stat.S_ISDIR(found.st_mode):
                below.append(name)
            elif found.st_nlink == 1 or not self._link(name, found.st_ino):
                self._copy(source, name, found)
        return below

    def _link(self, name: str, inode: int) -> bool:
        """Link to the copy of this file if it has already been copied; tell whether that was done."""
        path = self._path(name)
        first = self._links.setdefault(inode, path)
        if first == path:
            return False
        with contextlib.suppress(OSError):  # too many links, or too long a path: then it is copied once more
            os.link(first, name, src_dir_fd=self._top.fd, dst_dir_fd=self.position.directory.fd, follow_symlinks=False)
            return True
        return False

    def _copy(self, source: Directory, name: str, found: os.stat_result) -> None:
        target, kind = self.position.directory, stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFREG:
            self._copy_file(source, name, found)
        elif kind == stat.S_IFLNK:
            os.symlink(os.readlink(name, dir_fd=source.fd), name, dir_fd=target.fd)
            _copy_status_of_name(target, name, found)
        elif kind in (stat.S_IFIFO, stat.S_IFSOCK):
            self._make_special(name, found)
        else:
            self._leave_out(name, "a device")

    def _make_special(self, name: str, found: os.stat_result) -> None:
        target = self.position.directory
        try:
            os.mknod(name, stat.S_IFMT(found.st_mode) | 0o600, dir_fd=target.fd)
        except OSError as error:
            if error.errno not in _NOT_MADE_HERE:
                raise
            self._leave_out(name, f"a socket or FIFO: {error.strerror}")
            return
        os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target.fd)
        _copy_status_of_name(target, name, found)

    def _copy_file(self, source: Directory, name: str, found: os.stat_result) -> None:
        original = _open_to_read(source, name)
        try:
            copy = self.position.directory.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.fchmod(copy, 0o600)  # whatever the umask: else its attributes could not be set
                _copy_data(original, copy)
                self._copy_attributes(original, copy, name)
                _copy_status(copy, found)
            finally:
                os.close(copy)
        finally:
            os.close(original)

    def _copy_attributes(self, original: int, copy: int, name: str) -> None:
        if not hasattr(os, "listxattr"):  # macOS
            return
        try:
            attributes = os.listxattr(original)
        except OSError:  # a file system without any
            return
        for attribute in attributes:
            try:
                os.setxattr(copy, attribute, os.getxattr(original, attribute))
            except OSError as error:
                self._leave_out(name, f"its attribute {attribute}: {error.strerror}")

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out.append(f"left out: {printable(self._path(name) or '.')}: {why}")

    def _path(self, name: str) -> str:
        inside = self.position.where
        return f"{inside}/{name}" if inside and name else inside or name


def _open_to_read(folder: Directory, name: str) -> int:
    """Open a regular file whatever its mode, as its owner may, by changing the mode if needed. Raises OSError."""
    try:
        return folder.open(name, os.O_RDONLY | os.O_NONBLOCK)
    except PermissionError:
        if not hasattr(os, "O_PATH"):  # macOS
            os.chmod(name, 0o600, dir_fd=folder.fd, follow_symlinks=False)
            return folder.open(name, os.O_RDONLY | os.O_NONBLOCK)
    named = folder.open(name, os.O_PATH)
    try:
        os.chmod(f"/proc/self/fd/{named}", 0o600)
    finally:
        os.close(named)
    return folder.open(name, os.O_RDONLY | os.O_NONBLOCK)


def _copy_data(original: int, copy: int) -> None:
    """Copy what a file holds; holes stay holes."""
    size = os.fstat(original).st_size
    os.ftruncate(copy, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(original, end, os.SEEK_DATA)
            end = os.lseek(original, start, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole follows
                return
            start, end = end, size  # a file system that does not say where the holes are
        _copy_range(original, copy, start, end)


def _copy_range(original: int, copy: int, start: int, end: int) -> None:
    while start < end:
        part = os.pread(original, min(_CHUNK, end - start), start)
        if not part:  # it became shorter meanwhile
            return
        start += os.pwrite(copy, part, start)


def _copy_status(fd: int, found: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.fchown(fd, found.st_uid, found.st_gid)
    os.fchmod(fd, stat.S_IMODE(found.st_mode))
    os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_status_of_name(folder: Directory, name: str, found: os.stat_result) -> None:
    if os.geteuid() == 0:
        os.chown(name, found.st_uid, found.st_gid, dir_fd=folder.fd, follow_symlinks=False)
    os.utime(name, ns=(found.st_atime_ns, found.st_mtime_ns), dir_fd=folder.fd, follow_symlinks=False)
