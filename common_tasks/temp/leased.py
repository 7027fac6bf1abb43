"""What the leases in a base say (see `lease`): read for a look, and taken in once their processes have ended."""

import contextlib
import errno
import os
import re
import stat
import time
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start
from collections.abc import Iterable, Iterator

from ..fs import lock
from ..fs.directory import GONE, Directory
from ..fs.lock import Claim
from ..fs.process import Process, boot
from .names import LEASES

_ENDED = re.compile(r"ended-\d+")
PROCESS, GIVEN, TAKEN_BACK = b"process ", b"+", b"-"
END = b"\0"  # of each record: the one byte that no path can contain
MODE = 0o644  # everybody who may look at the base may know what is in use
_BEING_MADE = 60.0  # seconds that an empty lease may be on its way to getting its first record
_MOST_PID = 2**31


class Leased:
    """What the leases of a base say: which entries are in use, and by whom; which the engine made."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self._users: dict[str, set[int]] = {}
        self._tops: dict[str, set[int]] = {}
        self._moved: dict[str, set[int]] = {}  # by their last names: entries that are no longer at their paths

    def __bool__(self) -> bool:
        return bool(self._users)

    def users(self, parts: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return the processes that use the entry at `parts`, or one below it; None if nobody does.

        An entry whose category was renamed is known by its own name. If all that is known is that some process, in
        another PID namespace, holds the lease, the result is empty.
        """
        users = self._tops.get(parts[0]) if len(parts) == 1 else self._users.get("/".join(parts))
        if users is None:
            users = self._moved.get(parts[-1])
        return None if users is None else tuple(sorted(users))

    def add(self, path: str, pids: tuple[int, ...]) -> None:
        """Note that the entry at `path` is in use by `pids`."""
        self._users.setdefault(path, set()).update(pids)
        self._tops.setdefault(path.partition("/")[0], set()).update(pids)

    def find_moved(self, base: Directory) -> None:
        """Note which entries are not at their paths in the open base: somebody may have renamed their category."""
        for path, pids in self._users.items():
            if not base.has(path):
                self._moved.setdefault(path.rpartition("/")[2], set()).update(pids)


class Record(namedtuple("Record", "processes given")):
    """What one lease says: its processes, the first of which made it, and the entries that they were given."""

    __slots__ = ()
    processes: list[Process]
    given: set[str]

    @classmethod
    def parse(cls, text: bytes) -> "Record":
        """Parse a lease's text. A last record that was cut short is left out, and so is anything that is not a record.

        An entry may be given several times. Taking it back undoes only one of these, so an earlier one still counts.
        """
        processes: list[Process] = []
        times: dict[str, int] = {}
        for record in text.split(END)[:-1]:
            if record.startswith((GIVEN, TAKEN_BACK)):
                path = os.fsdecode(record[1:])
                times[path] = times.get(path, 0) + (1 if record.startswith(GIVEN) else -1)
            else:
                processes += _parse_process(record)
        return cls(processes, {path for path, number in times.items() if number > 0})

    def running(self) -> tuple[int, ...]:
        """Return those of its processes that still run."""
        return tuple(process.pid for process in self.processes if process.runs())


def _parse_process(record: bytes) -> list[Process]:
    words = record.removeprefix(PROCESS).decode("ascii", "replace").split(" ")
    if not record.startswith(PROCESS) or len(words) != len(Process._fields) or not words[0].isdecimal():
        return []
    pid = int(words[0])
    return [Process(pid, *words[1:])] if 0 < pid < _MOST_PID else []


def read_leases(base: Directory) -> Leased:
    """Read the leases of an open base. Nothing is changed.

    What this process itself was given counts as made by the engine, but not as in use: it may clean that itself.
    """
    leased = Leased()
    with _folder(base) as folder:
        if folder is None:
            return leased
        me = Process.current()
        for name in folder.names():
            if not _ENDED.fullmatch(name):
                _read_one(folder, name, me, leased)
        for name in filter(_ENDED.fullmatch, folder.names()):  # last: a lease may have been taken in meanwhile
            _read_one(folder, name, me, leased)
    leased.find_moved(base)
    return leased


@contextlib.contextmanager
def _folder(base: Directory) -> Iterator[Directory | None]:
    """Open the folder of leases in an open base for the block; None if there is none that this user may look into."""
    try:
        folder = base.enter(LEASES)
    except OSError as error:
        if error.errno not in (*GONE, errno.EACCES):
            raise
        yield None
        return
    with folder:
        yield folder


