"""System calls that Python's `os` does not have: `openat2`, `renameat2` and `kcmp` (Linux), `renameatx_np` (macOS).

Numbers and flags are those of the manual pages openat2(2), renameat2(2) and kcmp(2). Loaded when something is
removed or put back, not when a directory is made: `ctypes` takes some milliseconds.
"""

import ctypes
import errno
import os
import sys

from .directory import VISITING, Directory, mount_point
from .directory import open_on_same_mount as open_and_compare_mounts

_OPENAT2 = 437  # the same on every architecture except alpha
_NO_CROSSING = 0x01  # RESOLVE_NO_XDEV
_NO_REPLACE = 1  # RENAME_NOREPLACE
_EXCLUSIVE = 4  # RENAME_EXCL of macOS
# The number of kcmp(2) by machine; 32-bit programs on a 64-bit machine have others.
_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272, "loongarch64": 272, "ppc64le": 354, "s390x": 343}
_KCMP_FILES, _KCMP_FS = 2, 3
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP}


class _OpenHow(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


_libc = ctypes.CDLL(None, use_errno=True)
_how = _OpenHow(VISITING, 0, _NO_CROSSING)
_how_size = ctypes.sizeof(_how)
_how_reference = ctypes.byref(_how)


def _probe_openat2() -> bool:
    """Tell whether the kernel has `openat2` and lets us call it."""
    if not sys.platform.startswith("linux"):
        return False
    fd = _libc.syscall(_OPENAT2, -100, b"/", _how_reference, _how_size)  # -100: AT_FDCWD
    if fd >= 0:
        os.close(fd)
    return bool(fd >= 0)


HAS_OPENAT2 = _probe_openat2()


def open_on_same_mount(parent: int, name: str) -> int:
    """Open the directory `name` in the open `parent`, unless something is mounted on it.

    Raises OSError: EXDEV if another mount begins there, bind mounts included, or if that cannot be told.
    """
    if not HAS_OPENAT2:
        return open_and_compare_mounts(parent, name)
    fd = _libc.syscall(_OPENAT2, parent, os.fsencode(name), _how_reference, _how_size)
    if fd >= 0:
        return int(fd)
    number = ctypes.get_errno()
    raise mount_point(name) if number == errno.EXDEV else OSError(number, os.strerror(number), name)


def shares_tables(pid: int, thread: int) -> bool | None:
    """Tell whether two threads share their descriptors, working directory and root; None if that cannot be told."""
    number = _KCMP.get(os.uname().machine) if sys.platform == "linux" and sys.maxsize > 2**32 else None
    if number is None:
        return None
    answers = {int(_libc.syscall(number, pid, thread, table, 0, 0)) for table in (_KCMP_FILES, _KCMP_FS)}
    return None if -1 in answers else answers == {0}


def rename_without_replacing(parent: Directory, name: str, target: Directory, new: str) -> None:
    """Rename `name` to `new` in `target`. Raises FileExistsError if something has that name.

    If the kernel or the file system cannot do that in one step, the name is looked for first.
    """
    number = _rename_exclusively(parent.fd, os.fsencode(name), target.fd, os.fsencode(new))
    if number in _UNSUPPORTED:
        if target.has(new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
        parent.rename(name, target, new)
    elif number:
        raise OSError(number, os.strerror(number), name)


def _rename_exclusively(parent: int, name: bytes, target: int, new: bytes) -> int:
    """Rename in one step if the C library can; return the error number, or 0 on success."""
    call, flag = getattr(_libc, "renameat2", None), _NO_REPLACE
    if call is None:
        call, flag = getattr(_libc, "renameatx_np", None), _EXCLUSIVE
    if call is None:
        return errno.ENOSYS
    return ctypes.get_errno() if call(parent, name, target, new, flag) else 0
