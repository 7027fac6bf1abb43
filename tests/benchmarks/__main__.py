"""`inv bench`: speed, and memory, beside the tools that a user would otherwise type.

Prints a table, and writes the rounds as JSON into a directory in `.tmp/bench`.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from common_tasks.project.patterns import ARTIFACTS
from common_tasks.temp import TempManager

from . import monorepo, trees
from .commands import BARE_TASKS, INV, Commands
from .contest import Contest, command, compete, engine_call, installed, timed

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
PYTHON = sys.executable
SYSTEMD = "{tree}/../tmpfiles.conf"


class Bench:
    """Where trees are made, how many rounds there are, and whether the biggest trees are wanted."""

    def __init__(self, disk: Path, memory: Path | None, rounds: int, *, big: bool) -> None:
        self.places = {"disk": disk} | ({"tmpfs": memory} if memory else {})
        self.rounds = rounds
        self.big = big
        self._count = itertools.count()

    def fresh(self, place: str) -> Path:
        """Return a path for a new tree."""
        return self.places[place] / f"tree-{next(self._count)}"


def scan(bench: Bench) -> Iterator[Contest]:
    """Size, files and newest change of 80 entries with 200,000 files in 4,000 folders; and of one huge folder."""
    peers = [("du -s", "du", command("du", "-s", ".tmp")), ("gdu -n", "gdu", command("gdu", "-n", ".tmp"))]
    shapes: dict[str, Callable[[Path], Path]] = {
        "200,000 files in 4,000 folders": lambda root: trees.project(root, 80, 50, 50),
        "500,000 files in one folder": lambda root: trees.project(root, 1, 1, 500_000),
        "3,000 levels": lambda root: trees.chain(root, 3000),
    }
    for place in bench.places:
        for shape, make in shapes.items():
            contest = Contest(f"scan {shape}, {place}", 0.90 if "4,000" in shape else None)
            ours = [
                ("engine call", timed("", f"entries(workers=Workers({CORES}))")),
                ("… one process", timed("", "entries()")),
            ]
            others = installed(contest, peers)
            yield compete(
                contest,
                [ours[0], *others, ours[1]],
                lambda: make(bench.fresh(place)),
                bench.rounds,
            )


def remove(bench: Bench) -> Iterator[Contest]:
    """Remove 40 entries with 100,000 files in 2,000 folders."""
    (bench.places["disk"] / "tmpfiles.conf").write_text("")
    peers = [
        ("rm -rf", "rm", command("rm", "-rf", ".tmp/debug")),
        ("find -delete", "find", command("find", ".tmp/debug", "-delete")),
        ("tmpreaper", "tmpreaper", command("tmpreaper", "--showdeleted", "0s", "{tree}/.tmp/debug")),
        ("systemd-tmpfiles", "systemd-tmpfiles", _systemd),
    ]
    for place in bench.places:
        contest = Contest(f"remove 100,000 files, {place}", 0.85)
        ours = ("engine call", timed("decided = plan()", f"removal.carry_out(decided, workers=Workers({CORES}))"))
        also = [
            ("… one process", timed("decided = plan()", "removal.carry_out(decided)")),
            ("shutil.rmtree", timed("import shutil", "shutil.rmtree('.tmp/debug')")),
        ]
        contestants = [ours, *installed(contest, peers), *also]
        yield compete(
            contest, contestants, lambda: trees.project(bench.fresh(place), 40, 50, 50), bench.rounds, fresh=True
        )


def _systemd(tree: Path) -> float:
    configuration = tree / "tmpfiles.conf"
    configuration.write_text(f"d {tree}/.tmp/debug - - - 0\n")
    started = time.perf_counter()
    # It reports directories that it may not take; what it took is what counts.
    subprocess.run(["systemd-tmpfiles", "--clean", configuration], capture_output=True, check=False)
    return time.perf_counter() - started


def out_of_sight(bench: Bench) -> Iterator[Contest]:
    """`inv temp-clean`, until the entries are gone from sight: 20 entries of 10,000 and of 10 files."""

    def run(tree: Path) -> float:
        started = time.perf_counter()
        with subprocess.Popen([INV, "temp-clean"], cwd=tree, stdout=subprocess.DEVNULL) as process:
            while any((tree / ".tmp/debug").glob("*")):
                time.sleep(0.001)
            gone = time.perf_counter() - started
            process.wait()
        return gone

    contest = Contest("inv temp-clean until out of sight, 200,000 files against 200", 1.2)
    place = "tmpfs" if "tmpfs" in bench.places else "disk"
    for files, who in ((200, "20 entries of 10,000 files"), (1, "20 entries of 10 files")):
        compete(
            contest,
            [(who, run)],
            lambda: trees.project(bench.fresh(place), 20, 50 if files > 1 else 10, files),
            bench.rounds,
            fresh=True,
        )
    yield contest


def find_artifacts(bench: Bench) -> Iterator[Contest]:
    """Find artifacts in a source tree of 50,000 folders."""
    names = [word for text in ARTIFACTS if "/" not in text.strip("/") for word in ("-o", "-name", text.strip("/"))]
    prunes = [word for name in (".git", "node_modules", ".tmp") for word in ("-o", "-name", name)]
    find = ["find", ".", "(", *prunes[1:], ")", "-prune", "-o", "(", *names[1:], ")", "-print", "-prune"]
    for place in bench.places:
        contest = Contest(f"find artifacts in 50,000 folders, {place}", 1.0)
        ours = [
            ("engine call", timed("", f"find(swept=True, workers={CORES})")),
            ("… one process", timed("", "find(swept=True)")),
        ]
        yield compete(
            contest,
            [ours[0], ("find", command(*find)), ours[1]],
            lambda: trees.sources(bench.fresh(place), 45_000),
            bench.rounds,
        )


def start(bench: Bench) -> Iterator[Contest]:
    """What starting costs: whole processes, each beside one that does nothing of ours."""
    bare = bench.fresh("disk")
    trees.project(bare, 0, 0, 0)
    (bare / "tasks.py").write_text(BARE_TASKS)

    def in_bare(*words: str) -> Callable[[Path], float]:
        return lambda _: command(*words)(bare)

    def small() -> Path:
        return trees.project(bench.fresh("disk"), 20, 1, 10)

    pairs = [
        ("inv --list", 1.10, command(INV, "--list"), in_bare(INV, "--list"), "bare tasks.py"),
        ("inv temp-status, 20 entries", 1.6, command(INV, "temp-status"), in_bare(INV, "nothing"), "empty inv task"),
        (
            "import common_tasks.temp",
            1.2,
            command(PYTHON, "-c", "import common_tasks.temp"),
            command(PYTHON, "-c", "import tempfile, pathlib"),
            "import tempfile, pathlib",
        ),
    ]
    for name, target, ours, peer, who in pairs:
        yield compete(Contest(name, target), [("ours", ours), (who, peer)], small, max(bench.rounds, 21))


# The calls that a directory takes which is a project's own, is noted in a lease, and says who made it.
CALLS = """
for number in range(2000):
    os.getcwd()
    os.lstat("pyproject.toml")
    os.lstat("debug")
    os.fstat(lease)
    os.write(lease, b"+debug/x_1696348800-1234\\0")
    os.mkdir(f"debug/x_1696348800-{number}")
    try:
        os.setxattr(f"debug/x_1696348800-{number}", b"user.common-tasks.maker", b"bench.py")
    except OSError:
        pass
    Path(f"debug/x_1696348800-{number}")