def _read_one(folder: Directory, name: str, me: Process, leased: Leased) -> None:
    with opened_lease(folder, name) as fd:
        if fd is None:
            return
        record = Record.parse(read_all(fd))
        leased.made |= record.given
        if _ENDED.fullmatch(name) or record.processes[:1] == [me]:
            return
        pids = record.running()
        if pids or lock.is_held(fd):
            for path in record.given:
                leased.add(path, pids)


@contextlib.contextmanager
def opened_lease(folder: Directory, name: str, flags: int = os.O_RDONLY) -> Iterator[int | None]:
    """Open a lease; None if it was taken in meanwhile, or is not a regular file that this user may open."""
    try:
        fd = folder.open(name, flags | os.O_NONBLOCK)
    except OSError as error:
        if error.errno not in (*GONE, errno.EACCES, errno.EISDIR, errno.ENXIO):
            raise
        yield None
        return
    try:
        yield fd if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def read_all(fd: int) -> bytes:
    """Read an open file to its end. Raises OSError."""
    parts = []
    while part := os.read(fd, 2**18):
        parts.append(part)
    return b"".join(parts)


def _own_ended() -> str:
    """Return the name of this user's file of ended processes: several users may share a base."""
    return f"ended-{os.geteuid()}"


def take_in(base: Directory, *, most: int | None = None) -> None:
    """Take in the leases whose processes have ended, looking at `most` of them. The caller holds the base's lock."""
    with _folder(base) as folder:
        if folder is None:
            return
        names = [name for name in folder.names() if not _ENDED.fullmatch(name)]
        if most is not None and len(names) > most:
            first = int.from_bytes(os.urandom(4), "big") % len(names)
            names = (names + names)[first : first + most]
        for name in names:
            with contextlib.suppress(PermissionError):  # another user's, whose own processes take it in
                _take_in_one(folder, name)


def _take_in_one(folder: Directory, name: str) -> None:
    with opened_lease(folder, name, os.O_RDWR) as fd:
        if fd is None:
            return
        with lock.claim(fd) as granted:
            record = Record.parse(read_all(fd))
            if granted is Claim.REFUSED or record.running() or _may_run_elsewhere(record, granted):
                return
            if not record.processes and time.time() - os.fstat(fd).st_mtime < _BEING_MADE:
                return
            _append(folder, _own_ended(), records_of(record.given))
            folder.unlink(name)


def _may_run_elsewhere(record: Record, granted: Claim) -> bool:
    """Tell whether a process may still run on another machine: its boot is not this one, and there are no locks."""
    return granted is Claim.IMPOSSIBLE and any(process.boot != boot() for process in record.processes)


def drop_ended(base: Directory) -> None:
    """Drop the records of ended processes' entries that are gone. The caller holds the base's lock.

    If that cannot be written, the records stay, which does no harm: no other entry gets their names.
    """
    with _folder(base) as folder:
        if folder is None:
            return
        ended = _own_ended()
        with opened_lease(folder, ended) as fd:
            before = Record.parse(read_all(fd)).given if fd is not None else set()
        left = still_there(base, before)
        if len(left) == len(before):
            return
        new = f"{ended}.{os.urandom(6).hex()}"
        try:
            _append(folder, new, records_of(left))
            folder.rename(new, folder, ended)
        except OSError:
            with contextlib.suppress(OSError):
                folder.unlink(new)


def still_there(base: Directory, paths: set[str]) -> set[str]:
    """Return the paths that still exist, or may exist, by one listing of each category."""
    left: set[str] = set()
    for category in {path.partition("/")[0] for path in paths}:
        try:
            with base.enter(category) as folder:
                left.update(f"{category}/{name}" for name in folder.names())
        except OSError as error:
            if error.errno not in GONE:  # it may not be looked into, or something is mounted on it
                left.update(path for path in paths if path.startswith(f"{category}/"))
    return paths & left


def records_of(paths: Iterable[str]) -> bytes:
    """Return the records that say that entries were given."""
    return b"".join(GIVEN + os.fsencode(path) + END for path in paths)


def _append(folder: Directory, name: str, text: bytes) -> None:
    with folder.opened(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, MODE) as fd:
        write(fd, text)


def write(fd: int, text: bytes) -> None:
    """Write all of a text. Raises OSError."""
    while text:
        text = text[os.write(fd, text) :]
