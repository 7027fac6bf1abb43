"""Create, reuse and clean up: what scripts and tests call."""

import contextlib
import errno
import os
import stat
import time
import warnings
from collections import namedtuple  # see `layout`
from collections.abc import Iterator
from pathlib import Path

from ..errors import BaseRefused, EngineWarning
from ..fs.directory import GONE, Directory
from ..fs.values import Key, printable
from . import auto, layout, lease, maker, names
from .base import locked, make_base, make_folder, mark_category, unsafe_to_make_in
from .lent import LentDirectory, system_folder

TYPE_CHECKING = False  # type checkers take this name for true; see `common_tasks`
if TYPE_CHECKING:
    from .entry import Entry, State

# The modules that look and delete are imported where they are needed: a script that only makes a
# directory does not pay for them.

_TRIES = 1000
_MOST_NUMBERS = 1000

_last_number: dict[str, int] = {}


class TempEntry(namedtuple("TempEntry", "path category name created changed files disk_bytes state reason")):
    """A persistent temporary directory (or file), as `TempManager.inventory` found it.

    `created` (from its name) and `changed` (the newest change anywhere inside; what its age counts from) are seconds
    since 1970. `disk_bytes`: what the disk would give back. `reason`: why `state` is what it is.
    """

    __slots__ = ()
    path: Path
    category: str
    name: str
    created: int | None
    changed: float
    files: int
    disk_bytes: int
    state: "State"
    reason: str | None

    def age(self, now: float) -> float:
        """Return how many seconds ago it changed, as seen at `now`; 0 where that lies in the future."""
        return max(0.0, now - self.changed)


class TempManager:
    """Every kind of temporary directory, from one place.

    What is handed out is live and in use: no clean takes it while this process runs (for the
    auto-cleanup kinds, while the block lasts). All methods raise InvalidName, a ValueError, for a name,
    category or suffix that no directory may have, and BaseRefused, an OSError, where `.tmp` is not ours.
    """

    @staticmethod
    def create_persistent_dir(name_prefix: str = "temp", category: str | None = None) -> Path:
        """Make `.tmp/<category>/<name>_<unix>/` and return its absolute path.

        Always a new, empty directory that no other thread or process got. It stays until a clean
        removes it, which none does while this process runs.
        """
        label = names.UNCATEGORIZED if category is None else category
        return create_entry(layout.find_project(), name_prefix, label)

    @staticmethod
    def create_persistent_file(name_prefix: str = "temp", suffix: str = ".tmp", category: str | None = None) -> Path:
        """Make an empty file `<name>_<unix><suffix>` in a persistent directory of its own; return its path."""
        _check_suffix(name_prefix, suffix, layout.find_project().root)
        folder = TempManager.create_persistent_dir(name_prefix, category)
        return _touch(folder / (folder.name + suffix))

    @staticmethod
    def auto_cleanup_dir(
        name_prefix: str = "temp", *, keep_on_error: bool = False
    ) -> contextlib.AbstractContextManager[Path]:
        """Lend a directory `<name>_…` in the system's temporary location for the block.

        Only this user can enter it. It is removed when the block ends, at the latest when the process does,
        whatever is in it and whatever its permissions; a forked child that leaves the block removes nothing.
        Raises Unremovable, an OSError, where something stood in the way, unless the block itself failed: then
        that is a note on the block's exception.

        With `keep_on_error`, what the block leaves when an exception ends it is moved to `.tmp/debug/<name>_<unix>/` of
        the project that this was called in, and a note on the exception says so. `SystemExit` with exit code 0, a
        generator's close and a cancellation are no errors. Where that cannot be made, it stays where it is, and the
        note says why.
        """
        if not keep_on_error:
            return LentDirectory(name_prefix)
        from .evidence import KeptOnFailure

        project = layout.find_project()
        return KeptOnFailure(name_prefix, lambda: create_entry(project, name_prefix, "debug"))

    @staticmethod
    @contextlib.contextmanager
    def auto_cleanup_file(name_prefix: str = "temp", suffix: str = ".tmp") -> Iterator[Path]:
        """Lend an empty file `<name>_…<suffix>` for the block, in a directory as `auto_cleanup_dir` lends it."""
        _check_suffix(name_prefix, suffix, system_folder())
        with TempManager.auto_cleanup_dir(name_prefix) as folder:
            yield _touch(folder / (names.entry_name(name_prefix, int(time.time())) + suffix))

    @staticmethod
    def list_persistent_temps() -> list[Path]:
        """Return the paths of the project's entries: those of `inventory`, in that order."""
        return [entry.path for entry in TempManager.inventory()]

    @staticmethod
    def inventory() -> list[TempEntry]:
        """Return the project's entries with size, age and state, those whose newest change is the oldest first.

        What only a killed process left behind (in the trash, in the system's temporary location) is
        none of them. Raises GuardFailed where git is there but cannot tell what it tracks.
        """
        entries = _scan(layout.find_project())
        return sorted(
            map(_as_public, (e for e in entries if e.state != "unfinished")), key=lambda e: (e.changed, e.path)
        )

    @staticmethod
    def clean_persistent_temps(
        max_age_hours: float | None = None, *, dry_run: bool = False, category: str | None = None
    ) -> int:
        """Remove the project's entries without a change for `max_age_hours`, all where it is None.

        Only those of `category`, where one is given; with `dry_run` none. Returns how many were (or would be)
        removed. In use, `.keep` and tracked by git stay, but what this process itself made may go. An entry that
        cannot be removed is told by an EngineWarning and stops nothing. Raises InvalidAge, a ValueError, for an
        age below 0 or not finite, InvalidName for what can be no category, and GuardFailed.
        """
        from . import removal, retention, uses

        if category is not None:
            names.check_part(category, "the category")
        policy = retention.Policy(max_age=None if max_age_hours is None else layout.seconds(max_age_hours))
        found = _scan(layout.find_project())
        entries = [entry for entry in found if category in (None, entry.category)]
        plan = uses.settled(retention.make_plan(entries, policy, time.time()))
        removed, failed = plan.remove, plan.fail
        if not dry_run:
            outcome = removal.carry_out(plan)
            removed, failed = outcome.removed, outcome.failed
        for row in failed:
            warnings.warn(f"{printable(str(row.entry.path))!r} was not removed: {row.reason}", EngineWarning, 2)
        return sum(row.entry.state != "unfinished" for row in removed)


