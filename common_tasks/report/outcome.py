"""What a clean did, or would do, and why the rest stays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import Decision, Entry, Outcome
from . import cells, document
from .console import Line, Screen, line, prose
from .selection import Sum, choose
from .table import Row, Rows, Table, lay_out, lines
from .text import entries as count_entries
from .text import shown, size

_COLUMNS = (cells.SIZE, cells.FILES, cells.AGE)


def show_outcome(root: Path, outcome: Outcome, now: float, *, dry_run: bool, as_json: bool, full: bool = False) -> None:
    """Print what a clean did, or with `dry_run` would do, on standard output. `now`: seconds since 1970.

    On a terminal long lists are summed up, unless `full`; what could not be removed is always told one by one.
    """
    if as_json:
        document.write(document.outcome(root, outcome, dry_run=dry_run))
        return
    screen = Screen()
    screen.show(_Outcome(root, outcome, now, dry_run, full, screen).lines())


class _Part(NamedTuple):
    """A third of an outcome. `shape`: that of its rows; None where it is their state's."""

    verb: str
    heading: str
    decisions: Sequence[Decision]
    shape: str | None = None
    style: str | None = ""
    summed: bool = True


@dataclass(frozen=True, slots=True)
class _Outcome:
    """An outcome, and what it takes to draw it."""

    root: Path
    outcome: Outcome
    now: float
    dry_run: bool
    full: bool
    screen: Screen

    def lines(self) -> Iterator[Line]:
        """Draw all of it."""
        if self.outcome.removed or self.outcome.kept or self.outcome.failed:
            table = Table(label="Entry", columns=_COLUMNS, note="Why", rows=Rows(self._rows), whole_notes=True)
            yield line(shown(self.root, self.screen.encoding), "bold")
            yield from lines(table, lay_out(table, self.screen))
            yield from [()] if self.screen.is_terminal else []
            for sentence in (self._summary(), *self._advice()):
                yield from prose(sentence, self.screen.width)
        else:
            yield line(f"Nothing to remove in {shown(self.root, self.screen.encoding)}")

    def _parts(self) -> tuple[_Part, ...]:
        done = "would remove" if self.dry_run else "removed"
        return (
            _Part(done, done.capitalize(), self.outcome.removed, "-"),
            _Part("kept", "Kept", self.outcome.kept, style=None),
            _Part("FAILED", "Could not remove", self.outcome.failed, "✗", "red", summed=False),
        )

    def _rows(self) -> Iterator[Row]:
        for part in self._parts():
            decisions = sorted(part.decisions, key=lambda decision: cells.order(decision.entry))
            for category, group in groupby(decisions, key=lambda decision: decision.entry.category):
                yield from self._group(part, cells.HEADINGS.get(category, category), list(group))

    def _group(self, part: _Part, category: str, decisions: Sequence[Decision]) -> Iterator[Row]:
        """Draw one category of a part; what all its rows have for a reason is said once, above them."""
        reasons = {id(decision.entry): decision.reason for decision in decisions}
        entries = [decision.entry for decision in decisions]
        common = decisions[0].reason if self._have_one_reason(part, decisions) else ""
        if self.screen.is_terminal:
            yield self._head(part, category, common, entries)
        for each in choose(entries, full=self.full or not self.screen.is_terminal or not part.summed):
            if isinstance(each, Sum):
                yield self._sum(each)
            else:
                yield self._row(part, each, "" if common else reasons[id(each)])

    def _have_one_reason(self, part: _Part, decisions: Sequence[Decision]) -> bool:
        one = len({decision.reason for decision in decisions}) == 1
        return (
            one
            and part.summed
            and self.screen.is_terminal
            and (part.decisions is self.outcome.removed or len(decisions) > 1)
        )

    def _head(self, part: _Part, category: str, common: str, entries: Sequence[Entry]) -> Row:
        why = f" ({common})" if common else ""
        label = shown(f"{part.heading}: {category}{why}", self.screen.encoding)
        return Row(label, self._sums(entries), style="bold", head=True)

    def _sum(self, rest: Sum) -> Row:
        return Row(rest.label, self._sums(rest.entries), shape="…")

    def _sums(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        if not any(entry.usage for entry in entries):
            return "", "", ""
        return size(sum(map(cells.disk_bytes, entries))), f"{sum(map(cells.files, entries)):,}", ""

    def _row(self, part: _Part, entry: Entry, reason: str) -> Row:
        notes = cells.reason_notes(entry, reason, self.screen) if reason else ()
        below = part.verb == "FAILED" and self.screen.is_terminal
        return Row(
            label=shown(cells.path(self.root, entry), self.screen.encoding),
            cells=cells.facts(entry, self.now),
            notes=() if below else notes,
            below=notes[0] if below else "",
            shape=part.shape or cells.SHAPES[entry.state],
            verb=part.verb,
            style=cells.STYLES[entry.state] if part.style is None else part.style,
            link=cells.link(entry, self.screen),
        )

    def _summary(self) -> str:
        removed, kept, failed = self.outcome.removed, self.outcome.kept, self.outcome.failed
        verb = "Would remove" if self.dry_run else "Removed"
        freed = f", {size(self.outcome.freed_bytes)}" if removed else ""
        parts = [f"{verb} {count_entries(len(removed)) if removed else 'nothing'}{freed}"]
        parts += [f"kept {len(kept):,}"] if kept else []
        parts += [f"{len(failed):,} could not be removed"] if failed else []
        return "; ".join(parts)

    def _advice(self) -> Iterator[str]:
        kept = [decision.entry for decision in self.outcome.kept]
        if any(entry.state == "in-use" or entry.forceable for entry in kept):
            yield "Add --force to remove what is in use or holds a repository, too"
        if self.dry_run and self.outcome.removed:
            yield "Nothing was removed: this was a dry run"
