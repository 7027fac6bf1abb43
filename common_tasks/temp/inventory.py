"""What is there: the entries of projects, and what killed processes left in the system's temporary location.

Looking takes no lock and changes nothing on disk.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..fs.directory import GONE, Directory
from ..fs.usage import Probe, measure
from ..fs.values import Progress, Usage, no_progress
from ..project.git import Tracked, ask_git
from . import layout, lease
from .base import noted_categories, open_base
from .entry import ORPHANED, UNFINISHED, Entry, Identity, State
from .layout import Base, Project
from .lent import is_unnamed, system_folder
from .names import KEEP, LEGACY, TRASH, UNDECIDED, looks_sealed, parse_name, unseal
from .states import WORK_MARKS, Located, belongs_to_others, seems_pinned, with_states

SEALED_TRASH = TRASH  # what a sealed name begins with, once the directory is to be removed
_BESIDE = ("-journal", "-shm", "-wal")  # what SQLite writes beside a database (https://sqlite.org/tempfiles.html)


def scan(
    projects: Iterable[Project],
    *,
    orphans: bool = True,
    measured: bool = True,
    progress: Progress = no_progress,
    workers: int = 1,
) -> tuple[Entry, ...]:
    """Return the entries of `projects`, sorted by base and name; then, if asked for, the orphans.

    With `measured` every entry has its usage: one walk over each tree; without, only what may hold a
    person's work has. Raises BaseRefused where a base is not ours, GuardFailed where git is there but cannot
    tell what it tracks, InvalidAge where COMMON_TASKS_AGE has a value that it does not take.
    """
    with contextlib.ExitStack() as stack:
        located: list[Located] = []
        for project in projects:
            located += _with_tracked(project, _list_project(project, stack))
        if orphans:
            # Where the system's temporary folder is a base, an entry is listed once.
            listed = {each.entry.identity.key for each in located}
            located += [each for each in _list_orphans(stack) if each.entry.identity.key not in listed]
        entries = with_states(with_usage(located, measured=measured, progress=progress, workers=workers))
    return tuple(entry for entry in entries if entry.base or not _is_lent(entry))


def _is_lent(entry: Entry) -> bool:
    """Tell whether a directory in the system's temporary folder is in use, by this process too: no orphan."""
    if lease.held_here(entry.identity.key):
        return True
    return entry.state == "in-use" and (not entry.in_trash or is_unnamed(entry.parts[-1]))


def _list_project(project: Project, stack: contextlib.ExitStack) -> list[Located]:
    located = []
    for base in project.bases:
        directory = open_base(base)
        if directory is not None:
            stack.enter_context(directory)
            located += [Located(directory, entry) for entry in _list_base(base, directory)]
    return located


def _list_base(base: Base, directory: Directory) -> Iterator[Entry]:
    with directory.scan() as rows:
        names = dict(sorted((row.name, row.is_dir(follow_symlinks=False)) for row in rows))
    noted = {} if base.legacy else noted_categories(directory)
    companions = _companions(names)
    for name in names:
        if name == TRASH:
            for left in _children(directory, name):
                yield from _left_behind(base, directory, (name, left), undecided=left.startswith(UNDECIDED))
        elif sealed := _sealed_by_a_clean(directory, name):
            yield from _left_behind(base, directory, (name,), undecided=sealed == UNDECIDED)
        elif not base.reserves(name) and name not in companions:
            noted_here = name in noted and noted[name] == _inode(directory, name)
            yield from _list_top(base, directory, name, noted_here, _beside(companions, name))


def _companions(names: dict[str, bool]) -> dict[str, str]:
    """Return which of the files beside a database belong to which; `names` tell whether each is a directory."""
    found = {}
    for name in names:
        if name.endswith(_BESIDE) and not names[name]:
            main = name.rpartition("-")[0]
            if names.get(main) is False:
                found[name] = main
    return found


def _beside(companions: dict[str, str], name: str) -> tuple[str, ...]:
    if not companions:
        return ()
    return tuple(name + ending for ending in _BESIDE if companions.get(name + ending) == name)


def files_beside(directory: Directory, name: str) -> set[str]:
    """Return which files now stand beside `name` that belong to it if it is a database."""
    return {name + ending for ending in _BESIDE if _is_file(directory, name + ending)}


