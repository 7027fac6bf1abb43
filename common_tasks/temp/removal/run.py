"""Carries a plan out, in a row.

For many entries at once: who uses what is looked at. Then for each, under the lock of its base: it is verified to be
what was planned for, and unused, and renamed out of sight (into a batch in `.trash/` of its base or, outside the
bases, to a sealed name beside it). Then for all again: what somebody uses or has changed meanwhile is put back, and
the batch gets the name of what is decided. Last, what is out of sight is deleted.

So an entry is whole or gone whenever the process is killed. The next clean finds what is left: it finishes what was
decided, looks at the rest as at any other entry, and puts back what stays (see `aside`). All of it goes by descriptor
(see `fs.directory`).
"""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from ...fs.deletion import delete_together, delete_tree
from ...fs.directory import Directory
from ...fs.places import Parents, Place
from ...fs.syscalls import open_on_same_mount
from ...fs.values import complaint
from ...fs.workers import ALONE, WORTH_FORKING, Workers
from ..base_lock import CLEANS_PATIENCE, locked
from ..entry import Decision, Outcome, Plan
from ..leased import Leased, read_leases
from ..lent import is_unnamed
from ..uses import EntryUses, look_at_uses
from .folders import Batch, Folders
from .home import put_home
from .move import Move
from .second_look import (
    put_all_back,
    put_back_changed,
    put_back_given,
    put_back_probed,
    put_back_swapped,
    put_back_used,
)
from .verdict import AS_PLANNED, Gone, Record, Stays
from .verify import verify

_MOST_AT_ONCE = 65536  # entries that are out of sight, and undecided, at the same time
_LOOKS = 2  # at who uses what is out of sight: during the first, a file may be on its way to being opened


