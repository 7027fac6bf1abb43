"""Create, reuse and clean up: what scripts and tests call."""

import contextlib
import os
import time
import warnings
from collections import namedtuple  # see `layout`
from collections.abc import Iterator
from pathlib import Path

from ..fs.values import printable
from ..project.errors import EngineWarning
from . import layout, names
from .creation import create_entry, find_or_create_cache, refuse_if_short
from .lent import LentDirectory, system_folder

TYPE_CHECKING = False  # type checkers take this name for true; see `common_tasks`
if TYPE_CHECKING:
    from .entry import Entry, State

# The modules that look and delete are imported inside the functions that need them: a script that only
# makes a directory does not pay for them.


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
        """Return how many seconds before `now` it changed; 0 if it changed after that."""
        return max(0.0, now - self.changed)


class TempManager:
    """Every kind of temporary directory, from one place.

    What it makes or lends is in use at once: no clean takes it while this process runs (for the
    auto-cleanup kinds, while the block lasts). All methods raise InvalidName, a ValueError, for a name,
    category or suffix that is not allowed, and BaseRefused, an OSError, if `.tmp` is not ours.
    """

    @staticmethod
    def create_persistent_dir(name_prefix: str = "temp", category: str | None = None) -> Path:
        """Make `.tmp/<category>/<name>_<unix>/` and return its absolute path.

        It is always a new, empty directory that no other thread or process gets. It stays until a clean
        removes it; none does so while this process runs.
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

        Only this user can enter it. It is removed when the block ends, or at the latest when the process ends,
        whatever is in it and whatever its permissions; a forked child that leaves the block removes nothing.
        Raises Unremovable, an OSError, if it cannot be removed; if the block itself failed, a note on the block's
        exception says so instead.

        With `keep_on_error`, if an exception ends the block, the directory is moved to `.tmp/debug/<name>_<unix>/` of
        the project that this was called in, and a note on the exception says so. `SystemExit` with exit code 0, a
        generator's close and a cancellation do not count as errors. If it cannot be moved, it stays where it is, and
        the note says why.
        """
        if not keep_on_error:
            return LentDirectory(name_prefix)
        from .evidence import KeptOnFailure

        project = layout.find_project()
        return KeptOnFailure(name_prefix, lambda: create_entry(project, name_prefix, "debug"))

    @staticmethod
    @contextlib.contextmanager
    def auto_cleanup_file(name_prefix: str = "temp", suffix: str = ".tmp") -> Iterator[Path]:
        """Lend an empty file `<name>_…<suffix>` for the block, in a directory like that of `auto_cleanup_dir`."""
        _check_suffix(name_prefix, suffix, system_folder())
        with TempManager.auto_cleanup_dir(name_prefix) as folder:
            yield _touch(folder / (names.entry_name(name_prefix, int(time.time())) + suffix))

    @staticmethod
    def list_persistent_temps() -> list[Path]:
        """Return the paths of the project's entries, as listed by `inventory` and in the same order."""
        return [entry.path for entry in TempManager.inventory()]

    @staticmethod
    def inventory() -> list[TempEntry]:
        """Return the project's entries with size, age and state, sorted by their newest change, oldest first.

        What killed processes left in the trash or in the system's temporary location is not included.
        Raises GuardFailed if git is there but cannot tell what it tracks.
        """
        entries = _scan(layout.find_project())
        return sorted(
            map(_as_public, (e for e in entries if e.state != "unfinished")), key=lambda e: (e.changed, e.path)
        )

    @staticmethod
    def clean_persistent_temps(
        max_age_hours: float | None = None, *, dry_run: bool = False, category: str | None = None
    ) -> int:
        """Remove the project's entries that have not changed for `max_age_hours`, or all of them if it is None.

        If a `category` is given, only its entries are removed; with `dry_run` none. Returns how many were (or would
        be) removed. Entries that are in use, kept or tracked by git stay, but what this process itself made may go. If
        one cannot be removed, an EngineWarning says so, and the rest go on. Raises InvalidAge, a ValueError, for an
        age below 0 or not finite, InvalidName for a name that cannot be a category, and GuardFailed.
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
        refuse_if_short(error, project)
        raise


def _as_public(entry: "Entry") -> TempEntry:
    return TempEntry(
        path=entry.path,
        category=entry.category,
        name=entry.name,
        created=entry.created,
        changed=entry.usage.changed,
        files=entry.usage.files,
        disk_bytes=entry.usage.disk_bytes,
        state=entry.state,
        reason=entry.reason,
    )


def get_debug_temp_dir(name_prefix: str = "debug") -> Path:
    """Make `.tmp/debug/<name>_<unix>/`, to be looked into later; see `TempManager.create_persistent_dir`."""
    return TempManager.create_persistent_dir(name_prefix, "debug")


def get_temp_dir(name_prefix: str = "temp") -> Path:
    """Make `.tmp/uncategorized/<name>_<unix>/`: the helper that projects used before `TempManager`."""
    return TempManager.create_persistent_dir(name_prefix)


def get_cache_temp_dir(name_prefix: str = "cache") -> Path:
    """Return the newest `.tmp/cache/<name>_<unix>/`, or make one if there is none.

    All callers that ask at the same time get the same one. Asking counts as a use: the directory's age begins
    anew, and it is in use until this process ends. Raises what `TempManager.create_persistent_dir` raises.
    """
    return find_or_create_cache(layout.find_project(), name_prefix)


def temp_working_dir(
    name_prefix: str = "work", *, keep_on_error: bool = False
) -> contextlib.AbstractContextManager[Path]:
    """Lend a directory `<name>_…` for the block: `TempManager.auto_cleanup_dir` by a shorter name."""
    return TempManager.auto_cleanup_dir(name_prefix, keep_on_error=keep_on_error)


def _check_suffix(name: str, suffix: str, folder: Path) -> None:
    names.check_part(suffix, "the suffix")
    names.check_name(name + suffix, "the name with its suffix", folder)


def _touch(path: Path) -> Path:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    return path