def _is_file(directory: Directory, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return not stat.S_ISDIR(directory.look(name).st_mode)
    return False


def _sealed_by_a_clean(directory: Directory, name: str) -> str | None:
    """Return what was sealed where a clean that could not make `.trash` took this out of sight."""
    if not looks_sealed(name):
        return None
    with contextlib.suppress(OSError):
        sealed = unseal(name, directory.look(name).st_ino)
        return sealed if sealed in (SEALED_TRASH, UNDECIDED) else None
    return None


def _left_behind(base: Base, directory: Directory, parts: tuple[str, ...], *, undecided: bool) -> Iterator[Entry]:
    """List what an interrupted clean took out of sight; until that was decided, it is an entry like others."""
    if undecided:
        yield from _entry(base, directory, parts, LEGACY, "unfinished")
    else:
        yield from _entry(base, directory, parts, UNFINISHED, in_trash=True)


def _list_top(base: Base, directory: Directory, name: str, noted: bool, beside: tuple[str, ...]) -> Iterator[Entry]:
    """List a category's entries; what is no category is an entry itself."""
    below = {} if base.legacy else _children(directory, name)
    if not is_category(name, below, made=noted):
        yield from _entry(base, directory, (name,), LEGACY, companions=beside)
        return
    state: State = "kept" if KEEP in below else "idle"
    companions = _companions(below)
    for child in below:
        if child != KEEP and child not in companions:
            beside = _beside(companions, child)
            yield from _entry(base, directory, (name, child), name, state, companions=beside, made=noted)


def is_category(name: str, children: Iterable[str], *, made: bool) -> bool:
    """Tell whether the folder `name` at the top of a base is a category, from the names in it.

    It is one if it was `made` as one, or if it holds nothing but time-stamped children (and perhaps `.keep`);
    but for an empty folder, and one whose own name ends in a time: these are entries.
    """
    entries = [child for child in children if child != KEEP]
    if not entries or parse_name(name):
        return False
    return made or all(parse_name(child) for child in entries)


def _inode(directory: Directory, name: str) -> int | None:
    with contextlib.suppress(OSError):
        return directory.look(name).st_ino
    return None


def _children(directory: Directory, name: str) -> dict[str, bool]:
    """Return what is in the folder `name`, sorted, and whether it is a directory."""
    try:
        with directory.enter(name) as below:
            below.look(".")  # to list names is not enough
            with below.scan() as rows:
                return dict(sorted((row.name, row.is_dir(follow_symlinks=False)) for row in rows))
    except PermissionError:  # an entry, whole; a clean looks again before it takes one
        return {}
    except OSError as error:
        if error.errno in GONE:  # no directory: an entry
            return {}
        raise


def _entry(
    base: Base,
    directory: Directory,
    parts: tuple[str, ...],
    category: str,
    state: State = "idle",
    *,
    companions: tuple[str, ...] = (),
    made: bool = False,
    in_trash: bool = False,
) -> Iterator[Entry]:
    try:
        found = directory.look("/".join(parts))
    except OSError:  # vanished or swapped meanwhile, or in a folder that only lists its names
        return
    stamped = parse_name(parts[-1])
    if not stamped and category != UNFINISHED:  # a stray in a category is no entry that the engine made
        category, made = LEGACY, False
    reason = "set aside by an interrupted clean" if state == "unfinished" else None
    if category == LEGACY and state != "kept" and _is_pinned_below(directory, parts):
        state, reason = "kept", f"kept: {KEEP} of what is in it"
    yield Entry(
        folder=base.path,
        parts=parts,
        companions=companions,
        base=base,
        category=category,
        name=stamped.name if stamped else parts[-1],
        created=stamped.created if stamped else None,
        made=made,
        in_trash=in_trash,
        identity=Identity.of(found),
        state="unfinished" if in_trash else state,
        reason=reason,
    )


def _is_pinned_below(directory: Directory, parts: tuple[str, ...]) -> bool:
    """Tell whether a folder in a hand-made one is pinned; a clean, which may look everywhere, looks again."""
    with contextlib.suppress(OSError), directory.descend(parts) as folder:
        return any(seems_pinned(folder, (name,)) for name in folder.subdirectories())
    return False


def _list_orphans(stack: contextlib.ExitStack) -> list[Located]:
    """List the directories in the system's temporary folder that are ours, of this user, and sealed."""
    folder = system_folder()
    try:
        directory = stack.enter_context(Directory.at(folder, follow=True))
        names = sorted(name for name in directory.names() if looks_sealed(name) or is_unnamed(name))
    except OSError:  # nowhere to make one, so nothing was left
        return []
    found = (_orphan(folder, directory, name) for name in names)
    return [Located(directory, orphan) for orphan in found if orphan]


def _orphan(folder: Path, directory: Directory, sealed: str) -> Entry | None:
    try:
        found = directory.look(sealed)
    except OSError:  # vanished meanwhile
        return None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return None
    name = _unnamed(directory, sealed) if is_unnamed(sealed) else unseal(sealed, found.st_ino)
    if name is None:
        return None
    return Entry(
        folder=folder,
        parts=(sealed,),
        base=None,
        category=ORPHANED,
        name=name,
        made=True,
        in_trash=name == SEALED_TRASH,
        identity=Identity.of(found),
        state="unfinished" if name == SEALED_TRASH else "orphaned",
    )


def _unnamed(directory: Directory, name: str) -> str | None:
    """Return what an empty directory counts as that was killed off before it had its name."""
    with contextlib.suppress(OSError), directory.enter(name) as inside:
        return None if inside.names() else SEALED_TRASH
    return None


def _with_tracked(project: Project, located: list[Located]) -> list[Located]:
    if not located:
        return []
    tracked = _tracked(project, {each.entry.folder for each in located})
    return [Located(each.folder, tracked[each.entry.folder].mark(each.entry)) for each in located]


def _tracked(project: Project, folders: set[Path]) -> dict[Path, "TrackedBelow"]:
    """Ask git once for the bases in the project, and once more for each that lies elsewhere."""
    root = project.root.resolve()
    real = {folder: folder.resolve() for folder in folders}
    below = {folder: path.parts[len(root.parts) :] for folder, path in real.items() if path.is_relative_to(root)}
    answers: dict[Path, TrackedBelow] = {}
    if below:
        answer = ask_git(root, *("/".join(parts) for parts in below.values()))
        answers |= {folder: TrackedBelow(answer, parts) for folder, parts in below.items()}
    for folder in folders - below.keys():
        answers[folder] = TrackedBelow(ask_git(real[folder]), ())
    return answers


class TrackedBelow(NamedTuple):
    """What git tracks, asked about by paths that begin below the root at `prefix`."""

    tracked: Tracked
    prefix: tuple[str, ...]

    def mark(self, entry: Entry) -> Entry:
        """Return the entry, as tracked where git tracks something of it, as kept where that cannot be told."""
        above = (*self.prefix, *entry.parts[:-1])
        if any((*above, name) in self.tracked for name in entry.names):
            return entry._replace(state="tracked", reason="tracked by git")
        if self.tracked.unknown and not entry.made and not entry.in_trash:
            return entry._replace(state="kept", reason=f"kept: {self.tracked.unknown}")
        return entry


def with_usage(
    located: list[Located], *, measured: bool = True, progress: Progress = no_progress, workers: int = 1
) -> list[Located]:
    """Return the entries that still are there, with what each takes up; without `measured`, only where guarded.

    Takes the list over: of many entries, none is held twice.
    """
    wanted = [number for number, each in enumerate(located) if measured or each.entry.guarded]
    places = [located[number].place(name) for number in wanted for name in located[number].entry.names]
    probe = Probe(WORK_MARKS, belongs_to_others)
    usages = iter(measure(places, progress, workers, probe=probe, ctimes=layout.counts_ctimes()))
    gone = set()
    for number in wanted:
        folder, entry = located[number]
        usage = _sum_of([next(usages) for _ in entry.names])
        located[number] = Located(folder, entry._replace(usage=usage))
        gone |= set() if usage else {number}
    return [each for number, each in enumerate(located) if number not in gone]


def _sum_of(usages: Sequence[Usage | None]) -> Usage | None:
    """Add up what belongs together; None where the first of it is not there."""
    there = [usage for usage in usages if usage]
    if len(there) == 1 or usages[0] is None:
        return usages[0]
    return Usage(
        files=sum(usage.files for usage in there),
        disk_bytes=sum(usage.disk_bytes for usage in there),
        modified=max(usage.modified for usage in there),
        changed=max(usage.changed for usage in there),
        fault=next((usage.fault for usage in there if usage.fault), None),
    )
