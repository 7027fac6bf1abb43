"""Leases: what a process was given in a base is in use for as long as that process runs.

    <base>/.leases/<pid>-<random>   one file a process, locked exclusively by it (flock), written from then on
    <base>/.leases/ended-<user id>  the entries that processes which have ended were given, by who takes that in

A lease names its process, and each forked child that goes on, by pid, start time, boot and PID namespace. It names an
entry before the entry is made. An entry is in use while the lock on its lease is held, or while a process that the
lease names still runs: so after `exec`, and after a daemon has closed its descriptors. Whoever looks asks for the
shared lock and gives it back at once, which disturbs nobody.

A lease whose processes have ended is taken in: its entries go to `ended-…`, and the file goes. That is done under the
lock of the base (see `base.locked`), by a clean and by whoever makes a new lease. What neither a lease nor such a
file names was not made by the engine.
"""

import contextlib
import errno
import os
import re
import stat
import time
from _thread import RLock  # `threading` itself takes longer to load than a lease takes
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start
from collections.abc import Iterable
from itertools import islice

from ..fs import lock
from ..fs.directory import GONE, Directory
from ..fs.lock import Claim
from ..fs.process import Process, boot
from ..fs.values import Key
from .base import give_to_owner, locked_at_once, make_base
from .layout import Base
from .names import LEASES

_ENDED = re.compile(r"ended-\d+")
_PROCESS, _GIVEN, _TAKEN_BACK = b"process ", b"+", b"-"
_END = b"\0"  # of each record: the one byte that no name holds
_MODE = 0o644  # everybody who may look at the base may know what is in use
_BEING_MADE = 60.0  # seconds that an empty lease may be on its way to getting its first record
_TAKEN_IN = 8  # leases that whoever makes a new one looks at
_MOST_RECORDS = 8192  # of one process, before those of entries that are gone are dropped
_MOST_OPEN = 32  # leases of one process, before the descriptor of the one that was begun first is closed
_MOST_PID = 2**31


