"""The values that travel from the rules to the report: findings, their edits, the checklist."""

from pathlib import Path
from typing import Literal, NamedTuple

Safety = Literal["safe", "unsafe", "report"]


class Place(NamedTuple):
    """Where something begins in a file: a line from 1, a column from 0 that counts characters."""

    line: int
    column: int


class ReplaceItem(NamedTuple):
    """Write `code` (`call as target`) in place of one item of the `with` statement at `at`."""

    at: Place
    number: int
    code: str


class Drop(NamedTuple):
    """Remove the statement at `at`; its comments go to what follows."""

    at: Place


class ReplaceStatement(NamedTuple):
    """Write the statement `code` in place of the simple statement at `at`; its comments stay."""

    at: Place
    code: str


class ReplaceExpression(NamedTuple):
    """Write `code` in place of the name, attribute or call at `at` that is written as `old`."""

    at: Place
    old: str
    code: str


class Wrap(NamedTuple):
    """Put the statement at `at`, and all that follow it in its block, below the `with` head `code`."""

    at: Place
    code: str


class DropParameter(NamedTuple):
    """Remove a parameter of the function whose `def` is at `at`."""

    at: Place
    name: str


class ReturnToYield(NamedTuple):
    """Turn the `return` at `at` into a `yield`."""

    at: Place


Edit = ReplaceItem | Drop | ReplaceStatement | ReplaceExpression | Wrap | DropParameter | ReturnToYield


class Finding(NamedTuple):
    """A legacy use: where, what, whether it can be rewritten, and why not.

    `imports` are names of `common.temp` that the edits need. `last_line` ends the part that a skip
    comment silences. `removes` names definitions that go with it, and that other files may count on.
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
    fixed: bool = False


class Item(NamedTuple):
    """A line of the guide's checklist for one project."""

    project: Path
    group: str
    text: str
    done: bool


class Change(NamedTuple):
    """A file as it is and as it would be: `before` is None for a new file, `after` for one that goes.

    `findings` are those that it settles.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    findings: tuple[Finding, ...] = ()
