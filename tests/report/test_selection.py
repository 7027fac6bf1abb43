"""The order of what is shown, and what is summed up."""

import functools
import re

import pytest

from common_tasks.fs.values import Usage
from common_tasks.report.view import Sort
from common_tasks.temp.entry import Decision, Outcome

from ..helpers import OLD
from .conftest import (
    ENTRIES,
    NOW,
    On,
    artifact,
    entry,
    outcome_of,
    status_of,
)

MANY = tuple(entry(f"wide/w_{OLD + number}", 4096 * number, number) for number in range(1, 1501))


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("size", ["crash_report", "demo", "thumbnails", "nnn", "processing"]),
        ("age", ["nnn", "processing", "thumbnails", "demo", "crash_report"]),
        ("name", ["thumbnails", "crash_report", "demo", "processing", "nnn"]),
    ],
)
def test_sizes_decide_the_order_everywhere(on: On, sort: Sort, names: list[str]) -> None:
    for columns in (80, None):
        shown = on(columns, lambda: status_of(ENTRIES, sort=sort))
        assert sorted(names, key=shown.index) == names


def test_closing_line_says_how_old_the_youngest_was(on: On) -> None:
    gone = tuple(Decision(entry=each, reason="not in use") for each in ENTRIES[:3])
    left = Decision(entry=artifact("build", 2**21)._replace(usage=Usage(1, 1, NOW, NOW)), reason="left by a build")
    for removed, said in (
        (gone, "Removed 3 entries, 8.0 MiB, the youngest 1 min old"),
        (gone[:1], "3.0 MiB, 2 days old"),
    ):
        shown = on(80, functools.partial(outcome_of, Outcome(removed=(*removed,), kept=(), failed=())))
        assert f"{said}\n" in shown
    assert "old" not in on(80, lambda: outcome_of(Outcome(removed=(left,), kept=(), failed=())))


def test_long_list_is_summed_up_on_a_terminal(on: On) -> None:
    shown = on(80, lambda: status_of(MANY))
    assert f"○ .tmp/wide/w_{OLD + 1500}  5.9 MiB" in shown
    assert re.search(r"… 1,490 more \(--full\) +4.2 GiB", shown)
    assert len(shown.splitlines()) < 20


def test_what_is_summed_up_tells_of_what_is_not_idle(on: On) -> None:
    used = entry(f"wide/w_{OLD}", 0, 1, "in-use", "in use by pid 7 (x)")
    assert "1 in use" in on(80, lambda: status_of([*MANY, used]))


def test_long_list_is_shown_in_full_where_asked_for_and_in_a_pipe(on: On) -> None:
    for columns, full in ((80, True), (None, False)):
        shown = on(columns, functools.partial(status_of, MANY, full=full))
        assert shown.count("\n") > 1500
        assert "more" not in shown


def test_artifacts_are_summed_up_by_kind(on: On) -> None:
    folders = [artifact(f"p{number}/__pycache__", 2**20) for number in range(412)]
    files = [artifact(f"p{number}/x.pyc", 4096, directory=False) for number in range(20)]
    found = [artifact("build", 2**22), *folders, *files]
    swept = Outcome(removed=tuple(Decision(entry=each, reason="left by a build") for each in found), kept=(), failed=())
    shown = on(80, lambda: outcome_of(swept, dry_run=True))
    assert re.search(
        r"\n… __pycache__: 412 folders +412 MiB.*\n- build +4.0 MiB.*\n… \*.pyc: 20 files +80.0 KiB", shown
    )


def test_each_fault_is_told_however_many(on: On) -> None:
    failed = tuple(Decision(entry=each, reason=f"{each.name}: busy") for each in MANY)
    shown = on(
        40,
        lambda: outcome_of(Outcome(removed=(), kept=(), failed=failed)),
    )
    words = " ".join(shown.split())
    assert [each.name for each in MANY if f"{each.name}: busy" not in words] == []


def test_nothing_is_proposed_that_would_free_nothing(on: On) -> None:
    pinned = [each for each in ENTRIES if each.state in ("in-use", "kept")]
    assert "temp-clean" not in on(80, lambda: status_of(pinned, clean="inv temp-clean"))
    empty = on(80, lambda: status_of([], clean="inv temp-clean"))
    assert empty == "No temporary directories in /home/me/mono\n"
