"""Where trees are."""

from collections import namedtuple  # `typing` would take a tenth of what a script needs to start

from .directory import Directory, Opener
from .walk import Position

_MOST_OPEN = 4  # directories on the way to one


class Place(namedtuple("Place", "folder parts guarded", defaults=(False,))):
    """Where a tree is: an open directory, and the names that lead down from it.

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
    """The directories that contain trees. The latest and the nearest above it stay open: neighbours share them.

    `opener`: see `Directory.descend`.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._top = -1  # the descriptor of the folder that the names lead down from
        self._names: tuple[str, ...] = ()
        self._open: list[Directory] = []  # the last of the directories on the way down
        self._position: Position | None = None  # in the last of them

    def __enter__(self) -> "Parents":
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        for directory in self._open:
            directory.close()

    def open(self, place: Place) -> Directory:
        """Return the open directory that contains `place`; it is closed by a later call, or at the end."""
        names = place.parts[:-1]
        if not self._open or names != self._names or place.folder.fd != self._top:
            self._leave()
            self._go_up(names if place.folder.fd == self._top else None)
            self._go_down(place.folder, names)
        return self._open[-1]

    def _go_up(self, names: tuple[str, ...] | None) -> None:
        """Close what is open, except the directories that `names` lead through as well."""
        while self._open and (names is None or self._names != names[: len(self._names)]):
            self._open.pop().close()
            self._names = self._names[:-1]

    def _go_down(self, top: Directory, names: tuple[str, ...]) -> None:
        if not self._open:
            self._top, self._names, self._open = top.fd, (), [top.descend(())]
        for name in names[len(self._names) :]:
            self._open.append(Directory(self._opener(self._open[-1].fd, name)))
            self._names = (*self._names, name)
            if len(self._open) > _MOST_OPEN:
                self._open.pop(0).close()

    def position(self, place: Place, opener: Opener | None = None) -> Position:
        """Return a position in the directory that contains `place`, for a walk of the tree; see `open`.

        `opener`: what opens the directories of the tree, if not what opens those above it.
        """
        directory = self.open(place)
        if self._position is None:
            self._position = Position(directory, opener or self._opener)
        self._position.go_to_top()
        return self._position

    def _leave(self) -> None:
        if self._position is not None:
            self._position.go_to_top()
            self._position = None