def _scan(project: layout.Project) -> "tuple[Entry, ...]":
    from . import inventory

    try:
        return inventory.scan([project], orphans=False)
    except OSError as error:
        _refuse_if_short(error, project)
        raise


def _as_public(entry: "Entry") -> TempEntry:
    usage = entry.usage
    return TempEntry(
        path=entry.path,
        category=entry.category,
        name=entry.name,
        created=entry.created,
        changed=usage.changed if usage else 0.0,
        files=usage.files if usage else 0,
        disk_bytes=usage.disk_bytes if usage else 0,
        state=entry.state,
        reason=entry.reason,
    )


def get_debug_temp_dir(name_prefix: str = "debug") -> Path:
    """Make `.tmp/debug/<name>_<unix>/` to look into afterwards; see `TempManager.create_persistent_dir`."""
    return TempManager.create_persistent_dir(name_prefix, "debug")


def get_temp_dir(name_prefix: str = "temp") -> Path:
    """Make `.tmp/uncategorized/<name>_<unix>/`: the helper that projects used before `TempManager`."""
    return TempManager.create_persistent_dir(name_prefix)


def get_cache_temp_dir(name_prefix: str = "cache") -> Path:
    """Return the newest `.tmp/cache/<name>_<unix>/`, made now if there is none.

    All who ask at the same time get the same one. Asking counts as a use: the directory is young
    again, and in use until this process ends. Raises as `TempManager.create_persistent_dir`.
    """
    project = layout.find_project()
    names.check_name(name_prefix, "the name", project.root)
    base = project.bases[0]
    try:
        with make_base(base) as directory, locked(directory) as granted:
            # Without the lock, what is found may be on its way to being deleted.
            found = _find_cache(base, directory, name_prefix) if granted else None
            return found or create_entry(project, name_prefix, "cache")
    except OSError as error:
        _refuse_if_short(error, project)
        raise


def temp_working_dir(
    name_prefix: str = "work", *, keep_on_error: bool = False
) -> contextlib.AbstractContextManager[Path]:
    """Lend a directory `<name>_…` for the block: `TempManager.auto_cleanup_dir` by a shorter name."""
    return TempManager.auto_cleanup_dir(name_prefix, keep_on_error=keep_on_error)


