"""A monorepo of 300 projects, 5,000 entries, 500,000 files in them and 50,000 folders of sources."""

from collections.abc import Callable, Iterator
from pathlib import Path

from common_tasks.project.patterns import ARTIFACTS

from . import trees
from .commands import INV, Commands
from .contest import Contest, Contestant, command, compete, engine_call, remove, timed

_SHAPE = {"projects": 300, "entries": 5000, "files": 500_000, "folders": 50_000}
_MOST = 80.0  # MiB
_PEAK = """
import resource, subprocess, sys
subprocess.run([{inv!r}, *{words!r}], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""
_DU = command("sh", "-c", "du -s packages/*/.tmp")


def contests(fresh: Callable[[], Path], rounds: int, cores: int) -> Iterator[Contest]:
    """Look, list and clean. `fresh` gives a path for a new tree."""
    made = trees.monorepo(fresh(), **_SHAPE)
    commands = Commands(fresh, rounds)
    for contest, contestants in _looking(commands, cores):
        yield compete(contest, contestants, lambda: made, rounds, kept=True)
    yield _memory(made, rounds)
    remove(made)  # a tmpfs has room for so many files, but not for many times as many
    whole = [("inv clean -a", command(INV, "clean", "-a")), ("git clean -fdX", command("git", "clean", "-fdXq"))]
    yield compete(
        Contest("inv clean -a", 1.0),
        whole,
        lambda: trees.monorepo(fresh(), **_SHAPE),
        rounds,
        fresh=True,
    )


def _looking(commands: Commands, cores: int) -> Iterator[tuple[Contest, list[tuple[str, Contestant]]]]:
    look = f"members.with_entries(find(workers={cores}), workers=Workers({cores}))"
    yield Contest("look at the monorepo: the engine", 1.0), [("engine call", timed("", look)), ("du -s", _DU)]
    yield (
        Contest("inv temp-status -a", 1.3),
        [
            ("inv temp-status -a", command(INV, "temp-status", "-a")),
            ("empty inv task and du -s", commands.after_bare(_DU)),
            commands.floor("projects"),
        ],
    )
    yield (
        Contest("find the monorepo's projects and artifacts: the walk", 0.8),
        [
            (
                "engine call",
                timed("", f"find(workers={cores})"),
            ),
            ("find, same names and prunes", _find()),
        ],
    )
    yield (
        Contest("inv clean -a --dry-run"),
        [
            ("inv clean -a --dry-run", command(INV, "clean", "-a", "--dry-run")),
            ("empty inv task, du -s and find", commands.after_bare(_DU, _find())),
            ("git clean -ndX", command("git", "clean", "-ndX")),
        ],
    )


def _find() -> Contestant:
    names = [word for text in ARTIFACTS for word in ("-o", "-name", text.strip("/").rpartition("/")[2])]
    prunes = [word for name in (".git", "node_modules", ".tmp", ".temp") for word in ("-o", "-name", name)]
    return command("find", ".", "(", *prunes[1:], ")", "-prune", "-o", "(", *names[1:], ")", "-print", "-prune")


def _memory(made: Path, rounds: int) -> Contest:
    contest = Contest(f"largest process of a look and a dry run, over the {_MOST:.0f} MiB it may have", 1.0, unit="MiB")
    for _ in range(min(rounds, 3)):
        words = (["temp-status", "-a"], ["clean", "-a", "--dry-run"])
        contest.add("ours", max(engine_call(_PEAK.format(inv=INV, words=each))(made) for each in words))
        contest.add("limit", _MOST)
    return contest
