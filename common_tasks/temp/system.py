"""What this user's Python programs left in the system's temporary location: handled as entries with other names.

Names alone decide what is looked at; everything else there is ignored. What is found is measured and checked for uses,
as any entry is.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from ..fs.directory import Directory
from ..fs.workers import ALONE, Workers
from . import inventory
from .entry import Entry, Identity
from .holders import JOBLIB, PIP, PYTEST, Holders
from .lent import system_folder
from .names import looks_sealed, unseal
from .policy import DEFAULT, Policy, Rule, hours
from .states import Listed, with_states

BUILT_IN = "..."  # in a list of patterns: those that are built in
MAX_AGE = 24.0  # hours, the default
LEAST_AGE = 1.0
_RANDOM = "[a-z0-9_]{8}"  # what `tempfile` puts into names
_NAMES = {
    "tempfile": f"tmp{_RANDOM}",
    "multiprocessing": f"pymp-{_RANDOM}",
    PIP: f"pip-[a-z]+(?:-[a-z]+)*-{_RANDOM}",
    JOBLIB: "joblib_memmapping_folder_.+",
}
_OF_PYTEST = "pytest-of-.+"  # a folder of its runs
_RUN = re.compile(r"pytest-(\d{1,9})")
_GARBAGE = re.compile(r"garbage-[0-9a-f-]{8,36}")  # a folder that pytest has begun to remove
_OTHER = "other"  # the category of names that a setting gives
_KEPT_RUNS = 3  # as many as pytest itself keeps

Namer = Callable[[str], str | None]  # returns the category of a name; None for a name that is ignored


def policy(hours_old: float = MAX_AGE, categories: Iterable[str] = ()) -> Policy:
    """Return the policy for that location: only age decides. The caller checks `hours_old` against LEAST_AGE."""
    return Policy(rules={DEFAULT: Rule(max_age=hours(hours_old * 3600))}, categories=frozenset(categories))


def scan(patterns: Sequence[str] = (BUILT_IN,), *, workers: Workers = ALONE) -> tuple[Entry, ...]:
    """Return what Python programs of this user left in the system's temporary location, sorted, measured, with states.

    `patterns`: globs of names; BUILT_IN stands for those of tempfile, multiprocessing, pip, joblib and pytest. What
    cannot go is kept or in use, and says why: for instance pytest's newest three runs, or one that names a process.
    """
    folder = system_folder()
    orphans = inventory.scan([], workers=workers)
    try:
        directory = Directory.at(folder, follow=True)
    except OSError:  # nowhere to leave anything
        return orphans
    with directory:
        listed = {entry.identity.key for entry in orphans}
        found = sorted(_list(folder, directory, patterns), key=lambda entry: entry.parts)
        there = [entry for entry in found if entry.identity.key not in listed]
        entries = with_states(inventory.with_usage([Listed(directory, there)], workers=workers))
        holders = Holders(folder)
        settled = [_without_obstacle(_settle(directory, entry, holders, found)) for entry in entries]
    return (*orphans, *settled)


def _list(folder: Path, directory: Directory, patterns: Sequence[str]) -> Iterator[Entry]:
    namer = _namer(patterns)
    for name in directory.names():
        if BUILT_IN in patterns and re.fullmatch(_OF_PYTEST, name):
            yield from _list_pytest(folder, directory, name)
        elif category := namer(name):
            yield from _entry(folder, directory, (name,), category)


def _namer(patterns: Sequence[str]) -> Namer:
    names = {category: re.compile(name) for category, name in _NAMES.items()} if BUILT_IN in patterns else {}
    globs = [pattern for pattern in patterns if pattern != BUILT_IN]

    def category(name: str) -> str | None:
        known = next((category for category, name_of in names.items() if name_of.fullmatch(name)), None)
        return known or (_OTHER if any(fnmatchcase(name, glob) for glob in globs) else None)

    return category


def _list_pytest(folder: Path, directory: Directory, name: str) -> Iterator[Entry]:
    """List the runs in a folder of pytest's that is this user's, and what an interrupted clean moved there."""
    with suppress(OSError), directory.enter(name) as runs:  # not a directory, or cannot be looked into
        if runs.status().st_uid != os.geteuid():
            return
        for run in runs.names():
            if _RUN.fullmatch(run) or _GARBAGE.fullmatch(run):
                yield from _entry(folder, directory, (name, run), PYTEST)
            elif looks_sealed(run) and unseal(run, runs.look(run).st_ino):
                yield from _entry(folder, directory, (name, run), PYTEST, in_trash=True)


def _entry(
    folder: Path, directory: Directory, parts: tuple[str, ...], category: str, *, in_trash: bool = False
) -> Iterator[Entry]:
    try:
        found = directory.look("/".join(parts))
    except OSError:  # vanished meanwhile
        return
    if found.st_uid != os.geteuid() or not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return
    yield Entry(
        folder=folder,
        parts=parts,
        base=None,
        category=category,
        name=parts[-1],
        identity=Identity.of(found),
        in_trash=in_trash,
        state="unfinished" if in_trash else "idle",
        made_by=None if category in ("tempfile", _OTHER) else category,
    )


def _settle(directory: Directory, entry: Entry, holders: Holders, found: Sequence[Entry]) -> Entry:
    """Return an entry as kept if it is among pytest's newest runs, as in use if `holders` says so, else as it is."""
    if entry.state != "idle":
        return entry
    if entry.category == PYTEST and _is_among_newest(entry, found):
        return entry._replace(state="kept", reason=f"kept: pytest's newest {_KEPT_RUNS} runs")
    holder = holders.of(directory, entry)
    return entry._replace(state="in-use", reason=holder) if holder else entry


def _is_among_newest(entry: Entry, found: Sequence[Entry]) -> bool:
    runs = sorted((_number(each) for each in found if each.parts[:-1] == entry.parts[:-1]), reverse=True)
    return _number(entry) > 0 and _number(entry) in runs[:_KEPT_RUNS]


def _number(entry: Entry) -> int:
    """Return the number of a run plus one; 0 if the name is not that of a run."""
    run = _RUN.fullmatch(entry.parts[-1])
    return int(run[1]) + 1 if run else 0


def _without_obstacle(entry: Entry) -> Entry:
    """Keep an entry that cannot be removed, instead of reporting a failure: nobody has asked for it to go."""
    if not entry.obstacle or entry.state in ("in-use", "kept"):
        return entry
    return entry._replace(state="kept", reason=f"kept: {entry.obstacle}", obstacle=None)
