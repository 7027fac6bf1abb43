"""The values that travel from the rules to the report: findings with their edits, doubts, changes, the checklist."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

Safety = Literal["safe", "unsafe", "report"]


class Place(NamedTuple):
    """Where something begins in a file: a line from 1, a column from 0 that counts characters."""

    line: int
    column: int


class ReplaceItem(NamedTuple):
    """Write `code` (`call as target`) in place of one item of the `with` statement at `at`.

    `first`: a statement that its block begins with, if any.
    """

    at: Place
    number: int
    code: str
    first: str = ""


class Drop(NamedTuple):
    """Remove the statement at `at`; its comments go to what follows.

    `with_rest`: the `finally` or the method that it stands in goes, too, if nothing is left in it that does anything.
    """

    at: Place
    with_rest: bool = False


class ReplaceStatement(NamedTuple):
    """Write the statement `code` in place of the simple statement at `at`; its comments stay."""

    at: Place
    code: str


class ReplaceExpression(NamedTuple):
    """Write `code` in place of the name, attribute, call or string at `at` that is written as `old`."""

    at: Place
    old: str
    code: str


class Wrap(NamedTuple):
    """Put `length` statements from the one at `at` (the rest of its block if None) below the `with` head `code`.

    `first`: a statement that comes before them, if any.
    """

    at: Place
    code: str
    length: int | None = None
    first: str = ""


class DropName(NamedTuple):
    """Remove a parameter of the function, or a name of the import, that begins at `at`."""

    at: Place
    name: str


Edit = ReplaceItem | Drop | ReplaceStatement | ReplaceExpression | Wrap | DropName


class Doubt(NamedTuple):
    """Why a rewrite may change how the program behaves, in words that name the line.

    `final`: it is not written at all, whatever options are given.
    """

    reason: str
    final: bool = False


class Finding(NamedTuple):
    """A legacy use: where, what, whether it can be rewritten, and why not.

    `imports` are names of the engine that the edits need. `last_line` ends the part that a skip comment silences.
    `removes` names definitions that go with it. `group` holds together what is written together or not at all.
    """

    path: Path
    line: int
    column: int
    code: str
    safety: Safety
    message: str
    edits: tuple[Edit, ...] = ()
    imports: tuple[str, ...] = ()
    last_line: int = 0
    removes: tuple[str, ...] = ()
    group: str = ""
    fixed: bool = False

    def doubted(self, reason: str) -> "Finding":
        """Return it as no longer safe, for one more reason."""
        if self.safety == "report":
            return self
        return self._replace(safety="unsafe", message=f"{self.message}; {reason}")

    def refused(self, reason: str) -> "Finding":
        """Return it as one that is not rewritten, for this reason; as it is if it was not to be."""
        if self.safety == "report":
            return self
        return self._replace(safety="report", message=f"{self.message}; {reason}", edits=(), imports=(), removes=())


def conclude(finding: Finding, doubts: Iterable[Doubt]) -> Finding:
    """Return a finding with the verdict on it: safe only where every proof was looked for and no doubt is left.

    This is the one place where anything becomes safe.
    """
    found = tuple(doubts)
    final = next((doubt for doubt in found if doubt.final), None)
    if not finding.edits and not final:
        return finding._replace(safety="report")
    finding = finding._replace(safety="safe")
    if final:
        return finding.refused(final.reason)
    return finding.doubted(found[0].reason) if found else finding


class Left(NamedTuple):
    """A use that is right as it is, or that nobody can do anything about: it is counted, by what it is."""

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
