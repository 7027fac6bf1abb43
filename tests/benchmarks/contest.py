"""Ours and the peers in turn, and what came of it."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
# As for a user: what was compiled once is not compiled again at every start.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass
class Contest:
    """One thing to do, by whom, and how long each took in seconds, or how much in another `unit`.

    `target`: the ratio to the first peer that we want to stay below. `absent`: peers that this machine
    does not have.
    """

    name: str
    target: float | None = None
    times: dict[str, list[float]] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    unit: str = "s"

    def add(self, who: str, seconds: float) -> None:
        """Note one round."""
        self.times.setdefault(who, []).append(seconds)

    def median(self, who: str) -> float:
        """Return the middle one of a contestant's times."""
        return statistics.median(self.times[who])

    @property
    def ratios(self) -> dict[str, float]:
        """Our median over each peer's."""
        ours, *peers = self.times
        return {peer: self.median(ours) / self.median(peer) for peer in peers}


Contestant = Callable[[Path], float]


def command(*words: str) -> Contestant:
    """Make a contestant of a whole process that is run in the tree."""

    def run(tree: Path) -> float:
        filled = [word.replace("{tree}", str(tree)) for word in words]
        started = time.perf_counter()
        subprocess.run(filled, cwd=tree, env=_ENVIRONMENT, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - started

    return run


def engine_call(code: str) -> Contestant:
    """Make a contestant of one expression, timed inside a process of its own."""
    program = f"""
import os, sys, time
from pathlib import Path
from common_tasks.fs.workers import Workers
from common_tasks.monorepo import members
from common_tasks.monorepo.members import Aim, Scope
from common_tasks.monorepo.settings import Settings
from common_tasks.project.patterns import ARTIFACTS, Patterns
from common_tasks.temp import TempManager, inventory, layout, removal, retention
project = layout.find_project()
def entries(**options): return inventory.scan([project], orphans=False, **options)
def plan():
    return retention.make_plan(entries(workers=Workers(2)), retention.Policy(), time.time())
built_in = Settings(artifacts=Patterns(ARTIFACTS), keep=Patterns(()))
scope = Scope(root=Path.cwd(), project=project, settings_of=lambda root: built_in, whole=True)
def find(workers=1, **aim): return members.find(scope, Aim(**aim), Workers(workers))
{code}
"""

    def run(tree: Path) -> float:
        done = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=True)
        return float(done.stdout)

    return run


def timed(setup: str, call: str) -> Contestant:
    """Make a contestant of an engine call, after a set-up that does not count."""
    return engine_call(f"{setup}\nstarted = time.perf_counter()\n{call}\nprint(time.perf_counter() - started)")


def compete(
    contest: Contest,
    contestants: Sequence[tuple[str, Contestant]],
    tree: Callable[[], Path],
    rounds: int,
    *,
    fresh: bool = False,
    kept: bool = False,
) -> Contest:
    """Let all have their turn, `rounds` times over: A B A B …; each with a tree of its own where it is used up.

    `kept`: the tree is the caller's, for further contests.
    """
    shared = None if fresh else tree()
    if shared:
        for _, run in contestants:
            run(shared)  # nobody pays for a cold cache
    for _ in range(rounds):
        for who, run in contestants:
            where = shared or tree()
            contest.add(who, run(where))
            if not shared:
                remove(where)
    if shared and not kept:
        remove(shared)
    return contest


def remove(tree: Path) -> None:
    subprocess.run(["rm", "-rf", tree], check=True)  # shutil.rmtree is no match for 3,000 levels


def installed(contest: Contest, contestants: Sequence[tuple[str, str, Contestant]]) -> list[tuple[str, Contestant]]:
    """Keep the peers whose program is there, and note the others as absent."""
    present = []
    for who, program, run in contestants:
        if shutil.which(program, path=f"{BIN}{os.pathsep}{os.environ['PATH']}"):
            present.append((who, run))
        else:
            contest.absent.append(who)
    return present
