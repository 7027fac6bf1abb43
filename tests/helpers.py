"""What many tests need: projects, entries, real processes."""

import contextlib
import itertools
import json
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import common_tasks
from common_tasks.fs.workers import ALONE, Workers
from common_tasks.monorepo import members
from common_tasks.monorepo.members import Aim, Scope
from common_tasks.monorepo.settings import Settings
from common_tasks.project.patterns import Patterns
from common_tasks.temp import inventory, layout, names, removal, retention, uses
from common_tasks.temp.entry import Decision, Entry, Outcome, Plan

from . import warm

INV = str(Path(sys.executable).parent / "inv")
COMMAND = str(Path(sys.executable).parent / "common-tasks")
# What the tasks import sooner or later: of others, and in all.
THEIRS = ("invoke.main", "humanize", "rich.console", "rich.table")
OURS = (
    *THEIRS,
    *(
        module.name
        for module in pkgutil.walk_packages(common_tasks.__path__, "common_tasks.")
        if not module.name.startswith(("common_tasks.__main__", "common_tasks.testing"))
    ),
)
# What a program that only makes temporary directories imports.
ENGINE = tuple(
    name for name in OURS if name.startswith(("common_tasks.temp", "common_tasks.fs", "common_tasks.project"))
)
# What pytest imports that is no plugin of others, and what xdist does.
PYTEST = (
    *("pytest", "email.parser", "execnet", "pdb", "tomllib", "unittest", "xml.etree.ElementTree"),
    *("_pytest.faulthandler", "_pytest.helpconfig", "_pytest.junitxml", "_pytest.pastebin", "_pytest.setuponly"),
    *("_pytest.setupplan", "_pytest.skipping", "_pytest.threadexception", "_pytest.tracemalloc", "_pytest.unittest"),
    *("_pytest.unraisableexception", "_pytest.warnings"),
)
# What may be installed beside ours, and costs a second.
PLUGINS = ("fakefs", "hypothesispytest", "anyio", "timeout")
HOUR = 3600.0
OLD = 1_696_348_800
SETUP = "from setuptools import setup\n\nsetup(name='x')\n"


def fill(root: Path, paths: list[str] | str) -> None:
    """Make files, and the folders they lie in."""
    for path in paths.split() if isinstance(paths, str) else paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")


def make_project(root: Path) -> Path:
    root.mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / "tasks.py").write_text("from common_tasks import ns\n")
    return root


def make_entry(path: Path, files: int = 2, hours: float = 0, content: bytes = b"x" * 5000) -> Path:
    """Make a directory by hand, as if no process had anything to do with it any more."""
    (path / "sub").mkdir(parents=True)
    for number in range(files):
        (path / "sub" / f"file-{number}").write_bytes(content)
    set_age(path, hours)
    return path


def set_age(path: Path, hours: float) -> None:
    changed = time.time() - hours * HOUR
    for each in [*path.rglob("*"), path]:
        os.utime(each, (changed, changed), follow_symlinks=False)


def take(root: Path, **options: Any) -> tuple[Entry, ...]:
    return inventory.scan([layout.find_project(root)], **options)


def plan(root: Path, max_age: float | None = None, *, force: bool = False) -> Plan:
    return uses.settled(retention.make_plan(take(root), retention.Policy(max_age=max_age, force=force), time.time()))


def clean(root: Path, max_age: float | None = None, *, force: bool = False) -> Outcome:
    return removal.carry_out(plan(root, max_age, force=force))


def find_artifacts(root: Path, *more: str, keep: tuple[str, ...] = (), workers: Workers = ALONE) -> tuple[Entry, ...]:
    """Return the artifacts in a project and those below, which all have these settings."""
    settings = Settings(artifacts=Patterns(["...", *more]), keep=Patterns(keep))
    scope = Scope(root=root, project=layout.project_at(str(root)), settings_of=lambda _: settings)
    found = members.find(scope, Aim(cleaned=True, swept=True), workers)
    return members.asked_for(scope, found)[0].artifacts


def clean_artifacts(root: Path) -> Outcome:
    return removal.carry_out(retention.make_plan(find_artifacts(root), retention.Policy(), 0))


def reasons(rows: tuple[Decision, ...]) -> dict[str, str]:
    return {row.entry.path.name: row.reason for row in rows}


def states(root: Path) -> dict[str, str]:
    return {entry.path.name: entry.state for entry in take(root)}


def trash_is_empty(root: Path) -> bool:
    return not [*root.glob(".tmp/.trash/*"), *root.glob(".temp/.trash/*")]


