"""What may go, and why the rest stays. Pure: entries, a policy and the time in, a plan out.

One rule, for a category: the newest `keep_last` of each name stay. Of the others, what is older than `max_age` goes;
then, while the category holds more than `max_size`, the oldest go. What is kept, tracked or in use is part of what
the category holds, and stays.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from .entry import Decision, Entry, Plan, Usage

DEFAULT = "default"  # the key of the rule for the categories that have none
DAY = 86_400.0
_TERMS = (("now", 0.0), ("within a day", DAY), ("within a week", 7 * DAY))


class Limit(NamedTuple):
    """A bound: `value` in seconds or bytes, and the same in `words`."""

    value: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What of a category may go; all of it but for the newest `keep_last` of each name, where there is no bound."""

    max_age: Limit | None = None
    max_size: Limit | None = None
    keep_last: int = 0

    @property
    def by_age(self) -> bool:
        """Whether ages, or the order of ages, decide."""
        return bool((self.max_age and self.max_age.value) or self.max_size or self.keep_last)

    @property
    def needs_usage(self) -> bool:
        """Whether entries have to be measured."""
        return self.max_age is not None or self.by_age


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which entries may go: those without a change for `max_age` seconds, all where it is None.

    Where there are `rules`, by category, they take the place of `max_age`; a category without one, and without
    the rule DEFAULT, stays. `categories` narrows a clean to these, where there are any. `force` takes what is in
    use too; what is tracked or kept stays in any case. `because`: the reason in words where there is no bound to name.
    """

    max_age: float | None = None
    rules: Mapping[str, Rule] | None = None
    categories: Collection[str] = field(default_factory=frozenset)
    force: bool = False
    because: str = "not in use"

    @property
    def needs_usage(self) -> bool:
        """Whether entries have to be measured."""
        if self.rules is None:
            return self.max_age is not None
        return any(rule.needs_usage for rule in self.rules.values())

    def rule_for(self, category: str) -> Rule | None:
        """Return the rule for a category; None where it has none."""
        if self.rules is None:
            return Rule(max_age=None if self.max_age is None else hours(self.max_age))
        return self.rules.get(category, self.rules.get(DEFAULT))

    def covers(self, entry: Entry) -> bool:
        """Tell whether an entry is among those that the clean was narrowed to; what is in the trash always is."""
        return not self.categories or entry.in_trash or entry.category in self.categories


class Due(NamedTuple):
    """What a clean lets go `when`, and has not let go before."""

    when: str
    rows: tuple[Decision, ...]


class _Ruling(NamedTuple):
    """What a rule says of one entry."""

    goes: bool
    reason: str
    by_age: bool = False


def make_plan(entries: Iterable[Entry], policy: Policy, now: float) -> Plan:
    """Decide on each entry. `now`: seconds since 1970.

    An entry's age is `now` less its newest change, and 0 where that lies in the future. The caller
    measures the entries if the policy needs it; one that could not be looked into in full has no
    age, and stays then.
    """
    listed = [entry for entry in entries if policy.covers(entry)]
    rulings = _rule_on(listed, policy, now)
    rows = [(rulings[number], entry) for number, entry in enumerate(listed)]
    return Plan(
        remove=tuple(_decision(ruling, entry) for ruling, entry in rows if ruling.goes and not entry.obstacle),
        keep=tuple(_decision(ruling, entry) for ruling, entry in rows if not ruling.goes),
        fail=tuple(Decision(entry=e, reason=e.obstacle) for ruling, e in rows if ruling.goes and e.obstacle),
        force=policy.force,
    )


def forecast(entries: Sequence[Entry], policy: Policy, now: float) -> tuple[Due, ...]:
    """Return what a clean lets go now, and what falls due within a day and within a week if nothing changes.

    Each comes from the very plan that a clean would make then. The caller measures the entries.
    """
    due: list[Due] = []
    told: set[int] = set()
    for when, later in _TERMS:
        rows = [row for row in make_plan(entries, policy, now + later).remove if id(row.entry) not in told]
        told.update(id(row.entry) for row in rows)
        due.append(Due(when, tuple(rows)))
    return tuple(due)


def hours(seconds: float) -> Limit:
    """Return an age as a bound that is said in hours."""
    return Limit(seconds, f"{seconds / 3600:.10g} h")


def _decision(ruling: _Ruling, entry: Entry) -> Decision:
    return Decision(entry=entry, reason=ruling.reason, by_age=ruling.by_age)


def _rule_on(entries: Sequence[Entry], policy: Policy, now: float) -> dict[int, _Ruling]:
    """Return a ruling for each entry, by its number in the list."""
    order = sorted(range(len(entries)), key=lambda number: entries[number].category)
    rulings: dict[int, _Ruling] = {}
    for category, numbers in groupby(order, key=lambda number: entries[number].category):
        group = {number: entries[number] for number in numbers}
        rulings |= _Category(group, policy.rule_for(category), policy, now).rule()
    return rulings


class _Category:
    """The entries of one category, by their numbers in the list, and the rule for it."""

    def __init__(self, entries: Mapping[int, Entry], rule: Rule | None, policy: Policy, now: float) -> None:
        self._entries = entries
        self._rule = rule
        self._policy = policy
        self._now = now
        self._rulings: dict[int, _Ruling] = {}

    def rule(self) -> dict[int, _Ruling]:
        """Return a ruling for each."""
        for number, entry in self._entries.items():
            self._settle(number, _whatever_the_rule(entry, self._policy.force))
        if self._rule is None:
            self._settle_rest(_Ruling(False, f"no rule for {next(iter(self._entries.values())).category}"))
        else:
            self._apply(self._rule)
        return self._rulings

    def _apply(self, rule: Rule) -> None:
        if rule.needs_usage:
            self._keep_last(rule.keep_last)
            self._keep_unknown()
        if rule.max_age:
            self._let_go_by_age(rule.max_age)
        if rule.max_size:
            self._let_go_by_size(rule.max_size)
        if rule.max_age:
            self._settle_rest(_Ruling(False, f"younger than {rule.max_age.words}"))
        elif rule.max_size:
            self._settle_rest(_Ruling(False, f"within {rule.max_size.words}"))
        elif rule.keep_last:
            self._settle_rest(_Ruling(True, f"not among {_newest(rule.keep_last)}", by_age=True))
        else:
            self._settle_rest(_Ruling(True, self._policy.because))

    def _keep_last(self, most: int) -> None:
        """Keep the newest of each name, whatever else is said of them."""
        there = [number for number, entry in self._entries.items() if not entry.in_trash]
        there.sort(key=lambda number: (self._entries[number].name, _newest_first(self._entries[number])))
        for name, numbers in groupby(there, key=lambda number: self._entries[number].name):
            stay = "stays" if most == 1 else "stay"
            for number in list(numbers)[:most]:
                self._settle(number, _Ruling(False, f"{_newest(most)} of {name} {stay}"))

    def _keep_unknown(self) -> None:
        """Keep what could not be looked into: it has no age."""
        for number, entry in self._open():
            fault = _usage_of(entry).fault
            if fault:
                self._settle(number, _Ruling(False, f"of unknown age, {entry.reason or fault}"))

    def _let_go_by_age(self, limit: Limit) -> None:
        because = f"older than {limit.words}" if limit.value else "not in use"
        for number, entry in self._open():
            if max(0.0, self._now - _usage_of(entry).changed) >= limit.value:
                self._settle(number, _Ruling(True, because, by_age=limit.value > 0))

    def _let_go_by_size(self, limit: Limit) -> None:
        """Let the oldest go while the category holds too much."""
        held = sum(entry.usage.disk_bytes for entry in self._staying() if entry.usage)
        for number, entry in sorted(self._open(), key=lambda row: _newest_first(row[1]), reverse=True):
            if held <= limit.value:
                return
            held -= _usage_of(entry).disk_bytes
            self._settle(number, _Ruling(True, f"over {limit.words}", by_age=True))

    def _staying(self) -> Iterator[Entry]:
        gone = {number for number, ruling in self._rulings.items() if ruling.goes}
        return (entry for number, entry in self._entries.items() if number not in gone)

    def _open(self) -> list[tuple[int, Entry]]:
        return [(number, entry) for number, entry in self._entries.items() if number not in self._rulings]

    def _settle_rest(self, ruling: _Ruling) -> None:
        for number, _ in self._open():
            self._settle(number, ruling)

    def _settle(self, number: int, ruling: _Ruling | None) -> None:
        """Settle an entry, if that was not done before."""
        entry = self._entries[number]
        if ruling is None or number in self._rulings:
            return
        if ruling.goes and entry.state in ("in-use", "kept"):
            ruling = ruling._replace(reason=f"forced, {(entry.reason or '').removeprefix('kept: ')}")
        self._rulings[number] = ruling


def _whatever_the_rule(entry: Entry, force: bool) -> _Ruling | None:
    """Rule on what no rule has a say in: what is tracked, kept or in use, and what is in the trash."""
    obstinate = entry.state in ("tracked", "kept") and not (entry.forceable and force)
    if obstinate or (entry.state == "in-use" and not force):
        return _Ruling(False, entry.reason or entry.state)
    return _Ruling(True, entry.reason or entry.state) if entry.in_trash else None


def _newest(number: int) -> str:
    return "the newest" if number == 1 else f"the newest {number}"


def _usage_of(entry: Entry) -> Usage:
    if entry.usage is None:
        raise ValueError(f"{entry.path}: has no usage to take its age from")
    return entry.usage


def _newest_first(entry: Entry) -> tuple[float, int, str, tuple[str, ...]]:
    """Return what sorts the newest first, in one order however the entries are listed."""
    return -_usage_of(entry).changed, -(entry.created or 0), str(entry.folder), entry.parts
