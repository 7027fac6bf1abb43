"""invoke's configuration, and what options say, read and checked into values.

Everything wrong is an InvalidSetting: one line that names the key, variable or option, and what it takes.

    clean:
      artifacts: ["...", "/out/"]           INVOKE_CLEAN_ARTIFACTS=...,/out/
      keep: ["/dist/"]                      INVOKE_CLEAN_KEEP
    temp:
      retention:
        debug: {max_age: 7d, keep_last: 3}  INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE=7d
"""

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..project import marks
from ..project.patterns import ARTIFACTS, Patterns, parse
from ..temp import layout
from ..temp.retention import DEFAULT, Limit, Rule, hours

_SECTIONS = {"clean": ("artifacts", "keep"), "temp": ("retention",)}
_SUFFIXES = ("yaml", "yml", "json", "py")  # of configuration files, in invoke's order
_CONFIGURES = re.compile(rb"\.configure\s*\(")
_OURS = re.compile(rb"""["'](?:artifacts|keep|retention)["']|\b(?:artifacts|keep|retention)\s*=""")
_LIMITS = ("max_age", "max_size", "keep_last")
_AGE = re.compile(r"(\d+(?:\.\d+)?) ?([mhdw])")
_AGES = {"m": (60, "minute"), "h": (3600, "hour"), "d": (86_400, "day"), "w": (604_800, "week")}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgt]?)(i?)(b?)", re.IGNORECASE)
_POWERS = {letter: power for power, letter in enumerate(["", "k", "m", "g", "t"])}
_TAKES_AGE = "a number and m, h, d or w, such as 7d"
_TAKES_SIZE = "a size such as 500MB or 2G"
_TAKES_COUNT = "a whole number from 0 up"

Rules = Mapping[str, Rule]


class InvalidSetting(ValueError):
    """A key, variable or option that is none, or a value that it does not take. Its text is one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a project's configuration says. `rules`: by category; None where there are none."""

    artifacts: Patterns
    keep: Patterns
    rules: Rules | None = None


class Sources:
    """Where the settings of projects come from.

    `config`: what invoke made for the tasks that run, of the file in the folder `loaded` among others. `current`: the
    project that they run for. `monorepo`: the folder whose file holds for all projects that don't say otherwise.
    """

    def __init__(self, config: Any, loaded: Path | None, current: Path, monorepo: Path) -> None:
        self._config = config
        self._loaded = loaded
        self._current = current
        self._monorepo = monorepo
        self._read: dict[Path, Settings] = {}

    def of(self, root: Path) -> Settings:
        """Return the settings of the project at `root`. Raises InvalidSetting."""
        if root not in self._read:
            layers = [*self._own(root), self._shared, self._config._user, self._config._system]
            self._read[root] = read(layers, self._variables, self._config._env_prefix)
        return self._read[root]

    def _own(self, root: Path) -> list[Any]:
        if root == self._loaded:
            return [self._config]
        refuse_untold(root)
        return [read_file(self._config, root), *([self._config] if root == self._current else [])]

    @cached_property
    def _shared(self) -> Any:
        return self._config if self._monorepo == self._loaded else read_file(self._config, self._monorepo)

    @cached_property
    def _variables(self) -> dict[str, str]:
        """The environment, and what `tasks` has put aside there, by the names that users give."""
        return {
            name.removeprefix("COMMON_TASKS_") if name.startswith("COMMON_TASKS_INVOKE_") else name: value
            for name, value in os.environ.items()
        }


def read_file(config: Any, folder: Path) -> Any:
    """Read the configuration file in a folder as invoke does, but run none that is Python. Raises InvalidSetting.

    `config`: any configuration of invoke's; it tells how the file is called.
    """
    stem = config.file_prefix or config.prefix
    paths = [folder / f"{stem}.{suffix}" for suffix in _SUFFIXES if _is_file(f"{folder}/{stem}.{suffix}")]
    if not paths:
        return {}
    if paths[0].suffix == ".py":
        raise InvalidSetting(f"{str(paths[0])!r} is not run for its settings: write them into {stem}.yaml")
    reader = type(config)(project_location=os.fspath(folder), lazy=True)
    try:
        reader.load_project(merge=False)
    except Exception as error:  # whatever invoke's parsers raise
        problem = " ".join(str(error).split())
        raise InvalidSetting(f"{str(paths[0])!r} cannot be read: {problem}") from error
    if not isinstance(reader._project, dict | None):
        raise InvalidSetting(f"{str(paths[0])!r} takes settings by name, not {reader._project!r}")
    return reader._project


