"""A patch is what `git apply` takes: files that come, change and go, whatever their names and last lines."""

import subprocess
from pathlib import Path

import pytest

from common_tasks.migrate.finding import Change
from common_tasks.migrate.patch import make_patch


@pytest.mark.parametrize("name", ["plain.py", "sub/a b.py", 'q"uote\\.py', "ünï.py"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(None, b"new\n"), (None, b""), (b"old\n", None), (b"one\ntwo", b"one\nthree"), (b"\xff\r\nx\n", b"\xff\r\ny")],
    ids=["new", "new and empty", "gone", "no last line feed", "any bytes"],
)
def test_git_makes_of_a_file_what_the_change_says(
    tmp_path: Path, name: str, before: bytes | None, after: bytes | None
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if before is not None:
        path.write_bytes(before)
    patch = make_patch([Change(path, before, after)], tmp_path)
    subprocess.run(["git", "apply", "--whitespace=nowarn"], input=patch, cwd=tmp_path, check=True)
    assert (path.read_bytes() if path.exists() else None) == after


def test_program_that_goes_is_one_in_the_patch(tmp_path: Path) -> None:
    path = tmp_path / "run.py"
    path.write_bytes(b"x\n")
    path.chmod(0o755)
    assert b"deleted file mode 100755\n" in make_patch([Change(path, b"x\n", None)], tmp_path)
