"""What becomes of entries: the record of all of them, and the errors that say why one cannot go as planned."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ...fs.directory import SWAPPED
from ...fs.values import complaint
from ..entry import Decision

CHANGED = "changed since it was looked at"


class Record(NamedTuple):
    """What became of the plan so far."""

    removed: list[Decision]
    kept: list[Decision]
    failed: list[Decision]

    def keep(self, decision: Decision, reason: str) -> None:
        """Note that an entry stays after all."""
        self.kept.append(decision._replace(reason=reason))

    def fail(self, decision: Decision, reason: str) -> None:
        """Note that an entry could not be removed."""
        self.failed.append(decision._replace(reason=reason))

    @contextlib.contextmanager
    def noting(self, decisions: Iterable[Decision]) -> Iterator[None]:
        """Note for all of them why they stay, or why they failed, if an error ends the block; nothing if it is Gone."""
        try:
            yield
        except Gone:
            pass
        except Stays as stays:
            for decision in decisions:
                self.keep(decision, str(stays))
        except OSError as error:
            for decision in decisions:
                self.fail(decision, complaint("", error))


class Stays(Exception):
    """An entry stays, and this says why: it is in use, to be kept, or not what was planned for."""


class Gone(Exception):
    """Somebody else has removed an entry first."""


class _AsPlanned:
    """Turns errors that say that an entry is gone, or is another kind of file, into Gone and Stays."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise Gone from None
        if isinstance(error, OSError) and error.errno in SWAPPED:
            raise Stays(CHANGED) from None


AS_PLANNED = _AsPlanned()