def carry_out(plan: Plan, workers: Workers = ALONE) -> Outcome:
    """Remove what `plan` says: first all of it out of sight, then off the disk.

    Each entry has to be what was planned for (the same inode, unchanged at its top, without a new `.keep`), and unused
    before and after it is moved, and where age decided, unchanged; else it stays, and is in `kept`. A fault on one
    entry never stops the others: it is in `failed`, with the reason. What another clean has removed first is in
    neither. `workers` share the deletion if it is big enough.
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
    """Bring entries out of sight, and leave there what is neither used nor younger than planned."""
    moves: list[Move] = []
    batches: list[Batch] = []
    with folders.parents_kept_open(), contextlib.ExitStack() as locks:
        try:
            uses = None if force else look_at_uses(_folders_of(folders, decisions))
            for _, group in groupby(decisions, key=lambda decision: decision.entry.folder):
                for move in _move_out(folders, list(group), record, batches, uses, locks):
                    moves.append(move)  # noqa: PERF402  # one by one: what has moved has to be known whenever Ctrl-C comes
            moves = put_back_swapped(moves, batches, record)
            moves = moves if force else put_back_given(moves, record)
            for _ in range(0 if force else _LOOKS):
                uses = look_at_uses([move.folder for move in moves])
                moves = put_back_used(moves, uses, record)
            moves = put_back_probed(moves, uses, record, workers) if uses else moves
            moves = put_back_changed(moves, record, workers)
        except BaseException:  # Ctrl-C, or no descriptor left to look with: nobody knows yet what may go
            put_all_back(moves)
            raise
        _decide(moves, batches)
        standing = [move for move in moves if move.stands]
        for _, together in groupby(standing, key=lambda move: move.entry.folder):
            _delete_standing(list(together), record, workers, force=force)
    return [move for move in moves if not move.stands]


def _folders_of(folders: Folders, decisions: Sequence[Decision]) -> list[Directory]:
    opened = []
    for entry in {decision.entry.folder: decision.entry for decision in decisions}.values():
        with contextlib.suppress(OSError):  # gone or refused: each of its entries says so
            opened.append(folders.open(entry))
    return opened


def _move_out(
    folders: Folders,
    decisions: Sequence[Decision],
    record: Record,
    batches: list[Batch],
    uses: EntryUses | None,
    locks: contextlib.ExitStack,
) -> Iterator[Move]:
    """Move the entries of one folder, under its lock if it is a base. `uses`: None to take what is in use, too."""
    try:
        with AS_PLANNED:
            folder = folders.open(decisions[0].entry)
        in_base = decisions[0].entry.base is not None
        with _locked(folder) if in_base else contextlib.nullcontext():
            batch = folders.new_batch(folder) if in_base else None
            batches += [batch] if batch else []
            leased = read_leases(folder) if in_base and uses else Leased()
            for number, decision in enumerate(decisions):
                try:
                    move = Move(decision, folder, _parent(folders, folder, decision))
                    verify(folders, move, leased, uses, locks)
                    if not decision.entry.in_trash:
                        move.go(batch, number)
                    yield move
                except Gone:
                    pass
                except Stays as stays:
                    record.keep(decision, str(stays))
                except OSError as error:
                    record.fail(decision, complaint("", error))
    except Gone:
        return
    except OSError as error:
        for decision in decisions:
            record.fail(decision, complaint("", error))


@contextlib.contextmanager
def _locked(base: Directory) -> Iterator[None]:
    with locked(base, CLEANS_PATIENCE) as granted:
        if not granted:
            raise OSError(errno.EBUSY, "another process holds the lock of this base")
        yield


def _parent(folders: Folders, folder: Directory, decision: Decision) -> Directory:
    with AS_PLANNED:
        return folders.parent(folder, decision.entry.parts[:-1])


def _decide(moves: list[Move], batches: list[Batch]) -> None:
    """Have the next clean finish what is out of sight, should this one be killed."""
    for batch in batches:
        with contextlib.suppress(OSError):  # what is wrong with it, the deletion says
            batch.decide()
    for move in filter(attrgetter("is_alone"), moves):
        with contextlib.suppress(OSError):
            move.decide()


def _delete_standing(moves: list[Move], record: Record, workers: Workers, *, force: bool) -> None:
    """Delete what could not be renamed where it stands, under the lock of its base: nobody is given it meanwhile."""
    folder, in_base = moves[0].folder, moves[0].entry.base is not None
    try:
        with _locked(folder) if in_base else contextlib.nullcontext():
            left = moves if force else put_back_given(moves, record)
            _delete_all(left, record, workers)
    except OSError as error:
        for move in moves:
            record.fail(move.decision, complaint("", error))


def _delete_all(moves: list[Move], record: Record, workers: Workers) -> None:
    files = sum(move.entry.usage.files + 1 for move in moves if move.entry.usage)
    trees = [move.places() for move in moves]
    if workers.processes > 1 and files >= WORTH_FORKING:
        # What is not gone then, and every fault, is met again below.
        places = [place for places in trees for place in places if not is_unnamed(place.name)]
        gone = {places[number] for number in delete_together(places, workers, open_on_same_mount)}
        trees = [[place for place in places if place not in gone] for places in trees]
    with Parents(open_on_same_mount) as parents:
        for move, left in zip(moves, trees, strict=True):
            faults = [fault for place in left if (fault := _delete(parents, place, workers))]
            if faults:
                where = "is still there" if move.stands else "waits in the trash"
                record.fail(move.decision, f"{faults[0]}; the rest {where}")
            else:
                record.removed.append(move.decision)


def _delete(parents: Parents, place: Place, workers: Workers) -> str | None:
    try:
        parent = parents.open(place)
        if is_unnamed(place.name):  # ours only if it is empty
            parent.remove(place.name)
            return None
        return delete_tree(parent, place.name, workers.progress, open_on_same_mount)
    except FileNotFoundError:  # another clean has finished it, and tidied up
        return None
    except OSError as error:
        return complaint("", error)
