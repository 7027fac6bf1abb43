"""What was picked by hand, looked at again after the answer."""

from collections.abc import Iterable

from ..temp.entry import Decision, Entry, Plan

_CHANGED = "changed since it was shown"


def narrow(plan: Plan, picked: Iterable[Decision]) -> Plan:
    """Return what of a plan was picked. `plan`: made after the answer, of the same project, with everything measured.

    What has changed since it was shown stays; so does what the new plan keeps.
    """
    shown = {row.entry.key: row.entry for row in picked}
    remove = [row for row in plan.remove if row.entry.key in shown]
    same = [row for row in remove if _is_same(row.entry, shown[row.entry.key])]
    changed = [row._replace(reason=_CHANGED) for row in remove if not _is_same(row.entry, shown[row.entry.key])]
    return Plan(
        # As if its age had decided: what changes from now on stays, too.
        remove=tuple(row._replace(by_age=True) for row in same),
        keep=tuple(row for row in plan.keep if row.entry.key in shown) + tuple(changed),
        fail=tuple(row for row in plan.fail if row.entry.key in shown),
        force=plan.force,
    )


def _is_same(now: Entry, then: Entry) -> bool:
    return now.identity == then.identity and now.usage == then.usage
