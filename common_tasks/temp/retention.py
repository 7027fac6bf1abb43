"""What may go, and why the rest stays. Pure: entries, a policy and the time in, a plan out."""

from collections.abc import Iterable
from dataclasses import dataclass

from .inventory import Entry


@dataclass(frozen=True, slots=True)
class Policy:
    """Which entries may go: those without a change for `max_age` seconds, all where it is None.

    `force` takes what is in use too; what is tracked or kept stays in any case. `because`: the
    reason in words where there is no age to name.
    """

    max_age: float | None = None
    force: bool = False
    because: str = "of any age"


@dataclass(frozen=True, slots=True)
class Decision:
    """An entry, and why it goes or stays."""

    entry: Entry
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a clean removes and keeps, and what it cannot remove though it should, in the inventory's order.

    `force`: even what is in use is removed.
    """

    remove: tuple[Decision, ...] = ()
    keep: tuple[Decision, ...] = ()
    fail: tuple[Decision, ...] = ()
    force: bool = False

    def __add__(self, other: "Plan") -> "Plan":
        """Put two plans of the same `force` together."""
        return Plan(self.remove + other.remove, self.keep + other.keep, self.fail + other.fail, self.force)


def make_plan(entries: Iterable[Entry], policy: Policy, now: float) -> Plan:
    """Decide on each entry. `now`: seconds since 1970.

    An entry's age is `now` less its newest change, and 0 where that lies in the future. The caller
    measures the entries if the policy has an age; one that could not be looked into in full has no
    age, and stays then.
    """
    remove: list[Decision] = []
    keep: list[Decision] = []
    fail: list[Decision] = []
    for entry in entries:
        stays = _why_it_stays(entry, policy, now)
        if stays:
            keep.append(Decision(entry, stays))
        elif entry.obstacle:
            fail.append(Decision(entry, entry.obstacle))
        else:
            remove.append(Decision(entry, _why_it_goes(entry, policy)))
    return Plan(tuple(remove), tuple(keep), tuple(fail), policy.force)


def _why_it_stays(entry: Entry, policy: Policy, now: float) -> str | None:
    if entry.state in ("tracked", "kept"):
        return entry.reason
    if entry.state == "unfinished":
        return None
    if entry.state == "in-use" and not policy.force:
        return entry.reason
    if policy.max_age is None:
        return None
    if entry.usage is None:
        raise ValueError(f"{entry.path}: has no usage to take its age from")
    if entry.usage.fault:
        return f"of unknown age, {entry.reason or entry.usage.fault}"
    if max(0.0, now - entry.usage.modified) < policy.max_age:
        return f"younger than {_hours(policy.max_age)}"
    return None


def _why_it_goes(entry: Entry, policy: Policy) -> str:
    if entry.state == "unfinished":
        return entry.reason or entry.state
    if entry.state == "in-use":
        return f"forced, {entry.reason}"
    return policy.because if policy.max_age is None else f"older than {_hours(policy.max_age)}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.10g} h"
