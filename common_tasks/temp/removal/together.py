"""Moves the plain entries of a base out of sight, shared among workers.

A worker renames an entry, or leaves it where it is, and reports neither: what is in the batch afterwards has moved. So
if a worker dies, nothing is lost, and after Ctrl-C, entries are put back from there. If the process itself is killed,
each worker ends after its piece of the work. Until then it also holds the locks of the base and of the batch, so nobody
else touches what is in there.
"""

from collections.abc import Sequence

from ...fs.workers import MOST_PIECES, Workers, divide, part
from .folders import Batch
from .move import Move
from .verdict import Gone, Stays
from .verify import Known, verify


def move_together(moves: Sequence[Move], batch: Batch, known: Known, workers: Workers) -> None:
    """Move out of sight those entries of one base for which a single rename is enough.

    The caller holds the lock of the base. Afterwards the entries that are `verified` are out of sight. The caller asks
    each of the others whether it `has_gone`, and if not, moves it on its own, which shows why it has to stay.
    """
    plain = [move for move in moves if move.prepare(batch)]
    pieces = min(len(plain), MOST_PIECES)

    def work(piece: int) -> None:
        numbers = part(piece, pieces, len(plain))
        for move in plain[numbers.start : numbers.stop]:
            _send(move, known)

    divide(pieces, work, workers.worth(len(plain)))
    _verify_all(plain, batch)


def _send(move: Move, known: Known) -> None:
    try:
        verify(move, known)
        move.send()
    except (Stays, Gone, OSError):
        pass  # it is still in place; moving it on its own will meet the same fault and report it


def _verify_all(moves: Sequence[Move], batch: Batch) -> None:
    """Mark as verified, by one listing of the batch, the moves whose entries are in it and are what was planned for."""
    expected: dict[tuple[str, ...], dict[str, Move]] = {}
    for move in moves:
        expected.setdefault(move.above, {})[move.now] = move
    for above, name, inode in batch.inodes():
        found = expected.get(above, {}).get(name)
        if found:
            found.verified = inode == found.entry.identity.inode
