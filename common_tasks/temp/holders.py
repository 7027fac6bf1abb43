"""Who uses what is in the system's temporary location, if the kernel does not tell.

A program may have nothing open in a directory and still need it. Whatever a running process of this user names in its
arguments, or in the variables that it was started with, is in use. So are a run of pytest and a folder of joblib that
name a running process, and all of pip's directories while a pip with that location runs: it names only some of them.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ..fs import procfs
from ..fs.directory import Directory
from ..fs.uses import describe_pids
from .entry import Entry

JOBLIB, PIP, PYTEST = "joblib", "pip", "pytest"  # categories
_LOCK = ".lock"  # in a run of pytest: the number of the process
_OF_JOBLIB = re.compile(r"joblib_memmapping_folder_(\d{1,10})_")
_PIP = re.compile(rb"pip(?:3(?:\.\d+)?)?|__pip-runner__\.py")
_MOST_WORDS = 4  # up to and including the name of a program that Python runs: `python -I -m pip`
_END_OF_PATH = rb"[^\0:;,='\"\s]+"


class Holders:
    """Tells which running processes need entries of a folder; the processes are looked at once."""

    def __init__(self, folder: Path) -> None:
        self._named: dict[tuple[str, ...], set[int]] = {}
        self._pips: set[int] = set()
        prefixes = {os.fsencode(path) for path in (folder, folder.resolve())}
        below = re.compile(b"(?:%b)/(%b)" % (b"|".join(map(re.escape, prefixes)), _END_OF_PATH))
        for pid in procfs.list_own():
            arguments, variables = procfs.told_at_start(pid)
            self._note(pid, below.findall(b"\0".join((*arguments, *variables))))
            is_pip = any(_PIP.fullmatch(os.path.basename(word)) for word in arguments[:_MOST_WORDS])
            if is_pip and _location(variables) in prefixes:
                self._pips.add(pid)

    def _note(self, pid: int, paths: Iterable[bytes]) -> None:
        """Note what a process names: an entry at the top, or one inside a folder of pytest's."""
        for path in paths:
            parts = tuple(os.fsdecode(path).split("/"))
            for length in (1, 2):
                self._named.setdefault(parts[:length], set()).add(pid)

    def of(self, directory: Directory, entry: Entry) -> str | None:
        """Say who uses an entry of the open folder; None if nobody does."""
        if entry.category == PYTEST and (pid := _locked_by(directory, entry.parts)):
            return f"in use by pid {pid} (its {_LOCK})"
        holders = set(self._named.get(entry.parts, ()))
        if entry.category == PIP:
            holders |= self._pips
        if entry.category == JOBLIB and (maker := _OF_JOBLIB.match(entry.parts[-1])) and _runs(int(maker[1])):
            holders.add(int(maker[1]))
        return describe_pids(holders) if holders else None


def _location(variables: Iterable[bytes]) -> bytes:
    """Return the temporary location of a program that was started with these variables; see `tempfile.gettempdir`."""
    values = dict(variable.partition(b"=")[::2] for variable in variables)
    named = filter(None, (values.get(name) for name in (b"TMPDIR", b"TEMP", b"TMP")))
    return next(named, b"/tmp")


def _locked_by(directory: Directory, parts: Sequence[str]) -> int | None:
    with suppress(OSError, ValueError):  # no lock, or none that names a process
        with directory.descend(parts) as run, run.opened(_LOCK, os.O_RDONLY | os.O_NONBLOCK) as lock:
            pid = int(os.read(lock, 32)) if stat.S_ISREG(os.fstat(lock).st_mode) else 0
        return pid if _runs(pid) else None
    return None


def _runs(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:  # another user's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
