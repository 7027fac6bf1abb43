"""What a clean did, or would do, and why the rest stays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import ARTIFACT, Decision, Entry, Outcome
from . import cells, document, projects
from .budget import shortfall_lines
from .console import Line, Screen, line, prose
from .selection import Group, choose
from .table import Row, Table, lay_out, lines
from .text import age, count, shown, size
from .text import entries as count_entries
from .view import ProjectOutcome, View

_COLUMNS = (cells.SIZE, cells.FILES, cells.AGE)


def show_outcome(
    root: Path, rows: Sequence[ProjectOutcome], now: float, view: View, *, dry_run: bool, forceable: int = 0
) -> None:
    """Print what a clean did in projects, or with `dry_run` would do, on standard output. `now`: seconds since 1970.

    `root`: what paths are relative to. On a terminal long lists are summed up over all projects together; what could
    not be removed is always told one by one. `forceable`: how many of the kept entries `--force` would remove.
    """
    if view.as_json:
        document.write(document.outcomes(root, rows, dry_run=dry_run, whole=view.whole))
        return
    screen = Screen()
    screen.show(_lines(root, rows, _Drawing(root, now, view, screen, dry_run), forceable))


def _lines(root: Path, rows: Sequence[ProjectOutcome], drawing: "_Drawing", forceable: int) -> Iterator[Line]:
    outcome = _together(rows)
    screen, view = drawing.screen, drawing.view
    if not (outcome.removed or outcome.kept or outcome.failed):
        where = f" ({count(len(rows), 'project')})" if view.whole else ""
        yield line(f"Nothing to remove in {shown(root, screen.encoding)}{where}")
        yield from projects.error_lines(root, rows, screen)
        yield from shortfall_lines([each for row in rows for each in row.shortfalls], screen.width)
        return
    yield line(shown(root, screen.encoding), "bold")
    yield from drawing.lines(outcome)
    if len(rows) > 1 and outcome.removed:
        yield from _blank(screen)
        yield from projects.outcome_lines(root, rows, view, screen, heading=drawing.verb)
    yield from _blank(screen)
    yield from projects.error_lines(root, rows, screen)
    yield from prose(drawing.summary(outcome), screen.width, style="bold red" if outcome.failed else "bold")
    for sentence in _advice(outcome, forceable, dry_run=drawing.dry_run):
        yield from prose(sentence, screen.width)
    yield from shortfall_lines([each for row in rows for each in row.shortfalls], screen.width)


def _together(rows: Sequence[ProjectOutcome]) -> Outcome:
    return Outcome(
        removed=tuple(decision for row in rows for decision in row.outcome.removed),
        kept=tuple(decision for row in rows for decision in row.outcome.kept),
        failed=tuple(decision for row in rows for decision in row.outcome.failed),
    )


def _blank(screen: Screen) -> Iterator[Line]:
    if screen.is_terminal:
        yield ()


def _advice(outcome: Outcome, forceable: int, *, dry_run: bool) -> Iterator[str]:
    if forceable:
        more = "more entry, which is in use or holds", "more entries, which are in use or hold"
        yield f"--force would remove {count(forceable, *more)} a git repository"
    if dry_run and outcome.removed:
        yield "Nothing was removed: this was a dry run"


class _Part(NamedTuple):
    """A third of an outcome. `shape`: that of its rows; None where it is their state's."""

    verb: str
    heading: str
    decisions: Sequence[Decision]
    shape: str | None = None
    style: str | None = ""
    summed: bool = True

    def groups(self, view: View) -> list[tuple[str, list[Decision]]]:
        """Return the rows by reason, under those reasons that several have; the rest together, under none.

        Groups are in the order of the view: by size, the one that takes up most comes first.
        """
        by_reason: dict[str, list[Decision]] = {}
        for decision in sorted(self.decisions, key=lambda decision: view.key(decision.entry)):
            by_reason.setdefault(decision.reason if self.summed else "", []).append(decision)
        groups = [(reason, rows) for reason, rows in by_reason.items() if len(rows) > 1 and reason]
        own = [row for reason, rows in by_reason.items() if len(rows) == 1 or not reason for row in rows]
        groups += [("", own)] if own else []
        if view.sort == "size":
            groups.sort(key=lambda group: -sum(cells.disk_bytes(row.entry) for row in group[1]))
        return groups


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What it takes to draw an outcome."""

    root: Path
    now: float
    view: View
    screen: Screen
    dry_run: bool

    @property
    def verb(self) -> str:
        """What is, or would be, done."""
        return "Would remove" if self.dry_run else "Removed"

    def lines(self, outcome: Outcome) -> Iterator[Line]:
        """Draw the entries."""
        parts = (
            _Part(self.verb.lower(), self.verb, outcome.removed, "-"),
            _Part("kept", "Kept", outcome.kept, style=None),
            _Part("FAILED", "Could not remove", outcome.failed, "✗", "red", summed=False),
        )
        rows = tuple(self._rows(parts))
        table = Table(label="Entry", columns=_COLUMNS, note="Why", rows=rows, whole_notes=True)
        yield from lines(table, lay_out(table, self.screen))

    def _rows(self, parts: Sequence[_Part]) -> Iterator[Row]:
        if not self.screen.is_terminal:
            yield from self._plain_rows(parts)
            return
        headed = False
        groups = [(part, reason, decisions) for part in parts for reason, decisions in part.groups(self.view)]
        for part, reason, decisions in groups:
            if len(decisions) == 1:
                yield self._row(part, decisions[0].entry, decisions[0].reason)._replace(apart=headed)
            else:
                yield from self._group(part, reason, decisions)
            headed = len(decisions) > 1

    def _plain_rows(self, parts: Sequence[_Part]) -> Iterator[Row]:
        for part in parts:
            for decision in sorted(part.decisions, key=lambda decision: self.view.key(decision.entry)):
                yield self._row(part, decision.entry, decision.reason)

    def _group(self, part: _Part, reason: str, decisions: Sequence[Decision]) -> Iterator[Row]:
        """Draw the rows of a part that have one reason, which is said once, or each a reason of its own."""
        entries = [decision.entry for decision in decisions]
        label = f"{part.heading}: {reason.removeprefix('kept: ')}" if reason else part.heading
        yield Row(shown(label, self.screen.encoding), self._sums(Group("", entries)), style="bold", head=True)
        reasons = {decision.entry.key: decision.reason for decision in decisions}
        for each in choose(entries, full=self.view.full or not part.summed):
            if isinstance(each, Group):
                yield Row(each.label, self._sums(each), shape="…")
            else:
                yield self._row(part, each, "" if reason else reasons[each.key])

    def _sums(self, group: Group) -> tuple[str, ...]:
        return (size(group.disk_bytes), f"{group.files:,}", "") if group.is_measured else ("", "", "")

    def _row(self, part: _Part, entry: Entry, reason: str) -> Row:
        notes = cells.reason_notes(entry, reason, self.screen) if reason else ()
        below = part.verb == "FAILED" and self.screen.is_terminal
        return Row(
            label=shown(cells.path(self.root, entry), self.screen.encoding),
            cells=cells.facts(entry, self.now),
            notes=() if below else notes,
            below=f"could not be removed: {notes[0]}" if below else "",
            shape=part.shape or cells.SHAPES[entry.state],
            verb=part.verb,
            style=cells.STYLES[entry.state] if part.style is None else part.style,
            link=cells.link(entry, self.screen),
        )

    def summary(self, outcome: Outcome) -> str:
        """Say in one line what became of all."""
        removed, kept, failed = outcome.removed, outcome.kept, outcome.failed
        what = f"{count_entries(len(removed))}, {size(outcome.freed_bytes)}" if removed else "nothing"
        parts = [f"{self.verb} {what}{self._youngest(removed)}"]
        parts += [f"kept {len(kept):,}"] if kept else []
        parts += [f"{len(failed):,} could not be removed"] if failed else []
        return "; ".join(parts)

    def _youngest(self, removed: Sequence[Decision]) -> str:
        times = [
            cells.changed(row.entry) for row in removed if row.entry.category != ARTIFACT and not row.entry.in_trash
        ]
        newest = max(filter(None, times), default=None)
        if newest is None:
            return ""
        return f", {'the youngest ' if len(removed) > 1 else ''}{age(self.now - newest)} old"
