"""Windows opens no directories. Here that is played: the same engine, by path, without locks."""

from pathlib import Path

import pytest

from ..helpers import OLD, make_entry, python

AS_ON_WINDOWS = """
import os, sys
os.supports_dir_fd = set()
sys.modules["fcntl"] = None
from common_tasks.temp import *
from common_tasks.temp._os import os as engine_os
from common_tasks.temp import descent, lease
assert engine_os is not os
lease._LOCKS = descent._MOUNTS = "no such table"
"""


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("print(get_debug_temp_dir('x').is_dir(), get_temp_dir().is_dir())", "True True"),
        ("print(get_debug_temp_dir('x') != get_debug_temp_dir('x'))", "True"),
        ("print(get_cache_temp_dir('x') == get_cache_temp_dir('x'))", "True"),
        ("print(TempManager.create_persistent_file('x', '.txt', 'work').read_bytes())", "b''"),
        ("with temp_working_dir() as d: (d / 'a').mkdir()\nprint(d.exists())", "False"),
        ("with pytest_temp_dirs(2) as (a, b): print(a.is_dir(), b.name)\nprint(a.exists())", "True target\nFalse"),
        ("get_temp_dir(); print(len(TempManager.list_persistent_temps()))", "1"),
        ("get_temp_dir(); print(TempManager.clean_persistent_temps(1), TempManager.clean_persistent_temps())", "0 1"),
    ],
)
def test_by_path_everything_works_too(project: Path, code: str, answer: str) -> None:
    done = python(AS_ON_WINDOWS + code, cwd=project)
    assert done.stdout.strip() == answer, done.stderr


def test_by_path_a_clean_keeps_what_it_has_to(project: Path, tmp_path: Path) -> None:
    precious = make_entry(tmp_path / "precious")
    entry = make_entry(project / f".tmp/debug/old_{OLD}", hours=50)
    (entry / "link").symlink_to(precious)
    (entry / "sub/locked").mkdir(mode=0o500)
    pinned = make_entry(project / f".tmp/debug/pinned_{OLD}", hours=50)
    (pinned / ".keep").touch()
    (project / ".tmp/link").symlink_to(precious)
    left = make_entry(project / ".tmp/.trash/0123456789abcdef")
    done = python(AS_ON_WINDOWS + "print(TempManager.clean_persistent_temps())", cwd=project)
    assert done.stdout == "2\n", done.stderr
    assert [path.exists() for path in (entry, pinned, left)] == [False, True, False]
    assert (precious / "sub/file-0").exists()


def test_by_path_a_link_as_base_is_refused(project: Path, tmp_path: Path) -> None:
    (project / ".tmp").symlink_to(tmp_path)
    done = python(AS_ON_WINDOWS + "TempManager.clean_persistent_temps()", cwd=project)
    assert "BaseRefused" in done.stderr
