"""What a project's configuration says, checked and read into values.

Anything wrong raises InvalidSetting: one line that names the key or variable, and what it takes.

    clean:
      artifacts: ["...", "/out/"]           INVOKE_CLEAN_ARTIFACTS=...,/out/
      keep: ["/dist/"]                      INVOKE_CLEAN_KEEP
    temp:
      retention:
        debug: {max_age: 7d, keep_last: 3}  INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE=7d
      max_total: 20GB                       INVOKE_TEMP_MAX_TOTAL
      keep_free: 10GB                       INVOKE_TEMP_KEEP_FREE
      auto: daily                           INVOKE_TEMP_AUTO
      system: ["...", "playwright*"]        INVOKE_TEMP_SYSTEM=...,playwright*
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..project.errors import InvalidSetting
from ..project.patterns import ARTIFACTS, Patterns, parse
from ..temp.policy import Budget, Limit, Policy, Rule
from ..temp.system import BUILT_IN
from .quantities import LIMITS, Parse, parse_category, parse_size

Rules = Mapping[str, Rule]
_Given = tuple[str, Any]  # what gives a value, in words, and the value
_Limit = tuple[str, str, Any]  # a category as a variable spells it, in capitals and without punctuation; limit; value

_RETENTION = "temp.retention"
MAX_TOTAL = "temp.max_total"


class Settings(NamedTuple):
    """What a project's configuration says.

    `rules`: by category; None if there are none. `max_total` and `keep_free`: the budget. `auto`: the seconds
    between two cleans that happen by themselves; None if none do. `system`: globs of names in the system's temporary
    location. `uncertain`: why there may be more that was not read, in words.
    """

    artifacts: Patterns = parse(ARTIFACTS)
    keep: Patterns = parse(())
    rules: Rules | None = None
    max_total: Limit | None = None
    keep_free: Limit | None = None
    auto: float | None = None
    system: tuple[str, ...] = (BUILT_IN,)
    uncertain: str | None = None

    @property
    def policy(self) -> Policy:
        """What the rules and the budget allow to be removed; everything if there is neither."""
        budget = Budget(max_total=self.max_total, keep_free=self.keep_free)
        return Policy(rules=self.rules or ({} if budget else None), budget=budget)


def _patterns(name: str, patterns: Any) -> Patterns:
    if not isinstance(patterns, list | tuple) or not all(isinstance(pattern, str) for pattern in patterns):
        raise InvalidSetting(f"{name} takes a list of patterns, not {patterns!r}")
    try:
        return parse(tuple(patterns))
    except ValueError as error:
        raise InvalidSetting(f"{name}: {error}") from None


def _rules(name: str, rules: Any) -> Rules | None:
    if not isinstance(rules, dict):
        raise InvalidSetting(f"{name} takes a rule for each category, not {rules!r}")
    return {
        parse_category(f"a key of {name}", category): _rule(f"{name}.{category}", rule)
        for category, rule in rules.items()
    } or None


def _rule(name: str, rule: Any) -> Rule:
    if not isinstance(rule, dict) or not rule:
        raise InvalidSetting(f"{name} takes one or more of {', '.join(LIMITS)}, not {rule!r}")
    for key in rule:
        if key not in LIMITS:
            raise InvalidSetting(f"{name}.{key} is unknown: a rule takes {', '.join(LIMITS)}")
    return Rule(**{key: LIMITS[key](f"{name}.{key}", value) for key, value in rule.items()})


class _Key(NamedTuple):
    """A key: the field of Settings that it gives, and how its value is read.

    `from_text`: turns the text of the key's variable into a value; None if the key has no variable of its own.
    """

    field: str
    read: Parse
    from_text: Callable[[str], Any] | None


_PERIODS = {"off": None, "hourly": 3600.0, "daily": 86_400.0, "weekly": 604_800.0}


def _period(name: str, value: Any) -> float | None:
    word = "off" if value is False else value  # YAML reads `off` as a boolean
    if not isinstance(word, str) or word not in _PERIODS:
        raise InvalidSetting(f"{name} takes {', '.join(_PERIODS)}, not {value!r}")
    return _PERIODS[word]


def _globs(name: str, value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and all(isinstance(glob, str) and glob for glob in value)
    if not is_list or any("/" in glob for glob in value):
        raise InvalidSetting(f"{name} takes a list of names, which may hold *, not {value!r}")
    return tuple(value)


def _words(text: str) -> list[str]:
    return re.findall(r"[^,\s]+", text)


KEYS = {
    "clean.artifacts": _Key("artifacts", _patterns, _words),
    "clean.keep": _Key("keep", _patterns, _words),
    _RETENTION: _Key("rules", _rules, None),
    MAX_TOTAL: _Key("max_total", parse_size, str),
    "temp.keep_free": _Key("keep_free", parse_size, str),
    "temp.auto": _Key("auto", _period, str),
    "temp.system": _Key("system", _globs, _words),
}
# If one of these is missed, a clean may remove more than it should.
PROTECTING = ("clean.artifacts", "clean.keep", _RETENTION)
SECTIONS = tuple(dict.fromkeys(key.partition(".")[0] for key in KEYS))


def read(
    layers: Iterable[Any], variables: Mapping[str, str], prefix: str = "INVOKE_", above: Iterable[Any] = ()
) -> Settings:
    """Read settings from configurations, the most specific first, and from variables, which take precedence over them.

    Each setting is taken from the first configuration that has it; those `above` take precedence over the variables. A
    configuration is a mapping, or what invoke makes of one; the names of its variables begin with `prefix`.
    Raises InvalidSetting.
    """
    below, first = list(layers), list(above)
    sections = {key for layer in (*below, *first) for key in (layer or {})}
    general = _said_by(below)
    named, limits = _sorted_out(_ours(variables, prefix, sections), prefix)
    particular = _said_by(first)
    given = general | named | particular
    found = Settings(**{key.field: key.read(*given[name]) for name, key in KEYS.items() if name in given})
    if not limits or _RETENTION in particular:
        return found
    return found._replace(rules=_with_limits(found.rules or {}, limits))


def _said_by(layers: Sequence[Any]) -> dict[str, _Given]:
    """Return our settings in configurations, each from the first one that has it."""
    found: dict[str, Any] = {}
    for layer in reversed(layers):
        found |= flatten(layer)
    return {name: (f"the setting {name}", value) for name, value in found.items()}


def flatten(layer: Any) -> dict[str, Any]:
    """Return our settings in a configuration, by the names of their keys. Raises InvalidSetting."""
    found: dict[str, Any] = {}
    for section in SECTIONS:
        values = _plain(layer[section]) if layer and section in layer else None
        takes = ", ".join(key.partition(".")[2] for key in KEYS if key.startswith(f"{section}."))
        if not isinstance(values, dict | None):
            raise InvalidSetting(f"the setting {section} takes {takes}, not {values!r}")
        for key, value in (values or {}).items():
            if f"{section}.{key}" not in KEYS:
                raise InvalidSetting(f"the setting {section}.{key} is unknown: {section} takes {takes}")
            if value is not None:
                found[f"{section}.{key}"] = value
    return found


def _plain(value: Any) -> Any:
    """Return plain dictionaries with text for keys, whatever invoke, YAML or a program made of them."""
    if not hasattr(value, "keys"):
        return value
    return {str(key): _plain(value[key]) for key in value.keys()}  # noqa: SIM118  (invoke's own mapping)


def _ours(variables: Mapping[str, str], prefix: str, sections: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the variables that are settings of ours.

    `sections`: the top-level keys of the configuration: INVOKE_CLEAN_UP is not ours if there is a `clean_up`.
    """
    others = tuple(f"{prefix}{key}_".upper() for key in sections if key not in SECTIONS)
    ours = tuple(f"{prefix}{section}_".upper() for section in SECTIONS)
    for name, value in variables.items():
        if f"{name}_".startswith(ours) and not f"{name}_".startswith(others):
            yield name, value