"""


def create(bench: Bench) -> Iterator[Contest]:
    """Make 2,000 directories."""
    for place in bench.places:
        ours = timed("", "for _ in range(2000): TempManager.create_persistent_dir('x', 'debug')")
        peer = timed("import tempfile", "for _ in range(2000): tempfile.mkdtemp(dir='.')")
        floor = timed("os.mkdir('debug'); lease = os.open('lease', os.O_WRONLY | os.O_CREAT | os.O_APPEND)", CALLS)
        yield compete(
            Contest(f"create_persistent_dir, 2,000 times, {place}", 2.0),
            [("ours", ours), ("tempfile.mkdtemp", peer), ("a loop of the calls that it takes", floor)],
            lambda: trees.project(bench.fresh(place), 0, 0, 0),
            bench.rounds,
            fresh=True,
        )


PEAK = """
import resource
{call}
# The largest process, in KiB on Linux: this one, or a helper that it waited for.
print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024)
"""


def scale(bench: Bench) -> Iterator[Contest]:
    """Time a file, and memory, at 2,000,000 files and at 20,000."""
    if not bench.big:
        return
    place = "tmpfs" if "tmpfs" in bench.places else "disk"
    sizes = {"2,000,000": (800, 50, 50), "20,000": (8, 50, 50)}
    each = Contest("scan, a file, at 2,000,000 files over at 20,000", 1.3)
    gone = Contest("remove, a file, at 2,000,000 files over at 20,000", 1.3)
    peak = Contest("largest process at 2,000,000 files, over the 60 MiB it may have", 1.0, unit="MiB")
    scanning = f"entries(workers=Workers({CORES}))"
    removing = f"removal.carry_out(decided, workers=Workers({CORES}))"
    for size, shape in sizes.items():
        files = int(size.replace(",", ""))
        tree = trees.project(bench.fresh(place), *shape)
        for _ in range(bench.rounds):
            each.add(size, timed("", scanning)(tree) / files)
        if size == "2,000,000":
            peak.add("ours", engine_call(PEAK.format(call=scanning))(tree))
            peak.add("limit", 60.0)
        gone.add(size, timed("decided = plan()", removing)(tree) / files)
        shutil.rmtree(tree)
    tree = trees.project(bench.fresh(place), *sizes["2,000,000"])
    peak.add("ours", engine_call(PEAK.format(call=f"decided = plan()\n{removing}"))(tree))
    yield from (each, gone, peak)


def commands(bench: Bench) -> Commands:
    """Return the contests of whole commands, in memory where there is a file system for that."""
    place = "tmpfs" if "tmpfs" in bench.places else "disk"
    return Commands(lambda: bench.fresh(place), bench.rounds)


def whole_monorepo(bench: Bench) -> Iterator[Contest]:
    """Look at, list and clean a monorepo of 300 projects."""
    place = "tmpfs" if "tmpfs" in bench.places else "disk"
    yield from monorepo.contests(lambda: bench.fresh(place), bench.rounds, CORES)


CONTESTS: dict[str, Callable[[Bench], Iterator[Contest]]] = {
    "scan": scan,
    "remove": remove,
    "sight": out_of_sight,
    "artifacts": find_artifacts,
    "entries": lambda bench: commands(bench).entries(),
    "files": lambda bench: commands(bench).files(),
    "growth": lambda bench: commands(bench).growth(),
    "sweep": lambda bench: commands(bench).sweep(),
    "start": start,
    "create": create,
    "scale": scale,
    "monorepo": whole_monorepo,
}


def show(contests: list[Contest]) -> Table:
    """Draw medians and ratios."""
    table = Table(title=f"{CORES} cores, Python {sys.version.split()[0]}", title_justify="left")
    for heading in ("what", "who", "median", "ours / theirs", "target"):
        table.add_column(heading)
    for contest in contests:
        for who, rounds in contest.times.items():
            first = who == next(iter(contest.times))
            ratio = "" if first else f"{contest.ratios[who]:.2f}"
            target = f"≤ {contest.target}" if first and contest.target else ""
            median = contest.median(who)
            text = f"{median:.3f} {contest.unit}" if median > 0.001 else f"{median * 1e6:.2f} µs"
            table.add_row(contest.name if first else "", f"{who} ({len(rounds)})", text, ratio, target)
        for who in contest.absent:
            table.add_row("", who, "absent", "", "")
        table.add_section()
    return table


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="inv bench")
    parser.add_argument("--only", choices=CONTESTS, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--big", action="store_true")
    options = parser.parse_args()
    memory = Path("/dev/shm")  # a tmpfs on Linux; the directory in it is our own
    with (
        tempfile.TemporaryDirectory() as disk,
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as tmpfs,
    ):
        bench = Bench(Path(disk), Path(tmpfs) if memory.is_dir() else None, options.rounds, big=options.big)
        contests = []
        for name in options.only or CONTESTS:
            for contest in CONTESTS[name](bench):
                print(contest.name, {who: round(ratio, 2) for who, ratio in contest.ratios.items()}, flush=True)
                contests.append(contest)
    Console(width=120).print(show(contests))
    path = TempManager.create_persistent_file("bench", ".json", "bench")
    path.write_text(json.dumps([{**asdict(contest), "ratios": contest.ratios} for contest in contests], indent=1))
    print(f"Rounds: {path}")


if __name__ == "__main__":
    main()
