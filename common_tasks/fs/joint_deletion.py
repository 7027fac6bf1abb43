"""Deleting many trees, or a few large ones, shared among workers; see `deletion`."""

import contextlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from . import workers as pool
from .deletion import delete_from
from .directory import Opener
from .places import Parents, Place
from .values import Progress
from .workers import Workers

Tree = TypeVar("Tree")


def delete_together(
    trees: Sequence[Tree], place_of: Callable[[Tree], Place], workers: Workers, opener: Opener
) -> list[Tree]:
    """Delete most of what is in some trees, shared among `workers`; return the trees that may not be completely gone.

    `place_of` tells where a tree is. The caller uses `delete_from` to find out what is left, and why. Progress
    counts the files that this process deletes itself; for `opener` see `delete_tree`.
    """
    if len(trees) >= pool.ENOUGH_BRANCHES:
        return [trees[number] for number in _share_out(trees, place_of, workers, opener)]
    branches = _divide([place_of(tree) for tree in trees], pool.ENOUGH_BRANCHES, pool.DEEP, opener)
    _share_out(branches, lambda branch: branch, workers, opener)
    return list(trees)


def _share_out(trees: Sequence[Tree], place_of: Callable[[Tree], Place], workers: Workers, opener: Opener) -> list[int]:
    """Delete trees, shared among the workers; return the numbers of those that are not completely gone."""
    pieces = min(len(trees), pool.MOST_PIECES)

    def work(piece: int) -> list[int]:
        with Parents(opener) as parents:
            numbers = pool.part(piece, pieces, len(trees))
            return [n for n in numbers if not _delete_branch(parents, place_of(trees[n]), workers.progress)]

    return [number for part in pool.divide(pieces, work, workers.processes) for number in part]


def _delete_branch(parents: Parents, branch: Place, progress: Progress) -> bool:
    """Delete a branch; tell whether nothing stood in the way."""
    try:
        return delete_from(parents.position(branch), branch.name, progress) is None
    except OSError:
        return False


def _divide(places: Sequence[Place], enough: int, deepest: int, opener: Opener) -> Sequence[Place]:
    """Divide trees into enough branches to be shared evenly; files above the branches are left out."""
    branches, level = places, 0
    while len(branches) < enough and level < deepest:
        below = [branch.below(name) for branch in branches for name in _subdirectories(branch, opener)]
        if not below:
            break
        branches, level = below, level + 1
    return branches


def _subdirectories(place: Place, opener: Opener) -> list[str]:
    with contextlib.suppress(OSError), place.folder.descend(place.parts, opener) as directory:
        return directory.subdirectories()
    return []