def _sorted_out(variables: Iterable[tuple[str, str]], prefix: str) -> tuple[dict[str, _Given], list[_Limit]]:
    """Return the settings that our variables give, by the names of their keys, and the limits. Raises InvalidSetting.

    Except for limits, an empty variable means unset.
    """
    keys = {f"{prefix}{name}".upper().replace(".", "_"): (name, key.from_text) for name, key in KEYS.items()}
    rule = re.compile(f"{re.escape(prefix)}{_RETENTION.upper().replace('.', '_')}_(.+)_({'|'.join(LIMITS).upper()})")
    given: dict[str, _Given] = {}
    limits: list[_Limit] = []
    for variable, text in variables:
        where = f"the variable {variable}"
        name, from_text = keys.get(variable, ("", None))
        if from_text:
            given |= {name: (where, from_text(text))} if text else {}
        elif match := rule.fullmatch(variable):
            limit = match[2].lower()
            limits.append((match[1], limit, LIMITS[limit](where, text)))
        else:
            known = ", ".join(variable for variable, (_, from_text) in keys.items() if from_text)
            raise InvalidSetting(
                f"{where} is unknown; the known ones are {known} and, for example, {prefix}TEMP_RETENTION_DEBUG_MAX_AGE"
            )
    return given, limits


def _with_limits(rules: Rules, limits: Iterable[_Limit]) -> Rules:
    """Return rules with these limits added to those that files give."""
    for spelled, limit, value in limits:
        name = next((name for name in rules if re.sub(r"\W", "_", name).upper() == spelled), spelled.lower())
        rules = {**rules, name: rules.get(name, Rule())._replace(**{limit: value})}
    return rules
