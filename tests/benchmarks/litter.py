"""A temporary location that real programs have filled, for what looks at cleaners: see `cleaners`.

Killed and living runs of pytest (with and without xdist), multiprocessing, joblib, pip, tempfile and this package
leave what they leave. Beside that lies what Chromium, Playwright, systemd, snap, tmux and another user leave. The
folder has mode 1777, like /tmp, and everything in it is 25 hours old. JOBLIB names a Python that has joblib and numpy.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

HOURS = 25
GOES, STAYS, EITHER = "goes", "stays", "either"
_PYTEST = ["-m", "pytest", "-q", "-p", "no:common_tasks", "-p", "no:cacheprovider", "-c", os.devnull]
_TEST = """
import os, signal, sys
def test_it(tmp_path):
    (tmp_path / "data").write_bytes(b"x" * 5000)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "file").touch()
    (tmp_path / "closed").chmod(0)
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.kill(os.getppid(), signal.SIGKILL)
    if "LIVES" in os.environ:
        os.write(int(os.environ["LIVES"]), b"\\n")
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)
"""
_MANAGER = "from multiprocessing import Manager\nm = Manager()\nprint(flush=True)\ninput()"
_JOBLIB = """
import sys, time
import numpy
from joblib import Parallel, delayed
def work(array):
    sys.stdout.write("\\n")
    sys.stdout.flush()
    time.sleep(1000)
