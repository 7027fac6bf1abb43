"""Where trees stand."""

import os
from collections import namedtuple  # `typing` would take a tenth of what a script needs to start

from .directory import Directory, Opener


class Place(namedtuple("Place", "folder parts guarded", defaults=(False,))):
    """Where a tree stands: an open directory, and the names that lead down from it.

    `guarded`: measuring it also tells whether a git repository or a marked folder lies inside.
    """

    __slots__ = ()
    folder: Directory
    parts: tuple[str, ...]
    guarded: bool

    @property
    def name(self) -> str:
        """The last of the names."""
        return self.parts[-1]

    def beside(self, name: str) -> "Place":
        """Return the place of `name` next to this one."""
        return self._replace(parts=(*self.parts[:-1], name))

    def below(self, name: str) -> "Place":
        """Return the place of `name` inside this one."""
        return self._replace(parts=(*self.parts, name))


class Parents:
    """The directories that trees stand in, of which the latest stays open: neighbours share it.

    `opener`: see `Directory.descend`.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._place: tuple[int, tuple[str, ...]] | None = None
        self._open: Directory | None = None
        self._found: os.stat_result | None = None

    def __enter__(self) -> "Parents":
        return self

    def __exit__(self, *_: object) -> None:
        if self._open:
            self._open.close()

    def open(self, place: Place) -> Directory:
        """Return the open directory that `place` stands in; it is closed by the next call, or at the end."""
        wanted = place.folder.fd, place.parts[:-1]
        if self._open is None or self._place != wanted:
            opened = place.folder.descend(place.parts[:-1], self._opener)
            if self._open:
                self._open.close()
            self._place, self._open, self._found = wanted, opened, None
        return self._open

    def found(self) -> os.stat_result | None:
        """Return what the directory is that was opened last."""
        if self._found is None and self._open:
            self._found = self._open.status()
        return self._found
