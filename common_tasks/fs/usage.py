"""Measuring trees: each is walked once, by descriptor, and the work is shared. See `tally` for what is counted."""

import contextlib
import os
import stat
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from . import workers as pool
from .directory import GONE, SWAPPED, Directory, MountPoint
from .places import Parents, Place
from .syscalls import open_on_same_mount
from .tally import Clock, Tally
from .values import Progress, Usage, used_up
from .walk import Position, Visitor, open_directory, walk_below
from .workers import ALONE, Workers

if TYPE_CHECKING:
    from .values import Row


class Probe(NamedTuple):
    """What a caller wants to find in trees.

    `tell` gets an open directory and which of `marks` are in it, and names what it finds there. `top`: a name that is
    looked for at the top of each tree.
    """

    marks: frozenset[str]
    tell: Callable[[Directory, set[str]], str | None]
    top: str


_Marks = tuple[frozenset[str], frozenset[str]]  # what to look for below the top of a tree, and at its top
_NO_MARKS = frozenset[str]()


class _Branch(NamedTuple):
    """A part of a tree that is still to be walked. `top`: it is the whole tree."""

    tree: int
    place: Place
    top: bool = True


class _Measuring(Visitor):
    """Adds up a branch."""

    def __init__(self, tally: Tally, branch: _Branch, options: "_Options") -> None:
        self._tally = tally
        self._branch = branch
        self._options = options
        self._marks, self._top_marks = options.guarded_marks if branch.place.guarded else options.other_marks

    def enter(self, position: Position, name: str) -> list[str] | None:
        is_top = self._branch.top and position.depth == 0
        ctime = not (is_top and self._options.moved)
        try:
            found = position.enter(name)
        except OSError as error:
            self._cannot_enter(position, name, error, is_top=is_top, ctime=ctime)
            return None
        self._tally.add_directory(found, self._options.clock, ctime=ctime)
        if is_top:
            self._tally.top = found
        marks = self._top_marks if is_top else self._marks
        below, marked = self._tally.read(position, self._options.progress, marks, self._options.clock)
        if found.st_uid != self._options.user and self._options.user:
            self._check_rights(position, found)
        if marked and self._options.probe:
            self._note_marks(self._options.probe, position, marked, is_top=is_top)
        return below

    def _note_marks(self, probe: Probe, position: Position, marked: set[str], *, is_top: bool) -> None:
        if is_top and probe.top in marked:
            self._tally.marked = True
        if self._tally.holds is None and not self._marks.isdisjoint(marked):
            held = probe.tell(position.directory, marked)
            self._tally.holds = self._path(position, held) if held else None

    def _check_rights(self, position: Position, found: os.stat_result) -> None:
        """Note as an obstacle that this user may not remove what is in another user's directory."""
        with position.directory.scan() as rows:
            inside = list(rows)
        where = self._path(position, "")
        if inside and not position.directory.allows(os.W_OK | os.X_OK):
            self._tally.add_obstacle(where, "it belongs to another user: Permission denied")
        elif found.st_mode & stat.S_ISVTX and any(
            position.directory.owner(row.name) != self._options.user for row in inside
        ):
            self._tally.add_obstacle(where, "another user's, in a sticky directory: Operation not permitted")

    def _cannot_enter(self, position: Position, name: str, error: OSError, *, is_top: bool, ctime: bool) -> None:
        if error.errno not in GONE:
            self._tally.modified = max(self._tally.modified, 0.0)
            self._tally.add_fault(position.where, error)
            if is_top:
                with contextlib.suppress(OSError):  # vanished meanwhile
                    self._tally.top = position.directory.look(name)
            if isinstance(error, MountPoint):
                self._tally.add_obstacle(self._path(position, name), error.strerror or "")
            elif self._options.user and position.directory.owner(name) not in (None, self._options.user):
                self._tally.add_obstacle(self._path(position, name), "it belongs to another user: Permission denied")
        elif is_top:
            self._count_top_that_is_no_directory(position.directory, name, error, ctime=ctime)

    def _count_top_that_is_no_directory(self, parent: Directory, name: str, error: OSError, *, ctime: bool) -> None:
        try:
            if error.errno not in SWAPPED:
                raise error
            found = parent.look(name)
            self._tally.top = found
            self._tally.add_file(found, self._options.clock, ctime=ctime)
        except FileNotFoundError:
            self._tally.missing = True

    def _path(self, position: Position, name: str) -> str:
        inside = "/".join(self._branch.place.parts[self._options.depth(self._branch) :])
        return "/".join(filter(None, [inside, position.where.partition("/")[2], name]))


