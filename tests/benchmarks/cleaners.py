"""What cleaners do to a temporary location that real programs have filled: `python -m tests.benchmarks.cleaners`.

Each cleaner gets the same folder (see `litter`), with everything in it 25 hours old. What it does to each kind of thing
is printed: `stays`, `goes`, or `damaged` where a part of it went. The first column says what should be: "either" is
for what nobody can tell from what is in use.

Programs that this machine does not have are left out. JOBLIB names a Python that has joblib and numpy.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .litter import Litter


class Cleaner(NamedTuple):
    """A program, and the words that have it clean `{folder}`; `{settings}` is a file for systemd-tmpfiles."""

    name: str
    words: Sequence[str]


def cleaners() -> list[Cleaner]:
    """Return the cleaners that there are, ours first."""
    program = str(Path(sys.executable).parent / "common-tasks")
    by_modification = "--mtime", "--mtime-dir"
    known = [
        Cleaner("common-tasks 24h", [program, "temp-clean", "--system"]),
        Cleaner("common-tasks 1h", [program, "temp-clean", "--system", "--max-age-hours", "1"]),
        Cleaner("systemd-tmpfiles 1h", ["systemd-tmpfiles", "--clean", "{settings} mM:1h"]),
        Cleaner("systemd-tmpfiles 0", ["systemd-tmpfiles", "--clean", "{settings} 0"]),
        Cleaner("tmpreaper 1h", ["tmpreaper", *by_modification, "1h", "{folder}"]),
        Cleaner("tmpreaper --all 1h", ["tmpreaper", *by_modification, "--all", "1h", "{folder}"]),
        Cleaner("find -mmin +60", ["find", "{folder}", "-mindepth", "1", "-mmin", "+60", "-delete"]),
    ]
    return [cleaner for cleaner in known if shutil.which(cleaner.words[0])]


def run(cleaner: Cleaner, litter: Litter, *more: str) -> subprocess.CompletedProcess[str]:
    """Have a cleaner clean a location."""
    settings = litter.project / "tmpfiles.conf"
    words = [word.replace("{folder}", str(litter.folder)) for word in (*cleaner.words, *more)]
    if words[-1].startswith("{settings} "):
        settings.write_text(f"e {litter.folder} - - - {words[-1].partition(' ')[2]}\n")
        words[-1] = str(settings)
    environment = litter.environment
    return subprocess.run(
        words, cwd=litter.project, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def _sum(states: Sequence[str]) -> str:
    """Say what became of several things."""
    names = sorted(set(states))
    return names[0] if len(names) == 1 else ", ".join(f"{states.count(name)} {name}" for name in names)


def main() -> None:
    """Fill a location for each cleaner, and print what each does to it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="killed runs of pytest")
    parser.add_argument("--only", default="", help="a part of the cleaners' names")
    options = parser.parse_args()
    columns: dict[str, dict[str, str]] = {}
    expected: dict[str, str] = {}
    for cleaner in cleaners():
        if options.only in cleaner.name:
            with Litter(options.runs) as litter:
                expected = {thing.kind: f"{thing.fate}" for thing in litter.things}
                done = run(cleaner, litter)
                columns[cleaner.name] = {kind: _sum(states) for kind, states in litter.states().items()}
                print(f"{cleaner.name}: exit code {done.returncode}", file=sys.stderr, flush=True)
    width = max(map(len, expected))
    print(f"{'':{width}}  should  ", "  ".join(f"{name:20}" for name in columns))
    for kind, fate in expected.items():
        print(f"{kind:{width}}  {fate:6}  ", "  ".join(f"{states[kind]:20}" for states in columns.values()))


if __name__ == "__main__":
    main()
