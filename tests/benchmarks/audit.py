"""`python -m tests.benchmarks.audit`: how long `temp-migrate` looks through 5,000 files, on the cores there are.

One file in five holds legacy uses (with `--every`: each of them); the others are read for their words only.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common_tasks.temp import temp_working_dir

MIGRATE = "from invoke import Program; from common_tasks import ns; Program(namespace=ns, name='common-tasks').run()"
PLAIN = '''

def function_{number}(first, second={number}, *rest, **options):
    """Return what is asked for, after some looking around."""
    found = [item for item in rest if item not in options and item != first]
    for position, item in enumerate(found):
        if position > second:
            options.setdefault(item, first)
    return {{name: value for name, value in options.items() if value is not None}}
'''
LEGACY = """

def test_{number}(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "file")
        shutil.copy(path, source)
"""


def make(root: Path, files: int, *, every: bool) -> None:
    """Make a project of so many files, 8 KiB each."""
    (root / "pyproject.toml").touch()
    for number in range(files):
        folder = root / "tests" / f"part_{number // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        legacy = every or number % 5 == 0
        text = "import os\nimport shutil\nimport tempfile\n" if legacy else "import os\n"
        parts = [LEGACY if legacy and part % 6 == 0 else PLAIN for part in range(22)]
        text += "".join(part.format(number=place) for place, part in enumerate(parts))
        (folder / f"test_{number}.py").write_text(text)


def main(words: Sequence[str] | None = None) -> int:
    """Measure three rounds; the exit code is 1 where the fastest takes longer than 20 seconds."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.audit", description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--every", action="store_true")
    options = parser.parse_args(words)
    with temp_working_dir("audit") as root:
        make(root, options.files, every=options.every)
        rounds = [_timed(root) for _ in range(3)]
    print(f"{options.files} files: " + ", ".join(f"{seconds:.1f} s" for seconds in rounds))
    return int(min(rounds) > 20)


def _timed(root: Path) -> float:
    start = time.monotonic()
    command = [sys.executable, "-c", MIGRATE, "temp-migrate", "--json"]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