class _Options(NamedTuple):
    """What stays the same during a whole call of `measure`."""

    places: Sequence[Place]
    progress: Progress
    probe: Probe | None
    moved: bool
    ctimes: bool
    clock: Clock
    user: int
    guarded_marks: _Marks
    other_marks: _Marks

    def depth(self, branch: _Branch) -> int:
        """Return how many names lead to the top of the branch's tree."""
        return len(self.places[branch.tree].parts)


def measure(
    places: Sequence[Place],
    workers: Workers = ALONE,
    *,
    probe: Probe | None = None,
    moved: bool = False,
    ctimes: bool = True,
) -> list[Usage | None]:
    """Measure trees, in order; None for one that is not there (any more).

    What vanishes meanwhile is not a fault; the first thing that cannot be read is named in the usage's `fault`, and the
    rest is counted. `probe` is asked in the guarded places. `moved`: the caller has renamed the trees, so the ctimes of
    their tops say nothing. Without `ctimes` only mtimes count as changes. `workers` share the work if there is enough
    of it to make up for forking them; the answer is the same.
    """
    top = frozenset({probe.top}) if probe else _NO_MARKS
    guarded = (probe.marks, probe.marks | top) if probe else (_NO_MARKS, _NO_MARKS)
    options = _Options(
        places, workers.progress, probe, moved, ctimes, Clock(), os.geteuid(), guarded, other_marks=(_NO_MARKS, top)
    )
    found = _Found([None] * len(places), {})
    share = workers.processes > 1 and pool.can_fork()
    left = _walk_first(found, options, pool.WORTH_FORKING if share else None)
    _walk_together(left, found, options, workers.processes)
    left.clear()
    for tree, tally in found.parts.items():
        found.rows[tree] = tally.row(ctimes=ctimes)
    return [Usage.of(row) if row else None for row in used_up(found.rows)]


class _Found(NamedTuple):
    """What was found so far: of whole trees, and of those that are walked in parts."""

    rows: "list[Row | None]"
    parts: dict[int, Tally]


def _walk_first(found: _Found, options: _Options, most: int | None) -> list[_Branch]:
    """Walk in this process, everything or until `most` files were found; return the branches that are left."""
    branches = deque(map(_Branch, range(len(options.places)), options.places))
    files = 0
    with Parents(open_on_same_mount) as parents:
        while branches and (most is None or files < most):
            branch = branches.popleft()
            divided = most is not None and len(branches) < pool.ENOUGH_BRANCHES and len(branch.place.parts) < pool.DEEP
            tally = found.parts.get(branch.tree) or Tally()
            before = tally.files
            branches.extend(_walk(branch, tally, options, parents, whole=not divided))
            files += tally.files - before
            if branch.top and not divided:
                found.rows[branch.tree] = tally.row(ctimes=options.ctimes)
            else:
                found.parts[branch.tree] = tally
    return list(branches)


def _walk_together(branches: list[_Branch], found: _Found, options: _Options, workers: int) -> None:
    pieces = min(len(branches), pool.MOST_PIECES)

    def work(piece: int) -> list["Row | Tally | None"]:
        with Parents(open_on_same_mount) as parents:
            numbers = pool.part(piece, pieces, len(branches))
            return [_walk_whole(branches[number], options, parents) for number in numbers]

    for piece, results in enumerate(pool.divide(pieces, work, workers)):
        for number, result in zip(pool.part(piece, pieces, len(branches)), results, strict=True):
            tree = branches[number].tree
            if not isinstance(result, Tally):
                found.rows[tree] = result
            elif tree in found.parts:
                found.parts[tree].add(result)
            else:
                found.parts[tree] = result


def _walk_whole(branch: _Branch, options: _Options, parents: Parents) -> "Row | Tally | None":
    """Return what a whole tree takes up, or what a part of one adds to the rest."""
    tally = Tally()
    _walk(branch, tally, options, parents, whole=True)
    return tally.row(ctimes=options.ctimes) if branch.top else tally


def _walk(branch: _Branch, tally: Tally, options: _Options, parents: Parents, *, whole: bool) -> list[_Branch]:
    """Add up a branch, all of it or one directory alone; return the branches that are left of it."""
    visitor = _Measuring(tally, branch, options)
    name = branch.place.name
    try:
        position = parents.position(branch.place, open_directory)
        below = visitor.enter(position, name) or []
        if whole and below:
            walk_below(position, below, visitor)
    except OSError as error:
        if error.errno not in GONE:
            tally.modified = max(tally.modified, 0.0)
            tally.add_fault("/".join(branch.place.parts), error)
        elif branch.top and not tally.blocks:
            tally.missing = True
        return []
    return [_Branch(branch.tree, branch.place.below(name), top=False) for name in below]
