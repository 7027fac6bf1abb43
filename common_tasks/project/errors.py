"""The errors that are raised: each is a TempError, and also the built-in error that fits."""

import os

from ..fs.values import printable


class TempError(Exception):
    """What is refused or cannot be done. Its text is one printable line."""


class InvalidName(TempError, ValueError):
    """A name, category or suffix that no directory may have."""


class InvalidAge(TempError, ValueError):
    """An age in hours that is negative, not finite or not a number."""


class InvalidSetting(TempError, ValueError):
    """A key, variable or option that does not exist, or a value that it does not take."""


class PathError(TempError, OSError):
    """Something about one path: `path` says which, and `reason` what."""

    def __init__(self, path: "str | os.PathLike[str]", reason: str) -> None:
        self.path = os.fspath(path)
        self.reason = printable(reason)
        super().__init__(f"'{printable(self.path)}' {self.reason}")

    def __reduce__(self) -> tuple["type[PathError]", tuple[str, str]]:
        return type(self), (self.path, self.reason)


class BaseRefused(PathError):
    """A folder that is not ours to look into, to write to or to clean."""


class Unremovable(PathError):
    """A directory that could not be cleaned up, and what prevented that."""


class GuardFailed(TempError, RuntimeError):
    """There is a git repository, but git would not say what it tracks."""


class EngineWarning(RuntimeWarning):
    """A problem with one directory that did not stop a library call."""
