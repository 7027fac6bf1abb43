"""What Python itself takes for the system calls that cannot be left out: bare loops, shared by a process for each core.

Run in a tree with what to do: `look` at entries, `clean` them, `find` artifacts in sources, `sweep` them, or look at
the entries of all `projects`. There is nothing else in these loops: no age, no use, no rule is looked at.
"""

import os
import sys
from collections.abc import Callable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_NOT_ENTERED = {".git", ".tmp"}
_ARTIFACTS = {"__pycache__", "build"}
_BRANCHES = 200

Act = Callable[[int, str], None]  # on what has that name in an open folder


def share(folder: int, names: list[str], act: Act) -> None:
    """Let a process for each core act on its part of the names."""
    cores = os.cpu_count() or 1
    parts = [names[number::cores] for number in range(cores)]
    forked = [pid for part in parts[1:] if (pid := _fork(folder, part, act))]
    for name in parts[0]:
        act(folder, name)
    for pid in forked:
        os.waitpid(pid, 0)


def _fork(folder: int, names: list[str], act: Act) -> int:
    pid = os.fork()
    if not pid:
        for name in names:
            act(folder, name)
        os._exit(0)
    return pid


def add_up(parent: int, name: str) -> None:
    """Look at everything in a tree."""
    fd = os.open(name, _FOLDER, dir_fd=parent)
    os.fstat(fd)
    with os.scandir(fd) as rows:
        for row in rows:
            if row.is_dir(follow_symlinks=False):
                add_up(fd, row.name)
            else:
                row.stat(follow_symlinks=False)
    os.close(fd)


def remove(parent: int, name: str) -> None:
    """Delete a tree."""
    fd = os.open(name, _FOLDER, dir_fd=parent)
    with os.scandir(fd) as rows:
        for row in rows:
            if row.is_dir(follow_symlinks=False):
                remove(fd, row.name)
            else:
                os.unlink(row.name, dir_fd=fd)
    os.close(fd)
    os.rmdir(name, dir_fd=parent)


def remove_renamed(parent: int, name: str) -> None:
    """Delete a tree once it is out of sight."""
    os.rename(name, f"-{name}", src_dir_fd=parent, dst_dir_fd=parent)
    remove(parent, f"-{name}")


def in_sources(act: Act) -> Act:
    """Make what walks sources, and acts on each artifact."""

    def walk(parent: int, name: str) -> None:
        fd = os.open(name, _FOLDER, dir_fd=parent)
        os.fstat(fd)
        with os.scandir(fd) as rows:
            folders = [row.name for row in rows if row.is_dir(follow_symlinks=False)]
        for each in folders:
            if each in _ARTIFACTS:
                act(fd, each)
            elif each not in _NOT_ENTERED:
                walk(fd, each)
        os.close(fd)

    return walk


def branches() -> list[str]:
    """Return the paths of enough folders to be shared out, without those above them."""
    found, left = [""], True
    while left and len(found) < _BRANCHES:
        below = [f"{path}{row.name}/" for path in found for row in os.scandir(path or ".") if _is_entered(row)]
        left, found = bool(below), below or found
    return found


def _is_entered(row: "os.DirEntry[str]") -> bool:
    return row.is_dir(follow_symlinks=False) and row.name not in _NOT_ENTERED | _ARTIFACTS


def main(what: str) -> None:
    """Do one of the loops in the working directory."""
    top = os.open(".", _FOLDER)
    if what in ("look", "clean"):
        entries = os.open(".tmp/debug", _FOLDER)
        share(entries, os.listdir(entries), add_up if what == "look" else remove_renamed)
    elif what in ("find", "sweep"):
        share(top, branches(), in_sources(add_up if what == "find" else remove_renamed))
    else:
        share(top, branches(), in_sources(add_up))
        folders = [f"packages/{name}/.tmp/debug" for name in os.listdir("packages")]
        share(top, [f"{folder}/{name}" for folder in folders for name in os.listdir(folder)], add_up)


if __name__ == "__main__":
    main(sys.argv[1])
