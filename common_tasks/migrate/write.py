"""Writes changes: a file that is not safe to overwrite is left and named; a group is written whole or not at all."""

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..project import git
from ..temp import names
from .finding import Change


class NotWritten(OSError):
    """A file that could not be written; it is as it was."""


def find_unwritable(paths: Sequence[Path], root: Path, *, force: bool) -> dict[Path, str]:
    """Return the files that are left alone, each with the reason, so that nobody's work is lost.

    These are files that the newest commit does not hold as they stand (unless `force`), that are not regular files of
    this user's, or that have a second name. A new file loses nothing, so only its folder is asked about. Raises
    GuardFailed if git cannot tell.
    """
    found = {path: reason for path in paths if (reason := _why_not_plain(path))}
    if not force:
        plain = {str(path.relative_to(root)): path for path in paths if path not in found and os.path.lexists(path)}
        found |= {plain[name]: reason for name, reason in git.find_unsaved(root, plain).items()}
    return found


def _why_not_plain(path: Path) -> str | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None if path.parent.stat().st_uid == os.geteuid() else "its folder belongs to another user"
    if stat.S_ISLNK(found.st_mode):
        return "it is a link"
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_nlink > 1:
        return "it has a second name (a hard link)"
    return None


def write(changes: Sequence[Change]) -> dict[Path, str]:
    """Write the changes; return those that were not written, with the reason. A group that fails is put back.

    Killed anywhere, it leaves each file as it was or as it is to be, and at most one sealed file, which the next run or
    `clean` removes.
    """
    for folder in {change.path.parent for change in changes}:
        _remove_left_overs(folder)
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.group or str(change.path), []).append(change)
    return {path: reason for group in groups.values() for path, reason in _write_group(group).items()}


def _write_group(group: Sequence[Change]) -> dict[Path, str]:
    done: list[Change] = []
    try:
        for change in group:
            _put(change.path, change.before, change.after)
            done.append(change)
    except OSError as error:
        for change in reversed(done):
            _put(change.path, change.after, change.before)
        return {change.path: str(error) for change in group}
    return {}


def _put(path: Path, before: bytes | None, after: bytes | None) -> None:
    """Put a file's new content in place in one step, with its mode and extended attributes. None means no file.

    Raises NotWritten if the file is no longer as it was read, another OSError if it cannot be written; in both cases it
    stays as it is.
    """
    there = os.path.lexists(path)
    known = path.read_bytes() if there and not _why_not_plain(path) else None
    if known != before or (there and before is None):
        raise NotWritten(f"{path.name} changed meanwhile")
    if after is None:
        path.unlink()
        return
    file, beside = _open_new(path.parent)
    try:
        with file:
            file.write(after)
            file.flush()
            if before is not None:
                _copy_attributes(path, file.fileno())
            beside = beside or _give_name(file.fileno(), path.parent)
        beside.replace(path)
    finally:
        if beside:
            beside.unlink(missing_ok=True)


def _open_new(folder: Path) -> tuple[IO[bytes], Path | None]:
    """Open a new file in a folder: one without a name, which is gone with this process, if the system has such files.

    Else it gets a sealed name, by which a later run and `clean` know that it may be removed.
    """
    with suppress(OSError, AttributeError):
        return open(os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666), "w+b"), None
    path = folder / f".{os.urandom(6).hex()}"
    file = path.open("xb")
    return file, path.rename(_sealed(file.fileno(), folder))


def _give_name(fd: int, folder: Path) -> Path:
    """Give a file without a name a sealed one, and return it."""
    path = _sealed(fd, folder)
    os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)  # src_dir_fd makes it follow that link
    return path


def _sealed(fd: int, folder: Path) -> Path:
    return folder / names.seal(names.TRASH, os.fstat(fd).st_ino)


def _remove_left_overs(folder: Path) -> None:
    """Remove the files that were left in a folder by runs killed between writing and renaming."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if names.looks_sealed(path.name) and names.unseal(path.name, path.lstat().st_ino) == names.TRASH:
            with suppress(IsADirectoryError, PermissionError):  # a directory is a killed clean's, not ours
                path.unlink()


def _copy_attributes(path: Path, fd: int) -> None:
    os.fchmod(fd, stat.S_IMODE(path.stat().st_mode))
    if not hasattr(os, "listxattr"):
        return
    for name in os.listxattr(path):
        with suppress(FileNotFoundError):
            os.setxattr(fd, name, os.getxattr(path, name))
