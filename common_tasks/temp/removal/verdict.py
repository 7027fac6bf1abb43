"""What becomes of an entry that cannot go as planned."""

from ...fs.directory import SWAPPED

CHANGED = "changed since it was looked at"


class Stays(Exception):
    """An entry is not what was planned for: it stays, and this says why."""


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
