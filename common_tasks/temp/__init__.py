"""Temporary directories for scripts and tests: made here, listed and cleaned with `inv`.

Importing this loads nothing but the parts of the standard library that making a directory needs.
"""

import os

if os.name != "posix":
    raise ImportError("common-tasks needs a POSIX system: Linux or macOS; on Windows, run it inside WSL")

from ..project.errors import (
    BaseRefused,
    EngineWarning,
    GuardFailed,
    InvalidAge,
    InvalidName,
    TempError,
    Unremovable,
)
from .api import (
    TempEntry,
    TempManager,
    get_cache_temp_dir,
    get_debug_temp_dir,
    get_temp_dir,
    temp_working_dir,
)

TYPE_CHECKING = False  # type checkers take this name for true; see `common_tasks`
if TYPE_CHECKING:
    from .testdirs import pytest_temp_dirs

__all__ = [
    "BaseRefused",
    "EngineWarning",
    "GuardFailed",
    "InvalidAge",
    "InvalidName",
    "TempEntry",
    "TempError",
    "TempManager",
    "Unremovable",
    "get_cache_temp_dir",
    "get_debug_temp_dir",
    "get_temp_dir",
    "pytest_temp_dirs",
    "temp_working_dir",
]


def __getattr__(name: str) -> object:
    if name != "pytest_temp_dirs":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .testdirs import pytest_temp_dirs  # only tests need it

    globals()[name] = pytest_temp_dirs
    return pytest_temp_dirs
