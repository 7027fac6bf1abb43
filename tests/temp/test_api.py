import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from common_tasks.temp import (
    EngineWarning,
    TempManager,
    Unremovable,
    get_cache_temp_dir,
    get_debug_temp_dir,
    get_temp_dir,
    lease,
    names,
    pytest_temp_dirs,
    temp_working_dir,
)

from ..helpers import HOLD_DEBUG, OLD, before, crowd, make_entry, python, running, said, set_age, slow, states


def test_persistent_dir_is_new_and_empty_below_its_category(project: Path) -> None:
    began = int(time.time())
    made = TempManager.create_persistent_dir("demo", "debug")
    stamped = names.parse_name(made.name)
    assert made.parent == project / ".tmp/debug"
    assert not list(made.iterdir())
    assert stamped
    assert stamped.name == "demo"
    assert began <= stamped.created <= time.time()


def test_without_a_category_it_is_uncategorized(project: Path) -> None:
    assert TempManager.create_persistent_dir().parent == project / ".tmp/uncategorized"
    assert get_temp_dir("demo").parent == project / ".tmp/uncategorized"


@pytest.mark.usefixtures("project")
def test_legacy_helper_and_debug_helper_make_a_fresh_one_each_time() -> None:
    assert len({get_temp_dir("a"), get_temp_dir("a"), get_temp_dir("a")}) == 3
    assert len({get_debug_temp_dir("a"), get_debug_temp_dir("a")}) == 2


def test_persistent_file_is_empty_in_a_directory_of_its_own(project: Path) -> None:
    one = TempManager.create_persistent_file("data", ".json", "work")
    two = TempManager.create_persistent_file("data", ".json", "work")
    assert one.parent != two.parent
    assert one.parent.parent == project / ".tmp/work"
    assert one.name == one.parent.name + ".json"
    assert one.read_bytes() == b""


MANY = """
from common_tasks.temp import TempManager
for _ in range(100):
    print(TempManager.create_persistent_dir("same", "debug"))
"""


def test_eight_processes_make_800_distinct_directories(project: Path) -> None:
    made = [line for said in crowd(8, MANY, project) for line in said.splitlines()]
    assert len(made) == len(set(made)) == 800
    assert all(Path(path).is_dir() for path in made)


@pytest.mark.parametrize("each", [20, slow(2000)])
def test_directories_of_sixteen_threads_are_distinct(project: Path, each: int) -> None:
    made: list[list[str]] = [[] for _ in range(16)]

    def make(mine: list[str]) -> None:
        mine.extend(TempManager.create_persistent_dir("same", "debug").name for _ in range(each))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({name for mine in made for name in mine}) == 16 * each
    assert len(list((project / ".tmp/debug").glob("same_*"))) == 16 * each


def test_cache_is_found_again_by_the_next_run(project: Path) -> None:
    code = "from common_tasks.temp import *; print(get_cache_temp_dir('thumbs'))"
    first = python(code, cwd=project).stdout.strip()
    assert python(code, cwd=project).stdout.strip() == first
    assert str(get_cache_temp_dir("thumbs")) == first
    assert str(get_cache_temp_dir("other")) != first


def test_newest_cache_is_the_one_with_the_latest_stamp(project: Path) -> None:
    for name in (f"thumbs_{OLD}", f"thumbs_{OLD + 5}", f"thumbs_{OLD + 5}-2", f"thumbs_{OLD + 5}-10", "thumbs_mine"):
        make_entry(project / ".tmp/cache" / name)
    assert get_cache_temp_dir("thumbs").name == f"thumbs_{OLD + 5}-10"


def test_finding_a_cache_counts_as_a_use(project: Path) -> None:
    cache = make_entry(project / ".tmp/cache" / f"thumbs_{OLD}", hours=100)
    assert get_cache_temp_dir("thumbs") == cache
    assert time.time() - cache.stat().st_mtime < 60
    with running(
        "from common_tasks.temp import *; print(get_cache_temp_dir('thumbs'), flush=True); input()", project
    ) as p:
        assert said(p) == str(cache)
        assert states(project) == {cache.name: "in-use"}


@pytest.mark.parametrize("rounds", [1, slow(5)])
def test_twelve_processes_that_ask_for_a_missing_cache_get_one(project: Path, rounds: int) -> None:
    code = """
import time
from common_tasks.temp import creation, get_cache_temp_dir
def slowly(*args, real=creation.create_entry):
    time.sleep(0.03)  # more of them are between looking and making
    return real(*args)
creation.create_entry = slowly
print(get_cache_temp_dir("thumbs"))
"""
    for _ in range(rounds):
        assert len(set(crowd(12, code, project))) == 1
        assert len(list(project.glob(".tmp/cache/thumbs_*"))) == 1
        TempManager.clean_persistent_temps()


