"""Temporary directories for scripts and tests: made here, seen and cleaned with `inv`.

Importing this loads the standard library only, and no more of it than making a directory needs.
"""

import os

if os.name != "posix":
    raise ImportError("common-tasks needs a POSIX system: Linux or macOS; on Windows, run it inside WSL")

from .errors import BaseRefused, EngineWarning, GuardFailed, InvalidAge, InvalidName, TempError, Unremovable
from .manager import (
    TempEntry,
    TempManager,
    get_cache_temp_dir,
    get_debug_temp_dir,
    get_temp_dir,
    pytest_temp_dirs,
    temp_working_dir,
)

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
