"""The values that travel from the rules to the report: findings with their edits, doubts, changes, the checklist."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

Safety = Literal["safe", "unsafe", "report"]


class Place(NamedTuple):
    """Where something begins in a file: the line, counted from 1, and the column, in characters from 0."""

    line: int
    column: int


class Replace(NamedTuple):
    """Write `code` in place of the expression at `at` that is written as `old`."""

    at: Place
    old: str
    code: str


class ReplaceImport(NamedTuple):
    """Write `code`, one import per line, in place of the import at `at`; its comments stay."""

    at: Place
    code: str


class Insert(NamedTuple):
    """Write the statement `code` before the one at `at`."""

    at: Place
    code: str


class Drop(NamedTuple):
    """Remove the statement at `at`; its comments move to what follows. A `finally` with nothing left goes, too.

    `with_method`: so does the method that it is in, if that no longer does anything.
    """

    at: Place
    with_method: bool = False


class DropParameter(NamedTuple):
    """Remove a parameter of the function that begins at `at`."""

    at: Place
    name: str


class Wrap(NamedTuple):
    """Put `length` statements from the one at `at` (the rest of its block if None) below the `with` head `code`."""

    at: Place
    code: str
    length: int | None = None


Edit = Replace | ReplaceImport | Insert | Drop | DropParameter | Wrap


class Doubt(NamedTuple):
    """Why a rewrite may change how the program behaves, in words that name the line.

    `final`: it is not written at all, even with --unsafe.
    """

    reason: str
    final: bool = False


class Finding(NamedTuple):
    """A legacy use: where, what, whether it can be rewritten, and why not.

    `imports` are names of the engine that the edits need, `ending` is text that the file needs at its end. `last_line`
    is the last line on which a skip comment silences it.
    """

    path: Path
    line: int
    column: int
    code: str
    message: str
    safety: Safety = "report"
    edits: tuple[Edit, ...] = ()
    imports: tuple[str, ...] = ()
    ending: str = ""
    last_line: int = 0
    fixed: bool = False

    def doubted(self, reason: str) -> "Finding":
        """Return it as no longer safe, for this reason; unchanged if it is a report or names the reason already."""
        if self.safety == "report" or self.message.endswith(reason):
            return self
        return self._replace(safety="unsafe", message=f"{self.message}; {reason}")

    def refused(self, reason: str) -> "Finding":
        """Return it as one that is not rewritten, for this reason; unchanged if it is a report already."""
        if self.safety == "report":
            return self
        nothing = Finding(self.path, self.line, self.column, self.code, f"{self.message}; {reason}")
        return nothing._replace(last_line=self.last_line)

    def concluded(self, doubts: Iterable[Doubt] = ()) -> "Finding":
        """Return it with the verdict: safe only if every proof was looked for and no doubt is left.

        This is the one place where anything becomes safe.
        """
        found = tuple(doubts)
        final = next((doubt for doubt in found if doubt.final), None)
        if not (self.edits or self.imports or self.ending or final):
            return self
        return self._replace(safety="safe").judged(final or next(iter(found), None))

    def judged(self, doubt: Doubt | None) -> "Finding":
        """Return it with a doubt about it taken into account."""
        if doubt is None:
            return self
        return self.refused(doubt.reason) if doubt.final else self.doubted(doubt.reason)


class Left(NamedTuple):
    """A use that is right as it is, or that nobody can do anything about; such uses are counted by `what`."""

    what: str


class Item(NamedTuple):
    """A line of the guide's checklist for one project."""

    project: Path
    group: str
    text: str
    done: bool


class Change(NamedTuple):
    """A file as it is and as it would be: `before` is None for a new file, `after` for one that goes.

    `findings` are those that it settles; changes of one `group` are written together or not at all.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    findings: tuple[Finding, ...] = ()
    group: str = ""
