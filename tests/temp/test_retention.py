import itertools
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.fs.values import Usage
from common_tasks.temp.entry import UNMEASURED, Entry, Identity, State
from common_tasks.temp.retention import Limit, Policy, Rule, forecast, make_plan

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
        (entry(), Policy(), True, "not in use"),
        (entry(age=86_401), Policy(max_age=86_400), True, "older than 24 h"),
        (entry(age=86_399), Policy(max_age=86_400), False, "younger than 24 h"),
        (entry(age=1800), Policy(max_age=1800), True, "older than 0.5 h"),
        (entry(age=0), Policy(max_age=0), True, "not in use"),
        (entry(age=-1e9), Policy(max_age=0), True, "not in use"),
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
        (entry(age=1e9, fault="x: denied"), Policy(), True, "not in use"),
        (entry(), Policy(because="left by a build"), True, "left by a build"),
    ],
)
def test_what_goes_and_why(one: Entry, policy: Policy, why: str, *, goes: bool) -> None:
    assert decide(one, policy) == (goes, why)


STATES: list[State] = ["idle", "in-use", "kept", "tracked", "orphaned", "unfinished"]
ENTRIES = st.lists(st.builds(entry, st.sampled_from(STATES), st.floats(-1e6, 1e6)), max_size=12)


