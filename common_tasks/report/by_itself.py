"""What cleans by themselves did and what went wrong, in words."""

from collections.abc import Iterator, Sequence

from .console import Line, Screen, prose
from .text import age, shown, size
from .text import entries as count_entries
from .view import ProjectStatus

_TOGETHER = 600  # seconds: projects are cleaned together, and noted one after the other


def by_itself_lines(rows: Sequence[ProjectStatus], now: float, screen: Screen) -> Iterator[Line]:
    """Say what the last clean by itself did in some projects, and what went wrong. `now`: seconds since 1970."""
    reports = [row.cleaned for row in rows if row.cleaned]
    last = max((report.when for report in reports), default=0.0)
    recent = [report for report in reports if report.when >= last - _TOGETHER]
    entries = sum(report.entries for report in recent)
    if recent:
        freed = sum(report.freed_bytes for report in recent)
        what = f"{count_entries(entries)}, {size(freed)}" if entries else "nothing to remove"
        yield from prose(f"Cleaned by itself {age(now - last)} ago: {what}.", screen.width)
    for problem in dict.fromkeys(problem for report in recent for problem in report.problems):
        told = shown(f"Cleaning by itself failed: {problem}", screen.encoding)
        yield from prose(told, screen.width, style="red")
    if any(row.waits_for_hand for row in rows):
        told = "The rules apply only when you run a clean. To clean automatically, set temp.auto to daily."
        yield from prose(told, screen.width)
