"""Carries a plan out, step by step.

First it looks, for many entries at once, at who uses what. Then each entry, under the lock of its base, is verified to
be what was planned for, and unused, and is renamed out of sight (into a batch in `.trash/` of its base or, outside the
bases, to a sealed name beside it). Then all are looked at again: what somebody uses or has changed meanwhile is put
back, and the batch gets a name that says it is decided. Last, what is out of sight is deleted. Workers share the
moving and the deleting if there is much of it.

So, whenever the process is killed, an entry is whole or gone. The next clean finds what is left: it finishes what was
decided, looks at the rest as at any other entry, and puts back what stays (see `aside`). Everything is done by
descriptor (see `fs.directory`).
"""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from ...fs.deletion import delete_from
from ...fs.directory import Directory
from ...fs.joint_deletion import delete_together
from ...fs.places import Parents, Place
from ...fs.syscalls import open_on_same_mount
from ...fs.values import complaint
from ...fs.workers import ALONE, Workers
from ..base_lock import CLEANS_PATIENCE, locked
from ..entry import Decision, Outcome, Plan
from ..leased import Leased, read_leases
from ..lent import is_unnamed
from ..uses import look_at_uses
from .folders import Batch, Folders
from .home import put_home
from .move import Move
from .second_look import (
    put_all_back,
    put_back_changed,
    put_back_given,
    put_back_probed,
    put_back_used,
)
from .together import move_together
from .verdict import AS_PLANNED, Record
from .verify import Known, verify

_MOST_AT_ONCE = 65536  # entries that are out of sight, and undecided, at the same time
_LOOKS = 2  # at who uses what is out of sight: during the first, a process may be about to open a file


def carry_out(plan: Plan, workers: Workers = ALONE) -> Outcome:
    """Remove what `plan` says: first move all of it out of sight, then delete it.

    Each entry must be what was planned for (the same inode, unchanged at its top, without a new `.keep`), unused before
    and after it is moved and, if its age decided, unchanged; otherwise it stays, and is in `kept`. A fault on one
    entry never stops the others: it is in `failed`, with the reason. What another clean has removed first is in none
    of them. `workers` share the work if there is much of it.
    """
    moves: list[Move] = []
    with contextlib.ExitStack() as stack:
        folders = Folders(stack)
        record = Record([], list(put_home(folders, plan.keep)), list(put_home(folders, plan.fail)))
        for start in range(0, len(plan.remove), _MOST_AT_ONCE):
            part = plan.remove[start : start + _MOST_AT_ONCE]
            moves += _take_out(folders, part, record, workers, force=plan.force)
        _delete_all(moves, record, workers)
        folders.tidy(record.removed)
    return Outcome(removed=tuple(record.removed), kept=tuple(record.kept), failed=tuple(record.failed))


def _take_out(
    folders: Folders, decisions: Sequence[Decision], record: Record, workers: Workers, *, force: bool
) -> list[Move]:
    """Move entries out of sight, and put back those in use or changed; return those that are out of sight."""
    batches: list[Batch] = []
    with folders.parents_kept_open(), contextlib.ExitStack() as locks:
        moves = _find_all(folders, decisions, record)
        try:
            uses = None if force else look_at_uses({move.folder for move in moves})
            known = Known(folders, locks, force, uses)
            groups = [list(group) for _, group in groupby(moves, key=attrgetter("folder"))]
            # `moves` has every entry until all have been moved, so that those already moved can be put back on Ctrl-C.
            moves = [move for group in groups for move in _move_out(group, known, record, batches, workers)]
            moves = moves if force else put_back_given(moves, record)
            for _ in range(0 if force else _LOOKS):
                uses = look_at_uses([move.folder for move in moves])
                moves = put_back_used(moves, uses, record)
            moves = put_back_probed(moves, uses, record, workers) if uses else moves
            moves = put_back_changed(moves, record, workers)
        except BaseException:  # Ctrl-C, or no descriptor left to look with: it is not known yet what may go
            put_all_back(moves)
            raise
        _decide(moves, batches)
        standing = [move for move in moves if move.stands]
        for _, together in groupby(standing, key=lambda move: move.entry.folder):
            _delete_standing(list(together), record, workers, force=force)
    return [move for move in moves if not move.stands]