def refuse_untold(folder: Path) -> None:
    """Raise InvalidSetting where the tasks in a folder seem to set what is ours: they are not run to be asked."""
    try:
        for path, text in marks.read_tasks(os.fspath(folder)):
            if _CONFIGURES.search(text) and _OURS.search(text):
                raise InvalidSetting(f"{path!r} is not run for what it configures: write that into invoke.yaml")
    except OSError as error:
        raise InvalidSetting(f"{str(error.filename or folder)!r} cannot be read: {error.strerror}") from error


def _is_file(path: str) -> bool:
    """Tell whether there is a file. Raises InvalidSetting where that cannot be told: nor can what it keeps."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise InvalidSetting(f"{path!r} cannot be read: {error.strerror}") from error


def read(layers: Iterable[Any], variables: Mapping[str, str], prefix: str = "INVOKE_") -> Settings:
    """Read settings from configurations, the most particular first, and from variables, which come before all.

    Each setting is taken from the first configuration that has it. A configuration is a mapping, or what invoke
    makes of one; `prefix` is what the names of its variables begin with. Raises InvalidSetting.
    """
    sections = [_sections(layer) for layer in layers]
    named = _Variables(variables, prefix, {key for layer in sections for key in layer})
    found: dict[str, Any] = {}
    for layer in reversed(sections):
        for section, keys in _SECTIONS.items():
            found |= _settings(section, layer.get(section), keys)
    return Settings(
        artifacts=_patterns("clean.artifacts", named.patterns("artifacts") or found.get("clean.artifacts", ARTIFACTS)),
        keep=_patterns("clean.keep", named.patterns("keep") or found.get("clean.keep", ())),
        rules=_rules(found.get("temp.retention"), named),
    )


def read_limits(options: Mapping[str, Any]) -> Rules | None:
    """Return the rule for every category that options make; None where none of them is given.

    The options are called `--max-age-hours` or `--temp-age-hours`, `--max-age`, `--keep-last` and `--max-size`. Raises
    InvalidSetting.
    """
    given = {option: value for option, value in options.items() if value is not None}
    limits: dict[str, Any] = {}
    for option, value in given.items():
        if option == "--keep-last":
            limits["keep_last"] = _count(option, value)
        elif option == "--max-size":
            limits["max_size"] = _size(option, value)
        elif "max_age" in limits:
            raise InvalidSetting(f"{' and '.join(name for name in given if '-age' in name)} say the same: give one")
        else:
            limits["max_age"] = _age(option, value) if option == "--max-age" else _age_in_hours(option, value)
    return {DEFAULT: Rule(**limits)} if given else None


def _sections(layer: Any) -> dict[str, Any]:
    """Return the top of a configuration, with what is ours in it as plain dictionaries."""
    return {key: _plain(layer[key]) if key in _SECTIONS else None for key in (layer or {})}


def _plain(value: Any) -> Any:
    if not hasattr(value, "keys"):
        return value
    return {str(key): _plain(value[key]) for key in value.keys()}  # noqa: SIM118  (invoke's own mapping)


def _settings(section: str, values: Any, keys: Sequence[str]) -> dict[str, Any]:
    if values is None:
        return {}
    takes = " and ".join(keys)
    if not isinstance(values, dict):
        raise InvalidSetting(f"the setting {section} takes {takes}, not {values!r}")
    for key in values:
        if key not in keys:
            raise InvalidSetting(f"the setting {section}.{key} is unknown: {section} takes {takes}")
    return {f"{section}.{key}": value for key, value in values.items() if value is not None}


def _patterns(name: str, patterns: Any) -> Patterns:
    if not isinstance(patterns, list | tuple) or not all(isinstance(pattern, str) for pattern in patterns):
        raise InvalidSetting(f"the setting {name} takes a list of patterns, not {patterns!r}")
    try:
        return parse(tuple(patterns))
    except ValueError as error:
        raise InvalidSetting(f"the setting {name}: {error}") from None


def _rules(values: Any, named: "_Variables") -> Rules | None:
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise InvalidSetting(f"the setting temp.retention takes a rule for each category, not {values!r}")
    rules = {category: _limits(f"the setting temp.retention.{category}", rule) for category, rule in values.items()}
    for category, key, variable, value in named.limits(values):
        rules.setdefault(category, {})[key] = _limit(variable, key, value)
    return {category: Rule(**limits) for category, limits in rules.items()} or None


def _limits(name: str, rule: Any) -> dict[str, Any]:
    if not isinstance(rule, dict) or not rule:
        raise InvalidSetting(f"{name} takes one or more of {', '.join(_LIMITS)}, not {rule!r}")
    for key in rule:
        if key not in _LIMITS:
            raise InvalidSetting(f"{name}.{key} is unknown: a rule takes {', '.join(_LIMITS)}")
    return {key: _limit(f"{name}.{key}", key, value) for key, value in rule.items()}


def _limit(name: str, key: str, value: Any) -> Any:
    return {"max_age": _age, "max_size": _size, "keep_last": _count}[key](name, value)


def _age(name: str, value: Any) -> Limit:
    match = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidSetting(f"{name} takes {_TAKES_AGE}, not {value!r}")
    seconds, unit = _AGES[match[2]]
    number = float(match[1])
    return Limit(number * seconds, f"{match[1]} {unit}{'' if number == 1 else 's'}")


def _age_in_hours(name: str, value: Any) -> Limit:
    try:
        return hours(layout.seconds(float(value)))
    except (TypeError, ValueError):
        raise InvalidSetting(f"{name} takes a number of hours from 0 up, such as 24 or 0.5, not {value!r}") from None


def _size(name: str, value: Any) -> Limit:
    """Read a size: with `B` alone in powers of 1000, with `iB` of 1024, and a bare letter as `du -h` means it."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not (match[2] or match[4]):
        raise InvalidSetting(f"{name} takes {_TAKES_SIZE}, not {value!r}")
    letter, binary = match[2].lower(), bool(match[3] or not match[4])
    unit = f"{letter.upper()}iB" if binary else f"{letter if letter == 'k' else letter.upper()}B"
    return Limit(float(match[1]) * (1024 if binary else 1000) ** _POWERS[letter], f"{match[1]} {unit}")


