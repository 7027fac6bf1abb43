"""Temporary directories for a monorepo: made by one engine, seen and cleaned with `inv`.

Every name is loaded on first use, so a script loads neither invoke nor what draws tables, and `inv --list`
does not load the engine. A star import leaves `ns` out: invoke would use it and ignore any tasks beside it.
"""

TYPE_CHECKING = False  # type checkers treat this name as true; loading `typing` for it would slow down every script

if TYPE_CHECKING:
    from .cli import clean, temp_clean, temp_migrate, temp_status
    from .cli import ns as ns
    from .project.patterns import ARTIFACTS
    from .temp import (
        TempManager,
        get_cache_temp_dir,
        get_debug_temp_dir,
        get_temp_dir,
        pytest_temp_dirs,
        temp_working_dir,
    )

__all__ = [
    "ARTIFACTS",
    "TempManager",
    "clean",
    "get_cache_temp_dir",
    "get_debug_temp_dir",
    "get_temp_dir",
    "pytest_temp_dirs",
    "temp_clean",
    "temp_migrate",
    "temp_status",
    "temp_working_dir",
]

_TASKS = ("clean", "ns", "temp_clean", "temp_migrate", "temp_status")
_MODULES = {"ARTIFACTS": "project.patterns", **dict.fromkeys(_TASKS, "cli")}


if not TYPE_CHECKING:  # with `__getattr__`, a checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in __all__ and name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".{_MODULES.get(name, 'temp')}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
