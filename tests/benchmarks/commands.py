"""Whole commands beside whole commands: what people type, with an empty invoke task added to the other side."""

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from . import floor, trees
from .contest import BIN, Contest, Contestant, command, compete, engine_call, installed, remove

INV = str(BIN / "inv")
BARE_TASKS = "from invoke import task\n\n@task\ndef nothing(c):\n    'Do nothing.'\n"
_PEAK = """
import resource, subprocess
subprocess.run([{inv!r}, {task!r}], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
Fresh = Callable[[], Path]
Make = Callable[[Path], Path]


class Commands:
    """Contests of whole commands. `fresh` gives a path for a new tree."""

    def __init__(self, fresh: Fresh, rounds: int) -> None:
        self._fresh = fresh
        self._rounds = rounds
        self._bare = trees.project(fresh(), 0, 0, 0)
        (self._bare / "tasks.py").write_text(BARE_TASKS)

    def after_bare(self, *more: Contestant) -> Contestant:
        """Make a contestant of an empty invoke task, and what runs after it."""
        return lambda tree: command(INV, "nothing")(self._bare) + sum(run(tree) for run in more)

    def _in_turns(
        self, contest: Contest, contestants: list[tuple[str, Contestant]], make: Make, *, fresh: bool = False
    ) -> Contest:
        return compete(contest, contestants, lambda: make(self._fresh()), self._rounds, fresh=fresh)

    def status(self, what: str, make: Make, target: float) -> Contest:
        """Let `inv temp-status` and `du` look at the same entries."""
        ours, peer = command(INV, "temp-status"), self.after_bare(command("du", "-s", ".tmp"))
        contest = Contest(f"inv temp-status, {what}", target)
        return self._in_turns(contest, [("ours", ours), ("empty task, du -s", peer), self.floor("look")], make)

    def clean(self, what: str, make: Make, target: float) -> Contest:
        """Let `inv temp-clean` and `rm` remove the same entries."""
        ours, peer = command(INV, "temp-clean"), self.after_bare(command("rm", "-rf", ".tmp/debug"))
        contest = Contest(f"inv temp-clean, {what}", target)
        contestants = [("ours", ours), ("empty task, rm -rf", peer), self.floor("clean")]
        return self._in_turns(contest, contestants, make, fresh=True)

    def floor(self, what: str) -> tuple[str, Contestant]:
        """Return the contestant that does nothing but the calls that cannot be left out; see `floor`."""
        return "empty task, a loop of the calls", self.after_bare(command(sys.executable, floor.__file__, what))

    def entries(self) -> Iterator[Contest]:
        """Many small entries."""
        for number, target in ((1500, 1.6), (50_000, 2.5)):
            make = functools.partial(trees.small_entries, number=number)
            yield self.status(f"{number:,} entries", make, target)
            yield self.clean(f"{number:,} entries", make, target)
        yield self._memory(50_000, most=90)

    def _memory(self, number: int, most: float) -> Contest:
        contest = Contest(f"largest process with {number:,} entries, over the {most} MiB it may have", 1.0, unit="MiB")
        tree = trees.small_entries(self._fresh(), number)
        for task in ("temp-status", "temp-clean"):
            contest.add("ours", engine_call(_PEAK.format(inv=INV, task=task))(tree))
        contest.add("limit", most)
        remove(tree)
        return contest

    def files(self) -> Iterator[Contest]:
        """Few entries with many files."""
        yield self.status("200,000 files", functools.partial(trees.project, entries=80, folders=50, files=50), 1.1)
        yield self.clean("100,000 files", functools.partial(trees.project, entries=40, folders=50, files=50), 1.0)

    def growth(self) -> Iterator[Contest]:
        """What an entry costs, among more and more of them; starting invoke does not count."""
        for task in ("temp-status", "temp-clean"):
            contest = Contest(f"inv {task}: an entry, of 100,000 and of fewer", 1.2)
            for number in (100_000, 10_000, 1000):
                for _ in range(self._rounds):
                    tree = trees.small_entries(self._fresh(), number)
                    seconds = command(INV, task)(tree) - command(INV, "nothing")(self._bare)
                    contest.add(f"of {number:,}", seconds / number)
                    remove(tree)
            yield contest

    def sweep(self) -> Iterator[Contest]:
        """Find and remove what is built in 50,000 folders of sources."""
        make = functools.partial(trees.repository, folders=45_000)
        find = command("find", ".", "-name", "__pycache__", "-prune", "-exec", "du", "-s", "{}", "+")
        looking: list[tuple[str, Contestant]] = [
            ("ours", command(INV, "clean", "--dry-run")),
            ("empty task, find -exec du", self.after_bare(find)),
            ("empty task, git clean -ndX", self.after_bare(command("git", "clean", "-ndX"))),
            self.floor("find"),
        ]
        yield self._in_turns(Contest("inv clean --dry-run, 50,000 folders", 1.5), looking, make)
        removing: list[tuple[str, Contestant]] = [
            ("ours", command(INV, "clean")),
            ("empty task, git clean -fdX", self.after_bare(command("git", "clean", "-fdXq"))),
            self.floor("sweep"),
        ]
        also = [("pyclean", "pyclean", command(str(BIN / "pyclean"), "."))]
        contest = Contest("inv clean, 50,000 folders", 1.5)
        yield self._in_turns(contest, [*removing, *installed(contest, also)], make, fresh=True)
