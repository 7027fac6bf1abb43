"""Each test has a project and a system's temporary folder of its own: no test sees a developer's."""

import codecs
import gc
import itertools
import os
import pickle
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from common_tasks.temp import layout

from .helpers import make_project

# `--hypothesis-profile thorough` is for who has minutes. No test depends on how fast the machine is.
settings.register_profile("quick", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=300)
settings.load_profile("quick")


# Where the folders of this run are: the pytest that a test starts would remove those of earlier runs.
_PYTEST_ROOT = "PYTEST_DEBUG_TEMPROOT"


# A worker has processes and mounts of its own: what another starts or mounts cannot matter to its tests, and looking at
# all processes takes no longer where many run. The shell is there to reap what has lost its parent.
_APART = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", '"$0" "$@"; exit $?')


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: Sequence[Any]) -> None:
    """Start the workers apart from each other, where that is allowed: elsewhere, nothing can be mounted either."""
    if shutil.which(_APART[0]) and not subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode:
        for spec in specs:
            spec.python = shlex.join([*_APART, sys.executable])


def pytest_collection_finish() -> None:
    """Let no search for garbage go through what was imported: thousands of tests would pay for it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new folder. Pytest's own lists those of all tests before to find a name."""
    return tmp_path_factory.mktemp(f"test-{next(_NUMBERS)}", numbered=False)


_NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def system_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "system-temp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("COMMON_TASKS_AGE", "modified")  # tests set ages with utime
    for name in (layout.VARIABLE, "NO_COLOR", "FORCE_COLOR", "COLUMNS", "GIT_DIR", "GIT_INDEX_FILE", _PYTEST_ROOT):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project's root, which is the working directory."""
    root = make_project(tmp_path / "project")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def elsewhere(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """Make a tree outside the project; what is returned reads it, and must always give the same."""
    outside = tmp_path / "outside"
    (outside / "deep" / "er").mkdir(parents=True)
    for number in range(20):
        (outside / f"file-{number}").write_bytes(b"precious")
        (outside / "deep" / "er" / f"file-{number}").write_bytes(b"precious")

    def read() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in outside.rglob("*") if path.is_file()}

    return read


class As:
    """Runs a function in a child process of an ordinary user, for whom permissions mean something."""

    def __init__(self, owned: Path) -> None:
        self._owned = owned

    def __call__(self, act: Callable[[], Any], *, roots: Collection[Path] = ()) -> Any:
        """Run `act` and return what it returns. The user owns all that is there, except for `roots`."""
        if os.geteuid() != 0:
            return act()
        self._give(_USER)
        for path in roots:
            os.chown(path, 0, 0, follow_symlinks=False)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._run(act, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as results:
            said = results.read()
        os.waitpid(child, 0)
        self._give(0)
        result = pickle.loads(said)
        if isinstance(result, BaseException):
            raise result
        return result

    def _give(self, user: int) -> None:
        for path in [self._owned, *self._owned.rglob("*")]:
            os.chown(path, user, user, follow_symlinks=False)

    @staticmethod
    def _run(act: Callable[[], Any], writer: int) -> NoReturn:
        try:
            os.setgroups([])
            os.setresgid(_USER, _USER, _USER)
            os.setresuid(_USER, _USER, _USER)
            result = act()
        except BaseException as error:  # noqa: BLE001  # the parent raises it
            result = error
        os.write(writer, pickle.dumps(result))
        os._exit(0)


_USER = 65534
codecs.lookup("ascii")  # an ordinary user may not read the folder it would be loaded from


@pytest.fixture
def nobody(project: Path) -> As:
    """Lend an ordinary user, to whom the project belongs."""
    # Its path leads through pytest's own folders, which are root's alone. They stay passable: the tests
    # of other workers may be in them.
    for folder in project.parents:
        if folder.stat().st_mode & 0o011 != 0o011:
            folder.chmod(folder.stat().st_mode | 0o011)
    return As(project.parent)
