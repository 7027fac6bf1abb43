"""invoke's configuration as this package reads it: settings of ours are left to us to check, and names stay text."""

import contextlib
import errno
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from invoke import util
from invoke.config import Config
from invoke.env import Environment
from invoke.exceptions import Exit

# invoke casts a variable to the kind of value that the configuration holds, and where that is a list or a number ends
# in a traceback. So it must not see those that are ours while it prepares a task.
_OURS = re.compile(
    r"INVOKE_(CLEAN_(ARTIFACTS|KEEP)|TEMP_(AUTO|KEEP_FREE|MAX_TOTAL|SYSTEM)|TEMP_RETENTION_.+_(MAX_AGE|MAX_SIZE|KEEP_LAST))"
)

_HIDDEN = "COMMON_TASKS_"  # before the name of a variable that is hidden


_yaml: Any = util.yaml  # type: ignore[attr-defined]  # its own copy, or the system's


class _TextKeys(_yaml.SafeLoader):  # type: ignore[misc]  # it has no types
    """Reads YAML with text for keys, also where they look like numbers or truth values."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  # as in YAML's
        """Return a mapping."""
        self.flatten_mapping(node)
        for key, _ in node.value:
            if key.tag.startswith("tag:yaml.org,2002:"):
                key.tag = "tag:yaml.org,2002:str"
        return dict(super().construct_mapping(node, deep=deep))


def load(path: str) -> Any:
    """Read a file of YAML or JSON. Raises whatever its parser raises."""
    with open(path, encoding="utf-8") as file:
        return json.load(file) if path.endswith(".json") else _yaml.load(file, _TextKeys)


def _refuse_misplaced(path: str, content: Any, known: Any, above: str = "") -> None:
    """Raise InvalidSetting where a file has one value for a section of invoke's, or a section for one value."""
    from ..monorepo.quantities import InvalidSetting

    for key, value in content.items():
        ours, theirs = isinstance(value, dict), isinstance(known.get(key), dict)
        if key in known and ours != theirs:
            takes = "settings by name" if theirs else "one value"
            raise InvalidSetting(f"{path!r}: the setting {above}{key} takes {takes}, not {value!r}")
        if ours and theirs:
            _refuse_misplaced(path, value, known[key], f"{above}{key}.")


class Configuration(Config):
    """invoke's configuration for the command `common-tasks`."""

    def load_shell_env(self) -> None:
        """Load variables of the environment, except those that are settings of ours."""
        from ..monorepo.settings import SECTIONS  # loads the engine: who lists tasks does not pay for it

        self.merge()
        others: Any = {key: value for key, value in self._config.items() if key not in SECTIONS}
        self._set(_env=Environment(config=others, prefix=self._env_prefix).load())
        self.merge()

    def _load_yaml(self, path: Any) -> Any:
        if not os.path.isfile(path):  # a folder or a pipe of that name is no file
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        from ..monorepo.quantities import InvalidSetting
        from ..monorepo.sources import read_file

        try:
            content = read_file(path, load)
            _refuse_misplaced(path, content or {}, self.global_defaults())
        except InvalidSetting as error:
            raise Exit(str(error), code=2) from None
        return content

    _load_yml = _load_json = _load_yaml

    def _load_py(self, path: Any) -> Any:
        """Run a file that the user named, or has at home; but none of the project's."""
        is_projects = os.path.dirname(path) == (self._project_prefix or "").rstrip(os.sep)
        if is_projects and path != self._runtime_path:
            return {}
        try:
            return super()._load_py(path)
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001  # the user's own code may raise whatever it likes
            raise Exit(f"{path!r} cannot be read: {type(error).__name__}: {error}", code=2) from None


def hide_variables() -> None:
    """Hide our variables from invoke, while it prepares to run a task of ours; see `shown_variables`."""
    for name in [name for name in os.environ if _OURS.fullmatch(name)]:
        os.environ[_HIDDEN + name] = os.environ.pop(name)


@contextlib.contextmanager
def shown_variables() -> Iterator[None]:
    """Show our variables again, to the block and to what it starts; hide them afterwards if they were hidden."""
    hidden = [name for name in os.environ if _OURS.fullmatch(name.removeprefix(_HIDDEN)) and name.startswith(_HIDDEN)]
    for name in hidden:
        os.environ[name.removeprefix(_HIDDEN)] = os.environ.pop(name)
    try:
        yield
    finally:
        if hidden:
            hide_variables()
