"""The folders that a clean works in: each opened once, as strictly as for looking, and tidied up at the end."""

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..fs.directory import Directory
from ..fs.kernel import Mounts
from . import names
from .base import noted_categories, open_base
from .entry import Decision, Entry

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TRIES = 8


def _make_trash(base: Directory) -> Directory:
    """Open the trash of a base, made if need be; another clean may be tidying it away at this moment."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            base.make(names.TRASH, 0o700)
        with contextlib.suppress(FileNotFoundError):
            return base.enter(names.TRASH)
    raise OSError(errno.ENOENT, "vanishes as fast as it is made", names.TRASH)


class Folders:
    """Open folders, closed with the stack that is given."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.mounts = Mounts()
        self._stack = stack
        self._open: dict[Path, Directory] = {}
        self._bases: list[Directory] = []
        self._trashes: dict[int, Directory | None] = {}
        self._noted: dict[int, dict[str, int]] = {}
        self._parents: dict[tuple[int, tuple[str, ...]], Directory] = {}

    def open(self, entry: Entry) -> Directory:
        """Return an entry's folder. Raises FileNotFoundError where it is gone, BaseRefused where it is not ours."""
        directory = self._open.get(entry.folder)
        if directory is None:
            opened = open_base(entry.base) if entry.base else Directory.at(entry.folder, follow=True)
            if opened is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            directory = self._open[entry.folder] = self._stack.enter_context(opened)
            self._bases += [directory] if entry.base else []
        return directory

    @contextlib.contextmanager
    def parents_kept_open(self) -> Iterator[None]:
        """Keep what `parent` opens until the block ends."""
        try:
            yield
        finally:
            for directory in self._parents.values():
                directory.close()
            self._parents.clear()

    def parent(self, folder: Directory, parts: tuple[str, ...]) -> Directory:
        """Return the open directory that `parts` lead to; neighbours share it. Raises OSError."""
        if not parts:
            return folder
        key = folder.fd, parts
        if key not in self._parents:
            self._parents[key] = folder.descend(parts)
        return self._parents[key]

    def noted(self, base: Directory) -> dict[str, int]:
        """Return the categories noted in a base; see `base.noted_categories`."""
        if base.fd not in self._noted:
            self._noted[base.fd] = noted_categories(base)
        return self._noted[base.fd]

    def trash(self, base: Directory) -> Directory | None:
        """Return the trash of a base, made if need be; None where the disk has no room for it."""
        if base.fd not in self._trashes:
            try:
                self._trashes[base.fd] = self._stack.enter_context(_make_trash(base))
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._trashes[base.fd] = None
        return self._trashes[base.fd]

    def forget_trash(self, base: Directory) -> None:
        """Have the trash of a base opened anew: another clean has tidied it away."""
        self._trashes.pop(base.fd, None)

    def tidy(self, removed: Iterable[Decision]) -> None:
        """Remove the categories that a clean has emptied, and the trash."""
        entries = [row.entry for row in removed if row.entry.in_category and not row.entry.in_trash]
        for folder, name in {(entry.folder, entry.parts[0]) for entry in entries}:
            # Not empty, or in use as a mount: an empty folder left standing does no harm.
            with contextlib.suppress(OSError):
                self._open[folder].remove(name)
        for base in self._bases:
            with contextlib.suppress(OSError):
                base.remove(names.TRASH)
