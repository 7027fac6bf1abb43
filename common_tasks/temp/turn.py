"""A base's turn to be cleaned by itself: of all processes that see it, one takes it, and starts the clean.

The clean is a separate process in the background: it has its own session, and no descriptor, working directory or
lease of the process that started it, which need not wait for it. See `auto`.
"""

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..fs.values import complaint
from ..project import marks
from . import mark, names
from .mark import DAY, HOUR

TYPE_CHECKING = False  # see `temp`
if TYPE_CHECKING:
    from typing import Any

_MENTIONED = re.compile(rb"""\bauto\b["']?\s*[:=]""")
_MOST_READ = 2**18  # bytes of each file
_SETTING = "TEMP_AUTO"  # a variable whose name ends in this sets it
# The variables that the background process gets: what Python, git and the settings need.
_VARIABLES = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONHOME", "TEMP", "TMP", "TMPDIR", "USER"}
    | {"XDG_CONFIG_HOME"}
)
_OURS = ("COMMON_TASKS_", "INVOKE_")
_CODE = "import sys; sys.path.append(sys.argv[1]); from common_tasks.cli.by_itself import main; main(sys.argv[2])"
# The shell ends at once, so nobody has to wait for the process that it leaves behind.
_SHELL = 'cd / && { nice -n 19 "$@" & }'
_SIGNALS = range(1, 32)  # all have their default action in the background process, whatever the program has set


def take(base: Path, root: Path) -> None:
    """Take the turn of a base if nobody else does, and start the clean of the project at `root`.

    The mark is written first. If that fails, nothing is started; otherwise it would be started again and again.
    """
    path = f"{base}/{names.AUTO}"
    with contextlib.suppress(OSError), mark.own(path) as owned:  # what cannot be written to cannot be cleaned either
        if owned is None or not mark.is_due(path, root, time.time()):
            return
        asked = _is_mentioned(root)
        mark.write_turn(owned, time.time() + (HOUR if asked else DAY), asked=asked)
        if asked and _is_ordinary_python():
            try:
                start(root)
            except OSError as error:
                mark.write_report(owned, mark.Report(time.time(), problems=(f"not started: {complaint('', error)}",)))


def _is_mentioned(root: Path) -> bool:
    """Tell whether `auto` may be set anywhere; the clean itself reads the value."""
    if any(name.endswith(_SETTING) and value for name, value in os.environ.items()):
        return True
    folders = dict.fromkeys((root, marks.monorepo_root(root)))
    own = [f"{folder}/{name}" for folder in folders for name in mark.SETTINGS]
    shared = [os.path.expanduser("~/.invoke.yaml"), "/etc/invoke.yaml"]
    return any(_MENTIONED.search(_read(path)) for path in (*own, *shared))


def _read(path: str) -> bytes:
    # There may be no such file, or this user may not read it.
    with contextlib.suppress(OSError), mark.open_regular(os.path.realpath(path), os.O_RDONLY) as file:
        return os.read(file, _MOST_READ)
    return b""


def _is_ordinary_python() -> bool:
    """Tell whether `sys.executable` starts the Python that runs here: not so if it is frozen or embedded."""
    if getattr(sys, "frozen", False) or not sys.executable:
        return False
    try:
        return os.path.samefile("/proc/self/exe", sys.executable)
    except OSError:  # there is no /proc
        return os.path.basename(sys.executable).lower().startswith(("python", "pypy"))


def start(root: Path) -> None:
    """Start the clean of the project at `root` in the background. Raises OSError."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    words = ["sh", "-c", _SHELL, "sh", sys.executable, "-P", "-B", "-c", _CODE, package, os.fspath(root)]
    files: list[Any] = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    files += [(os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()]
    options: dict[str, Any] = {"file_actions": files, "setsigmask": [], "setsigdef": _SIGNALS}
    try:
        shell = os.posix_spawn("/bin/sh", words, _environment(), setsid=True, **options)
    except NotImplementedError:  # an older system
        shell = os.posix_spawn("/bin/sh", words, _environment(), setpgroup=0, **options)
    with contextlib.suppress(ChildProcessError):  # the program waits for its children itself, or ignores SIGCHLD
        os.waitpid(shell, 0)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _VARIABLES or name.startswith(_OURS)}
    paths = [os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return kept | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {}) | {"COMMON_TASKS_AUTO": "off"}


def _inheritable() -> Iterator[int]:
    """Yield the descriptors that a program started from here would inherit, besides the first three."""
    for name in os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"):
        with contextlib.suppress(OSError):  # the one that lists them is closed by now
            if int(name) > 2 and os.get_inheritable(int(name)):
                yield int(name)
