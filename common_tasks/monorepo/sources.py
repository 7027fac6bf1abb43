"""Where the settings of projects come from: files, variables, and what tasks configure. Nobody's code is run.

From the most specific to the most general, as in invoke: what a running task has set, `inv -f FILE`, environment
variables, the project's own files, what its tasks configure, the same for the monorepo's root, the user's files, the
system's files.
"""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..project import marks
from ..project.errors import InvalidSetting
from .configured import Configured, read_tasks
from .settings import MAX_TOTAL, PROTECTING, SECTIONS, Settings, flatten, read

_SUFFIXES = ("yaml", "yml", "json", "py")  # of configuration files, in invoke's order
_PYPROJECT = "pyproject.toml"
_TABLE = "common-tasks"
_MENTION = re.compile(rb"(?i)common[-_]?tasks")
_OF_TASKS = "migrate"  # a section that temp-migrate reads

Load = Callable[[str], Any]  # reads a file of YAML or JSON; raises whatever its parser raises


class _Told(NamedTuple):
    """The settings in a folder: those of each of its files, and of its tasks."""

    files: Sequence[Any]
    tasks: Configured


class Sources:
    """Gives the settings of projects: `of(root)` returns those of the project at `root`, or raises InvalidSetting.

    `config`: what invoke made for the tasks that run, which it loaded from the folder `loaded`. `load`: reads files.
    `current`: the project that they run for. `monorepo`: the folder whose files apply to all projects that do not say
    otherwise.
    """

    def __init__(self, config: Any, load: Load, *, loaded: Path | None, current: Path, monorepo: Path) -> None:
        self._config = config
        self._load = load
        self._loaded = loaded
        self._current = current
        self._monorepo = monorepo
        # The environment is long, and there may be hundreds of projects.
        prefix = config._env_prefix.upper()
        self._variables = {name: text for name, text in os.environ.items() if name.startswith(prefix)}
        self.of = cache(self._settings)
        self._told = cache(self._ask)
        self._said_in = cache(self._file_of)

    def _settings(self, root: Path) -> Settings:
        config = self._config
        around = [self._loaded] if self._loaded and root == self._current else []
        told = {folder: self._told(folder) for folder in dict.fromkeys([root, *around, self._monorepo])}
        layers = [
            _of_all_projects(layer) if folder == self._monorepo != root else layer
            for folder, each in told.items()
            for layer in (*each.files, each.tasks.values)
        ]
        general = [self._said_in("user"), self._said_in("system"), config._defaults]
        particular = [config._modifications, config._overrides, self._said_in("runtime")]
        settings = read([*layers, *general], self._variables, config._env_prefix, above=particular)
        return settings._replace(uncertain=_why_uncertain(told.values()))

    def _ask(self, folder: Path) -> _Told:
        is_run = folder == self._loaded
        tasks = Configured(self._config._collection) if is_run else read_tasks(os.fspath(folder))
        return _Told(self._files_in(folder), tasks)

    def _file_of(self, kind: str) -> Any:
        """Return what invoke's file of this kind says; if it is Python, invoke has run it."""
        path = getattr(self._config, f"_{kind}_path")
        if not path or not getattr(self._config, f"_{kind}_found") or path.endswith(".py"):
            return getattr(self._config, f"_{kind}")
        return read_file(os.path.expanduser(path), self._load)

    def _files_in(self, folder: Path) -> list[Any]:
        """Return what each configuration file in a folder says. Raises InvalidSetting if two have the same setting."""
        origin: dict[str, str] = {}
        contents = self._contents(folder)
        for path, content in contents:
            for key in flatten(content):
                if key in origin:
                    raise InvalidSetting(f"the setting {key} is in {origin[key]!r} and in {path!r}: keep one of them")
                origin[key] = path
        return [content for _, content in contents]

    def _contents(self, folder: Path) -> list[tuple[str, Any]]:
        stem = self._config.file_prefix or self._config.prefix
        paths = [path for suffix in _SUFFIXES if is_file(path := f"{folder}/{stem}.{suffix}")]
        contents = [(path, read_file(path, self._load)) for path in paths if not path.endswith(".py")]
        if not contents and paths:
            if folder != self._loaded:
                raise InvalidSetting(f"{paths[0]!r} is not run to find its settings: put them in {stem}.yaml")
            contents = [(paths[0], self._config._project)]
        return [*contents, (f"{folder}/{_PYPROJECT}", read_pyproject(os.fspath(folder)))]


def _why_uncertain(told: Iterable[_Told]) -> str | None:
    """Say why tasks may protect more than is known; None if files, which take precedence, say all of that.

    `told`: the settings in folders, the most specific first.
    """
    said: set[str] = set()
    for each in told:
        said.update(key for layer in each.files for key in flatten(layer))
        if each.tasks.uncertain and not said.issuperset(PROTECTING):
            return each.tasks.uncertain
    return None


def _of_all_projects(layer: Any) -> Any:
    """Return what a layer of the monorepo's root says for each project: not `max_total`, which is for all together."""
    section, _, key = MAX_TOTAL.partition(".")
    values: Any = layer[section] if layer and section in layer else None
    if not hasattr(values, "keys"):
        return layer
    return {**layer, section: {name: values[name] for name in values.keys() if name != key}}  # noqa: SIM118  (invoke's)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turn whatever goes wrong in the block into an InvalidSetting that names the file."""
    try:
        yield
    except Exception as error:
        problem = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
        raise InvalidSetting(f"{path!r} cannot be read: {problem}") from error


def read_file(path: str, load: Load) -> Any:
    """Read a configuration file. Raises InvalidSetting if that is not possible, or not safe."""
    with _reading(path):
        planted = marks.is_planted(os.path.dirname(path), os.lstat(path))
        content = None if planted else load(path)
    if planted:
        raise InvalidSetting(f"{path!r} may have been put there by another user: it is not read")
    if not isinstance(content, dict | None):
        raise InvalidSetting(f"{path!r} takes settings by name, not {content!r}")
    return content


def read_pyproject(folder: str) -> Mapping[str, Any]:
    """Return the table [tool.common-tasks] of the `pyproject.toml` in a folder. Raises InvalidSetting."""
    path = f"{folder}/{_PYPROJECT}"
    with _reading(path):
        text = marks.read_whole(folder, _PYPROJECT)
        if not _MENTION.search(text):  # most do not mention us, and in a project template it may not be TOML
            return {}
        import tomllib  # seldom needed

        tables = tomllib.loads(text.decode()).get("tool", {})
        table = tables.get(_TABLE, {})
    if misspelled := [name for name in tables if name != _TABLE and _MENTION.fullmatch(name.encode())]:
        raise InvalidSetting(f"{path!r}: the table is called [tool.{_TABLE}], not [tool.{misspelled[0]}]")
    known = (*SECTIONS, _OF_TASKS)
    unknown = [key for key in table if key not in known] if isinstance(table, dict) else [table]
    if unknown:
        raise InvalidSetting(f"{path!r}: [tool.{_TABLE}] takes {', '.join(known)}, not {unknown[0]!r}")
    return dict(table)


def is_file(path: str) -> bool:
    """Tell whether there is a file. Raises InvalidSetting if that is unknown: the file might name what to keep."""
    with _reading(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return stat.S_ISREG(os.stat(path).st_mode)
    return False