@pytest.mark.usefixtures("project")
def test_auto_cleanup_dir_is_in_the_systems_place_and_gone_afterwards() -> None:
    with TempManager.auto_cleanup_dir("image") as folder:
        assert folder.parent == Path(tempfile.gettempdir())
        assert folder.name.startswith("image_")
        assert not list(folder.iterdir())
        assert folder.stat().st_mode & 0o777 == 0o700
        make_entry(folder / "below")
    assert not os.listdir(tempfile.gettempdir())


@pytest.mark.usefixtures("project")
def test_auto_cleanup_file_is_in_the_systems_place_and_gone_afterwards() -> None:
    with TempManager.auto_cleanup_file("data", ".csv") as file:
        assert file.is_relative_to(tempfile.gettempdir())
        assert file.name.startswith("data_")
        assert file.suffix == ".csv"
        assert file.read_bytes() == b""
    assert not os.listdir(tempfile.gettempdir())


@pytest.mark.usefixtures("project")
def test_temp_working_dir_is_auto_cleanup_dir() -> None:
    with temp_working_dir("processing") as folder:
        (folder / "result.jpg").touch()
    assert not folder.exists()


@pytest.mark.usefixtures("project")
def test_block_that_fails_is_cleaned_up_and_its_error_passed_on() -> None:
    with pytest.raises(KeyError), temp_working_dir() as folder:
        raise KeyError
    assert not folder.exists()


@pytest.mark.usefixtures("project")
def test_block_may_remove_its_directory_itself() -> None:
    with temp_working_dir() as folder:
        folder.rmdir()
    with temp_working_dir() as folder:
        folder.rmdir()
        folder.mkdir()  # another one now, at a path that nobody else has
    assert not folder.exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("mode", [0o000, 0o555])
def test_block_cleans_up_what_nobody_may_write_to(mode: int) -> None:
    with temp_working_dir() as folder:
        (folder / "locked").mkdir()
        (folder / "locked/file").touch()
        (folder / "locked").chmod(mode)
        folder.chmod(mode)
    assert not folder.exists()


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("block_fails", [False, True])
def test_what_stands_in_the_way_of_the_cleaning_up_is_told(
    monkeypatch: pytest.MonkeyPatch, *, block_fails: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted", "file")

    with pytest.raises(KeyError if block_fails else Unremovable) as caught, temp_working_dir() as folder:
        (folder / "file").touch()
        monkeypatch.setattr(os, "unlink", refuse)
        if block_fails:
            raise KeyError
    monkeypatch.undo()
    assert "file: Operation not permitted" in "".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def test_forked_child_that_leaves_the_block_removes_nothing(project: Path) -> None:
    code = """
import os, sys
from common_tasks.temp import temp_working_dir
with temp_working_dir() as folder:
    if os.fork() == 0:
        sys.exit()  # unwinds the block in the child
    os.wait()
    print(folder.exists())
print(folder.exists())
"""
    assert python(code, cwd=project).stdout == "True\nFalse\n"


@pytest.mark.usefixtures("project")
def test_pytest_temp_dirs_are_ready_to_unpack() -> None:
    with pytest_temp_dirs(2) as (source, target):
        assert (source.name, target.name) == ("source", "target")
        assert source.is_dir()
        assert target.is_dir()
    with pytest_temp_dirs(7) as dirs:
        assert [d.name for d in dirs] == ["source", "target", "working", "output", "backup", "temp_5", "temp_6"]
    with pytest_temp_dirs(3, ["a", "b"]) as dirs:
        assert [d.name for d in dirs] == ["a", "b", "temp_2"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("number", "names"), [(0, None), (-1, None), (2, ["a", "b", "c"]), (2, ["a", "a"]), (1, ["a/b"]), (1, [""])]
)
def test_pytest_temp_dirs_refuse_what_makes_no_sense(number: int, names: list[str] | None, system_temp: Path) -> None:
    with pytest.raises(ValueError, match=r"^(num_dirs|names|the name)"), pytest_temp_dirs(number, names):
        pass
    assert not os.listdir(system_temp)


def test_list_gives_the_entries_oldest_first(project: Path) -> None:
    made = [make_entry(project / ".tmp" / name, hours=hours) for name, hours in (("b", 5), ("a", 9), ("c", 1))]
    assert TempManager.list_persistent_temps() == [made[1], made[0], made[2]]


def test_list_of_a_project_without_any_is_empty_and_makes_nothing(project: Path) -> None:
    assert TempManager.list_persistent_temps() == []
    assert TempManager.clean_persistent_temps() == 0
    assert not (project / ".tmp").exists()


def test_clean_removes_by_age_and_says_how_many(project: Path) -> None:
    for hours in (0, 5, 50):
        make_entry(project / ".tmp/debug" / f"h{hours}_{OLD}", hours=hours)
    assert TempManager.clean_persistent_temps(24) == 1
    assert TempManager.clean_persistent_temps(24) == 0
    assert TempManager.clean_persistent_temps(max_age_hours=0.5) == 1
    assert TempManager.clean_persistent_temps() == 1
    assert TempManager.list_persistent_temps() == []


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "24"])
def test_clean_refuses_ages_that_are_none_and_removes_nothing(project: Path, bad: float) -> None:
    entry = make_entry(project / ".tmp/x", hours=100)
    with pytest.raises(ValueError, match="number of hours"):
        TempManager.clean_persistent_temps(bad)
    assert entry.exists()


