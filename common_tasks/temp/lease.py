"""Leases: an entry that a process was given is in use as long as that process runs.

    <base>/.leases/<pid>-<random>   one file for each process, which locks it exclusively (flock) and adds to it
    <base>/.leases/ended-<user id>  entries given to processes that have ended, by the user who recorded them

A lease names its process, and each forked child that goes on, by pid, start time, boot and PID namespace. It names an
entry before the entry is made. An entry is in use while the lock on its lease is held, or while a process that the
lease names still runs: the latter holds even after `exec`, or after a daemon has closed its descriptors. To look at a
lease, a process asks for the shared lock and gives it back at once, which disturbs nobody.

A lease whose processes have ended is taken in: its entries go to `ended-…`, and the file is deleted. That is done under
the lock of the base (see `base_lock.locked`), by a clean and when a new lease is made. An entry that neither a lease
nor such a file names was not made by the engine.
"""

import contextlib
import os
import stat
from _thread import RLock  # `threading` itself takes longer to load than a lease takes
from collections.abc import Iterable
from itertools import islice

from ..fs import lock
from ..fs.directory import Directory
from ..fs.process import Process
from .base import give_to_owner, make_base
from .base_lock import locked_at_once
from .hold import Held
from .layout import Base
from .leased import (
    END,
    GIVEN,
    MODE,
    PROCESS,
    TAKEN_BACK,
    Record,
    opened_lease,
    read_all,
    records_of,
    still_there,
    take_in,
    write,
)
from .names import LEASES

_TAKEN_IN = 8  # other leases that are looked at when a new one is made
_MOST_RECORDS = 8192  # in one lease, before those of entries that are gone are dropped
_MOST_OPEN = 32  # leases of one process, before the descriptor of the oldest is closed


class _Lease(Held):
    """The lease of this process in one base: the file at `path`, which stays open unless the program closes it."""

    def __init__(self, path: str, fd: int) -> None:
        super().__init__(fd)
        self.path = path
        self.name = os.path.basename(path)
        self.records = 0
        self.most = _MOST_RECORDS  # 0: check first whether it is still where it was

    def is_open(self) -> bool:
        """Tell whether the descriptor is still that of this file, and the file still exists."""
        found = self.status()
        return found is not None and found.st_nlink > 0

    def read(self) -> bytes:
        """Return what is in it, even if somebody has removed it; empty if the descriptor was closed."""
        with contextlib.suppress(OSError):
            if self.status():
                os.lseek(self.fd, 0, os.SEEK_SET)  # writes go to the end of the file anyway
                return read_all(self.fd)
        return b""

    def name_process(self) -> None:
        """Name the calling process in it, even if the descriptor was closed. Raises OSError."""
        if self.is_open():
            write(self.fd, _head())
            return
        with Directory(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
            if file.key() == self.key:
                write(file.fd, _head())

    def write(self, kind: bytes, path: str) -> None:
        """Add a record about an entry. Raises OSError."""
        self.records += 1
        write(self.fd, kind + os.fsencode(path) + END)


class Leases:
    """The leases of this process, by the path of their base: one descriptor for each base."""

    def __init__(self) -> None:
        self._guard = RLock()  # a signal handler may ask for a directory, too
        self._leases: dict[str, _Lease] = {}

    def note(self, base: Base, path: str) -> None:
        """Write down that this process is about to be given the entry at `path` in a base. Raises OSError."""
        with self._guard:  # no other thread may close what this one is about to write to
            self._open(base).write(GIVEN, path)

    def make(self, base: Base, path: str) -> None:
        """Make the directory at `path` in a base, after writing down that this process is given it. Raises OSError.

        In between, no other thread may take the entry for one that is gone.
        """
        with self._guard:
            lease = self._open(base)
            lease.write(GIVEN, path)
            try:
                os.mkdir(f"{base.path}/{path}")
            except OSError:
                lease.write(TAKEN_BACK, path)
                raise

    def _open(self, base: Base) -> _Lease:
        lease = self._leases.get(str(base.path))
        if lease is None or not lease.is_open() or lease.records >= lease.most:
            return self._begin(base)
        return lease

    def look_again(self, base: Base) -> None:
        """Make the next use of the lease check whether the base is still the same folder."""
        lease = self._leases.get(str(base.path))
        if lease:
            lease.most = 0

    def name_child(self) -> None:
        """In a forked child: name it in the leases of its parent, which it keeps open, and have it make its own."""
        self._guard = RLock()
        inherited, self._leases = list(self._leases.values()), {}
        for lease in inherited:
            # If that cannot be written, the lock still tells, because the child holds it, too.
            with contextlib.suppress(OSError):
                lease.name_process()

    def _begin(self, base: Base) -> _Lease:
        """Make a lease, go on with the one that is there, or make it again without the records no longer needed."""
        with make_base(base) as directory, _folder(directory) as folder:
            before = self._leases.pop(str(base.path), None)
            lease = _make(base, folder, directory) if before is None else _go_on(base, folder, directory, before)
            self._leases[str(base.path)] = lease
            for early in islice(reversed(self._leases.values()), _MOST_OPEN, _MOST_OPEN + 1):
                early.close()  # its entries stay in use, because the process that it names still runs
            return lease


def _folder(base: Directory) -> Directory:
    with contextlib.suppress(FileExistsError):
        base.make(LEASES, 0o777)
        with base.enter(LEASES) as made:
            # Everybody who may write to the base may have leases there.
            os.fchmod(made.fd, stat.S_IMODE(base.status().st_mode) & 0o2775 | stat.S_IRWXU)
            give_to_owner(made, base)
    return base.enter(LEASES)


def _make(
    base: Base, folder: Directory, directory: Directory, given: Iterable[str] = (), children: Iterable[Process] = ()
) -> _Lease:
    """Make a lease that names this process, its `children` that share its entries, and what it was `given` so far."""
    with locked_at_once(directory) as granted:
        if granted:
            take_in(directory, most=_TAKEN_IN)
    while True:
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        fd = folder.open(name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, MODE)
        lock.wait(fd)
        if os.fstat(fd).st_nlink:
            break
        os.close(fd)  # a clean thought that its process had been killed before it could write, and removed it
    os.fchmod(fd, MODE)
    write(fd, _head() + b"".join(map(_name_process, children)) + records_of(given))
    return _Lease(f"{base.path}/{LEASES}/{name}", fd)


def _go_on(base: Base, folder: Directory, directory: Directory, before: _Lease) -> _Lease:
    """Go on with a lease; if it was removed, closed or is too full, make it again without needless records."""
    with opened_lease(folder, before.name) as fd:
        stands = fd is not None and lock.key_of(fd) == before.key
        record = Record.parse(read_all(fd) if fd is not None and stands else before.read())
    full = before.records >= _MOST_RECORDS
    live = still_there(directory, record.given) if full or not stands else record.given
    if not stands or not before.is_open() or 2 * len(live) < before.records:
        children = [process for process in record.processes[1:] if process.runs()]
        lease = _make(base, folder, directory, live, children)
        if stands:
            folder.unlink(before.name)
        before.close()
        before = lease
    before.records, before.most = len(live), max(_MOST_RECORDS, 2 * len(live))
    return before


def _head() -> bytes:
    return _name_process(Process.current())


def _name_process(process: Process) -> bytes:
    return PROCESS + " ".join(map(str, process)).encode("ascii") + END


own = Leases()
os.register_at_fork(after_in_child=own.name_child)