class Leased:
    """What the leases of a base say: which entries are in use, and by whom; which the engine made."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self._users: dict[str, tuple[int, ...]] = {}
        self._tops: dict[str, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._users)

    def users(self, parts: tuple[str, ...]) -> tuple[int, ...] | None:
        """Return the processes that use the entry at `parts`, or one below it; None where nobody does.

        Nothing is known of a holder that lives in another PID namespace but that there is one: then it is empty.
        """
        if len(parts) == 1:
            found = self._tops.get(parts[0])
            return None if found is None else tuple(sorted(found))
        return self._users.get("/".join(parts))

    def add(self, path: str, pids: tuple[int, ...]) -> None:
        """Note that the entry at `path` is in use by `pids`."""
        self._users[path] = tuple(sorted({*self._users.get(path, ()), *pids}))
        self._tops.setdefault(path.partition("/")[0], set()).update(pids)


class _Record(namedtuple("_Record", "processes given")):
    """What one lease says: whose it is, the maker first, and the entries that it names."""

    __slots__ = ()
    processes: list[Process]
    given: set[str]

    @classmethod
    def parse(cls, text: bytes) -> "_Record":
        """Take a lease's text apart. A last record that was cut short is left out, and what is no record.

        An entry may be given several times. What is taken back is one of these, so what was given before stays given.
        """
        processes: list[Process] = []
        times: dict[str, int] = {}
        for record in text.split(_END)[:-1]:
            if record.startswith((_GIVEN, _TAKEN_BACK)):
                path = os.fsdecode(record[1:])
                times[path] = times.get(path, 0) + (1 if record.startswith(_GIVEN) else -1)
            else:
                processes += _parse_process(record)
        return cls(processes, {path for path, number in times.items() if number > 0})

    def running(self) -> tuple[int, ...]:
        """Return those of its processes that still run."""
        return tuple(process.pid for process in self.processes if process.runs())


def _parse_process(record: bytes) -> list[Process]:
    words = record.removeprefix(_PROCESS).decode("ascii", "replace").split(" ")
    if not record.startswith(_PROCESS) or len(words) != len(Process._fields) or not words[0].isdecimal():
        return []
    pid = int(words[0])
    return [Process(pid, *words[1:])] if 0 < pid < _MOST_PID else []


def read(base: Directory) -> Leased:
    """Read the leases of an open base. Nothing is changed.

    What this very process was given is made by the engine, but in use by nobody: it may clean that itself.
    """
    leased = Leased()
    try:
        folder = base.enter(LEASES)
    except OSError as error:
        if error.errno in (*GONE, errno.EACCES):
            return leased
        raise
    with folder:
        me = Process.current()
        for name in folder.names():
            if not _ENDED.fullmatch(name):
                _read_one(folder, name, me, leased)
        for name in filter(_ENDED.fullmatch, folder.names()):  # last: a lease may have been taken in meanwhile
            leased.made |= _given_before(folder, name)
    return leased


def _read_one(folder: Directory, name: str, me: Process, leased: Leased) -> None:
    fd = _open_lease(folder, name, os.O_RDONLY)
    if fd is None:
        return
    try:
        record = _Record.parse(_read_all(fd))
        leased.made |= record.given
        if record.processes[:1] == [me]:
            return
        pids = record.running()
        if pids or lock.is_held(fd):
            for path in record.given:
                leased.add(path, pids)
    finally:
        os.close(fd)


def _open_lease(folder: Directory, name: str, flags: int) -> int | None:
    """Open a lease; None where it was taken in meanwhile, and for anything that is no file of ours to read."""
    try:
        fd = folder.open(name, flags | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (*GONE, errno.EACCES, errno.EISDIR, errno.ENXIO):
            return None
        raise
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 2**18):
        parts.append(part)
    return b"".join(parts)


def _own_ended() -> str:
    """Return the name of the file that this user may write to, also where several users share a base."""
    return f"ended-{os.geteuid()}"


def _given_before(folder: Directory, name: str) -> set[str]:
    fd = _open_lease(folder, name, os.O_RDONLY)
    if fd is None:
        return set()
    try:
        return _Record.parse(_read_all(fd)).given
    finally:
        os.close(fd)


def take_in(base: Directory, *, most: int | None = None) -> None:
    """Take in the leases of processes that have ended, or look at `most` of them. The caller holds the base's lock."""
    try:
        folder = base.enter(LEASES)
    except OSError as error:
        if error.errno in (*GONE, errno.EACCES):
            return
        raise
    with folder:
        names = [name for name in folder.names() if not _ENDED.fullmatch(name)]
        if most is not None and len(names) > most:
            first = int.from_bytes(os.urandom(4), "big") % len(names)
            names = (names + names)[first : first + most]
        for name in names:
            with contextlib.suppress(PermissionError):  # another user's, who does that for himself
                _take_in_one(folder, name)


def _take_in_one(folder: Directory, name: str) -> None:
    fd = _open_lease(folder, name, os.O_RDWR)
    if fd is None:
        return
    try:
        with lock.claim(fd) as granted:
            record = _Record.parse(_read_all(fd))
            if granted is Claim.REFUSED or record.running() or _may_run_elsewhere(record, granted):
                return
            if not record.processes and time.time() - os.fstat(fd).st_mtime < _BEING_MADE:
                return
            _append(folder, _own_ended(), _records(record.given))
            folder.unlink(name)
    finally:
        os.close(fd)


def _may_run_elsewhere(record: _Record, granted: Claim) -> bool:
    """Tell whether nothing says that a process of another machine or namespace has ended: there are no locks."""
    return granted is Claim.IMPOSSIBLE and any(process.boot != boot() for process in record.processes)


def drop_ended(base: Directory) -> None:
    """Drop what is noted of earlier processes' entries that are gone. The caller holds the base's lock.

    Where that cannot be written they stay noted, which does no harm: no other entry gets their names.
    """
    try:
        folder = base.enter(LEASES)
    except OSError as error:
        if error.errno in (*GONE, errno.EACCES):
            return
        raise
    with folder:
        ended = _own_ended()
        before = _given_before(folder, ended)
        left = _still_there(base, before)
        if len(left) == len(before):
            return
        new = f"{ended}.{os.urandom(6).hex()}"
        try:
            _append(folder, new, _records(left))
            folder.rename(new, folder, ended)
        except OSError:
            with contextlib.suppress(OSError):
                folder.unlink(new)


