"""The second look, at entries that are out of sight: those that must stay after all are put back."""

import contextlib
from collections.abc import Sequence

from ...fs.probe import Suspect, find_uses
from ...fs.usage import measure
from ...fs.uses import describe_pids
from ...fs.values import complaint
from ...fs.workers import Workers
from .. import layout
from ..leased import Leased, read_leases
from ..uses import EntryUses
from .move import Move
from .verdict import CHANGED, Record


def put_back_given(moves: list[Move], record: Record) -> list[Move]:
    """Put back what somebody was given meanwhile, because no lock prevented that; return the rest."""
    bases = {move.folder for move in moves if move.entry.base}
    leased = {base: leases for base in bases if (leases := read_leases(base))}
    if not leased:
        return moves
    nothing = Leased()
    users = [leased.get(move.folder, nothing).users(move.entry.belongs) for move in moves]
    return _put_back_all_with([_describe(pids) for pids in users], moves, record)


def _describe(pids: tuple[int, ...] | None) -> str | None:
    return None if pids is None else describe_pids(pids)


def put_back_used(moves: list[Move], uses: EntryUses, record: Record) -> list[Move]:
    """Put back what is out of sight and in use; return the rest."""
    around = {(move.folder, move.above) for move in moves}
    if not any(uses.any_below(folder, parts) for folder, parts in around):
        return moves
    users = [
        uses.of(move.folder, [place.parts for place in move.places()], move.entry.identity.inode) for move in moves
    ]
    return _put_back_all_with(users, moves, record)


def put_back_probed(moves: list[Move], uses: EntryUses, record: Record, workers: Workers) -> list[Move]:
    """Put back what only a look into its files, if that is needed, shows to be in use; return the rest."""
    unseen = {folder: uses.unseen(folder) for folder in {move.folder for move in moves}}
    if not any(each.in_trees for each in unseen.values()):
        return moves
    suspects = [Suspect(move.places(), unseen[move.folder]) for move in moves]
    return _put_back_all_with(find_uses(suspects, workers), moves, record)


def put_back_changed(moves: list[Move], record: Record, workers: Workers) -> list[Move]:
    """Measure again what goes because of its age, and put back what has changed meanwhile; return the rest."""
    aged = [move for move in moves if move.decision.by_age]
    if not aged:
        return moves
    places = [place for move in aged for place in move.places()]
    usages = iter(measure(places, Workers(workers.processes), moved=True, ctimes=layout.counts_ctimes()))
    reasons = []
    for move in moves:
        planned = move.entry.usage.changed
        found = [next(usages) for _ in move.entry.names] if move.decision.by_age else []
        changed = any(usage and (usage.fault or usage.changed > planned) for usage in found)
        reasons.append(CHANGED if changed else None)
    return _put_back_all_with(reasons, moves, record)


def _put_back_all_with(reasons: Sequence[str | None], moves: list[Move], record: Record) -> list[Move]:
    """Put back each entry that has a reason to stay; return the rest."""
    rest = []
    for why, move in zip(reasons, moves, strict=True):
        if why:
            _put_back(move, why, record)
        else:
            rest.append(move)
    return rest


def _put_back(move: Move, why: str, record: Record) -> None:
    try:
        record.keep(move.decision, move.come_back(why))
    except OSError as error:
        record.fail(move.decision, f"{why}, but it could not be put back and is in the trash: {complaint('', error)}")


def put_all_back(moves: list[Move]) -> None:
    """Put back all of them, as far as that is possible."""
    for move in moves:
        with contextlib.suppress(OSError):  # a worse error is already being raised
            move.come_back("")
