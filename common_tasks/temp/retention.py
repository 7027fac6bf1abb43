"""What may go, and why the rest stays. Pure: entries, policies and the time go in, plans come out.

In each category, the newest `keep_last` of each name stay. Of the others, those older than `max_age` go; then, while
the category takes up more than `max_size`, the oldest go. Then budgets: while all entries together take up more than
`max_total`, or less than `keep_free` is free on a disk, the oldest of all go. Entries that are kept, tracked or in use
count toward these sizes, but stay.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from .budgets import Free, meet, shortfalls
from .cases import Case, is_undecided, let_oldest_go, newest_first
from .entry import Decision, Entry, Plan, Shortfall
from .policy import DEFAULT as DEFAULT
from .policy import NO_BUDGET, Budget
from .policy import Limit as Limit
from .policy import Policy as Policy
from .policy import Rule as Rule
from .policy import hours as hours

DAY = 86_400.0
_TERMS = (("now", 0.0), ("within a day", DAY), ("within a week", 7 * DAY))

_UNKNOWN: Free = {}


class Portion(NamedTuple):
    """The entries of a project, and its policy."""

    entries: Sequence[Entry]
    policy: Policy


class Due(NamedTuple):
    """What a clean lets go at the time `when`, but not before; and the budgets that it does not meet then."""

    when: str
    rows: tuple[Decision, ...]
    shortfalls: tuple[Shortfall, ...] = ()


def make_plan(entries: Iterable[Entry], policy: Policy, now: float, free: Free = _UNKNOWN) -> Plan:
    """Decide on each entry of one project; see `make_plans`."""
    [plan] = make_plans([Portion(tuple(entries), policy)], now, free)
    return plan


def make_plans(
    portions: Sequence[Portion], now: float, free: Free = _UNKNOWN, shared: Budget = NO_BUDGET
) -> tuple[Plan, ...]:
    """Decide on each entry of several projects; return a plan for each, in order. `now`: seconds since 1970.

    Each project's own rules and budget come first, then the `shared` budget for all of them together; if that
    cannot be met, the first plan says so. `free`: what is free on the disks, for `keep_free`.

    An entry's age is `now` less its newest change, or 0 if that is in the future. An entry that was not measured, or
    could not be looked into in full, has no age, and stays if a policy compares ages or sizes. A plan that is
    narrowed to some categories is the part of the full plan that concerns them.
    """
    tables = [([Case(entry) for entry in portion.entries], portion.policy) for portion in portions]
    every = [case for cases, _ in tables for case in cases]
    for cases, policy in tables:
        _apply_rules(cases, policy, now)
        meet(cases, policy.budget, free)
    meet(every, shared, free)
    for cases, policy in tables:
        _narrow(cases, policy)
    plans = [_plan(cases, policy, shortfalls(cases, policy.budget, free)) for cases, policy in tables]
    unmet = shortfalls(every, shared, free)
    plans[:1] = [plan._replace(shortfalls=plan.shortfalls + unmet) for plan in plans[:1]]
    return tuple(plans)


def forecast(entries: Sequence[Entry], policy: Policy, now: float, free: Free = _UNKNOWN) -> tuple[Due, ...]:
    """Return what a clean lets go now, and what falls due within a day and within a week; see `forecasts`."""
    [due] = forecasts([Portion(entries, policy)], now, free)
    return due


def forecasts(
    portions: Sequence[Portion], now: float, free: Free = _UNKNOWN, shared: Budget = NO_BUDGET
) -> tuple[tuple[Due, ...], ...]:
    """Return, for each project, what a clean lets go now, within a day and within a week if nothing changes.

    Each is taken from the same plan that a clean would make then. The caller measures the entries.
    """
    due: list[list[Due]] = [[] for _ in portions]
    timely = any(portion.policy.depends_on_time for portion in portions)
    for when, later in _TERMS:
        if later and not timely:
            for terms in due:
                terms.append(Due(when, ()))
            continue
        for terms, plan in zip(due, make_plans(portions, now + later, free, shared), strict=True):
            terms.append(Due(when, _not_told(plan.remove, terms), plan.shortfalls))
    return tuple(map(tuple, due))


def _not_told(rows: tuple[Decision, ...], terms: Iterable[Due]) -> tuple[Decision, ...]:
    told = {row.entry.key for term in terms for row in term.rows}
    return tuple(row for row in rows if row.entry.key not in told) if told else rows


def _apply_rules(cases: Sequence[Case], policy: Policy, now: float) -> None:
    def category(case: Case) -> str:
        return case.entry.category

    for name, group in groupby(sorted(cases, key=category), key=category):
        _Category(list(group), policy, now).rule(policy.rule_for(name))


class _Category(NamedTuple):
    """The entries of one category."""

    cases: Sequence[Case]
    policy: Policy
    now: float

    def rule(self, rule: Rule | None) -> None:
        """Decide on each entry, first by what applies whatever the rule says, then by the rule."""
        for case in self.cases:
            _apply_state(case, force=self.policy.force)
        self._keep_last(max(rule.keep_last if rule else 0, self.policy.keep_last))
        if self.policy.min_age or self.policy.keep_last or (rule.compares if rule else self.policy.budget):
            self._keep_young()
        if rule is None:
            self._stay(f"no rule for {self.cases[0].entry.category}" if self.policy.rules else "within the budget")
        else:
            self._apply(rule)

    def _apply(self, rule: Rule) -> None:
        if rule.max_age:
            self._let_go_by_age(rule.max_age)
        if rule.max_size:
            excess = sum(case.held for case in self.cases) - rule.max_size.value
            let_oldest_go(self.cases, excess, f"over {rule.max_size.words}")
        if rule.max_age:
            self._stay(f"younger than {rule.max_age.words}")
        elif rule.max_size:
            self._stay(f"within {rule.max_size.words}")
        for case in self._open():
            by_order = rule.keep_last > 0
            reason = f"not among {_newest(rule.keep_last)}" if by_order else self.policy.because
            case.let_go(reason, by_age=by_order or self.policy.min_age > 0)

    def _keep_last(self, most: int) -> None:
        """Keep the newest of each name, whatever the rule says about them."""
        there = [case for case in self.cases if not case.entry.in_trash] if most else []
        there.sort(key=lambda case: (case.entry.name, newest_first(case.entry)))
        for name, same in groupby(there, key=lambda case: case.entry.name):
            stay = "stays" if most == 1 else "stay"
            for case in filter(is_undecided, list(same)[:most]):
                case.stay(f"{_newest(most)} of {name} {stay}", "among the newest")

    def _keep_young(self) -> None:
        """Keep what is too young for any rule, and what could not be looked into: it has no age."""
        least = hours(self.policy.min_age)
        for case in self._open():
            if fault := case.entry.usage.fault:
                case.stay(f"of unknown age, {case.entry.reason or fault}", "of unknown age")
            elif self._age(case) < least.value:
                case.stay(f"younger than {least.words}", f"younger than {least.words}")

    def _let_go_by_age(self, limit: Limit) -> None:
        because = f"older than {limit.words}" if limit.value else "not in use"
        for case in self._open():
            if self._age(case) >= limit.value:
                case.let_go(because, by_age=limit.value > 0 or self.policy.min_age > 0)

    def _age(self, case: Case) -> float:
        return max(0.0, self.now - case.entry.usage.changed)

    def _open(self) -> Iterator[Case]:
        return filter(is_undecided, self.cases)

    def _stay(self, reason: str) -> None:
        for case in self._open():
            case.stay(reason)


def _apply_state(case: Case, *, force: bool) -> None:
    """Decide on entries to which no rule applies: those that are tracked, kept or in use, and those in the trash."""
    entry = case.entry
    obstinate = entry.state in ("tracked", "kept") and not (entry.forceable and force)
    if obstinate or (entry.state == "in-use" and not force):
        case.stay(entry.reason or entry.state, _IN_WORDS[entry.state])
    elif entry.in_trash:
        case.let_go(entry.reason or entry.state, by_age=False)


_IN_WORDS = {"tracked": "tracked by git", "kept": "kept", "in-use": "in use"}


def _narrow(cases: Iterable[Case], policy: Policy) -> None:
    for case in cases if policy.categories else ():
        if not policy.covers(case.entry):
            case.stay("of another category", "of other categories")


def _plan(cases: Sequence[Case], policy: Policy, unmet: tuple[Shortfall, ...]) -> Plan:
    covered = [case for case in cases if policy.covers(case.entry)] if policy.categories else cases
    rows = [(case.entry, case.ruling) for case in covered if case.ruling]
    return Plan(
        remove=tuple(Decision(e, ruling.reason, ruling.by_age) for e, ruling in rows if ruling.goes and not e.obstacle),
        keep=tuple(Decision(e, ruling.reason, ruling.by_age) for e, ruling in rows if not ruling.goes),
        fail=tuple(Decision(e, e.obstacle) for e, ruling in rows if ruling.goes and e.obstacle),
        force=policy.force,
        shortfalls=unmet,
    )


def _newest(number: int) -> str:
    return "the newest" if number == 1 else f"the newest {number}"
