"""The limits that the options of a clean give, checked and read into a policy."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..project.errors import InvalidSetting
from ..temp.policy import DEFAULT, Budget, Policy, Rule
from .quantities import parse_age, parse_count, parse_hours, parse_size

_PARSERS: Mapping[str, Callable[[str, Any], Any]] = {
    "max_age_hours": parse_hours,
    "temp_age_hours": parse_hours,
    "max_age": parse_age,
    "keep_last": parse_count,
    "max_size": parse_size,
    "max_total": parse_size,
    "keep_free": parse_size,
}


class Limits(NamedTuple):
    """What the options of a clean say, which replaces all rules; None where one is not given."""

    max_age_hours: Any = None
    temp_age_hours: Any = None
    max_age: Any = None
    keep_last: Any = None
    max_size: Any = None
    max_total: Any = None
    keep_free: Any = None

    @property
    def given(self) -> dict[str, str]:
        """The options that were given, as a user types them, by their fields."""
        return {name: f"--{name.replace('_', '-')}" for name in self._fields if getattr(self, name) is not None}

    def read(self) -> dict[str, Any]:
        """Return what was given as values: any age as `max_age`, the others by their fields. Raises InvalidSetting."""
        ages = [option for name, option in self.given.items() if "_age" in name]
        if len(ages) > 1:
            raise InvalidSetting(f"{' and '.join(ages)} mean the same: give one")
        found = {name: _PARSERS[name](option, getattr(self, name)) for name, option in self.given.items()}
        return {"max_age" if "_age" in name else name: value for name, value in found.items()}

    def policy(self) -> Policy | None:
        """Return what they let go; None where no option is given. Raises InvalidSetting.

        A budget alone lets nothing go until it is broken.
        """
        found = self.read()
        if not found:
            return None
        budget = Budget(max_total=found.pop("max_total", None), keep_free=found.pop("keep_free", None))
        if budget and found.keys() <= {"keep_last"}:
            return Policy(rules={}, budget=budget, keep_last=found.get("keep_last", 0))
        return Policy(rules={DEFAULT: Rule(**found)}, budget=budget)
