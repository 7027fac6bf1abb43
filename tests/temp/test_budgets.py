"""Budgets: arithmetic on entries, so what holds is said of any entries there may be."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.temp.entry import Entry, Plan
from common_tasks.temp.policy import Budget, Limit, Policy, Rule
from common_tasks.temp.retention import Portion, forecast, make_plan, make_plans

from .test_retention import NOW, RULED_ENTRIES, RULES, ruled

KB = 1000


def total(size: int) -> Budget:
    return Budget(max_total=Limit(size, f"{size} B"))


def keep_free(size: int) -> Budget:
    return Budget(keep_free=Limit(size, f"{size} B"))


def only(budget: Budget) -> Policy:
    return Policy(rules={}, budget=budget)


def gone(plan: Plan) -> set[tuple[str, ...]]:
    return {row.entry.parts for row in plan.remove}


def held(entries: list[Entry], plan: Plan) -> int:
    return sum(each.usage.disk_bytes for each in entries if each.usage and each.parts not in gone(plan))


def said(plan: Plan) -> dict[str, str]:
    return {row.entry.name: row.reason for row in (*plan.remove, *plan.keep)}


def test_oldest_of_all_categories_go_until_the_total_is_met() -> None:
    entries = [
        ruled("debug", "young", 1, 4 * KB),
        ruled("cache", "oldest", 9, 3 * KB),
        ruled("data", "older", 5, 2 * KB),
    ]
    plan = make_plan(entries, only(total(7 * KB)), NOW)
    assert said(plan) == {
        "oldest": "over 7000 B in all",
        "older": "within the budget",
        "young": "within the budget",
    }
    assert all(row.by_age for row in plan.remove)


def test_category_without_a_rule_is_part_of_the_budget() -> None:
    entries = [ruled("data", "old", 9, 3 * KB), ruled("data", "young", 1, 3 * KB)]
    policy = Policy(rules={"debug": Rule(keep_last=1)}, budget=total(4 * KB))
    assert said(make_plan(entries, policy, NOW)) == {"old": "over 4000 B in all", "young": "no rule for data"}


def test_what_rules_let_go_counts_as_freed_before_the_budget_takes_more() -> None:
    entries = [ruled("debug", "a", 500, 3 * KB), ruled("cache", "b", 600, 3 * KB), ruled("cache", "c", 1, 3 * KB)]
    policy = Policy(rules={"debug": Rule(max_age=Limit(3600, "1 h"))}, budget=total(6 * KB))
    assert gone(make_plan(entries, policy, NOW)) == {entries[0].parts}


def test_disk_that_is_full_gets_back_what_is_missing_and_other_disks_are_left_alone() -> None:
    here, other = ruled("debug", "here", 1, 3 * KB), ruled("debug", "other", 9, 3 * KB)
    other = other._replace(identity=other.identity._replace(device=2))
    plan = make_plan([here, other], only(keep_free(5 * KB)), NOW, free={1: 4 * KB, 2: 50 * KB})
    assert said(plan) == {"here": "less than 5000 B free", "other": "within the budget"}
    assert not plan.shortfalls


def test_disk_that_nobody_can_ask_about_loses_nothing() -> None:
    assert not make_plan([ruled("debug", "a", 9, 3 * KB)], only(keep_free(5 * KB)), NOW).remove


def test_budget_that_cannot_be_met_says_by_how_much_and_what_holds_it() -> None:
    entries = [
        ruled("debug", "used", 9, 5 * KB, "in-use"),
        ruled("debug", "kept", 9, 2 * KB, "kept"),
        ruled("debug", "newest", 9, 1 * KB),
        ruled("debug", "newest", 99, 7 * KB, number=1),
    ]
    policy = Policy(rules={}, keep_last=1, budget=total(6 * KB))
    plan = make_plan(entries, policy, NOW)
    assert gone(plan) == {entries[3].parts}
    [shortfall] = plan.shortfalls
    assert (shortfall.bound, shortfall.words, shortfall.missing) == ("max_total", "6000 B", 2 * KB)
    assert shortfall.held == (("in use", 5 * KB), ("kept", 2 * KB), ("among the newest", 1 * KB))


def test_full_disk_says_what_is_missing() -> None:
    entries = [ruled("debug", "used", 9, 5 * KB, "in-use"), ruled("debug", "a", 9, KB)]
    [shortfall] = make_plan(entries, only(keep_free(10 * KB)), NOW, free={1: 2 * KB}).shortfalls
    assert (shortfall.bound, shortfall.missing, shortfall.held) == ("keep_free", 7 * KB, (("in use", 5 * KB),))


def test_what_cannot_be_removed_is_a_failure_and_the_next_one_goes() -> None:
    stuck = ruled("debug", "stuck", 9, 3 * KB)._replace(obstacle="it belongs to another user")
    entries = [stuck, ruled("debug", "next", 5, 3 * KB), ruled("debug", "young", 1, 3 * KB)]
    plan = make_plan(entries, only(total(6 * KB)), NOW)
    assert [row.entry.name for row in plan.fail] == ["stuck"]
    assert gone(plan) == {entries[1].parts}


def test_what_takes_up_nothing_does_not_go_for_space() -> None:
    entries = [ruled("debug", "empty", 9, 0), ruled("debug", "a", 5, 3 * KB)]
    assert gone(make_plan(entries, only(total(0)), NOW)) == {entries[1].parts}


def test_with_a_margin_more_goes_only_once_the_bound_is_broken() -> None:
    entries = [ruled("debug", "a", hours, KB, number=hours) for hours in range(1, 11)]
    within, over = total(10 * KB)._replace(expected=0, margin=0.2), total(9 * KB)._replace(expected=0, margin=0.2)
    assert not make_plan(entries, only(within), NOW).remove
    plan = make_plan(entries, only(over), NOW)
    assert held(entries, plan) == 7 * KB  # the mark is 7.2 kB
    assert not plan.shortfalls


def test_bound_that_will_be_broken_before_the_next_clean_counts_as_broken() -> None:
    entries = [ruled("debug", "a", hours, KB, number=hours) for hours in range(1, 11)]
    assert not make_plan(entries, only(total(12 * KB)._replace(expected=2 * KB, margin=0)), NOW).remove
    plan = make_plan(entries, only(total(11 * KB)._replace(expected=2 * KB, margin=0)), NOW)
    assert held(entries, plan) == 9 * KB
    assert not plan.shortfalls


@pytest.mark.parametrize(
    ("own", "shared", "left"),
    [
        (total(5), total(9), total(5)),
        (total(9), total(9), Budget()),
        (total(9), Budget(), total(9)),
        (keep_free(5), keep_free(9), Budget()),
        (keep_free(9), keep_free(5), keep_free(9)),
        (Budget(), total(9), Budget()),
    ],
)
def test_bounds_of_a_project_that_are_tighter_than_the_shared_ones(own: Budget, shared: Budget, left: Budget) -> None:
    assert own.beyond(shared) == left


def test_what_changed_a_moment_ago_stays_whatever_is_asked() -> None:
    entries = [ruled("debug", "young", 0.5, 9 * KB), ruled("debug", "old", 2, 9 * KB)]
    policy = Policy(rules={"debug": Rule(max_age=Limit(0, "0 m"))}, min_age=3600, budget=total(0))
    plan = make_plan(entries, policy, NOW)
    assert said(plan) == {"young": "younger than 1 h", "old": "not in use"}
    assert all(row.by_age for row in plan.remove)
    assert plan.shortfalls[0].held == (("younger than 1 h", 9 * KB),)


def test_shared_budget_takes_the_oldest_of_all_projects_after_the_budget_of_each() -> None:
    one = [ruled("debug", "a", 9, 5 * KB), ruled("debug", "b", 1, 5 * KB)]
    two = [ruled("debug", "c", 5, 5 * KB), ruled("debug", "d", 2, 5 * KB)]
    portions = [Portion(one, only(Budget())), Portion(two, only(total(5 * KB)))]
    plans = make_plans(portions, NOW, shared=total(10 * KB))
    assert [gone(plan) for plan in plans] == [{one[0].parts}, {two[0].parts}]
    assert [sorted(said(plan).values()) for plan in plans] == [
        ["over 10000 B in all", "within the budget"],
        ["over 5000 B in all", "within the budget"],
    ]


def test_shared_budget_takes_nothing_of_unknown_age() -> None:
    known, unknown = ruled("debug", "known", 9, 3 * KB), ruled("debug", "unknown", 99, 3 * KB)
    unread = unknown._replace(usage=unknown.usage._replace(fault="x: Permission denied"))
    [plan] = make_plans([Portion([known, unread], Policy(rules={}))], NOW, shared=total(1 * KB))
    assert gone(plan) == {known.parts}


def test_shared_budget_that_cannot_be_met_is_told_once() -> None:
    portions = [Portion([ruled("debug", "a", 1, KB, "in-use")], only(Budget())) for _ in range(3)]
    plans = make_plans(portions, NOW, shared=total(KB))
    assert [len(plan.shortfalls) for plan in plans] == [1, 0, 0]
    assert plans[0].shortfalls[0].held == (("in use", 3 * KB),)


SIZES = st.integers(0, 50_000)
BUDGETS = st.builds(
    Budget,
    max_total=st.none() | SIZES.map(lambda size: Limit(size, "so much")),
    keep_free=st.none() | SIZES.map(lambda size: Limit(size, "so much")),
    expected=st.just(0),
    margin=st.sampled_from([0.0, 0.2]),
)
FREE = st.builds(lambda size: {1: size}, SIZES)


@given(RULED_ENTRIES, RULES, BUDGETS, FREE, st.integers(0, 3), st.sampled_from([0.0, 3600.0]))
def test_budget_never_takes_more_than_needed_nor_what_is_to_stay(
    entries: list[Entry], rules: dict[str, Rule], budget: Budget, free: dict[int, int], last: int, least: float
) -> None:
    by_rules = Policy(rules=rules, keep_last=last, min_age=least)
    first = make_plan(entries, by_rules, NOW, free)
    plan = make_plan(entries, by_rules._replace(budget=budget), NOW, free)
    assert gone(first) <= gone(plan)
    extra = [row for row in plan.remove if row.entry.parts not in gone(first)]
    for row in extra:
        assert row.entry.state not in ("in-use", "kept", "tracked")
        assert row.by_age
        assert row.entry.usage
        assert max(0, NOW - row.entry.usage.changed) >= least
    # With the youngest of them put back, a bound is broken, or the mark that is to be reached then.
    if extra:
        youngest = min(extra, key=lambda row: NOW - row.entry.usage.changed if row.entry.usage else 0)
        assert youngest.entry.usage
        back = youngest.entry.usage.disk_bytes
        holds, left = held(entries, plan) + back, free[1] + sum(
            row.entry.usage.disk_bytes for row in plan.remove if row.entry.usage
        ) - back  # fmt: skip
        most = budget.max_total.value * (1 - budget.margin) if budget.max_total else float("inf")
        wanted = budget.keep_free.value * (1 + budget.margin) if budget.keep_free else 0
        assert holds > most or left < wanted


@given(RULED_ENTRIES, BUDGETS, FREE)
def test_budget_takes_the_oldest_first(entries: list[Entry], budget: Budget, free: dict[int, int]) -> None:
    plan = make_plan(entries, only(budget), NOW, free)
    taken = [row.entry.usage.changed for row in plan.remove if row.entry.usage and not row.entry.in_trash]
    spared = [
        row.entry.usage.changed
        for row in plan.keep
        if row.entry.usage and row.entry.usage.disk_bytes and row.reason == "within the budget"
    ]
    assert not taken or not spared or max(taken) <= min(spared)


@given(RULED_ENTRIES, RULES, BUDGETS, FREE, st.integers(0, 2))
def test_budget_is_met_or_says_what_holds_it(
    entries: list[Entry], rules: dict[str, Rule], budget: Budget, free: dict[int, int], last: int
) -> None:
    policy = Policy(rules=rules, keep_last=last, budget=budget)
    plan = make_plan(entries, policy, NOW, free)
    holds = held(entries, plan)
    missing = {shortfall.bound: shortfall.missing for shortfall in plan.shortfalls}
    assert missing.get("max_total", 0) == max(0, holds - budget.max_total.value if budget.max_total else 0)
    left = free[1] + sum(row.entry.usage.disk_bytes for row in plan.remove if row.entry.usage)
    assert missing.get("keep_free", 0) == max(0, budget.keep_free.value - left if budget.keep_free else 0)
    for shortfall in plan.shortfalls:
        assert sum(size for _, size in shortfall.held) == holds
        assert {why for why, _ in shortfall.held} <= {"in use", "kept", "tracked by git", "among the newest"}


@given(RULED_ENTRIES, RULES, BUDGETS, FREE, st.randoms())
def test_order_of_entries_makes_no_difference(
    entries: list[Entry], rules: dict[str, Rule], budget: Budget, free: dict[int, int], any_order: Random
) -> None:
    shuffled = list(entries)
    any_order.shuffle(shuffled)
    policy = Policy(rules=rules, budget=budget)
    one, other = (make_plan(each, policy, NOW, free) for each in (entries, shuffled))
    assert {row.entry.parts: row.reason for row in one.remove} == {row.entry.parts: row.reason for row in other.remove}
    assert one.shortfalls == other.shortfalls


@given(RULED_ENTRIES, RULES, BUDGETS, FREE, st.sampled_from(["debug", "cache"]))
def test_narrowed_clean_takes_of_the_category_what_the_full_one_takes(
    entries: list[Entry], rules: dict[str, Rule], budget: Budget, free: dict[int, int], category: str
) -> None:
    policy = Policy(rules=rules, budget=budget)
    full = make_plan(entries, policy, NOW, free)
    narrow = make_plan(entries, policy._replace(categories=frozenset({category})), NOW, free)
    assert narrow.remove == tuple(row for row in full.remove if row.entry.in_trash or row.entry.category == category)


@given(RULED_ENTRIES, RULES, BUDGETS, FREE)
def test_forecast_is_the_plan_of_that_time(
    entries: list[Entry], rules: dict[str, Rule], budget: Budget, free: dict[int, int]
) -> None:
    policy = Policy(rules=rules, budget=budget)
    told: set[tuple[str, ...]] = set()
    for each, days in zip(forecast(entries, policy, NOW, free), (0, 1, 7), strict=True):
        plan = make_plan(entries, policy, NOW + days * 86_400, free)
        assert {row.entry.parts for row in each.rows} == gone(plan) - told
        told |= gone(plan)


@pytest.mark.parametrize("budget", [Budget(), total(0), keep_free(0)])
def test_budget_is_true_where_it_bounds_anything(budget: Budget) -> None:
    assert bool(budget) == (budget != Budget())
