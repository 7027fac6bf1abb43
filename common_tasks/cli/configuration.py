"""invoke's configuration as this package reads it: our own settings are checked elsewhere, and keys stay text."""

import errno
import json
import os
from typing import Any

from invoke import util
from invoke.config import Config
from invoke.env import Environment

from ..project.errors import InvalidSetting

_yaml: Any = util.yaml  # type: ignore[attr-defined]  # its own copy, or the system's


class _TextKeys(_yaml.SafeLoader):  # type: ignore[misc]  # it has no types
    """Reads YAML with text for keys, even if they look like numbers or booleans."""

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
    """Raise InvalidSetting if a file has one value where invoke has a section, or a section where it has one value."""
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
        """Load environment variables, except those for our own settings."""
        from ..monorepo.settings import SECTIONS  # loads the engine, which listing tasks does not need

        self.merge()
        others: Any = {key: value for key, value in self._config.items() if key not in SECTIONS}
        self._set(_env=Environment(config=others, prefix=self._env_prefix).load())
        self.merge()

    def _load_yaml(self, path: Any) -> Any:
        if not os.path.isfile(path):  # a folder or a pipe of that name is not a file
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        from ..monorepo.sources import read_file

        content = read_file(path, load)
        _refuse_misplaced(path, content or {}, self.global_defaults())
        return content

    _load_yml = _load_json = _load_yaml

    def _load_py(self, path: Any) -> Any:
        """Run a configuration file, unless it is the project's and the user did not name it."""
        is_projects = os.path.dirname(path) == (self._project_prefix or "").rstrip(os.sep)
        if is_projects and path != self._runtime_path:
            return {}
        try:
            return super()._load_py(path)
        except FileNotFoundError:
            raise
        except Exception as error:  # noqa: BLE001  # the user's own code may raise whatever it likes
            raise InvalidSetting(f"{path!r} cannot be read: {type(error).__name__}: {error}") from None
