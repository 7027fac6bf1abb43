"""What may go, and why the rest stays. Pure: entries, a policy and the time in, a plan out."""

from collections.abc import Iterable
from dataclasses import dataclass

from .entry import Decision, Entry, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Which entries may go: those without a change for `max_age` seconds, all where it is None.

    `force` takes what is in use too; what is tracked or kept stays in any case. `because`: the
    reason in words where there is no age to name.
    """

    max_age: float | None = None
    force: bool = False
    because: str = "of any age"


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
            keep.append(Decision(entry=entry, reason=stays))
        elif entry.obstacle:
            fail.append(Decision(entry=entry, reason=entry.obstacle))
        else:
            remove.append(_removal(entry, policy))
    return Plan(remove=tuple(remove), keep=tuple(keep), fail=tuple(fail), force=policy.force)


def _why_it_stays(entry: Entry, policy: Policy, now: float) -> str | None:
    obstinate = entry.state in ("tracked", "kept") and not (entry.forceable and policy.force)
    if obstinate or (entry.state == "in-use" and not policy.force):
        return entry.reason or entry.state
    if entry.in_trash or policy.max_age is None:
        return None
    if entry.usage is None:
        raise ValueError(f"{entry.path}: has no usage to take its age from")
    if entry.usage.fault:
        return f"of unknown age, {entry.reason or entry.usage.fault}"
    if max(0.0, now - entry.usage.changed) < policy.max_age:
        return f"younger than {_hours(policy.max_age)}"
    return None


def _removal(entry: Entry, policy: Policy) -> Decision:
    by_age = policy.max_age is not None and not entry.in_trash
    if entry.state in ("in-use", "kept"):
        return Decision(entry=entry, reason=f"forced, {entry.reason}", by_age=by_age)
    if entry.in_trash:
        return Decision(entry=entry, reason=entry.reason or entry.state)
    reason = policy.because if policy.max_age is None else f"older than {_hours(policy.max_age)}"
    return Decision(entry=entry, reason=reason, by_age=by_age)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.10g} h"