def test_process_may_clean_what_it_made_itself_but_not_what_others_use(project: Path) -> None:
    mine, cache = get_debug_temp_dir("mine"), get_cache_temp_dir("mine")
    assert get_cache_temp_dir("mine") == cache
    with running(HOLD_DEBUG, project) as other:
        theirs = Path(said(other))
        assert TempManager.clean_persistent_temps() == 2
        assert (mine.exists(), cache.exists(), theirs.exists()) == (False, False, True)
    other.wait()
    assert TempManager.clean_persistent_temps() == 1


def test_clean_tells_what_it_could_not_remove(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [make_entry(project / ".tmp" / name) for name in "ab"]
    real = os.rename

    def refuse(source: str, *args: object, **options: object) -> None:
        if source == "a":
            raise PermissionError(1, "Operation not permitted", source)
        real(source, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", refuse)
    with pytest.warns(EngineWarning, match="was not removed: a: Operation"):
        assert TempManager.clean_persistent_temps() == 1
    assert [entry.exists() for entry in entries] == [True, False]


def test_category_that_a_cleaner_removes_before_the_directory_is_made_is_made_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_entry(project / f".tmp/debug/x_{OLD}")
    before(monkeypatch, lease.Leases, "make", lambda: shutil.rmtree(project / ".tmp/debug"))
    made = get_debug_temp_dir()
    assert made.is_dir()
    assert states(project) == {made.name: "idle"}


def test_cleaner_and_who_asks_for_a_cache_exclude_each_other(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry(project / f".tmp/cache/thumbs_{OLD}")
    code = "from common_tasks.temp import *; print(TempManager.clean_persistent_temps())"
    cleaners: list[subprocess.Popen[str]] = []

    def clean_now() -> None:
        cleaners.append(subprocess.Popen([sys.executable, "-c", code], cwd=project, stdout=subprocess.PIPE, text=True))
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for the base
            cleaners[0].wait(0.5)

    before(monkeypatch, lease.Leases, "note", clean_now)
    assert get_cache_temp_dir("thumbs").is_dir()
    assert cleaners[0].communicate(timeout=50)[0] == "0\n"
    assert get_cache_temp_dir("thumbs").is_dir()


def test_inventory_tells_size_age_and_state_oldest_first(project: Path) -> None:
    make_entry(project / f".tmp/cache/thumbs_{OLD}", files=3, hours=50)
    make_entry(project / ".tmp/by-hand", hours=90)
    (project / ".tmp/by-hand/.keep").touch()
    set_age(project / ".tmp/by-hand", 90)
    by_hand, thumbs = TempManager.inventory()
    assert TempManager.list_persistent_temps() == [by_hand.path, thumbs.path]
    assert (by_hand.category, by_hand.state, by_hand.reason) == ("legacy", "kept", "kept: .keep")
    assert (thumbs.path, thumbs.category) == (project / f".tmp/cache/thumbs_{OLD}", "cache")
    assert (thumbs.name, thumbs.created, thumbs.files, thumbs.state, thumbs.reason) == ("thumbs", OLD, 3, "idle", None)
    assert thumbs.disk_bytes >= 15_000
    now = time.time()
    assert abs(thumbs.age(now) - 50 * 3600) < 60
    assert thumbs.age(0) == 0


def test_clean_may_be_narrowed_to_a_category_and_only_counted(project: Path) -> None:
    cache = make_entry(project / f".tmp/cache/x_{OLD}", hours=50)
    debug = make_entry(project / f".tmp/debug/x_{OLD}", hours=50)
    assert TempManager.clean_persistent_temps(24, dry_run=True) == 2
    assert TempManager.clean_persistent_temps(dry_run=True, category="debug") == 1
    assert TempManager.clean_persistent_temps(category="none") == 0
    assert cache.exists()
    assert debug.exists()
    assert TempManager.clean_persistent_temps(24, category="debug") == 1
    assert cache.exists()
    assert not debug.exists()


@pytest.mark.parametrize(("category", "error"), [("a/b", ValueError), (5, TypeError)])
def test_what_can_be_no_category_is_refused_before_anything_goes(
    project: Path, category: str, error: type[Exception]
) -> None:
    entry = make_entry(project / ".tmp/x")
    with pytest.raises(error, match="the category"):
        TempManager.clean_persistent_temps(category=category)
    assert entry.exists()


def test_script_that_borrowed_test_directories_leaves_no_category(project: Path) -> None:
    code = "from common_tasks.temp import *\nwith pytest_temp_dirs(2) as folders: assert folders[0].parent.exists()"
    assert python(code, cwd=project).returncode == 0
    assert not (project / ".tmp/test").exists()
    make_entry(project / f".tmp/test/other_{OLD}")
    assert python(code, cwd=project).returncode == 0
    assert [path.name for path in (project / ".tmp/test").iterdir()] == [f"other_{OLD}"]
