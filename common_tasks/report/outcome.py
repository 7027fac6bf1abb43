"""What a clean did, or would do, and why the rest stays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..temp.entry import ARTIFACT, Decision, Entry, Outcome
from . import cells, document, projects
from .console import Line, Screen, line, prose
from .page import Page
from .selection import Group, choose, grouped
from .sentences import nothing_line, shortfall_lines
from .table import Row, Table
from .text import count, count_entries, size
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
    page = Page(root, now, view, Screen())
    advice = _advice(forceable, dry_run=dry_run and any(row.outcome.removed for row in rows))
    page.screen.show(_lines(rows, page, "Would remove" if dry_run else "Removed", advice))


def _advice(forceable: int, *, dry_run: bool) -> Iterator[str]:
    if forceable:
        more = "more entry, which is in use or holds", "more entries, which are in use or hold"
        yield f"--force would remove {count(forceable, *more)} a git repository"
    if dry_run:
        yield "Nothing was removed: this was a dry run"


def _lines(rows: Sequence[ProjectOutcome], page: Page, verb: str, advice: Iterable[str]) -> Iterator[Line]:
    outcome, room = _together(rows), page.screen.width
    if not (outcome.removed or outcome.kept or outcome.failed):
        yield nothing_line("Nothing to remove", rows, page)
        yield from projects.error_lines(rows, page)
    else:
        yield line(page.shown(page.root), "bold")
        drawn = tuple(_rows(outcome, page, verb))
        yield from page.draw(Table(label="Entry", columns=_COLUMNS, note="Why", rows=drawn, whole_notes=True))
        if len(rows) > 1 and outcome.removed:
            yield from page.gap()
            yield from projects.outcome_lines(rows, page, heading=verb)
        yield from page.gap()
        yield from projects.error_lines(rows, page)
        yield from prose(_summary(outcome, page, verb), room, style="bold red" if outcome.failed else "bold")
        for sentence in advice:
            yield from prose(sentence, room)
    yield from shortfall_lines([each for row in rows for each in row.shortfalls], room)


def _together(rows: Sequence[ProjectOutcome]) -> Outcome:
    return Outcome(
        removed=tuple(decision for row in rows for decision in row.outcome.removed),
        kept=tuple(decision for row in rows for decision in row.outcome.kept),
        failed=tuple(decision for row in rows for decision in row.outcome.failed),
    )


class _Part(NamedTuple):
    """What was removed, what was kept, or what could not be removed.

    `look`: how its rows look, where that does not depend on their states. `summed`: on a terminal, a reason that
    several have is said once, and a long list is summed up.
    """

    heading: str
    decisions: Sequence[Decision]
    look: Mapping[str, str]
    summed: bool = True

    def groups(self, view: View) -> list[tuple[str, list[Decision]]]:
        """Return the rows under each reason that several have, and the rest together under none.

        Groups are in the order of the view: by size, the one that takes up most comes first.
        """
        by_reason = grouped((row.reason if self.summed else "", row) for row in self.sorted(view))
        groups = [(reason, rows) for reason, rows in by_reason.items() if len(rows) > 1 and reason]
        own = [row for reason, rows in by_reason.items() if len(rows) == 1 or not reason for row in rows]
        groups += [("", own)] if own else []
        if view.sort == "size":
            groups.sort(key=lambda group: -sum(cells.disk_bytes(row.entry) for row in group[1]))
        return groups

    def sorted(self, view: View) -> list[Decision]:
        """Return the rows in the order of the view."""
        return sorted(self.decisions, key=lambda decision: view.key(decision.entry))


def _rows(outcome: Outcome, page: Page, verb: str) -> Iterator[Row]:
    parts = (
        _Part(verb, outcome.removed, {"verb": verb.lower(), "shape": "-", "style": ""}),
        _Part("Kept", outcome.kept, {"verb": "kept"}),
        _Part("Could not remove", outcome.failed, {"verb": "FAILED", "shape": "✗", "style": "red"}, summed=False),
    )
    if page.screen.is_terminal:
        yield from _grouped_rows(parts, page)
    else:
        yield from (_row(part, row.entry, row.reason, page) for part in parts for row in part.sorted(page.view))


def _grouped_rows(parts: Sequence[_Part], page: Page) -> Iterator[Row]:
    headed = False
    for part in parts:
        for reason, decisions in part.groups(page.view):
            if len(decisions) == 1:
                yield _row(part, decisions[0].entry, decisions[0].reason, page)._replace(apart=headed)
            else:
                yield from _group(part, reason, decisions, page)
            headed = len(decisions) > 1


def _group(part: _Part, reason: str, decisions: Sequence[Decision], page: Page) -> Iterator[Row]:
    """Draw some rows of a part below a heading, which says the reason if they share one."""
    entries = [decision.entry for decision in decisions]
    label = f"{part.heading}: {reason.removeprefix('kept: ')}" if reason else part.heading
    yield Row(page.shown(label), _sums(Group("", entries)), style="bold", head=True)
    reasons = {decision.entry.key: decision.reason for decision in decisions}
    for each in choose(entries, full=page.view.full or not part.summed):
        if isinstance(each, Group):
            yield Row(each.label, _sums(each), shape="…")
        else:
            yield _row(part, each, "" if reason else reasons[each.key], page)


def _sums(group: Group) -> tuple[str, ...]:
    is_measured = any(entry.usage for entry in group.entries)
    return (size(group.disk_bytes), f"{group.files:,}", "") if is_measured else ("", "", "")


def _row(part: _Part, entry: Entry, reason: str, page: Page) -> Row:
    notes = cells.reason_notes(entry, reason, page.screen) if reason else ()
    row = page.row(entry, page.facts(entry), notes, **part.look)
    if page.screen.is_terminal and not part.summed:
        return row._replace(below=f"could not be removed: {notes[0]}", notes=())
    return row


def _summary(outcome: Outcome, page: Page, verb: str) -> str:
    """Say in one line what became of all."""
    removed, kept, failed = outcome.removed, outcome.kept, outcome.failed
    what = f"{count_entries(len(removed))}, {size(outcome.freed_bytes)}" if removed else "nothing"
    parts = [f"{verb} {what}{_youngest(removed, page)}"]
    parts += [f"kept {len(kept):,}"] if kept else []
    parts += [f"{len(failed):,} could not be removed"] if failed else []
    return "; ".join(parts)


def _youngest(removed: Sequence[Decision], page: Page) -> str:
    newest = cells.newest(row.entry for row in removed if row.entry.category != ARTIFACT and not row.entry.in_trash)
    if newest is None:
        return ""
    return f", {'the youngest ' if len(removed) > 1 else ''}{page.age(newest)} old"
