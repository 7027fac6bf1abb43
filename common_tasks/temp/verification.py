"""What a removal sees to, once an entry is locked: that nothing below it is pinned, lent or somebody's work."""

import os

from ..fs.directory import GONE, SWAPPED, Directory, accessible, enter_restricted
from ..fs.walk import MountPoint, Position, Visitor
from . import lease, names
from .states import WORK_MARKS, belongs_to_others, describe_held, is_pinned

GONE_BEFORE = "gone before its turn"
CHANGED = "changed since it was looked at"


class Stays(Exception):
    """An entry is not what was planned for: it stays, and this says why."""


class AsPlanned:
    """Turns what says in a block that an entry is not there any more, or is another kind of file, into Stays."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise Stays(GONE_BEFORE) from None
        if isinstance(error, OSError) and error.errno in SWAPPED:
            raise Stays(CHANGED) from None


def is_pinned_folder(directory: Directory, name: str) -> bool:
    """Tell whether the directory `name` in an open one holds a `.keep`, whatever its mode."""
    try:
        return is_pinned(directory, (name,))
    except PermissionError:
        with accessible(directory, name) as opened:
            return is_pinned(opened)


class WorkBelow(Visitor):
    """Looks below a hand-made folder for somebody's work, and for entries that somebody has lent. Raises Stays.

    Processes of other containers are seen by their locks alone. With `repair` folders that may not be looked into
    are opened by their owner's right; each has its mode back when the walk leaves it, at the latest after the block.
    """

    def __init__(self, *, repair: bool) -> None:
        self._repair = repair and os.geteuid() != 0
        self._repaired: list[tuple[int, Directory, int]] = []  # depth, the folder, its mode

    def __enter__(self) -> "WorkBelow":
        return self

    def __exit__(self, *_: object) -> None:
        while self._repaired:
            self._restore()

    def enter(self, position: Position, name: str) -> list[str] | None:
        """Look into a directory; see `Visitor`. Raises Stays."""
        try:
            self._go_down(position, name)
        except OSError as error:
            if error.errno in GONE or isinstance(error, MountPoint):  # the deletion stops at a mount
                return None
            raise
        where = position.where.partition("/")[2]
        with position.directory.scan() as rows:
            # Of the files, which may be very many, only the marks are kept.
            notable = [row for row in rows if row.is_dir(follow_symlinks=False) or row.name in WORK_MARKS]
        held = belongs_to_others(position.directory, {row.name for row in notable})
        if held:
            raise Stays(f"kept: holds {describe_held(f'{where}/{held}' if where else held)}")
        if where and names.parse_name(name):
            with lease.claim(position.directory.fd) as granted:
                if granted is False:
                    raise Stays(f"in use: {where}")
        return [row.name for row in notable if row.is_dir(follow_symlinks=False)]

    def _go_down(self, position: Position, name: str) -> None:
        if not self._repair:
            position.enter(name)
            return
        folder, mode = enter_restricted(position.directory, name)
        if mode is None:
            folder.close()
        else:
            self._repaired.append((position.depth + 1, folder, mode))
        position.enter(name)

    def left(self, position: Position, name: str) -> bool:
        """Give the directory back the mode that it had."""
        while self._repaired and self._repaired[-1][0] > position.depth:
            self._restore()
        return True

    def _restore(self) -> None:
        _, folder, mode = self._repaired.pop()
        with folder:
            os.fchmod(folder.fd, mode)
