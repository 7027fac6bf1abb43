"""The limits that the options of a clean give, checked and read into a policy."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..temp.policy import DEFAULT, Budget, Policy, Rule
from .quantities import InvalidSetting, parse_age, parse_count, parse_hours, parse_size

_PARSERS: Mapping[str, Callable[[str, Any], Any]] = {
    "--max-age-hours": parse_hours,
    "--temp-age-hours": parse_hours,
    "--max-age": parse_age,
    "--keep-last": parse_count,
    "--max-size": parse_size,
    "--max-total": parse_size,
    "--keep-free": parse_size,
}
_LIMIT_OF = {name: "max_age" if "-age" in name else name[2:].replace("-", "_") for name in _PARSERS}


class Limits(NamedTuple):
    """What the options of a clean say, which replaces all rules; None where one is not given."""

    max_age_hours: Any = None
    temp_age_hours: Any = None
    max_age: Any = None
    keep_last: Any = None
    max_size: Any = None
    max_total: Any = None
    keep_free: Any = None

    def policy(self) -> Policy | None:
        """Return what they let go; None where no option is given. Raises InvalidSetting.

        With a budget, what is not too old or too much for its category stays until the budget is broken.
        """
        given = {_option(name): value for name, value in self._asdict().items() if value is not None}
        ages = [name for name in given if "-age" in name]
        if len(ages) > 1:
            raise InvalidSetting(f"{' and '.join(ages)} mean the same: give one")
        found = {_LIMIT_OF[name]: _PARSERS[name](name, value) for name, value in given.items()}
        if not found:
            return None
        budget = Budget(max_total=found.pop("max_total", None), keep_free=found.pop("keep_free", None))
        if budget and found.keys() <= {"keep_last"}:
            return Policy(rules={}, budget=budget, keep_last=found.get("keep_last", 0))
        return Policy(rules={DEFAULT: Rule(**found)}, budget=budget)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
