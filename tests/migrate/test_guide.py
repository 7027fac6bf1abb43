"""The migration guide's Before programs become its After programs in meaning: both are run, and leave the same."""

import os
import re
from pathlib import Path

from ..helpers import python, run_pytest
from .helpers import is_settled, put, write

STAMP = re.compile(r"_\d{9,}(-\d+)?")


def left(root: Path) -> dict[str, str]:
    """Return what lies in the project's bases: what is written where, without categories and times."""
    files = [path for base in (".tmp", ".temp") for path in (root / base).rglob("*.txt")]
    return {f"{STAMP.sub('', path.parent.name)}/{path.name}": path.read_text() for path in files}


def run(root: Path, script: str) -> str:
    done = python(f"import runpy; runpy.run_path({script!r}, run_name='__main__')", cwd=root)
    assert done.returncode == 0, done.stderr
    return done.stdout


def both(tmp_path: Path, path: str, text: str, *, unsafe: bool = False) -> tuple[Path, Path]:
    """Return a project before, and the same after its migration."""
    before, after = tmp_path / "before", tmp_path / "after"
    for root in (before, after):
        put(root, {path: text})
    write(after, unsafe=unsafe)
    assert is_settled(after, unsafe=unsafe)
    assert (after / path).read_text() != (before / path).read_text()
    return before, after


HELPER = """
    import time
    from pathlib import Path

    def get_temp_dir(name_prefix="temp"):
        temp_base = Path(".tmp")
        temp_base.mkdir(exist_ok=True)
        timestamp = int(time.time())
        temp_dir = temp_base / f"{name_prefix}_{timestamp}"
        temp_dir.mkdir(exist_ok=True)
        return temp_dir

    # Usage
    temp_dir = get_temp_dir("demo")
    (temp_dir / "result.txt").write_text("made")
    print(temp_dir.name.partition("_")[0])
"""


def test_legacy_helper(tmp_path: Path) -> None:
    before, after = both(tmp_path, "scripts/demo.py", HELPER)
    assert run(before, "scripts/demo.py") == run(after, "scripts/demo.py") == "demo\n"
    assert left(before) == left(after) == {"demo/result.txt": "made"}
    assert len(list((after / ".tmp/debug").glob("demo_*"))) == 1


TESTS = '''
    import tempfile
    from pathlib import Path

    import pytest


    class TestSync:
        @pytest.fixture
        def temp_dirs(self):
            """Create temporary source and target directories for testing."""
            with tempfile.TemporaryDirectory() as temp_dir:
                temp_path = Path(temp_dir)
                source = temp_path / "source"
                target = temp_path / "target"
                source.mkdir()
                target.mkdir()
                yield source, target

        def test_directories(self, temp_dirs):
            source, target = temp_dirs
            assert (source.name, target.name) == ("source", "target")
            assert source.parent == target.parent
            assert list(source.iterdir()) == list(target.iterdir()) == []


    def test_something(tmp_path):
        source = tmp_path / "source"
        target = tmp_path / "target"
        source.mkdir()
        target.mkdir()
        # Test logic...
        assert Path(source, "..", "target").samefile(target)
'''


def test_fixture_and_tmp_path(tmp_path: Path, system_temp: Path) -> None:
    before, after = both(tmp_path, "tests/test_sync.py", TESTS)
    for root in (before, after):
        done = run_pytest(root, "-q", "tests")
        assert (done.returncode, "2 passed" in done.stdout) == (0, True), done.stdout
    text = (after / "tests/test_sync.py").read_text()
    assert text.count('with pytest_temp_dirs(2, ["source", "target"]) as (source, target):') == 2
    assert "tempfile" not in text
    assert [name for name in os.listdir(system_temp) if not name.startswith("pytest-of-")] == []


MANUAL = """
    import tempfile
    from pathlib import Path

    # Various manual patterns found in codebase
    temp_dir = Path(".tmp") / "processing"
    temp_dir.mkdir(parents=True, exist_ok=True)
    (temp_dir / "result.txt").write_text("made")

    # Or
    with tempfile.TemporaryDirectory() as temp:
        work_dir = Path(temp) / "work"
        work_dir.mkdir()
        print(work_dir.name, work_dir.parent == Path(temp))
"""


def test_manual_directories(tmp_path: Path, system_temp: Path) -> None:
    before, after = both(tmp_path, "scripts/work.py", MANUAL, unsafe=True)  # others may look for .tmp/processing
    assert run(before, "scripts/work.py") == run(after, "scripts/work.py") == "work True\n"
    assert left(before) == left(after) == {"processing/result.txt": "made"}
    assert (after / ".tmp/work").is_dir()
    assert list(system_temp.iterdir()) == []