@given(entries=ENTRIES, max_age=st.none() | st.floats(0, 1e6), force=st.booleans())
def test_every_entry_is_decided_once_in_order_with_a_reason(
    entries: list[Entry], max_age: float | None, *, force: bool
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
    fewer = {row.entry.key for row in make_plan(entries, Policy(max_age=high), NOW).remove}
    assert fewer <= {row.entry.key for row in make_plan(entries, Policy(max_age=low), NOW).remove}


def test_what_was_not_measured_has_no_age_to_go_by() -> None:
    unmeasured = entry()._replace(usage=UNMEASURED)
    assert decide(unmeasured, Policy(max_age=60)) == (False, "of unknown age, it was not measured")


def ruled(category: str, name: str, hours: float, size: int = 1000, state: State = "idle", number: int = 0) -> Entry:
    stamp = 1_600_000_000 + number
    return entry(state, age=hours * 3600)._replace(
        parts=(category, f"{name}_{stamp}"),
        category=category,
        name=name,
        created=stamp,
        usage=Usage(1, size, NOW - hours * 3600, NOW - hours * 3600),
    )


DAYS_7, GB_2 = Limit(7 * 86_400, "7 days"), Limit(2e9, "2 GB")
RULED = [
    (
        {"debug": Rule(max_age=DAYS_7, keep_last=1)},
        [ruled("debug", "demo", 300, number=1), ruled("debug", "demo", 400, number=2), ruled("debug", "x", 500)],
        ["the newest of demo stays", "older than 7 days", "the newest of x stays"],
    ),
    (
        {"debug": Rule(keep_last=3)},
        [ruled("debug", "demo", hours, number=hours) for hours in (1, 2, 3, 4)],
        ["the newest 3 of demo stay"] * 3 + ["not among the newest 3"],
    ),
    (
        {"cache": Rule(max_size=GB_2)},
        [ruled("cache", "a", hours, 900_000_000, number=hours) for hours in (3, 1, 2)],
        ["over 2 GB", "within 2 GB", "within 2 GB"],
    ),
    (
        {"cache": Rule(max_size=GB_2, max_age=DAYS_7)},
        [ruled("cache", "a", 1, 1_900_000_000), ruled("cache", "b", 200, 900_000_000), ruled("cache", "c", 2, 10**8)],
        ["younger than 7 days", "older than 7 days", "younger than 7 days"],
    ),
    (
        {"cache": Rule(max_size=GB_2)},
        [ruled("cache", "a", 9, 1_900_000_000, "in-use"), ruled("cache", "b", 1, 900_000_000)],
        ["in use by pid 1", "over 2 GB"],
    ),
    (
        {"debug": Rule(max_age=DAYS_7)},
        [ruled("data", "x", 9000), ruled("debug", "x", 9000), entry("unfinished")],
        ["no rule for data", "older than 7 days", "left"],
    ),
    (
        {"default": Rule(max_age=DAYS_7), "data": Rule(max_age=Limit(0, "0 days"))},
        [ruled("data", "x", 1), ruled("debug", "x", 1)],
        ["not in use", "younger than 7 days"],
    ),
]


@pytest.mark.parametrize(("rules", "entries", "reasons"), RULED)
def test_rules_and_their_reasons(rules: dict[str, Rule], entries: list[Entry], reasons: list[str]) -> None:
    plan = make_plan(entries, Policy(rules=rules), NOW)
    said = {row.entry.key: row.reason for row in (*plan.remove, *plan.keep)}
    assert [said[each.key] for each in entries] == reasons


def test_what_age_or_its_order_decided_is_marked() -> None:
    rules = {
        "age": Rule(max_age=DAYS_7),
        "size": Rule(max_size=Limit(0, "0 B")),
        "last": Rule(keep_last=1),
        "all": Rule(max_age=Limit(0, "0 m")),
    }
    entries = [ruled(category, "x", 900 + number, number=number) for category in rules for number in (0, 1)]
    plan = make_plan(entries, Policy(rules=rules), NOW)
    assert {row.entry.category: row.by_age for row in plan.remove} == {
        "age": True,
        "size": True,
        "last": True,
        "all": False,
    }


def test_narrowed_to_a_category_nothing_else_is_in_the_plan_but_the_trash() -> None:
    entries = [ruled("debug", "x", 1), ruled("cache", "x", 1), entry("unfinished")._replace(category=".trash")]
    plan = make_plan(entries, Policy(categories=frozenset({"cache"})), NOW)
    assert [row.entry.category for row in plan.remove] == ["cache", ".trash"]
    assert plan.keep == ()


CATEGORIES = ["debug", "cache", "data"]
RULED_ENTRIES = st.lists(
    st.builds(
        ruled,
        st.sampled_from(CATEGORIES),
        st.sampled_from("abc"),
        st.floats(-10, 1000),
        st.integers(0, 10_000),
        st.sampled_from(STATES),
        st.integers(0, 10_000),
    ),
    max_size=14,
    unique_by=lambda each: each.parts,
)
AGES = st.none() | st.floats(0, 1e6).map(lambda seconds: Limit(seconds, "so old"))
SIZES = st.none() | st.integers(0, 50_000).map(lambda size: Limit(size, "so big"))
RULES = st.dictionaries(
    st.sampled_from([*CATEGORIES, "default"]),
    st.builds(Rule, max_age=AGES, max_size=SIZES, keep_last=st.integers(0, 3)),
)


def removed(entries: list[Entry], rules: dict[str, Rule], now: float = NOW) -> set[tuple[str, ...]]:
    return {row.entry.parts for row in make_plan(entries, Policy(rules=rules), now).remove}


@given(RULED_ENTRIES, RULES, st.randoms())
def test_same_entries_in_another_order_give_the_same_plan(
    entries: list[Entry], rules: dict[str, Rule], any_order: Random
) -> None:
    shuffled = list(entries)
    any_order.shuffle(shuffled)
    one, other = (make_plan(each, Policy(rules=rules), NOW) for each in (entries, shuffled))
    for rows, same in ((one.remove, other.remove), (one.keep, other.keep)):
        assert {(row.entry.parts, row.reason, row.by_age) for row in rows} == {
            (row.entry.parts, row.reason, row.by_age) for row in same
        }


@given(RULED_ENTRIES, RULES)
def test_nothing_kept_tracked_or_in_use_ever_goes_and_the_trash_always(
    entries: list[Entry], rules: dict[str, Rule]
) -> None:
    for row in make_plan(entries, Policy(rules=rules), NOW).remove:
        assert row.entry.state not in ("kept", "tracked", "in-use")
    gone = removed(entries, rules)
    assert all(each.parts in gone for each in entries if each.in_trash)


@given(RULED_ENTRIES, RULES)
def test_newest_of_each_name_stay_whatever_their_age_and_size(entries: list[Entry], rules: dict[str, Rule]) -> None:
    gone = removed(entries, rules)
    for category, one in itertools.product(CATEGORIES, "abc"):
        rule = rules.get(category, rules.get("default"))
        same = [each for each in entries if (each.category, each.name) == (category, one) and not each.in_trash]
        same.sort(key=lambda each: (each.usage.changed if each.usage else 0, each.created), reverse=True)
        if rule:
            assert not {each.parts for each in same[: rule.keep_last]} & gone


@given(RULED_ENTRIES, AGES, st.floats(0, 1e6), SIZES, st.integers(0, 50_000), st.integers(0, 3))
def test_higher_bound_never_removes_more(
    entries: list[Entry], age: Limit | None, older: float, size: Limit | None, bigger: int, last: int
) -> None:
    low = Rule(max_age=age or Limit(0, ""), max_size=size, keep_last=last)
    high_age = low._replace(max_age=Limit((age.value if age else 0) + older, ""))
    assert removed(entries, {"default": high_age}) <= removed(entries, {"default": low})
    if size:
        high_size = low._replace(max_size=Limit(size.value + bigger, ""))
        assert removed(entries, {"default": high_size}) <= removed(entries, {"default": low})


@given(RULED_ENTRIES, RULES)
def test_category_over_its_size_keeps_only_what_may_not_go(entries: list[Entry], rules: dict[str, Rule]) -> None:
    gone = removed(entries, rules)
    for category, rule in rules.items():
        left = [each for each in entries if each.category == category and each.parts not in gone]
        held = sum(each.usage.disk_bytes for each in left if each.usage)
        if rule.max_size and held > rule.max_size.value:
            plan = make_plan(entries, Policy(rules=rules), NOW)
            full = [each for each in left if each.usage and each.usage.disk_bytes]
            reasons = {row.reason for row in plan.keep if row.entry in full}
            assert all(reason.startswith(("the newest", *REASONS.values())) for reason in reasons)


@given(RULED_ENTRIES, RULES)
def test_forecast_is_the_plan_of_that_time(entries: list[Entry], rules: dict[str, Rule]) -> None:
    policy = Policy(rules=rules)
    due = forecast(entries, policy, NOW)
    assert [each.when for each in due] == ["now", "within a day", "within a week"]
    told: set[tuple[str, ...]] = set()
    for each, days in zip(due, (0, 1, 7), strict=True):
        told |= {row.entry.parts for row in each.rows}
        assert told == removed(entries, rules, NOW + days * 86_400)
