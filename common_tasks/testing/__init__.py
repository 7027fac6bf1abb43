"""The pytest plugin: a failed test's directories are kept, what tests leave behind is found.

`-p no:common_tasks` turns it off. With its defaults it looks at nothing and writes nothing for a suite
that uses none of it. What needs the engine, or looks for leaks, is imported where it is needed.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..temp.testdirs import Lender

KEEP = ("none", "failed", "all")
LEAKS = ("off", "contain", "report", "fail")

# Who lends `pytest_temp_dirs` its directories: set while a session of this plugin lasts.
lender: "Lender | None" = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini names."""
    group = parser.getgroup("temporary directories (common-tasks)")
    group.addoption(
        "--temp-dirs-keep",
        choices=KEEP,
        help="whose directories from temp_dirs, persistent_temp_dir and pytest_temp_dirs stay in .tmp/test/: "
        "those of no test, of tests that failed (default), of all (PYTEST_KEEP_TEMPS=1)",
    )
    group.addoption(
        "--temp-leaks",
        choices=LEAKS,
        help="what tests, and programs that they start, leave in the system's temporary location: off (default); "
        "contain: remove it; report: and say who left it; fail: and exit with 1. Not seen: what is made with "
        "dir=..., by programs with an emptied environment, by modules loaded with -p",
    )
    parser.addini("temp_dirs_keep", "the default of --temp-dirs-keep: none, failed or all")
    parser.addini("temp_leaks", "the default of --temp-leaks: off, contain, report or fail")
    parser.addini("temp_leaks_ignore", "globs of names that may be left behind", type="args", default=[])


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Give the run a temporary directory of its own before any conftest.py is imported."""
    mode = _chosen(early_config, "temp_leaks", LEAKS, "off")
    if mode != "off":
        from .leaks import watch_run

        watch_run(early_config, mode)
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Begin to lend directories to tests."""
    global lender
    config.addinivalue_line(
        "markers",
        "temp_leaks(*globs): names that this test may leave in the temporary directory; all, if none are given",
    )
    from .keeping import Keeper

    keeper = Keeper(config, keep_policy(config))
    config.pluginmanager.register(keeper, "common_tasks_keeping")
    before, lender = lender, keeper.lend
    config.add_cleanup(lambda: _lend_by(before))


def _lend_by(before: "Lender | None") -> None:
    global lender
    lender = before


def keep_policy(config: pytest.Config) -> str:
    """Return whose directories are kept: the option's word, else the environment's, else the ini file's."""
    if config.getoption("temp_dirs_keep") is None and os.environ.get("PYTEST_KEEP_TEMPS", "") not in ("", "0"):
        return "all"
    return _chosen(config, "temp_dirs_keep", KEEP, "failed")


def _chosen(config: pytest.Config, name: str, choices: tuple[str, ...], default: str) -> str:
    """Return an option, else its ini value, checked."""
    value = getattr(config.known_args_namespace, name, None) or config.getini(name) or default
    if value not in choices:
        raise pytest.UsageError(f"{name} takes {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}")
    return str(value)


@pytest.fixture
def temp_dirs() -> Iterator[Callable[..., tuple[Path, ...]]]:
    """Give a function that lends directories, named (`temp_dirs("source", "target")`) or counted (`temp_dirs(3)`).

    Kept when the test fails, as `--temp-dirs-keep` says.
    """
    from ..temp import pytest_temp_dirs

    with contextlib.ExitStack() as stack:

        def lend(*names: str | int) -> tuple[Path, ...]:
            if len(names) == 1 and isinstance(names[0], int):
                return stack.enter_context(pytest_temp_dirs(names[0]))
            if not names or not all(isinstance(name, str) for name in names):
                raise ValueError(f"temp_dirs takes names, or how many directories, not {names}")
            return stack.enter_context(pytest_temp_dirs(len(names), [str(name) for name in names]))

        yield lend


@pytest.fixture
def persistent_temp_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Lend a directory `.tmp/test/<test name>_<unix>/`; kept when the test fails, as `--temp-dirs-keep` says."""
    keeper: Any = request.config.pluginmanager.get_plugin("common_tasks_keeping")
    with keeper.lend_in_project() as folder:
        yield folder