def _find_all(folders: Folders, decisions: Sequence[Decision], record: Record) -> list[Move]:
    """Open the folders of entries; return a move for each entry whose folder is there. None has moved yet."""
    moves: list[Move] = []
    for (_, above), group in groupby(decisions, key=lambda row: (row.entry.folder, row.entry.parts[:-1])):
        rows = list(group)
        with record.noting(rows), AS_PLANNED:
            folder = folders.open(rows[0].entry)
            parent = folders.parent(folder, above)
            moves += [Move(row, folder, parent) for row in rows]
    return moves


def _move_out(moves: list[Move], known: Known, record: Record, batches: list[Batch], workers: Workers) -> list[Move]:
    """Move the entries of one folder out of sight, under its lock if it is a base; return those that go on."""
    folder, in_base = moves[0].folder, moves[0].entry.base is not None
    with contextlib.ExitStack() as stack:
        batch = None
        try:
            if in_base:
                stack.enter_context(_locked(folder))
                batch = known.folders.new_batch(folder)
            known = known.of(folder, read_leases(folder) if in_base and not known.force else Leased())
        except OSError as error:
            for move in moves:
                record.fail(move.decision, complaint("", error))
            return []
        if batch:
            batches.append(batch)
            move_together(moves, batch, known, workers)
        return [move for number, move in enumerate(moves) if move.verified or _move(move, batch, number, known, record)]


def _move(move: Move, batch: Batch | None, number: int, known: Known, record: Record) -> bool:
    """Move one entry out of sight, unless that is done; tell whether it goes on, and note why not."""
    with record.noting([move.decision]):
        try:
            if move.has_gone():
                move.verify()
            else:
                verify(move, known)
                if not move.entry.in_trash:
                    move.go(batch, number)
            return True
        except OSError:
            with contextlib.suppress(OSError):
                move.come_back("")  # it may have moved though that could not be seen
            raise
    return False


@contextlib.contextmanager
def _locked(base: Directory) -> Iterator[None]:
    with locked(base, CLEANS_PATIENCE) as granted:
        if not granted:
            raise OSError(errno.EBUSY, "another process holds the lock of this base")
        yield


def _decide(moves: list[Move], batches: list[Batch]) -> None:
    """Have the next clean finish what is out of sight, if this one is killed."""
    for batch in batches:
        with contextlib.suppress(OSError):  # the deletion will say what is wrong with it
            batch.decide()
    for move in filter(attrgetter("is_alone"), moves):
        with contextlib.suppress(OSError):
            move.decide()


def _delete_standing(moves: list[Move], record: Record, workers: Workers, *, force: bool) -> None:
    """Delete in place what could not be renamed, under the lock of its base, so that nobody is given it meanwhile."""
    folder, in_base = moves[0].folder, moves[0].entry.base is not None
    decisions = [move.decision for move in moves]
    with record.noting(decisions), _locked(folder) if in_base else contextlib.nullcontext():
        left = moves if force else put_back_given(moves, record)
        _delete_all(left, record, workers)


def _delete_all(moves: list[Move], record: Record, workers: Workers) -> None:
    rest = set(_delete_most(moves, workers))
    with Parents(open_on_same_mount) as parents:
        for move in moves:
            faults = [_delete(parents, move, place, workers) for place in move.places()] if move in rest else []
            fault = next(filter(None, faults), None)
            if fault:
                where = "is still there" if move.stands else "waits in the trash"
                record.fail(move.decision, f"{fault}; the rest {where}")
            else:
                record.removed.append(move.decision)


def _delete_most(moves: list[Move], workers: Workers) -> list[Move]:
    """Delete with workers what they can share, if there is much of it; return what may not be completely gone."""
    files = sum(move.entry.usage.files + 1 for move in moves)
    if workers.worth(files) < 2:
        return moves
    alone = [move for move in moves if move.entry.companions or _must_be_empty(move)]
    shared = [move for move in moves if not (move.entry.companions or _must_be_empty(move))] if alone else moves
    return alone + delete_together(shared, attrgetter("place"), workers, open_on_same_mount)


def _must_be_empty(move: Move) -> bool:
    return move.entry.in_trash and is_unnamed(move.name)


def _delete(parents: Parents, move: Move, place: Place, workers: Workers) -> str | None:
    try:
        position = parents.position(place)
        if _must_be_empty(move):  # if it is not empty, it is not ours
            position.directory.remove(place.name)
            return None
        return delete_from(position, place.name, workers.progress)
    except FileNotFoundError:  # another clean has finished it, and tidied up
        return None
    except OSError as error:
        return complaint("", error)