def _still_there(base: Directory, paths: set[str]) -> set[str]:
    """Return those of the paths that still stand, or may, at the price of one listing a category."""
    left: set[str] = set()
    for category in {path.partition("/")[0] for path in paths}:
        try:
            with base.enter(category) as folder:
                left.update(f"{category}/{name}" for name in folder.names())
        except OSError as error:
            if error.errno not in GONE:  # it may not be looked into, or something is mounted on it
                left.update(path for path in paths if path.startswith(f"{category}/"))
    return paths & left


def _records(paths: Iterable[str]) -> bytes:
    return b"".join(_GIVEN + os.fsencode(path) + _END for path in paths)


def _append(folder: Directory, name: str, text: bytes) -> None:
    fd = folder.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, _MODE)
    try:
        _write(fd, text)
    finally:
        os.close(fd)


def _write(fd: int, text: bytes) -> None:
    while text:
        text = text[os.write(fd, text) :]


class _Lease:
    """The lease of this process in one base: the file at `path`, open as `fd` as long as nobody closes that."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self.name = os.path.basename(path)
        self.fd = fd
        self.key = lock.key_of(fd)
        self.records = 0
        self.most = _MOST_RECORDS  # 0: look first whether it still is where it was

    def is_open(self) -> bool:
        """Tell whether the descriptor still is this file's, and the file still stands."""
        try:
            found = os.fstat(self.fd)
        except OSError:
            return False
        return found.st_nlink > 0 and (found.st_dev, found.st_ino) == self.key

    def close(self) -> None:
        """Close the descriptor, if it still is this file's."""
        with contextlib.suppress(OSError):
            if lock.key_of(self.fd) == self.key:
                os.close(self.fd)
        self.fd = -1

    def name_process(self) -> None:
        """Name the calling process in it, also where the descriptor was closed. Raises OSError."""
        if self.is_open():
            _write(self.fd, _head())
            return
        with Directory(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            if file.key() == self.key:
                _write(file.fd, _head())

    def write(self, kind: bytes, path: str) -> None:
        """Add a record about an entry. Raises OSError."""
        self.records += 1
        _write(self.fd, kind + os.fsencode(path) + _END)


class Leases:
    """The leases of this process, by the path of their base: one descriptor a base."""

    def __init__(self) -> None:
        self._guard = RLock()  # a signal's handler may ask for a directory, too
        self._leases: dict[str, _Lease] = {}

    def note(self, base: Base, path: str) -> None:
        """Write down that this process is about to be given the entry at `path` in a base. Raises OSError."""
        with self._guard:  # no other thread may close what this one is about to write to
            self._open(base).write(_GIVEN, path)

    def make(self, base: Base, path: str) -> None:
        """Make the directory at `path` in a base, and write down that this process is given it. Raises OSError.

        That is written first. No other thread may take the entry for one that is gone in between.
        """
        with self._guard:
            lease = self._open(base)
            lease.write(_GIVEN, path)
            try:
                os.mkdir(f"{base.path}/{path}")
            except OSError:
                lease.write(_TAKEN_BACK, path)
                raise

    def _open(self, base: Base) -> _Lease:
        lease = self._leases.get(str(base.path))
        if lease is None or not lease.is_open() or lease.records >= lease.most:
            return self._begin(base)
        return lease

    def look_again(self, base: Base) -> None:
        """Have the next note see whether the base still is the folder that it was."""
        lease = self._leases.get(str(base.path))
        if lease:
            lease.most = 0

    def name_child(self) -> None:
        """In a forked child: name it in the leases of its parent, which it keeps open, and have it make its own."""
        self._guard = RLock()
        inherited, self._leases = list(self._leases.values()), {}
        for lease in inherited:
            # Where that cannot be written, the lock, which the child has too, still tells.
            with contextlib.suppress(OSError):
                lease.name_process()

    def _begin(self, base: Base) -> _Lease:
        """Make a lease, open again the one that is there, or make one without the records that are of no more use."""
        with make_base(base) as directory, _folder(directory) as folder:
            before = self._leases.pop(str(base.path), None)
            lease = _make(base, folder, directory) if before is None else _go_on(base, folder, directory, before)
            self._leases[str(base.path)] = lease
            for early in islice(reversed(self._leases.values()), _MOST_OPEN, _MOST_OPEN + 1):
                early.close()  # the process that it names still counts
            return lease


def _folder(base: Directory) -> Directory:
    with contextlib.suppress(FileExistsError):
        base.make(LEASES, 0o777)
        with base.enter(LEASES) as made:
            # Whoever may write to the base may have leases there.
            os.fchmod(made.fd, stat.S_IMODE(base.status().st_mode) & 0o2775 | stat.S_IRWXU)
            give_to_owner(made, base)
    return base.enter(LEASES)


def _make(
    base: Base, folder: Directory, directory: Directory, given: Iterable[str] = (), children: Iterable[Process] = ()
) -> _Lease:
    """Make a lease that names this process, what it has been `given` so far, and its `children` that have that, too."""
    with locked_at_once(directory) as granted:
        if granted:
            take_in(directory, most=_TAKEN_IN)
    while True:
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        fd = folder.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, _MODE)
        lock.wait(fd)
        if os.fstat(fd).st_nlink:
            break
        os.close(fd)  # a clean took it for one whose process was killed before it could write
    os.fchmod(fd, _MODE)
    _write(fd, _head() + b"".join(map(_name_process, children)) + _records(given))
    return _Lease(f"{base.path}/{LEASES}/{name}", fd)


