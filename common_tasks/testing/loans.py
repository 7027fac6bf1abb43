"""A directory that is lent to a test or to a fixture's users; what is said about directories that are still there."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..project.errors import Unremovable
from ..temp.kept import Borrower, LentInProject, LentToTest

Lent = LentToTest | LentInProject
_SECTION = "Temporary directories"


class Row(NamedTuple):
    """A directory that is still there: whose it is, what else is to be said, and which failed tests worked with it.

    It travels from an xdist worker as a plain tuple.
    """

    path: str
    owner: str
    notes: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines of the closing summary."""
        return [f"{self.path}  {self.owner}".lstrip(), *(f"  {note}" for note in self.notes)]


@dataclass(eq=False)
class Loan:
    """A directory that is lent: to a test, or, if `fixture` is set, to all that share the fixture of that name.

    `failed`: the tests that worked with it and failed.
    """

    lent: Lent
    borrower: Borrower
    fixture: str = ""
    ended: bool = False
    failed: list[str] = field(default_factory=list)

    def note_failure(self, item: pytest.Item) -> None:
        """Note that a test has failed, if it works with this directory."""
        works_with_it = self.fixture in _fixtures_of(item) if self.fixture else item.nodeid == self.borrower.id
        if works_with_it and item.nodeid not in self.failed:
            self.failed.append(item.nodeid)

    def keep(self, root: Path, elsewhere: Path | None) -> Row | None:
        """Move it to where it is kept; return what to say about that, None if the test has removed it."""
        kept = self.lent.keep(self.borrower, root, elsewhere)
        return Row(str(kept.path), self.borrower.id, kept.notes, tuple(self.failed)) if kept else None

    def end(self) -> Row | None:
        """Remove it; return what to say if that was not possible."""
        try:
            self.lent.end()
        except Unremovable as error:
            return Row("", self.borrower.id, (str(error),))
        return None


def borrower_of_fixture(request: Any) -> Borrower:
    """Return those who share a fixture that has a wider scope than a test."""
    node = request.node
    name = Path(node.name).stem if request.scope in ("class", "module") else "session"
    return Borrower(name, f"{node.nodeid or 'the session'} (fixture {request.fixturename})")


def show_in_reports(rows: Iterable[Row], reports: Callable[[str], list[Any]]) -> None:
    """In the report of each failed test, name the directories that it worked with, by their present paths."""
    paths: dict[str, list[str]] = {}
    for row in rows:
        for test in row.tests:
            paths.setdefault(test, []).append(row.path)
    for report in (*reports("failed"), *reports("error")):
        if report.nodeid in paths:
            report.sections.append((_SECTION, "\n".join(paths.pop(report.nodeid))))


def _fixtures_of(item: pytest.Item) -> Collection[str]:
    """Return the names of all fixtures that a test uses, including those that it asked for while it ran."""
    return getattr(getattr(item, "_request", item), "fixturenames", ())