def create_entry(project: layout.Project, name: str, category: str) -> Path:
    """Make `<base>/<category>/<name>_<unix>/` in `project`; see `TempManager.create_persistent_dir`."""
    names.check_name(name, "the name", project.root)
    names.check_category(category, project.root)
    base = project.bases[0]
    try:
        made = _create(base, category, name)
    except OSError as error:
        _refuse_if_short(error, project)
        if not isinstance(error, BaseRefused):  # the disk is full, say: then a clean helps most
            auto.look(base.path, project.root)
        raise
    auto.look(base.path, project.root)
    maker.sign(made, os.fspath(project.root))
    return Path(made)


def _refuse_if_short(error: OSError, project: layout.Project) -> None:
    """Raise BaseRefused where this process may open no more files: which one that was says little."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        raise BaseRefused(project.bases[0].path, f"cannot be used: {error.strerror}") from error


def _create(base: layout.Base, category: str, name: str) -> str:
    """Make an entry and return its path."""
    folder = f"{base.path}/{category}"
    for _ in range(_TRIES):
        if not _stands(folder, _categories.get(folder)) and not _open_category(base, category, folder):
            time.sleep(0.001)  # a cleaner is at it
            continue
        made = _make_numbered(base, category, folder, name)
        if made:
            return f"{folder}/{made}"
    raise FileExistsError(f"{printable(folder)!r} is removed as fast as it is made")


_categories: dict[str, Key] = {}  # those that this process has made something in


def _stands(folder: str, key: Key | None) -> bool:
    """Tell whether a folder still is the one that was seen to be safe."""
    if key is None:
        return False
    try:
        found = os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (found.st_dev, found.st_ino) == key


def _open_category(base: layout.Base, category: str, folder: str) -> bool:
    """See that a category is there, made if need be, and safe; False where a cleaner removed it meanwhile."""
    lease.own.look_again(base)
    with make_base(base) as directory:
        made = make_folder(directory, category)
        try:
            opened = directory.enter(category)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in GONE:
                raise
            raise BaseRefused(folder, "is not a directory: give another category") from error
        with opened:
            if made:
                mark_category(opened)
            problem = unsafe_to_make_in(opened, directory.status().st_uid)
            if problem:
                raise BaseRefused(folder, f"{problem}; nothing was made there")
            _categories[folder] = opened.key()
    return True


def _make_numbered(base: layout.Base, category: str, folder: str, name: str) -> str | None:
    """Make the first free `<name>_<unix>`, `…-2`, …, noted in the lease before; None where the category is gone."""
    unix = int(time.time())
    label = f"{folder}/{name}/{unix}"
    if len(_last_number) > _MOST_NUMBERS:
        _last_number.clear()  # most are of earlier seconds; the others begin anew at little cost
    number = _last_number.get(label, 0)
    while True:
        number += 1
        made = names.entry_name(name, unix, number)
        try:
            lease.own.make(base, f"{category}/{made}")
        except FileNotFoundError:
            return None
        except FileExistsError:
            continue
        _last_number[label] = number
        return made


def _find_cache(base: layout.Base, directory: Directory, name: str) -> Path | None:
    """Note the use of the newest cache of that name that this user can use. The caller holds the base's lock."""
    try:
        parent = directory.enter("cache")
    except OSError as error:
        if error.errno in GONE:  # what is no directory is told when one is made
            return None
        raise
    with parent:
        stamps = [stamped for child in parent.names() if (stamped := names.parse_name(child))]
        for _, created, number in sorted((s for s in stamps if s.name == name), reverse=True):
            found = names.entry_name(name, created, number)
            with contextlib.suppress(FileNotFoundError):  # some other program removed it
                if _is_usable(parent, found):
                    lease.own.note(base, f"cache/{found}")
                    _make_young(parent, found)
                    return base.path / "cache" / found
    return None


def _make_young(parent: Directory, name: str) -> None:
    with contextlib.suppress(PermissionError):  # a cache that another user made is used as it is
        os.utime(name, dir_fd=parent.fd)


def _is_usable(parent: Directory, name: str) -> bool:
    """Tell whether a name is that of a directory that this user may look into and write to."""
    if not stat.S_ISDIR(parent.look(name).st_mode):
        return False
    return parent.allows(os.R_OK | os.W_OK | os.X_OK, name)


def _check_suffix(name: str, suffix: str, folder: Path) -> None:
    names.check_part(suffix, "the suffix")
    names.check_name(name + suffix, "the name with its suffix", folder)


def _touch(path: Path) -> Path:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    return path
