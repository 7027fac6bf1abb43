"""The pytest plugin's entry module, under a name that no project's module has.

A project may have a module `common_tasks` of its own, which hides this package: then the plugin is off, and says so in
one line. So this module needs nothing but pytest; options, settings and fixtures exist in either case. The package is
looked for when the tests are about to run, since the project's own folders are on Python's path by then; or earlier,
if leaks are to be found.
"""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

KEEP = ("none", "failed", "all")
LEAKS = ("off", "contain", "report", "fail")

_WHY_OFF = pytest.StashKey[str]()
_KEEPER = "common_tasks_keeping"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and their ini names."""
    group = parser.getgroup("temporary directories (common-tasks)")
    group.addoption(
        "--temp-dirs-keep",
        choices=KEEP,
        help="whose directories from temp_dirs, persistent_temp_dir and pytest_temp_dirs are kept in .tmp/test/: "
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
    mode = _chosen(early_config, "temp_leaks", LEAKS) or "off"
    if mode != "off" and _is_on(early_config, _own_module_at(early_config.rootpath)):
        from common_tasks.testing.leaks import watch_run

        watch_run(early_config, mode)
    yield


def pytest_configure(config: pytest.Config) -> None:
    """Check the settings."""
    config.addinivalue_line(
        "markers",
        "temp_leaks(*globs): names that this test may leave in the temporary directory; all, if none are given",
    )
    _chosen(config, "temp_dirs_keep", KEEP)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Begin to lend directories to tests."""
    config = session.config
    if _is_on(config, None):
        from common_tasks.testing.keeping import start

        start(config, _KEEPER)
    yield


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note that the plugin is off in an xdist worker."""
    why = getattr(node, "workeroutput", {}).get("common_tasks_off")
    if why:
        node.config.stash[_WHY_OFF] = why


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say in one line that the plugin is off, and why."""
    why = config.stash.get(_WHY_OFF, None)
    if why:
        terminalreporter.write_line(why)


def _chosen(config: pytest.Config, name: str, choices: tuple[str, ...]) -> str:
    """Return an option, else its ini value, checked; empty if there is neither."""
    value = str(getattr(config.known_args_namespace, name, None) or config.getini(name))
    if value not in ("", *choices):
        raise pytest.UsageError(f"{name} takes {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}")
    return value


def _is_on(config: pytest.Config, in_the_way: str | None) -> bool:
    """Tell whether the plugin can do its work; if it cannot, that is said at the end."""
    if _WHY_OFF in config.stash:
        return False
    in_the_way = in_the_way or _hidden_by()
    if in_the_way is None:
        return True
    why = f"common-tasks: the pytest plugin is off: {in_the_way} stands in the way of the package common_tasks"
    config.stash[_WHY_OFF] = why
    if hasattr(config, "workeroutput"):
        config.workeroutput["common_tasks_off"] = why
    return False


def _hidden_by() -> str | None:
    """Return what `import common_tasks` finds in place of our package; nothing is run to find out."""
    try:
        spec = importlib.util.find_spec("common_tasks")
    except ValueError:  # a module that somebody has put together by hand
        return "a module without a file"
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if any(_is_ours(folder) for folder in folders):
        return None
    return (spec.origin if spec else None) or next(iter(folders), "nothing of that name")


def _is_ours(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "namespace", os.path.basename(__file__)))


def _own_module_at(root: Path) -> str | None:
    """Return a project's own module at its root, though it may not be on Python's path yet."""
    folder = root / "common_tasks"
    for file in (root / "common_tasks.py", folder / "__init__.py"):
        if file.is_file() and not _is_ours(str(folder)):
            return str(file)
    return None


def _keeper(request: pytest.FixtureRequest) -> Any:
    keeper = request.config.pluginmanager.get_plugin(_KEEPER)
    if keeper is None:
        pytest.fail(request.config.stash.get(_WHY_OFF, "the tests are not run by pytest's own loop"), pytrace=False)
    return keeper


@pytest.fixture
def temp_dirs(request: pytest.FixtureRequest) -> Iterator[Callable[..., tuple[Path, ...]]]:
    """Give a function that lends directories, named (`temp_dirs("source", "target")`) or counted (`temp_dirs(3)`).

    They lie in the system's temporary location, and go to `.tmp/test/` if the test fails: see `--temp-dirs-keep`.
    """
    with _keeper(request).lend_many() as lend:
        yield lend


@pytest.fixture
def persistent_temp_dir(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Lend a directory `.tmp/test/<test name>_<unix>/`, which is kept if the test fails: see `--temp-dirs-keep`."""
    with _keeper(request).lend_in_project() as folder:
        yield folder
