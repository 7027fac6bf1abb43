"""A base on disk: made and marked, opened by descriptor, refused where it is not ours.

The mark is the Cache Directory Tagging Specification's (https://bford.info/cachedir/): back-up
tools pass such a folder over. Its second line tells our folders from other tools' caches.
"""

import errno
import stat
import time

from ._os import os
from .errors import BaseRefused
from .layout import GITIGNORE, TAG, Base

SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n# A base of common-tasks: "
_MARKS = {
    TAG: SIGNATURE + b"what lies here may be removed at any time.\n",
    GITIGNORE: b"*\n",
}
DIRECTORY = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0) | os.O_RDONLY
NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def open_base(base: Base) -> int | None:
    """Open a base for looking and cleaning; None where there is none, or only an empty folder.

    The caller closes the descriptor. A base is a real directory of the caller's own at
    `<root>/.tmp` or `<root>/.temp`; anything else (a link, somebody else's directory, a folder
    that COMMON_TASKS_TMP names) has to carry our tag. Raises BaseRefused, with nothing touched; a
    shared base is None then.
    """
    try:
        return _open(base, unmarked=frozenset())
    except BaseRefused:
        if base.shared:
            return None
        raise


def make_base(base: Base) -> int:
    """Open a base for creation, making and marking it where needed. The caller closes the descriptor.

    Raises BaseRefused where something that is not ours is in the way, and where it cannot be made.
    """
    for _ in range(100):
        try:
            os.makedirs(base.path, exist_ok=True)
        except FileExistsError:  # no directory: told below
            pass
        except OSError as error:
            raise _refused(base, f"cannot be made: {error.strerror}") from error
        fd = _open(base, unmarked=frozenset(_MARKS))
        if fd is None:  # removed, or being made by another process at this moment
            time.sleep(0.001)
            continue
        try:
            _mark(fd)
        except BaseException:
            os.close(fd)
            raise
        if not base.needs_tag or is_tagged(fd):
            return fd
        os.close(fd)
    raise _refused(base, "carries a CACHEDIR.TAG that is not ours")


def _open(base: Base, unmarked: frozenset[str]) -> int | None:
    needs_tag = base.needs_tag
    try:
        fd = os.open(base.path, DIRECTORY | NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise _refused(base, f"cannot be opened: {error.strerror}") from error
        fd = _open_linked(base)
        needs_tag = True
    try:
        os.stat(".", dir_fd=fd)
    except PermissionError as error:
        os.close(fd)
        raise _refused(base, f"cannot be searched: {error.strerror}") from error
    foreign = os.fstat(fd).st_uid != os.geteuid()
    if not (needs_tag or foreign) or is_tagged(fd):
        return fd
    if base.needs_tag and not foreign and set(os.listdir(fd)) <= unmarked:
        if unmarked:
            return fd
        os.close(fd)
        return None
    os.close(fd)
    what = "belongs to somebody else" if foreign else "is not empty" if base.needs_tag else "is a link"
    raise _refused(base, f"{what} and carries no {TAG} of common-tasks")


def _open_linked(base: Base) -> int:
    try:
        return os.open(base.path, DIRECTORY)
    except OSError as error:
        raise _refused(base, f"is not a directory ({error.strerror})") from error


def _refused(base: Base, why: str) -> BaseRefused:
    origin = f" ({base.origin})" if base.origin else ""
    return BaseRefused(f"{os.fspath(base.path)!r}{origin} {why}; nothing was touched")


def is_tagged(fd: int) -> bool:
    """Tell whether an open directory holds our tag: a regular file that begins with SIGNATURE."""
    try:
        tag = os.open(TAG, os.O_RDONLY | NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
    except OSError:  # absent, a link, unreadable: no proof that the folder is ours
        return False
    try:
        return stat.S_ISREG(os.fstat(tag).st_mode) and os.read(tag, len(SIGNATURE)) == SIGNATURE
    finally:
        os.close(tag)


def _mark(fd: int) -> None:
    # Every process writes the same bytes to an empty file, so it does not matter who is first, or killed.
    for name, content in _MARKS.items():
        try:
            if os.lstat(name, dir_fd=fd).st_size:
                continue
        except FileNotFoundError:
            pass
        mark = os.open(name, os.O_WRONLY | os.O_CREAT | NOFOLLOW | os.O_NONBLOCK, 0o666, dir_fd=fd)
        try:
            os.write(mark, content)
        finally:
            os.close(mark)