Parallel(n_jobs=2, max_nbytes=1000)([delayed(work)(numpy.zeros(100_000)) for _ in range(2)])
"""
_FILE_OF_A_CHILD = """
import subprocess, sys, tempfile
file = tempfile.NamedTemporaryFile(delete=False)
file.write(b"x" * 5000)
file.flush()
subprocess.Popen(["sleep", "1000"], pass_fds=[file.fileno()])
print(flush=True)
input()
"""
_DIRECTORY = """
import os, tempfile
os.chdir(tempfile.mkdtemp())
open("file", "w").close()
print(flush=True)
input()
"""
_OURS = "from common_tasks.temp import temp_working_dir as w\nw('x').__enter__()\nprint(flush=True)\ninput()"
_SOCKET = """
import os, socket, tempfile
os.chdir(tempfile.mkdtemp())
server = socket.socket(socket.AF_UNIX)
server.bind("socket")
os.chdir("/")
print(flush=True)
input()
"""
_BACKEND = "import pathlib, time\nprint(flush=True)\npathlib.Path('started').touch()\ntime.sleep(1000)\n"
_PROJECT = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
_OTHERS = (  # what no name of ours tells
    "systemd-private-0123456789abcdef0123456789abcdef-cron.service-Ab0dEf/tmp/data",
    "snap-private-tmp/snap.chromium/tmp/data",
    ".org.chromium.Chromium.Ab0dEf/SingletonCookie",
    "playwright-artifacts-Ab0dEf/trace.zip",
    "playwright_chromiumdev_profile-Ab0dEf/Default/Cookies",
    ".X11-unix/X0",
    "ssh-Ab0dEfGhIjKl/agent.1",
    "tmux-0/default",
    "go-build123456/b001/main.o",
    "npm-1234-abcdef12/package.json",
    "tmp.Ab0dEfGhIj/of-mktemp",
    "tmpABCDEFGH/upper-case",
    "my-notes/thoughts.txt",
)


class Thing(NamedTuple):
    """What lies in the location: a row of the table. `files`: what was in it before anything was cleaned."""

    kind: str
    fate: str
    path: Path
    files: frozenset[str]

    def state(self) -> str:
        """Tell what became of it."""
        if not os.path.lexists(self.path):
            return GOES
        return STAYS if _files(self.path) >= self.files else "damaged"


class Litter:
    """A temporary location, filled by real programs, some of which go on until the block ends."""

    def __init__(self, runs: int = 20) -> None:
        self._runs = runs
        self._stack = contextlib.ExitStack()
        self._running: list[subprocess.Popen[bytes]] = []
        self.things: list[Thing] = []

    def __enter__(self) -> Self:
        self._around = Path(self._stack.enter_context(_short_folder()))
        self.folder = self._around / "t"
        self.folder.mkdir()
        self.folder.chmod(0o1777)
        self.project = self._around / "project"
        (self.project / "package").mkdir(parents=True)
        (self.project / "pyproject.toml").touch()
        (self.project / "test_it.py").write_text(_TEST)
        (self.project / "package" / "backend.py").write_text(_BACKEND)
        (self.project / "package" / "pyproject.toml").write_text(_PROJECT)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COMMON_TASKS"))}
        self.environment = kept | {
            "TMPDIR": str(self.folder),
            "JOBLIB_TEMP_FOLDER": str(self.folder),
            "COMMON_TASKS_AGE": "modified",
        }
        self._fill()
        set_back(self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def states(self) -> dict[str, list[str]]:
        """Return what became of the things of each kind."""
        states: dict[str, list[str]] = {}
        for thing in self.things:
            states.setdefault(thing.kind, []).append(thing.state())
        return states

    def end(self) -> None:
        """Kill the programs that go on, so that what they have goes from now on; all gets old again."""
        for process in self._running:
            _kill(process)
        dead = ", running", ", killed"
        self.things = [
            thing._replace(fate=GOES) if thing.kind.endswith(dead) and not thing.kind.startswith("pytest") else thing
            for thing in self.things
        ]
        set_back(self.folder)

    def _fill(self) -> None:
        with self._filled("pytest, running", STAYS, level=1):  # the oldest of all runs, so only its lock tells
            self._start_pytest()
        with self._filled("pytest, killed", GOES, level=1):
            for number in range(self._runs):
                self._kill_pytest("-n", "1", "--max-worker-restart", "0") if number % 5 == 4 else self._kill_pytest(
                    "-p", "no:xdist"
                )
        self._keep_newest()
        self._live_and_die("multiprocessing.Manager", _MANAGER)
        if joblib := os.environ.get("JOBLIB"):
            self._live_and_die("joblib with loky", _JOBLIB, python=joblib)
        self._live_and_die("tempfile, open in a child", _FILE_OF_A_CHILD)
        self._live_and_die("tempfile, working directory", _DIRECTORY)
        self._live_and_die("tempfile, bound socket", _SOCKET)
        self._live_and_die("temp_working_dir", _OURS)
        self._live_and_die("pip in a build", None)
        self._add_work()
        self._add_others()

    @contextlib.contextmanager
    def _filled(self, kind: str, fate: str, *, level: int = 0) -> Iterator[None]:
        """Note what the block leaves in the location, or with `level` 1 in the folders there."""
        pattern = "*/*" if level else "*"
        before = {*self.folder.glob(pattern)}
        yield
        made = sorted(path for path in {*self.folder.glob(pattern)} - before if not path.is_symlink())
        assert made, f"{kind} left nothing"
        self.things += [Thing(kind, fate, path, _files(path)) for path in made]

    def _live_and_die(self, what: str, code: str | None, python: str = sys.executable) -> None:
        """Run a program twice: one that goes on, and one that is killed with all its children."""
        pip = ["-m", "pip", "install", "--no-deps", "--no-index", "-v", "--target", str(self._around / "x"), "."]
        words = [python, *(["-c", code] if code else pip)]
        killed = GOES if code else EITHER  # which of pip's directories are whose, nothing tells while one runs
        for fate, kind in ((STAYS, f"{what}, running"), (killed, f"{what}, killed")):
            with self._filled(kind, fate):
                (self.project / "package" / "started").unlink(missing_ok=True)
                process = self._start(words)
                self._wait(process, None if code else self.project / "package" / "started")
                if fate != STAYS:
                    _kill(process)
                else:
                    self._running.append(process)

    def _start(self, words: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        folder = self.project / ("package" if "pip" in words else ".")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(
            words, cwd=folder, env=self.environment | options.pop("env", {}), start_new_session=True, **pipes, **options
        )
        self._stack.callback(_kill, process)
        return process

    def _wait(self, process: "subprocess.Popen[bytes]", started: Path | None) -> None:
        """Wait until a program says that it is ready, or has made a file."""
        assert process.stdout
        if started is None:
            assert process.stdout.readline(), "the program ended"
        while started and not started.exists():
            assert process.poll() is None, "the program ended"
            time.sleep(0.02)

    def _start_pytest(self) -> None:
        reader, writer = os.pipe()
        options = ["-s", "-p", "no:xdist", "--rootdir", str(self.project)]
        self._start([sys.executable, *_PYTEST, *options, "test_it.py"], env={"LIVES": str(writer)}, pass_fds=[writer])
        os.close(writer)
        assert os.read(reader, 1)
        os.close(reader)

    def _kill_pytest(self, *options: str) -> None:
        words = [sys.executable, *_PYTEST, "--rootdir", str(self.project), *options, "test_it.py"]
        subprocess.run(words, cwd=self.project, env=self.environment, capture_output=True, check=False, timeout=100)

    def _keep_newest(self) -> None:
        killed = sorted(
            (thing for thing in self.things if thing.kind == "pytest, killed"),
            key=lambda thing: int(thing.path.name.partition("-")[2]),
        )
        for thing in killed[-3:]:
            self.things.remove(thing)
            self.things.append(thing._replace(kind="pytest, the newest 3", fate=STAYS))

    def _add_work(self) -> None:
        """Add what is somebody's work, under names of tempfile's."""
        identity = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        repository = self._around / "repository"
        for words in (["init", "-q", "."], ["commit", "-q", "--allow-empty", "-m", "x"]):
            repository.mkdir(exist_ok=True)
            subprocess.run([*identity, *words], cwd=repository, check=True)
        with self._filled("work tree of git", STAYS):
            tree = tempfile.mkdtemp(dir=self.folder)
            subprocess.run(["git", "worktree", "add", "-q", tree], cwd=repository, check=True)
        inside = Path(tempfile.mkdtemp(dir=self.folder)) / "mounted"
        inside.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "none", inside], capture_output=True, check=False).returncode:
            shutil.rmtree(inside.parent)
            return
        self._stack.callback(_unmount, inside)
        (inside / "precious").touch()
        self.things.append(Thing("a mount inside", STAYS, inside.parent, _files(inside.parent)))

    def _add_others(self) -> None:
        """Add what other programs leave, and another user."""
        for name in _OTHERS:
            path = self.folder / name
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x")
            top = self.folder / name.partition("/")[0]
            self.things.append(Thing("other programs", STAYS, top, _files(top)))
        self._add_browser()
        if os.geteuid() != 0:
            return
        for name in ("tmpof_other", "pytest-of-other/pytest-0", "pymp-of_other", "pip-build-env-of_other"):
            path = self.folder / name
            path.mkdir(parents=True)
            (path / "file").touch()
            top = self.folder / name.partition("/")[0]
            for each in (top, *top.rglob("*")):
                os.chown(each, 65534, 65534)
            self.things.append(Thing("another user", STAYS, top, _files(top)))

    def _add_browser(self) -> None:
        """Add a profile that a browser runs with: the lock is a link to no file, the socket is bound."""
        profile = self.folder / ".org.chromium.Chromium.live00"
        profile.mkdir()
        (profile / "SingletonLock").symlink_to(f"host-{os.getpid()}")
        server = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(profile / "SingletonSocket"))
        self.things.append(Thing("a browser's profile, in use", STAYS, profile, _files(profile)))


@contextlib.contextmanager
def _short_folder() -> Iterator[str]:
    """Lend a folder so short that sockets fit; what tests have closed is opened before it is removed."""
    folder = tempfile.mkdtemp(dir="/tmp")
    os.chmod(folder, 0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(folder):
            subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
            shutil.rmtree(folder, ignore_errors=True)


def _unmount(where: Path) -> None:
    subprocess.run(["umount", "-l", where], check=True)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a program with all that it started, so that nothing tidies up behind it."""
    if process.returncode is not None:  # its number may be another's by now
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _files(path: Path) -> frozenset[str]:
    """Return what is in a tree."""
    return frozenset(str(each.relative_to(path)) for each in (path, *path.rglob("*")))


def set_back(folder: Path, hours: float = HOURS) -> None:
    """Make all that is in a folder so many hours old."""
    then = time.time() - hours * 3600
    for above, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(above, name), (then, then), follow_symlinks=False)
