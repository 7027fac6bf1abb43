"""What is said in sentences below a table, or in place of one."""

from collections.abc import Iterable, Iterator, Sequence

from ..temp.entry import Entry, Shortfall
from ..temp.retention import Due
from . import cells
from .console import Line, Screen, line, prose
from .page import Page
from .text import count, count_entries, size
from .view import ProjectOutcome, ProjectStatus

_TOGETHER = 600  # seconds: projects are cleaned together, and noted one after the other


def outlook(projects: Sequence[Sequence[Due]], clean: str | None, room: int | None) -> Iterator[Line]:
    """Say what a clean of some projects lets go now, and what falls due later. `clean`: the command, if any.

    Sentences are broken to fit `room` columns. A command never is: half of it would do something else.
    """
    amounts: dict[str, tuple[int, int]] = {}
    for due in (due for project in projects for due in project):
        entries, taken = amounts.get(due.when, (0, 0))
        amounts[due.when] = entries + len(due.rows), taken + sum(cells.disk_bytes(row.entry) for row in due.rows)
    said = {when: f"{size(taken)} in {count_entries(entries)}" for when, (entries, taken) in amounts.items() if entries}
    if now := said.pop("now", None):
        yield from prose(f"{clean or 'A clean'} would free {now}.", room)
        if clean:
            yield line(f"To see which: {clean} --dry-run")
    if said:
        yield from prose(f"Due {'; '.join(f'{when}: {amount}' for when, amount in said.items())}.", room)


def shortfall_lines(shortfalls: Iterable[Shortfall], room: int | None) -> Iterator[Line]:
    """Say by how much each budget is not met, and what stays. `room`: columns; None is room for all."""
    for shortfall in shortfalls:
        lacks = "more should be free" if shortfall.bound == "keep_free" else "too much"
        told = f"{shortfall.bound} {shortfall.words} is not met: {size(shortfall.missing)} {lacks}"
        held = ", ".join(f"{size(taken)} {why}" for why, taken in shortfall.held)
        yield from prose(f"{told}. {f'What stays: {held}' if held else 'Nothing is left to remove'}.", room)


def by_itself_lines(rows: Sequence[ProjectStatus], page: Page) -> Iterator[Line]:
    """Say what the last clean by itself did in some projects, and what went wrong."""
    reports = [row.cleaned for row in rows if row.cleaned]
    last = max((report.when for report in reports), default=0.0)
    recent = [report for report in reports if report.when >= last - _TOGETHER]
    entries = sum(report.entries for report in recent)
    if recent:
        freed = sum(report.freed_bytes for report in recent)
        what = f"{count_entries(entries)}, {size(freed)}" if entries else "nothing to remove"
        yield from prose(f"Cleaned by itself {page.age(last)} ago: {what}.", page.screen.width)
    for problem in dict.fromkeys(problem for report in recent for problem in report.problems):
        yield from prose(page.shown(f"Cleaning by itself failed: {problem}"), page.screen.width, style="red")
    if any(row.waits_for_hand for row in rows):
        told = "The rules apply only when you run a clean. To clean automatically, set temp.auto to daily."
        yield from prose(told, page.screen.width)


def nothing_line(what: str, rows: Sequence[ProjectStatus | ProjectOutcome], page: Page) -> Line:
    """Say that there is nothing of some kind."""
    where = f" ({count(len(rows), 'project')})" if page.view.whole else ""
    return line(f"{what} in {page.shown(page.root)}{where}")


def show_hint(projects: Sequence[Sequence[Entry]], status: str | None) -> None:
    """Print in one line what the projects below hold, if anything. `status`: the command that shows a project."""
    if projects:
        taken = sum(cells.disk_bytes(entry) for entries in projects for entry in entries)
        hold = count(len(projects), "project below holds", "projects below hold")
        Screen().show([line(f"{hold} {size(taken)}: {status or 'temp-status'} -a")])
