"""What a clean did, or would do, and why the rest stays."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import ARTIFACT, Decision, Entry, Outcome
from . import document, facts, projects
from .console import Line, Prose, Screen
from .page import AGE, FILES, SIZE, Mark, Page
from .selection import choose, grouped, in_order, under
from .sentences import error_lines, nothing_line, shortfall_lines
from .table import Row, Table, draw, head
from .text import count, count_entries, size
from .view import ProjectOutcome, View


def show_outcome(
    root: Path, rows: Sequence[ProjectOutcome], now: float, view: View, *, dry_run: bool, forceable: int = 0
) -> None:
    """Print what a clean did in projects, or with `dry_run` would do, on standard output. `now`: seconds since 1970.

    `root`: what paths are relative to. On a terminal long lists are summed up over all projects together; what could
    not be removed is always listed one by one. `forceable`: how many of the kept entries `--force` would remove.
    """
    if view.as_json:
        document.write(document.outcomes(root, rows, dry_run=dry_run, whole=view.whole))
        return
    page = Page(root, now, view, Screen())
    page.screen.show(_lines(rows, page, dry_run=dry_run, forceable=forceable))


def _lines(rows: Sequence[ProjectOutcome], page: Page, *, dry_run: bool, forceable: int) -> Iterator[Line]:
    together = ProjectOutcome.joined(page.root, rows)
    outcome = together.outcome
    verb = "Would remove" if dry_run else "Removed"
    if not any(outcome):
        yield nothing_line("Nothing to remove", rows, page)
        yield from error_lines(rows, page)
    else:
        yield page.title()
        yield from draw(_table(outcome, page, verb), page.screen)
        if len(rows) > 1 and outcome.removed:
            yield from page.gap()
            yield from projects.outcome_lines(rows, page, heading=verb)
        yield from page.gap()
        yield from error_lines(rows, page)
        yield Prose(_summary(outcome, page, verb), "bold red" if outcome.failed else "bold")
        if forceable:
            kept = "kept entry, in spite of the reason above", "kept entries, in spite of the reasons above"
            yield Prose(f"--force would also remove {count(forceable, *kept)}")
        if dry_run and outcome.removed:
            yield Prose("Nothing was removed: this was a dry run")
    yield from shortfall_lines(together.shortfalls)


def _table(outcome: Outcome, page: Page, verb: str) -> Table:
    parts = (
        _Part(page, verb, outcome.removed, verb.lower(), Mark("-")),
        _Part(page, "Kept", outcome.kept, "kept"),
        _Part(page, "Could not remove", outcome.failed, "FAILED", Mark("✗", "red"), summed=False),
    )
    rows = [row for part in parts for row in part.rows()]
    return Table(label="Entry", columns=(SIZE, FILES, AGE), note="Why", rows=rows, whole_notes=True)


class _Part(NamedTuple):
    """What was removed, what was kept, or what could not be removed.

    `verb`: the word for it in a pipe. `mark`: the mark of its rows, unless that depends on their states. `summed`: on
    a terminal, a reason that several entries share is shown once, and a long list is summed up.
    """

    page: Page
    heading: str
    decisions: Sequence[Decision]
    verb: str
    mark: Mark | None = None
    summed: bool = True

    def rows(self) -> Iterator[Row]:
        """Return its rows in the order of the view."""
        decisions = sorted(self.decisions, key=lambda decision: self.page.view.key(decision.entry))
        if not self.page.screen.is_terminal:
            yield from (self._row(entry, reason) for entry, reason, _ in decisions)
            return
        numbers = Counter(decision.reason for decision in decisions)
        shared = {reason for reason, number in numbers.items() if number > 1 and self.summed}
        own = {entry.key: "" if reason in shared else reason for entry, reason, _ in decisions}
        groups = grouped((reason if reason in shared else "", entry) for entry, reason, _ in decisions)
        for group in in_order(groups, self.page.view):
            heading = f"{self.heading}: {group.label.removeprefix('kept: ')}" if group.label else self.heading
            shown = choose(group.entries, full=self.page.full or not self.summed)
            rows = [
                self._row(each, own[each.key]) if isinstance(each, Entry) else Row(each.label, each.figures, mark="…")
                for each in shown
            ]
            yield from under(head(self.page.shown(heading), group.figures), group, rows)

    def _row(self, entry: Entry, reason: str) -> Row:
        notes = self.page.reasons(entry, reason) if reason else ()
        row = self.page.row(entry, self.page.figures(entry), notes, verb=self.verb, mark=self.mark)
        if self.summed or not self.page.screen.is_terminal:
            return row
        return row._replace(below=f"could not be removed: {notes[0]}", notes=())


def _summary(outcome: Outcome, page: Page, verb: str) -> str:
    """Say in one line what became of all entries."""
    removed, kept, failed = outcome.removed, outcome.kept, outcome.failed
    what = f"{count_entries(len(removed))}, {size(outcome.freed_bytes)}" if removed else "nothing"
    parts = [f"{verb} {what}{_youngest(removed, page)}"]
    parts += [f"kept {len(kept):,}"] if kept else []
    parts += [f"{len(failed):,} could not be removed"] if failed else []
    return "; ".join(parts)


def _youngest(removed: Sequence[Decision], page: Page) -> str:
    newest = facts.newest(row.entry for row in removed if row.entry.category != ARTIFACT and not row.entry.in_trash)
    if newest is None:
        return ""
    return f", {'the youngest ' if len(removed) > 1 else ''}{page.age(newest)} old"
