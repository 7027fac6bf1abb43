"""Ages, sizes and numbers as people write them, read into values. Each error names the setting and what it takes."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..project.errors import InvalidSetting
from ..temp import layout
from ..temp.policy import Limit, hours

_AGE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([mhdw])")
_AGES = {"m": (60, "minute"), "h": (3600, "hour"), "d": (86_400, "day"), "w": (604_800, "week")}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)(i?)(b?)", re.IGNORECASE)
_POWERS = {letter: power for power, letter in enumerate(["", "k", "m", "g", "t"])}

Parse = Callable[[str, Any], Any]  # reads a value that was given under that name


def parse_age(name: str, value: Any) -> Limit:
    """Read an age with its unit. Raises InvalidSetting."""
    match = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidSetting(f"{name} takes a number and m, h, d or w, such as 7d, not {value!r}")
    seconds, unit = _AGES[match[2]]
    number = float(match[1])
    return Limit(number * seconds, f"{match[1]} {unit}{'' if number == 1 else 's'}")


def parse_hours(name: str, value: Any) -> Limit:
    """Read an age in hours. Raises InvalidSetting."""
    try:
        return hours(layout.seconds(float(value)))
    except (TypeError, ValueError):
        raise InvalidSetting(f"{name} takes a number of hours from 0 up, such as 24 or 0.5, not {value!r}") from None


def parse_size(name: str, value: Any) -> Limit:
    """Read a size: in powers of 1000 with `B` alone, of 1024 with `iB` or only a letter, which is what `du -h` prints.

    Raises InvalidSetting.
    """
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not (match[2] or match[4]):
        raise InvalidSetting(f"{name} takes a size such as 500MB or 2G, not {value!r}")
    letter, binary = match[2].lower(), bool(match[3] or not match[4])
    unit = f"{letter.upper()}iB" if binary else f"{letter if letter == 'k' else letter.upper()}B"
    return Limit(float(match[1]) * (1024 if binary else 1000) ** _POWERS[letter], f"{match[1]} {unit}")


def parse_count(name: str, value: Any) -> int:
    """Read a number of things. Raises InvalidSetting."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidSetting(f"{name} takes a whole number from 0 up, not {value!r}")
    return int(text)


def parse_category(name: str, value: str) -> str:
    """Read the name of a category, which is that of a folder. Raises InvalidSetting."""
    if value in ("", ".", "..") or "/" in value:
        raise InvalidSetting(f"{name} takes the name of a category, such as debug, not {value!r}")
    return value


# What a rule takes.
LIMITS: Mapping[str, Parse] = {"max_age": parse_age, "max_size": parse_size, "keep_last": parse_count}
