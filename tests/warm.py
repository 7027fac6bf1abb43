"""Programs in processes of their own that start at once: forked from a Python that has imported what they need.

Starting `inv` takes half a second and starting pytest more, nearly all of it for imports, and the tests start a
thousand programs. What Python reads before it runs anything, its own variables and the locale, is that of the test
run: where a test changes these, the program is started as usual.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


class Warm:
    """A Python that has imported these modules and waits for programs to run, one after the other."""

    def __init__(self, python: str, *modules: str) -> None:
        self._door, theirs = socket.socketpair()
        with theirs:
            command = [python, __file__, str(theirs.fileno()), *modules]
            pipes: dict[str, Any] = {
                "pass_fds": [theirs.fileno()],
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.DEVNULL,
            }
            subprocess.run(command, cwd="/", env=_ENVIRONMENT, check=True, **pipes)
        self._replies = self._door.makefile("r")
        atexit.register(self._close)

    def run(
        self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: int
    ) -> subprocess.CompletedProcess[str]:
        """Run `python WORDS`, and return what `subprocess.run` would."""
        out, out_end = os.pipe()
        err, err_end = os.pipe()
        with open(os.devnull) as nothing:
            self.start(words, (nothing.fileno(), out_end, err_end), cwd=cwd, env=env, timeout=timeout)
        os.close(out_end)
        os.close(err_end)
        with ThreadPoolExecutor(2) as readers:
            said = [*readers.map(_read, (out, err))]
        return subprocess.CompletedProcess(words, self.wait(), *said)

    def start(
        self, words: Sequence[str], streams: Sequence[int], *, cwd: Path, env: Mapping[str, str], timeout: int
    ) -> None:
        """Start `python WORDS` on the three standard streams; after `timeout` seconds it is killed."""
        socket.send_fds(self._door, [b"\n"], streams)
        request = {"words": words, "cwd": str(cwd), "env": dict(env), "timeout": timeout}
        self._door.sendall(f"{json.dumps(request)}\n".encode())

    def wait(self) -> int:
        """Return the exit code of what was started last, once it has ended."""
        return int(self._replies.readline())

    def _close(self) -> None:
        self._replies.close()
        self._door.close()


def _read(pipe: int) -> str:
    with os.fdopen(pipe) as file:
        return file.read()


_warm = functools.cache(Warm)  # one for each set of modules, as long as the tests run
_ENVIRONMENT = dict(os.environ)


def run(
    python: str, modules: Sequence[str], words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: int
) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS`, which needs these modules sooner or later, in a process of its own."""
    if _read_by_python(env) == _read_by_python(_ENVIRONMENT):
        return _warm(python, *modules).run(words, cwd=cwd, env=env, timeout=timeout)
    command = [python, *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=timeout)


def start_on(
    terminal: int, python: str, modules: Sequence[str], words: Sequence[str], *, cwd: Path, timeout: int
) -> Callable[[], int]:
    """Start `python WORDS` on a terminal; what is returned waits for its end, and returns the exit code."""
    program = _warm(python, *modules)
    program.start(words, [terminal] * 3, cwd=cwd, env=os.environ, timeout=timeout)
    return program.wait


def _read_by_python(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(("PYTHON", "LC_", "LANG")) and value}


def _serve(door: socket.socket) -> None:
    requests = door.makefile("r")
    while True:
        _, streams, _, _ = socket.recv_fds(door, 1, 3)
        if not streams:
            return
        request = json.loads(requests.readline())
        child = os.fork()
        if child == 0:
            requests.close()
            door.close()
            with _exit_code():
                _become(request, *streams)
            return
        for each in streams:
            os.close(each)
        _, status = os.waitpid(child, 0)
        door.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(request: dict[str, Any], *streams: int) -> None:
    """Be what `python WORDS` is in a process of its own; its end is this process's end."""
    signal.alarm(request["timeout"])
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    match request["words"]:
        case ["-m", module, *words]:
            sys.path[0] = request["cwd"]
            sys.argv = [module, *words]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *words]:
            sys.path[0] = ""
            sys.argv = ["-c", *words]
            _run_as_main(code, {})
        case [file, *words]:
            sys.path[0] = os.path.dirname(os.path.realpath(file))
            sys.argv = [file, *words]
            _run_as_main(Path(file).read_text(), {"__file__": file})


_code: int | None = 0  # that this program ends with; None where only Python knows how


@contextlib.contextmanager
def _exit_code() -> Iterator[None]:
    global _code
    try:
        yield
    except SystemExit as end:
        _code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except BaseException as error:
        _code = 1 if isinstance(error, Exception) else None
        raise


def _leave() -> None:
    """End this program, without taking its modules to pieces first: that takes longer than most programs."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # Python says so itself
        sys.stdout.flush()
        sys.stderr.flush()
        if _code is not None:
            os._exit(_code)


def _run_as_main(code: str, names: dict[str, str]) -> None:
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__.update(names)
    exec(compile(code, names.get("__file__", "<string>"), "exec"), main.__dict__)


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # nobody's child: tests look for children of their own
    atexit.register(_leave)  # what is registered first is called last
    for each in sys.argv[2:]:
        with contextlib.suppress(ImportError):  # not every Python that is tested has all of them
            importlib.import_module(each)
    gc.collect()
    gc.freeze()  # a fork that looked through all of it at its end would copy it
    with socket.socket(fileno=int(sys.argv[1])) as door:
        door.set_inheritable(False)
        _serve(door)