def _go_on(base: Base, folder: Directory, directory: Directory, before: _Lease) -> _Lease:
    """Go on with a lease: opened again where this process has closed it, without records that are of no more use."""
    fd = _open_lease(folder, before.name, os.O_RDWR | os.O_APPEND)
    if fd is None:  # the base was removed, and perhaps made again
        before.close()
        return _make(base, folder, directory)
    with Directory(fd) as file:
        if lock.key_of(file.fd) != before.key:
            before.close()
            return _make(base, folder, directory)
        record = _Record.parse(_read_all(file.fd))
    live = _still_there(directory, record.given) if before.records >= _MOST_RECORDS else record.given
    if not before.is_open() or 2 * len(live) < before.records:
        children = [process for process in record.processes[1:] if process.runs()]
        lease = _make(base, folder, directory, live, children)
        folder.unlink(before.name)
        before.close()
        before = lease
    before.records, before.most = len(live), max(_MOST_RECORDS, 2 * len(live))
    return before


def _head() -> bytes:
    return _name_process(Process.current())


def _name_process(process: Process) -> bytes:
    return _PROCESS + " ".join(map(str, process)).encode("ascii") + _END


own = Leases()
os.register_at_fork(after_in_child=own.name_child)


class Hold(namedtuple("Hold", "key fd")):
    """A shared lock on one directory, held through the descriptor `fd`.

    It is the protocol of systemd-tmpfiles: a cleaner passes by what somebody has locked.
    """

    __slots__ = ()
    key: Key
    fd: int

    def release(self) -> None:
        """Close the descriptor, which gives the lock back; in a forked child it stays the parent's.

        Only if it still is what was opened: a program may have closed all its descriptors, to run as a
        daemon, and the number may be another file's by now.
        """
        with contextlib.suppress(OSError):
            if lock.key_of(self.fd) == self.key:
                os.close(self.fd)


_holds: dict[Key, Hold] = {}


def share(directory: Directory) -> Hold | None:
    """Put a directory of its own to use; None where a cleaner is about to take it.

    Takes the descriptor over: a hold closes it on release, a refusal at once.
    """
    try:
        granted = lock.share(directory.fd)
        held = Hold(directory.key(), directory.fd)
    except OSError:
        directory.close()
        raise
    if granted is Claim.REFUSED:
        directory.close()
        return None
    return held


def hold(held: Hold) -> None:
    """Keep a hold until `drop`, or until this process ends."""
    _holds[held.key] = held


hold_for_block = hold


def held_here(identity: Key) -> bool:
    """Tell whether this very process holds a directory."""
    return identity in _holds


def drop(identity: Key) -> None:
    """Let go of a directory, if this process holds it."""
    held = _holds.pop(identity, None)
    if held:
        held.release()
