"""Facts about entries and paths: the same in tables and in documents."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ..temp.entry import Entry


def disk_bytes(entry: Entry) -> int:
    """Return what an entry takes up."""
    return entry.usage.disk_bytes


def total(entries: Iterable[Entry]) -> int:
    """Return what entries take up together."""
    return sum(map(disk_bytes, entries))


def changed(entry: Entry) -> float | None:
    """Return when an entry changed last, in seconds since 1970; None if it could not be looked into."""
    return None if entry.usage.fault is not None and entry.usage.changed <= 0 else entry.usage.changed


def newest(entries: Iterable[Entry]) -> float | None:
    """Return when the newest of these changed; None if that is not known for any of them."""
    return max(filter(None, map(changed, entries)), default=None)


def oldest(entries: Iterable[Entry]) -> float | None:
    """Return when the oldest of these changed last; None if that is not known for any of them."""
    return min(filter(None, map(changed, entries)), default=None)


def path(root: Path, entry: Entry) -> str:
    """Return the path of an entry: relative to the root, or absolute outside it."""
    return _prefix(root, entry.folder, entry.parts[:-1]) + entry.parts[-1]


@lru_cache(maxsize=1024)  # very many entries may lie in one folder
def _prefix(root: Path, folder: Path, above: tuple[str, ...]) -> str:
    """Return what comes before the names in the folder `above`, which lies in `folder`."""
    whole = "/".join((str(folder).rstrip("/"), *above, ""))
    return whole.removeprefix(f"{str(root).rstrip('/')}/")


def relative(root: Path, path: Path) -> str:
    """Return a path relative to the root, or absolute outside it."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