def _count(name: str, value: Any) -> int:
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidSetting(f"{name} takes {_TAKES_COUNT}, not {value!r}")
    return int(text)


class _Variables:
    """The variables of the environment that are settings. Empty means unset.

    `sections`: the tops of the configuration, since INVOKE_CLEAN_UP is no setting of ours where there is a `clean_up`.
    """

    def __init__(self, variables: Mapping[str, str], prefix: str, sections: Iterable[str]) -> None:
        others = tuple(f"{prefix}{key}_".upper() for key in sections if key not in _SECTIONS)
        self._prefix = prefix
        self._values = {
            name: value
            for name, value in variables.items()
            if value and self._is_ours(name) and not f"{name}_".startswith(others)
        }
        for name in self._values:
            self._refuse_unknown(name)

    def _is_ours(self, name: str) -> bool:
        return any(f"{name}_".startswith(f"{self._prefix}{section.upper()}_") for section in _SECTIONS)

    def _refuse_unknown(self, name: str) -> None:
        known = [f"{self._prefix}CLEAN_{key.upper()}" for key in _SECTIONS["clean"]]
        if name not in known and not self._rule_of(name):
            rule = f"{self._prefix}TEMP_RETENTION_DEBUG_MAX_AGE"
            raise InvalidSetting(f"the variable {name} is unknown: there are {', '.join(known)} and such as {rule}")

    def _rule_of(self, name: str) -> re.Match[str] | None:
        return re.fullmatch(f"{re.escape(self._prefix)}TEMP_RETENTION_(.+)_(MAX_AGE|MAX_SIZE|KEEP_LAST)", name)

    def patterns(self, key: str) -> list[str]:
        """Return the patterns that a variable of `clean` holds."""
        return re.findall(r"[^,\s]+", self._values.get(f"{self._prefix}CLEAN_{key.upper()}", ""))

    def limits(self, categories: Iterable[str]) -> list[tuple[str, str, str, str]]:
        """Return category, key, variable and value of each bound; a category is spelled as in `categories`."""
        spelled = {re.sub(r"\W", "_", category).upper(): category for category in categories}
        rules = [(match, value) for name, value in self._values.items() if (match := self._rule_of(name))]
        return [
            (spelled.get(match[1], match[1].lower()), match[2].lower(), f"the variable {match[0]}", value)
            for match, value in rules
        ]
