"""What other programs do to directories that are in use, mounted, or half deleted: `python -m tests.benchmarks.peers`.

Each program is told to empty `.tmp` of a small project, in situations made with real processes:

- in use: one process has a file open, one has a file mapped, one has a directory as its working directory;
- killed: the program gets SIGKILL while it deletes; an entry that is still there, but not whole, is half deleted;
- mount: a directory of somebody else is mounted inside (`mount --bind`; needs root);
- told: whether what was left there is named, or the exit code says that something was.

Programs that this machine does not have are left out. RIMRAF names rimraf's program, if npm installed it elsewhere.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent
_KILLS = 8
_ENTRIES, _FILES = 40, 120
_USERS = {
    "open": "import sys; f = open(sys.argv[1] + '/f0'); print(flush=True); input()",
    "mapped": "import sys, mmap; f = open(sys.argv[1] + '/f0', 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close();"
    "print(flush=True); input()",
    "cwd": "import sys, os; os.chdir(sys.argv[1]); print(flush=True); input()",
}


class Peer(NamedTuple):
    """A program, and the words that have it empty `.tmp` of the project at `{root}`, which is the working directory."""

    name: str
    words: Sequence[str]


class Seen(NamedTuple):
    """What a program did. `acts`: it removes what nobody uses. `mount` is None where nothing could be mounted."""

    name: str
    acts: bool
    kept: int
    half: int
    mount: bool | None
    told: bool


def peers() -> list[Peer]:
    """Return the programs that there are, ours first."""
    rimraf = os.environ.get("RIMRAF") or shutil.which("rimraf") or "rimraf"
    known = [
        Peer("common-tasks", [str(BIN / "common-tasks"), "temp-clean"]),
        Peer("rm -rf", ["rm", "-rf", ".tmp/runs"]),
        Peer("rm -rf --one-file-system", ["rm", "-rf", "--one-file-system", ".tmp/runs"]),
        Peer("find -delete", ["find", ".tmp/runs", "-mindepth", "1", "-delete"]),
        Peer("git clean -ffdx", ["git", "clean", "-qffdx", "--", ".tmp"]),
        Peer("tmpreaper", ["tmpreaper", "--mtime", "--mtime-dir", "--all", "1s", "{root}/.tmp/runs"]),
        Peer("systemd-tmpfiles", ["systemd-tmpfiles", "--clean", "{root}/tmpfiles.conf"]),
        Peer("pyclean --erase", [str(BIN / "pyclean"), ".", "--yes", "--erase", ".tmp/runs/**/*", ".tmp/runs/*"]),
        Peer("rimraf", [rimraf, ".tmp/runs"]),
    ]
    return [peer for peer in known if shutil.which(peer.words[0])]


def watch(peer: Peer) -> Seen:
    """Try a program in every situation."""
    acts, kept, told = _in_use(peer)
    seconds = _seconds(peer)
    half = sum(_killed(peer, seconds * (turn + 1) / (_KILLS + 1)) for turn in range(_KILLS))
    return Seen(peer.name, acts, kept, half, _mount(peer), told)


@contextlib.contextmanager
def _project(entries: int, files: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        subprocess.run(["git", "init", "-q", name], check=True)
        (root / "pyproject.toml").touch()
        (root / "tmpfiles.conf").write_text(f"e {name}/.tmp/runs - - - 1s\n")
        for number in range(entries):
            entry = root / f".tmp/runs/run_{1_696_348_800 + number}"
            entry.mkdir(parents=True)
            for each in range(files):
                (entry / f"f{each}").write_bytes(b"x")
        then = time.time() - 1000
        for path in [*root.rglob("*"), root]:
            os.utime(path, (then, then))
        time.sleep(1.5)  # for those that go by a time that cannot be set
        yield root


def _words(peer: Peer, root: Path) -> list[str]:
    return [word.replace("{root}", str(root)) for word in peer.words]


def _run(peer: Peer, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_words(peer, root), cwd=root, capture_output=True, text=True, check=False, timeout=100)


def _in_use(peer: Peer) -> tuple[bool, int, bool]:
    """Return whether an idle entry goes, how many of three that are in use stay whole, and whether that is said."""
    with _project(4, 3) as root, contextlib.ExitStack() as stack:
        entries = sorted((root / ".tmp/runs").iterdir())
        for code, entry in zip(_USERS.values(), entries, strict=False):
            words = [sys.executable, "-c", code, str(entry)]
            user = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.callback(user.wait)
            stack.callback(user.kill)
            assert user.stdout
            user.stdout.readline()
        done = _run(peer, root)
        left = [entry for entry in entries if entry.exists()]
        named = all(entry.name in done.stdout + done.stderr for entry in left)
        kept = sum(_is_whole(entry, 3) for entry in entries[:3])
        return not entries[3].exists(), kept, bool(left) and (named or done.returncode != 0)


def _seconds(peer: Peer) -> float:
    with _project(_ENTRIES, _FILES) as root:
        started = time.perf_counter()
        _run(peer, root)
        return time.perf_counter() - started


def _killed(peer: Peer, after: float) -> bool:
    """Tell whether a program that is killed after so many seconds leaves an entry that is not whole."""
    with _project(_ENTRIES, _FILES) as root:
        process = subprocess.Popen(_words(peer, root), cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return any(not _is_whole(entry, _FILES) for entry in root.glob(".tmp/runs/run_*"))


def _mount(peer: Peer) -> bool | None:
    """Tell whether what is mounted inside an entry is still there afterwards."""
    with _project(2, 3) as root, tempfile.TemporaryDirectory(prefix="source-") as source:
        (Path(source) / "precious").touch()
        inside = next((root / ".tmp/runs").iterdir()) / "mounted"
        inside.mkdir()
        if subprocess.run(["mount", "--bind", source, inside], capture_output=True, check=False).returncode:
            return None
        try:
            _run(peer, root)
            return (Path(source) / "precious").exists()
        finally:
            subprocess.run(["umount", "-l", inside], capture_output=True, check=False)


def _is_whole(entry: Path, files: int) -> bool:
    return entry.is_dir() and sum(1 for _ in entry.iterdir()) == files


def main() -> None:
    """Try them all, or those whose names are given, and print what was seen."""
    print(f"{'program':26}  kept in use  half deleted  mount survives  says what stayed")
    for seen in (watch(peer) for peer in peers() if not sys.argv[1:] or peer.name in sys.argv[1:]):
        mount = "-" if seen.mount is None else "yes" if seen.mount else "NO"
        told = (
            "removes nothing" if not seen.acts else "yes" if seen.told else "nothing stayed" if not seen.kept else "no"
        )
        print(f"{seen.name:26}  {seen.kept} of 3       {seen.half} of {_KILLS}        {mount:14}  {told}", flush=True)


if __name__ == "__main__":
    main()
