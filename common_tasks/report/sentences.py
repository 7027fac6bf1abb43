"""What is said in sentences below a table, or in place of one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ..temp.entry import Entry, Shortfall
from ..temp.retention import Due
from . import facts
from .console import Line, Prose, Screen, line
from .page import Page
from .text import count, count_entries, size
from .view import ProjectOutcome, ProjectStatus

_TOGETHER = 600  # seconds: projects are cleaned together, and noted one after the other


def outlook(terms: Iterable[Due], clean: str | None) -> Iterator[Line]:
    """Say what a clean would free now, and what falls due later. `clean`: the command, if any."""
    due: dict[str, list[Entry]] = defaultdict(list)
    for term in terms:
        due[term.when] += [decision.entry for decision in term.rows]
    said = {when: f"{size(facts.total(gone))} in {count_entries(len(gone))}" for when, gone in due.items() if gone}
    if now := said.pop("now", None):
        yield Prose(f"{clean or 'A clean'} would free {now}.")
        if clean:  # never broken: half of a command would do something else
            yield line(f"To see which: {clean} --dry-run")
    if said:
        yield Prose(f"Due {'; '.join(f'{when}: {amount}' for when, amount in said.items())}.")


def shortfall_lines(shortfalls: Iterable[Shortfall]) -> Iterator[Line]:
    """Say by how much each budget is not met, and what stays."""
    for shortfall in shortfalls:
        lacks = "more should be free" if shortfall.bound == "keep_free" else "too much"
        told = f"{shortfall.bound} {shortfall.words} is not met: {size(shortfall.missing)} {lacks}"
        held = ", ".join(f"{size(taken)} {why}" for why, taken in shortfall.held)
        yield Prose(f"{told}. {f'What stays: {held}' if held else 'Nothing is left to remove'}.")


def by_itself_lines(rows: Sequence[ProjectStatus], page: Page) -> Iterator[Line]:
    """Say what the last clean by itself did in some projects, and what went wrong."""
    reports = [row.cleaned for row in rows if row.cleaned]
    last = max((report.when for report in reports), default=0.0)
    recent = [report for report in reports if report.when >= last - _TOGETHER]
    if recent:
        entries, freed = sum(each.entries for each in recent), sum(each.freed_bytes for each in recent)
        what = f"{count_entries(entries)}, {size(freed)}" if entries else "nothing to remove"
        yield Prose(f"Cleaned by itself {page.age(last)} ago: {what}.")
    for problem in dict.fromkeys(problem for report in recent for problem in report.problems):
        yield Prose(page.shown(f"Cleaning by itself failed: {problem}"), "red")
    if any(row.waits_for_hand for row in rows):
        yield Prose("The rules apply only when you run a clean. To clean automatically, set temp.auto to daily.")


def nothing_line(what: str, rows: Sequence[ProjectStatus | ProjectOutcome], page: Page) -> Line:
    """Say that there is nothing of some kind."""
    where = f" ({count(len(rows), 'project')})" if page.view.whole else ""
    return line(f"{what} in {page.shown(page.root)}{where}")


def error_lines(rows: Iterable[ProjectStatus | ProjectOutcome], page: Page) -> Iterator[Line]:
    """Say which projects could not be looked at, and why."""
    for row in rows:
        if row.error:
            yield Prose(page.shown(f"FAILED {facts.relative(page.root, row.root)}: {row.error}"), "red")


def show_hint(projects: Sequence[Sequence[Entry]], status: str | None) -> None:
    """Print in one line what the projects below hold, if anything. `status`: the command that shows a project."""
    if projects:
        hold = count(len(projects), "project below holds", "projects below hold")
        Screen().show([line(f"{hold} {size(sum(map(facts.total, projects)))}: {status or 'temp-status'} -a")])
