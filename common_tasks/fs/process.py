"""Which process this is, told apart from every other, and whether such a process still runs."""

import os
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start

_UNKNOWN = "-"  # if the system has no /proc
_ENDED = "ended"


class Process(namedtuple("Process", "pid start boot namespace")):
    """A process, distinct from others that had its number before or have it in another namespace.

    `start`: when it began, in clock ticks since the boot. `boot`: the boot's identifier. `namespace`: the PID
    namespace that the number belongs to. See proc(5). The last three are "-" if the system has no /proc.
    """

    __slots__ = ()
    pid: int
    start: str
    boot: str
    namespace: str

    @classmethod
    def current(cls) -> "Process":
        """Return the calling process."""
        pid = os.getpid()
        return cls(pid, _start("self"), boot(), _link("/proc/self/ns/pid"))

    def runs(self) -> bool:
        """Tell whether it still runs, as far as that can be seen from here.

        It is false for a process of a PID namespace that cannot be seen from this one.
        """
        if self.boot != boot():
            return False
        if self.namespace == _link("/proc/self/ns/pid"):
            return self._runs_here()
        return any(
            _link(f"/proc/{pid}/ns/pid") == self.namespace and _start(pid) == self.start
            for pid in os.listdir("/proc")
            if pid.isdigit()
        )

    def _runs_here(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody else's: it is there
            pass
        # Where /proc hides other users' processes, the number alone has to do.
        return _start(str(self.pid)) in (self.start, _UNKNOWN)


def _start(pid: str) -> str:
    """Return when a process began, field 22 of its `stat`; "ended" if it only waits to be reaped by its parent.

    The fields are counted after the command, which may contain anything. See proc(5).
    """
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
        # The first thread alone may have ended: then there are others.
        return _ENDED if fields[0] in b"ZX" and int(fields[17]) <= 1 else fields[19].decode("ascii")
    except (OSError, IndexError):
        return _UNKNOWN


def boot() -> str:
    """Return what identifies this boot of the system."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
            return file.read(64).strip().decode("ascii")
    except OSError:
        return _UNKNOWN


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return _UNKNOWN
