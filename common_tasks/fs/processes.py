"""Which processes use what below some folders: working directories, programs, open and mapped files.

Read from `/proc/<pid>/{cwd,root,exe,fd,maps}` (Linux: proc(5)) by looking alone: nothing is locked, opened or
changed. Not seen: other users' processes (an ordinary user may not look into them), `inotify`, loop mounts.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Collection, Container, Iterator, Sequence

from .directory import VISITING
from .kernel import lock_holders
from .values import Key, printable

_PASSES = 6  # over the list of processes, until none is new
_LONGEST = 60  # characters of a command
_VISITING = VISITING & ~os.O_CLOEXEC  # which the kernel does not show among the flags of the open file
_TOO_LONG = ""  # in place of a path that the system does not tell for its length
_SHORT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})  # this process cannot look: nothing is told by that


class Uses:
    """Who uses what, at one moment. A use of something is a use of each folder above it, too."""

    def __init__(self) -> None:
        self._by_path: dict[str, set[int]] = {}
        self._by_key: dict[Key, set[int]] = {}

    def of(self, path: str, key: Key) -> tuple[int, ...]:
        """Return the processes that use what stands at the real `path`, or what is in it, in ascending order."""
        by_path, by_key = self._by_path.get(path, ()), self._by_key.get(key, ())
        return tuple(sorted({*by_path, *by_key})) if by_path or by_key else ()

    def add_path(self, pid: int, path: str, top: str) -> None:
        """Note a use of `path` and of the folders above it, down to below `top`."""
        while len(path) > len(top):
            self._by_path.setdefault(path, set()).add(pid)
            path = path.rpartition("/")[0]

    def add_key(self, pid: int, key: Key) -> None:
        """Note a use of what has this device and inode."""
        self._by_key.setdefault(key, set()).add(pid)


def look(tops: Sequence[str], own: Collection[int] = (), locks: bool = True) -> Uses | None:
    """Return who uses what below the real paths `tops`; None where the system has no `/proc`.

    `own`: descriptors of this process that are no use, its leases for instance. Where a process may not be
    looked into, its locks tell (see `kernel.lock_holders`), unless `locks` is false. Raises OSError where this
    process may open no more files.
    """
    scan = _Scan(tops, own)
    seen: set[int] = set()
    for _ in range(_PASSES):
        try:
            new = {int(name) for name in os.listdir("/proc") if name.isdigit()} - seen
        except OSError as error:
            _raise_if_short(error)
            return None
        if not new:
            break
        for pid in sorted(new, reverse=True):  # the newest first: they may fork and be gone again
            scan.read(pid)
        seen |= new
    if not seen:
        return None
    if locks and scan.refused:
        _add_lock_holders(scan.uses, scan.readable)
    return scan.uses


def _add_lock_holders(uses: Uses, readable: Collection[int]) -> None:
    try:
        holders = lock_holders()
    except OSError as error:
        _raise_if_short(error)
        return
    for key, pids in holders.items():
        for pid in pids - set(readable):
            uses.add_key(pid, key)


def _raise_if_short(error: OSError) -> None:
    """Tell a process or table that is out of reach from one that was not looked at for want of descriptors."""
    if error.errno in _SHORT:
        raise error


class _Scan:
    """One look at all processes."""

    def __init__(self, tops: Sequence[str], own: Collection[int]) -> None:
        self.uses = Uses()
        self.refused = False  # some process may not be looked into
        self.readable: set[int] = set()
        self._own = own
        self._self = int(_readlink("/proc/self") or 0)  # as this /proc numbers it: it may be another namespace's
        self._tops = tops
        self._beginnings = tuple(f"{top}/" if top != "/" else top for top in tops)
        # What all of them begin with is looked for first: there may be hundreds.
        self._common = os.path.commonpath(self._beginnings)
        self._mapped = [_as_mapped(beginning) for beginning in self._beginnings]
        self._mapped_common = _as_mapped(self._common)
        self._namespace = _readlink("/proc/self/ns/mnt")
        self._noted: set[tuple[int, str]] = set()  # paths of processes with mounts of their own

    def read(self, pid: int) -> None:
        """Note what a process uses. One that has ended meanwhile uses nothing."""
        folder = f"/proc/{pid}"
        if not self._read_one(pid, folder):
            # Its first thread may have ended, and the others go on.
            for thread in _list_threads(folder):
                self._read_one(pid, f"{folder}/task/{thread}")

    def _read_one(self, pid: int, folder: str) -> bool:
        """Note what a process, or one of its threads, uses; False where it has ended."""
        try:
            foreign = os.readlink(f"{folder}/ns/mnt") != self._namespace
            links = {name: _target(f"{folder}/{name}") for name in ("cwd", "root")}
        except PermissionError:
            self.refused = True
            return True
        except OSError:
            return False
        self.readable.add(pid)
        for name, target in links.items():
            self._note(pid, f"{folder}/{name}", target, foreign)
        self._read_open(pid, folder, foreign)
        return True

    def _read_open(self, pid: int, folder: str, foreign: bool) -> None:
        exe = _readlink(f"{folder}/exe")
        if exe is None and pid != self._self:
            return  # a thread of the kernel's, or ended: it has neither files nor maps
        if exe:
            self._note(pid, f"{folder}/exe", exe, foreign)
        own = self._own_that_is_no_use() if pid == self._self else ()
        for fd, target in _open_files(folder, own):
            if not self._concerns(target, foreign):
                continue
            # The number may be another file's by the time that its flags are read.
            if not _is_visit(folder, fd) and self._concerns(_readlink(f"{folder}/fd/{fd}") or target, foreign):
                self._note(pid, f"{folder}/fd/{fd}", target, foreign)
        for target in self._maps(folder, foreign):
            self._note(pid, f"/proc/{pid}/root{target}", target, foreign)

    def _own_that_is_no_use(self) -> set[int]:
        """Return those descriptors of this process that no removal has to wait for; it may have thousands."""
        return {fd for fd in map(int, os.listdir("/proc/self/fd")) if fd in self._own or _is_own_visit(fd)}

    def _concerns(self, target: str, foreign: bool) -> bool:
        return foreign or target == _TOO_LONG or self._is_below(target)

    def _is_below(self, target: str) -> bool:
        return target.startswith(self._common) and target.startswith(self._beginnings)

    def _note(self, pid: int, link: str, target: str, foreign: bool) -> None:
        if target == _TOO_LONG:
            self._note_deep(pid, link)
        elif not target.startswith("/"):
            return  # a pipe, a socket, or out of reach from here
        elif foreign:
            self._note_foreign(pid, link, target)
        elif self._is_below(target):
            for top, beginning in zip(self._tops, self._beginnings, strict=True):
                if target.startswith(beginning):
                    self.uses.add_path(pid, target, top)

    def _note_foreign(self, pid: int, link: str, target: str) -> None:
        """Note a use by a process with mounts of its own: its paths are not ours, so device and inode count."""
        self._note_key(pid, link)
        path = target
        while path and (pid, path) not in self._noted:
            self._noted.add((pid, path))
            self._note_key(pid, f"/proc/{pid}/root{path}")
            path = path.rpartition("/")[0]

    def _note_deep(self, pid: int, link: str) -> None:
        """Note a use of a directory whose path is too long to be told, and of those above it."""
        try:
            for key in _keys_upward(link):
                self.uses.add_key(pid, key)
        except OSError as error:  # it has ended, or it is a file: the system does not tell what that lies in
            _raise_if_short(error)

    def _note_key(self, pid: int, path: str) -> None:
        with contextlib.suppress(OSError):  # it has ended, or closed that meanwhile
            found = os.stat(path)
            self.uses.add_key(pid, (found.st_dev, found.st_ino))

    def _maps(self, folder: str, foreign: bool) -> Iterator[str]:
        """Yield what is mapped, below the tops if paths tell that. In `maps`, a newline in a path is escaped."""
        try:
            with open(f"{folder}/maps", "rb", buffering=0) as file:
                table = file.readall()
        except OSError as error:
            _raise_if_short(error)
            return
        if not foreign and not (self._mapped_common in table and any(mapped in table for mapped in self._mapped)):
            return
        for row in table.split(b"\n"):  # a path may hold any other end of a line
            words = row.split(None, 5)
            if len(words) == 6:
                path = os.fsdecode(words[5])
                yield path
                if "\\012" in path:  # a newline, or these very characters
                    yield path.replace("\\012", "\n")


def _as_mapped(path: str) -> bytes:
    """Return a path as the table of what is mapped spells it."""
    return os.fsencode(path.replace("\n", "\\012"))


def _list_threads(folder: str) -> list[str]:
    try:
        return os.listdir(f"{folder}/task")
    except OSError as error:
        _raise_if_short(error)
        return []


def _open_files(folder: str, passed_over: Container[int]) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    try:
        directory = os.open(f"{folder}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        _raise_if_short(error)
        return found
    try:
        for name in os.listdir(directory):
            if int(name) in passed_over:
                continue
            try:
                found.append((int(name), _target(name, directory)))
            except OSError:
                continue
    except OSError as error:
        _raise_if_short(error)
    finally:
        os.close(directory)
    return found


def _is_visit(folder: str, fd: int) -> bool:
    """Tell whether a descriptor is of a directory that is only looked into, or emptied (see `directory`)."""
    try:
        with open(f"{folder}/fdinfo/{fd}") as rows:
            flags = next(int(row.split()[1], 8) for row in rows if row.startswith("flags:"))
    except (FileNotFoundError, ProcessLookupError):  # closed meanwhile: no use any more
        return True
    except (OSError, StopIteration):
        return False
    return flags & _VISITING == _VISITING


def _is_own_visit(fd: int) -> bool:
    """Tell the same of a descriptor of this process."""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL) & _VISITING == _VISITING
    except OSError:  # closed meanwhile, and its number may be another file's soon
        return False


def _target(link: str, directory: int | None = None) -> str:
    """Return what a link of a process leads to, or _TOO_LONG. Raises OSError where it has ended."""
    try:
        return os.readlink(link, dir_fd=directory)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return _TOO_LONG


def _keys_upward(link: str) -> Iterator[Key]:
    """Yield device and inode of what a link leads to, and of each folder above it. Raises OSError."""
    fd = os.open(link, os.O_PATH | os.O_CLOEXEC)
    last = None
    try:
        while (found := os.fstat(fd)) and (key := (found.st_dev, found.st_ino)) != last:
            yield key
            last = key
            above = os.open("..", os.O_PATH | os.O_CLOEXEC, dir_fd=fd)
            os.close(fd)
            fd = above
    finally:
        os.close(fd)


def _readlink(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def describe(pids: Sequence[int]) -> str:
    """Say who uses something: "in use by pid 4123 (inv test)", "… and 2 more". Names come out printable."""
    if not pids:
        return "in use"
    command = command_of(pids[0])
    more = f" and {len(pids) - 1} more" if len(pids) > 1 else ""
    return f"in use by pid {pids[0]}" + (f" ({command})" if command else "") + more


def command_of(pid: int) -> str:
    """Return what a process was started as, short and printable; empty where that cannot be read."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    except OSError:
        return ""
    if len(words) > 1 and os.path.basename(words[0]).startswith("python") and not words[1].startswith("-"):
        words = words[1:]
    text = printable(" ".join([os.path.basename(word) for word in words[:1]] + words[1:]))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
