"""Others that swap, race and name things to do harm."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common_tasks.temp import TempManager, inventory, layout, removal, retention

from ..helpers import OLD, clean, crowd, examples, inv, inv_json, make_entry, make_project, slow, take, trash_is_empty

# By descriptor, or it would itself do outside what the clean must not.
SWAPPER = """
import contextlib, os, sys
base, outside = sys.argv[1:]
print(flush=True)
while True:
    with contextlib.suppress(OSError):
        for folder, below, files, fd in os.fwalk(base):
            here = {"src_dir_fd": fd, "dst_dir_fd": fd}
            for name in below:
                with contextlib.suppress(OSError):
                    os.rename(name, name + "~", **here)
                    os.symlink(outside, name, dir_fd=fd)
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=fd)
                    os.rename(name + "~", name, **here)
            for name in files:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=fd)
                    os.symlink(outside, name, dir_fd=fd)
"""


@pytest.mark.parametrize("turns", [6, slow(200)])
def test_swapping_links_and_directories_all_through_loses_nothing_outside(
    project: Path, tmp_path: Path, elsewhere: Callable[[], dict[str, bytes]], turns: int
) -> None:
    before = elsewhere()
    command = [sys.executable, "-c", SWAPPER, str(project / ".tmp"), str(tmp_path / "outside")]
    (project / ".tmp").mkdir()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout
        swapper.stdout.readline()
        for turn in range(turns):
            for number in range(2):
                for levels in ("one", "one/two"):
                    folder = project / f".tmp/data/e{turn}-{number}_{OLD}" / levels
                    shutil.rmtree(folder, ignore_errors=True)
                    try:
                        folder.mkdir(parents=True, exist_ok=True)
                        (folder / "file").touch()
                    except OSError:  # the swapper was here
                        continue
            clean(project)
        swapper.kill()
    clean(project)
    # Through a swapped link the lines above may have put files there; none may be gone.
    assert before.items() <= elsewhere().items()


HOSTILE = st.binary(min_size=1, max_size=60).filter(lambda name: b"/" not in name and b"\0" not in name)


@settings(max_examples=examples(of=6), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HOSTILE, min_size=20, max_size=20, unique=True))
def test_hostile_names_are_made_shown_and_cleaned(project: Path, raw: list[bytes]) -> None:
    names = [name for name in map(os.fsdecode, raw) if not name.startswith(".")]
    made = {TempManager.create_persistent_dir(name, "hostile"): name for name in names}
    by_hand = {project / ".tmp" / f"by hand {name}" for name in names}
    for path in by_hand:
        path.mkdir()
    found = take(project)
    assert {entry.path for entry in found} == made.keys() | by_hand
    assert {entry.path: entry.name for entry in found if entry.category == "hostile"} == made
    outcome = removal.carry_out(retention.make_plan(found, retention.Policy(), 0))
    assert len(outcome.removed) == 2 * len(names)
    assert take(project) == ()


def test_hostile_names_break_neither_table_nor_json(project: Path) -> None:
    names = ["\x1b[2J\x1b[31m", "two\nlines", "\u202egnp.exe", "[bold red]x", ":smile:", "tab\there", "\udcff\udc80"]
    names += [
        "[bold]",
        "\x9b31m",
        "\u2028",
        "é",
        "日本",
        "-rf",
        "--help",
        "$(reboot)",
        "%s",
        "{x}",
        "\\",
        '"',
        "'",
        "\r",
    ]
    for name in names:
        os.makedirs(os.fsencode(project / f".tmp/debug/{name}_{OLD}"))
    for words in (["temp-status"], ["temp-clean", "--dry-run"]):
        shown = inv(project, *words).stdout
        assert len([line for line in shown.splitlines() if f"_{OLD}" in line]) == len(names)
        assert all(char.isprintable() or char == "\n" for char in shown)
    assert r"\x1b[2J\x1b[31m" in shown
    assert r"two\x0alines" in shown
    assert r"\u202egnp.exe" in shown
    assert r"\xff\x80" in shown
    rows = inv_json(project, "temp-status")["entries"]
    expected = [name.replace("\udcff\udc80", r"\xff\x80") for name in names]
    assert sorted(row["name"] for row in rows) == sorted(expected)
    assert len(inv_json(project, "temp-clean")["removed"]) == len(names)
    assert take(project) == ()


def test_output_that_takes_only_ascii_gets_the_rest_escaped(project: Path) -> None:
    make_entry(project / f".tmp/debug/日本_{OLD}")
    shown = inv(project, "temp-status", env={**os.environ, "PYTHONIOENCODING": "ascii"}).stdout
    assert rf"\u65e5\u672c_{OLD}" in shown


@pytest.mark.parametrize("rounds", [1, slow(6)])
def test_three_cleaners_at_once_share_the_work_without_a_fault(project: Path, rounds: int) -> None:
    for _ in range(rounds):
        for number in range(40):
            make_entry(project / f".tmp/debug/e{number}_{OLD}")
        code = "from common_tasks.temp import *; import warnings; warnings.simplefilter('error')\n"
        code += "print(TempManager.clean_persistent_temps())"
        # A category that one has just emptied may look hand-made to another.
        assert 40 <= sum(map(int, crowd(3, code, project))) <= 42
        assert take(project) == ()
        assert trash_is_empty(project)


def test_view_over_other_projects_does_not_reach_into_this_one(project: Path, tmp_path: Path) -> None:
    mine = make_entry(project / ".tmp/mine")
    other = make_project(tmp_path / "other")
    make_entry(other / ".tmp/theirs")
    found = inventory.scan([layout.find_project(other)])
    removal.carry_out(retention.make_plan(found, retention.Policy(), 0))
    assert mine.exists()
    assert take(other) == ()
