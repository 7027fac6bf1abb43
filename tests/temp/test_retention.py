from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.temp.entry import Entry, Identity, State
from common_tasks.temp.retention import Policy, make_plan
from common_tasks.tree.values import Usage

NOW = 1_700_000_000.0
REASONS = {"in-use": "in use by pid 1", "kept": "kept: .keep", "tracked": "tracked by git", "unfinished": "left"}


def entry(state: State = "idle", age: float = 0.0, fault: str | None = None, name: str = "x") -> Entry:
    return Entry(
        folder=Path("/p"),
        parts=(name,),
        base=None,
        category="debug",
        name=name,
        identity=Identity(device=1, inode=1, mtime_ns=1, directory=True),
        usage=Usage(1, 4096, NOW - age, NOW - age, fault),
        in_trash=state == "unfinished",
        state=state,
        reason=REASONS.get(state),
    )


def decide(one: Entry, policy: Policy) -> tuple[bool, str]:
    plan = make_plan([one], policy, NOW)
    [row] = plan.remove + plan.keep
    return bool(plan.remove), row.reason


@pytest.mark.parametrize(
    ("one", "policy", "goes", "why"),
    [
        (entry(), Policy(), True, "of any age"),
        (entry(age=86_401), Policy(max_age=86_400), True, "older than 24 h"),
        (entry(age=86_399), Policy(max_age=86_400), False, "younger than 24 h"),
        (entry(age=1800), Policy(max_age=1800), True, "older than 0.5 h"),
        (entry(age=0), Policy(max_age=0), True, "of any age"),
        (entry(age=-1e9), Policy(max_age=0), True, "of any age"),
        (entry(age=-1e9), Policy(max_age=60), False, "younger than 0.01666666667 h"),
        (entry(age=1e10), Policy(max_age=3600), True, "older than 1 h"),
        (entry("in-use", age=1e9), Policy(), False, "in use by pid 1"),
        (entry("in-use", age=1e9), Policy(force=True), True, "forced, in use by pid 1"),
        (entry("in-use", age=1), Policy(max_age=3600, force=True), False, "younger than 1 h"),
        (entry("kept", age=1e9), Policy(force=True), False, "kept: .keep"),
        (entry("tracked", age=1e9), Policy(force=True), False, "tracked by git"),
        (entry("unfinished"), Policy(max_age=3600), True, "left"),
        (entry("orphaned", age=7200), Policy(max_age=3600), True, "older than 1 h"),
        (entry("orphaned", age=60), Policy(max_age=3600), False, "younger than 1 h"),
        (entry(age=1e9, fault="x: denied"), Policy(max_age=3600), False, "of unknown age, x: denied"),
        (entry(age=1e9, fault="x: denied"), Policy(), True, "of any age"),
        (entry(), Policy(because="left by a build"), True, "left by a build"),
    ],
)
def test_what_goes_and_why(one: Entry, policy: Policy, goes: bool, why: str) -> None:
    assert decide(one, policy) == (goes, why)


STATES: list[State] = ["idle", "in-use", "kept", "tracked", "orphaned", "unfinished"]
ENTRIES = st.lists(st.builds(entry, st.sampled_from(STATES), st.floats(-1e6, 1e6)), max_size=12)


@given(ENTRIES, st.none() | st.floats(0, 1e6), st.booleans())
def test_every_entry_is_decided_once_in_order_with_a_reason(
    entries: list[Entry], max_age: float | None, force: bool
) -> None:
    plan = make_plan(entries, Policy(max_age=max_age, force=force), NOW)
    for rows in (plan.remove, plan.keep):
        where = [next(i for i, e in enumerate(entries) if e is row.entry) for row in rows]
        assert where == sorted(where)
    assert len(plan.remove) + len(plan.keep) == len(entries)
    assert all(row.reason for row in plan.remove + plan.keep)


@given(ENTRIES, st.floats(0, 1e6), st.floats(0, 1e6))
def test_higher_age_never_removes_more(entries: list[Entry], one: float, two: float) -> None:
    low, high = sorted((one, two))
    fewer = {id(row.entry) for row in make_plan(entries, Policy(max_age=high), NOW).remove}
    assert fewer <= {id(row.entry) for row in make_plan(entries, Policy(max_age=low), NOW).remove}


def test_age_needs_a_usage() -> None:
    with pytest.raises(ValueError, match="no usage"):
        make_plan([replace(entry(), usage=None)], Policy(max_age=60), NOW)