def inv(
    root: Path, *words: str, code: int = 0, env: Mapping[str, str] = os.environ, imported: Sequence[str] = OURS
) -> subprocess.CompletedProcess[str]:
    """Run the real inv in a folder, and see that it ends with `code`.

    What is `imported` before it starts must not matter: only THEIRS, where a project has modules of our names.
    """
    done = warm.run(sys.executable, imported, [INV, *words], cwd=root, env=env, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def command(root: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the real common-tasks in a folder, and see that it ends with `code`."""
    done = warm.run(sys.executable, OURS, [COMMAND, *words], cwd=root, env=os.environ, timeout=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def words_for_pytest(*words: str, loaded: str = "") -> list[str]:
    """Return what Python takes to run pytest, of the plugins beside ours only with the one `loaded`."""
    without = [f"-pno:{plugin}" for plugin in ("cacheprovider", *PLUGINS) if plugin != loaded]
    return ["-m", "pytest", *without, *words]


def run_pytest(root: Path, *words: str, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project by a pytest of their own."""
    return warm.run(sys.executable, PYTEST, words_for_pytest(*words), cwd=root, env=env, timeout=100)


def inv_json(root: Path, *words: str, code: int = 0, env: Mapping[str, str] = os.environ) -> Any:
    return json.loads(inv(root, *words, "--json", code=code, env=env).stdout)


def python(
    code: str,
    *words: str,
    cwd: Path | None = None,
    env: Mapping[str, str] = os.environ,
    imported: Sequence[str] = ENGINE,
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, for which it must not matter what is imported already."""
    return warm.run(sys.executable, imported, ["-c", code, *words], cwd=cwd or Path.cwd(), env=env, timeout=100)


def crowd(number: int, code: str, cwd: Path) -> list[str]:
    """Run Python code in so many processes, all started at the same moment, and return what each says."""
    done = python(CROWD, str(number), code, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


CROWD = """
import json, os, sys, tempfile
waits, starter = os.pipe()
outputs = [tempfile.TemporaryFile() for _ in range(int(sys.argv[1]))]
for output in outputs:
    if not os.fork():
        os.close(starter)
        os.dup2(output.fileno(), 1)
        os.read(waits, 1)
        exec(sys.argv[2], {})
        sys.exit()
os.close(starter)
assert not any([os.wait()[1] for _ in outputs])
said = [os.pread(output.fileno(), os.fstat(output.fileno()).st_size, 0) for output in outputs]
print(json.dumps([os.fsdecode(each) for each in said]))
"""


def fresh_python(code: str, *words: str, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process that nothing was imported for."""
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100, **options)


@contextlib.contextmanager
def running(code: str, cwd: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python code beside the test, from its first printed line until the block ends."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, *words], cwd=cwd, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def leave_out_of_sight(base: Path, what: str) -> Path:
    """Make a folder of a base's trash as a killed clean leaves it: decided (TRASH), or not yet (UNDECIDED)."""
    trash = base / names.TRASH
    trash.mkdir(parents=True, exist_ok=True)
    new = trash / names.seal(names.UNDECIDED, trash.stat().st_ino)
    new.mkdir()
    return new if what == names.UNDECIDED else new.rename(trash / names.seal(what, new.stat().st_ino))


def before(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, act: Callable[[], object], *, call: int = 1) -> None:
    """Let `act` happen just before the `call`-th call of a function or method."""
    real, calls = getattr(where, name), itertools.count(1)

    def with_act(*arguments: Any, **options: Any) -> Any:
        if next(calls) == call:
            act()
        return real(*arguments, **options)

    monkeypatch.setattr(where, name, with_act)


def slow(*values: object) -> Any:
    """Return values of a parametrized test that are for who has minutes."""
    return pytest.param(*values, marks=pytest.mark.slow)


def examples(of: int) -> int:
    """Return how many examples hypothesis tries where each takes as long as `of` usual ones."""
    profile = settings.default
    assert profile
    return max(1, profile.max_examples // of)


def eventually(fact: Callable[[], bool], seconds: float = 50) -> bool:
    """Wait until something holds that another process is about to bring about; False where it does not in time."""
    give_up = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def clean_in_a_container(project: Path) -> int:
    """Clean where no other process is seen, and return how many entries went."""
    code = "from common_tasks.temp import TempManager; print(TempManager.clean_persistent_temps())"
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c", code]
    cleaned = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False, timeout=50)
    if cleaned.returncode:
        pytest.skip("namespaces are not allowed here")
    return int(cleaned.stdout)


HOLD_DEBUG = """
from common_tasks.temp import get_debug_temp_dir
print(get_debug_temp_dir("held"), flush=True)
input()
"""


def git(root: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)
