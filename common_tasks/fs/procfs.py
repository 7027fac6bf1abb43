"""Reading what `/proc` says about one process or thread (Linux: proc(5)).

A `folder` is "/proc/<pid>" or "/proc/<pid>/task/<thread>". A process may end, and a descriptor may be closed, at any
moment: then the answer is empty. If this process cannot open any more files, that is always raised as OSError.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator

from .directory import VISITING
from .kernel import raise_if_short

TOO_LONG = ""  # in place of a path that is too long for the system to return
CHANGED = "changed"  # for a descriptor that was opened or closed meanwhile; no link leads to such a name
_VISITING = VISITING & ~os.O_CLOEXEC  # F_GETFL does not show O_CLOEXEC


def readlink(path: str) -> str | None:
    """Return what a link leads to; None if that cannot be read."""
    try:
        return os.readlink(path)
    except OSError:
        return None


def target_of(link: str, directory: int | None = None) -> str:
    """Return what a link of a process leads to, or TOO_LONG. Raises OSError if the process has ended."""
    try:
        return os.readlink(link, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return TOO_LONG


def still_leads_to(link: str, target: str) -> bool:
    """Tell whether a link leads to what `target_of` returned for it before."""
    try:
        return target_of(link) == target
    except OSError:  # closed meanwhile
        return False


def short_path_above(link: str) -> str:
    """Return the path of the nearest directory, at or above a link's target, whose path is short enough.

    Raises OSError: NotADirectoryError if the link leads to a file, because nothing says which folder that is in.
    """
    fd = os.open(link, os.O_PATH | os.O_CLOEXEC)
    try:
        while (path := target_of(f"/proc/self/fd/{fd}")) == TOO_LONG:
            above = os.open("..", os.O_PATH | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = above
        return path
    finally:
        os.close(fd)


def is_of_this_user(pid: int) -> bool:
    """Tell whether a process runs as this user; what cannot be told counts as yes, one that has ended as no.

    For root it is always no: a process that even root may not look into supervises root's sandbox from outside.
    """
    if os.geteuid() == 0:
        return False
    try:
        with open(f"/proc/{pid}/status", "rb") as rows:
            users = next((row.split()[1:] for row in rows if row.startswith(b"Uid:")), [])
    except PermissionError:
        return True
    except OSError as error:
        raise_if_short(error)
        return False
    return str(os.geteuid()).encode() in users


def list_threads(folder: str) -> list[str]:
    """Return the numbers of a process's threads."""
    try:
        return os.listdir(f"{folder}/task")
    except OSError as error:
        raise_if_short(error)
        return []


def threads_apart(pid: int, folder: str) -> Iterator[str]:
    """Yield the threads that have, or may have, a working directory, root or descriptors apart from the first's."""
    try:
        if os.stat(f"{folder}/task").st_nlink <= 3:  # one for each thread, and two
            return
    except OSError:
        return
    from .syscalls import shares_tables  # `ctypes` takes long to load, and is seldom needed here

    for thread in list_threads(folder):
        if int(thread) != pid and not shares_tables(pid, int(thread)):
            yield thread


def open_files(folder: str, *, own: bool) -> list[tuple[int, str]]:
    """Return the descriptors of a process, each with what it leads to, TOO_LONG or CHANGED.

    `own`: it is this process. Directories that it only visits are left out: they stop no removal, and may be thousands.
    """
    found: list[tuple[int, str]] = []
    try:
        directory = os.open(f"{folder}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise_if_short(error)
        return found
    try:
        names = os.listdir(directory)
        found = _targets(directory, (name for name in names if not (own and is_own_visit(int(name)))))
        found += [(int(name), CHANGED) for name in set(names).symmetric_difference(os.listdir(directory))]
    except OSError as error:
        raise_if_short(error)
    finally:
        os.close(directory)
    return found


def _targets(directory: int, names: Iterable[str]) -> list[tuple[int, str]]:
    """Return what the links of these names lead to, in an open `/proc/<pid>/fd`."""
    found = []
    # Listing opens a descriptor of its own, so in this process one of the names is gone afterwards. Until all are read,
    # another descriptor takes that number.
    instead = os.dup(directory)
    try:
        for name in names:
            try:
                found.append((int(name), target_of(name, directory)))
            except OSError:
                found.append((int(name), CHANGED))
    finally:
        os.close(instead)
    return found


def maps(folder: str) -> bytes:
    """Return the table of what a process has mapped."""
    try:
        with open(f"{folder}/maps", "rb", buffering=0) as file:
            return file.readall()
    except OSError as error:
        raise_if_short(error)
        return b""


def is_visit(folder: str, fd: int) -> bool:
    """Tell whether a descriptor is that of a directory which is only being looked into or emptied (see `directory`)."""
    told = _fdinfo(folder, fd)
    if told is None:  # closed meanwhile: `still_leads_to` says so
        return False
    return int(told.get("flags", "0"), 8) & _VISITING == _VISITING


def is_own_visit(fd: int) -> bool:
    """Tell the same of a descriptor of this process."""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL) & _VISITING == _VISITING
    except OSError:  # closed meanwhile, and its number may soon belong to another file
        return False


def holds_more(folder: str, fd: int) -> bool:
    """Tell whether a socket carries descriptors that nobody has received, or a ring has files of its own.

    If the kernel does not say how many (before 5.9), there may be some.
    """
    told = _fdinfo(folder, fd)
    if told is None:
        return False
    return told.get("scm_fds", told.get("UserFiles")) != "0"


def _fdinfo(folder: str, fd: int) -> dict[str, str] | None:
    """Return what the system says about a descriptor; None if it was closed meanwhile."""
    try:
        with open(f"{folder}/fdinfo/{fd}", errors="surrogateescape") as rows:
            return {key: value.strip() for key, colon, value in (row.partition(":") for row in rows) if colon}
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        raise_if_short(error)
        return {}


def told_at_start(pid: int) -> tuple[list[bytes], list[bytes]]:
    """Return the arguments of a process, and the variables that it was started with; empty if they cannot be read."""
    arguments, variables = (_read_words(f"/proc/{pid}/{name}") for name in ("cmdline", "environ"))
    return arguments, variables


def _read_words(path: str) -> list[bytes]:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall().split(b"\0")[:-1]
    except OSError as error:
        raise_if_short(error)
        return []


def list_own() -> list[int]:
    """Return the processes of this user (for root, of all users) except the calling one; none without `/proc`."""
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError as error:
        raise_if_short(error)
        return []
    user = os.geteuid()
    others = (int(name) for name in names if int(name) != os.getpid())
    return [pid for pid in others if not user or _owner(pid) == user]


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:  # it has ended
        return None
