"""Guards that stand behind others: each alone, with those before it out of the way."""

import _ctypes
import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from common_tasks.fs import processes, procfs
from common_tasks.fs import workers as pool
from common_tasks.fs.directory import Directory
from common_tasks.fs.kernel import Location
from common_tasks.fs.uses import Uses
from common_tasks.fs.walk import Position, Visitor, walk
from common_tasks.fs.workers import Workers
from common_tasks.temp import removal, temp_working_dir

from ..conftest import As
from ..helpers import (
    HOUR,
    OLD,
    clean,
    clean_in_a_container,
    git,
    make_entry,
    plan,
    python,
    reasons,
    running,
    said,
    states,
    take,
    trash_is_empty,
)
from .test_put_back import at, interrupt

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


@ROOT
def test_lock_alone_keeps_the_hand_made_folder_around_what_a_process_of_another_container_has_leased(
    project: Path,
) -> None:
    lent = make_entry(project / f".tmp/by hand/deep/er/x_{OLD}")
    code = f"import fcntl, os; kept = os.open({str(lent)!r}, os.O_RDONLY); fcntl.flock(kept, fcntl.LOCK_SH)"
    with running(f"{code}; print(flush=True); input()", project) as holder:
        said(holder)
        assert clean_in_a_container(project) == 0
        assert lent.exists()
    assert clean_in_a_container(project) == 1


@ROOT
def test_root_of_a_process_is_in_use(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    with running(f"import os; os.chroot({str(entry)!r}); print(flush=True); input()", project) as user:
        said(user)
        assert states(project) == {"x": "in-use"}


def test_program_of_a_process_is_in_use_even_where_its_maps_cannot_be_read(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x")
    shutil.copy("/bin/sleep", entry / "sub/server")
    monkeypatch.setattr(procfs, "maps", lambda *_: b"")
    with subprocess.Popen([entry / "sub/server", "600"]) as server:
        seen = states(project)
        server.kill()
    assert seen == {"x": "in-use"}


def test_database_whose_journal_alone_is_tracked_stays(project: Path) -> None:
    (project / ".tmp").mkdir()
    for name in ("data.db", "data.db-wal"):
        (project / ".tmp" / name).touch()
    git(project, "init")
    git(project, "add", "--force", ".tmp/data.db-wal")
    assert reasons(clean(project).kept) == {"data.db": "tracked by git"}


def test_lease_taken_after_the_plan_keeps_an_entry_where_no_look_sees_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_entry(project / f".tmp/cache/c_{OLD}")
    decided = plan(project)
    code = "import os; os.utime = lambda *_, **__: None\nfrom common_tasks.temp import *\n"
    with running(f"{code}print(get_cache_temp_dir('c'), flush=True); input()", project) as holder:
        assert said(holder) == str(cache)

        def see_no_use(folders: Sequence[Directory], *_: object, **__: object) -> Uses:
            return Uses({folder.fd: Location("0:0", "") for folder in folders})

        monkeypatch.setattr(processes, "look", see_no_use)
        assert f"in use by pid {holder.pid}" in reasons(removal.carry_out(decided).kept)[cache.name]
        assert cache.exists()


def test_library_that_a_process_has_loaded_is_in_use_though_no_descriptor_is_open(project: Path) -> None:
    """Python's own `mmap` keeps one open."""
    entries = [make_entry(project / f".tmp/a{end}b") for end in (" ", "\n", "\r", "\v", "\\012")]
    for entry in entries:
        shutil.copy(_ctypes.__file__, entry / "sub/library.so")
    code = f"import ctypes\nkept = [ctypes.CDLL(entry + '/sub/library.so') for entry in {[*map(str, entries)]!r}]\n"
    code += "print(flush=True); input()"
    with running(code, project) as user:
        said(user)
        assert set(states(project).values()) == {"in-use"}
        assert clean(project).removed == ()
    assert len(clean(project).removed) == len(entries)


def test_descriptor_that_is_closed_while_it_is_looked_at_is_no_use() -> None:
    with open("/dev/null") as file:
        assert procfs.still_leads_to(f"/proc/self/fd/{file.fileno()}", "/dev/null")
        closed = os.dup(file.fileno())
    os.close(closed)
    assert not procfs.still_leads_to(f"/proc/self/fd/{closed}", "/dev/null")


def test_file_that_gets_another_number_while_it_is_looked_at_is_in_use(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x", files=1)
    numbers = [os.open(entry / "sub/file-0", os.O_RDONLY)]
    real = procfs.is_visit

    def is_visit(folder: str, fd: int) -> bool:
        if fd == numbers[-1] and len(numbers) < 4:
            numbers.append(os.dup(fd))
            os.close(fd)
        return real(folder, fd)

    monkeypatch.setattr(procfs, "is_visit", is_visit)
    try:
        assert states(project) == {"x": "in-use"}
        assert len(numbers) == 4
    finally:
        os.close(numbers[-1])


def test_block_that_goes_on_is_no_orphan_where_the_system_tells_of_no_uses(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "look", lambda *_, **__: None)
    with temp_working_dir() as lent:
        assert take(project) == ()
        clean(project)
        assert lent.exists()


class _MovesAway(Visitor):
    """Moves a folder away once the walk is deep in it; notes what it visits."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.visited: list[str] = []
        self._folder = folder
        self._target = target

    def enter(self, position: Position, name: str) -> list[str] | None:
        position.enter(name)
        self.visited.append(name)
        if name == "deepest":
            self._folder.rename(self._target)
        below = position.directory.names()
        return sorted(below, reverse=True)  # "deep" before "victim": the last is visited first


def test_walk_does_not_go_on_where_a_folder_was_moved_to_meanwhile(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    (top / "deep" / "/".join("d" * 40) / "deepest").mkdir(parents=True)
    (top / "victim").mkdir()
    (outside / "victim/precious").mkdir(parents=True)
    visitor = _MovesAway(top / "deep", outside / "deep")
    with Directory.at(tmp_path) as parent, pytest.raises(OSError, match="moved while it was being walked"):
        walk(parent, "top", visitor)
    assert visitor.visited[-1] == "deepest"


@pytest.mark.parametrize("place", [".tmp/by hand", ".temp/by hand"])
def test_folder_below_that_is_pinned_after_the_plan_keeps_the_hand_made_one(project: Path, place: str) -> None:
    entry = make_entry(project / place)
    decided = plan(project)
    (entry / "sub/.keep").touch()
    assert reasons(removal.carry_out(decided).kept) == {"by hand": "kept: .keep of an entry inside"}
    assert entry.exists()


def test_category_by_now_is_not_removed_as_the_hand_made_folder_that_it_was(project: Path) -> None:
    folder = make_entry(project / f".tmp/runs/one_{OLD}").parent
    (folder / "stray").touch()
    decided = plan(project)
    assert list(reasons(decided.remove)) == ["runs"]
    before = folder.stat()
    (folder / "stray").unlink()
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reasons(removal.carry_out(decided).kept) == {"runs": "now a category, with entries of its own"}
    assert folder.exists()


def test_folder_in_place_of_a_category_that_the_engine_made_is_hand_made(project: Path) -> None:
    made = python("from common_tasks.temp import *; print(get_debug_temp_dir())", cwd=project).stdout.strip()
    Path(made).parent.rename(project / "away")
    make_entry(project / ".tmp/debug/models", hours=99)
    make_entry(project / f".tmp/debug/run_{OLD}")
    assert states(project) == {"debug": "idle"}
    assert clean(project, max_age=24 * HOUR).removed == ()


def test_what_comes_back_replaces_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = make_entry(project / ".tmp/x")
    opened = []

    def take_the_place_and_use() -> None:
        entry.mkdir()  # a plain rename replaces an empty folder
        [hidden] = project.glob(".tmp/.trash/**/sub/file-0")
        opened.append(hidden.open())

    at("look", monkeypatch, take_the_place_and_use)
    [row] = clean(project).kept
    opened.pop().close()
    assert row.reason.endswith("its place was taken, so it is now called x-2")
    assert os.listdir(entry) == []
    assert (project / ".tmp/x-2/sub/file-0").exists()


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o500, 0o555])
def test_what_comes_back_has_the_mode_that_it_had(
    project: Path, monkeypatch: pytest.MonkeyPatch, nobody: As, mode: int
) -> None:
    entry = make_entry(project / ".tmp/x")
    entry.chmod(mode)
    at("look", monkeypatch, interrupt)

    def clean_interrupted() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            clean(project)

    nobody(clean_interrupted)
    assert entry.stat().st_mode & 0o777 == mode
    assert trash_is_empty(project)


def test_unnamed_folder_in_the_systems_is_ours_only_while_it_is_empty(project: Path, system_temp: Path) -> None:
    unnamed = system_temp / ".trash-0123456789abcdef"
    make_entry(unnamed)
    assert take(project) == ()
    shutil.rmtree(unnamed)
    unnamed.mkdir()
    decided = plan(project)
    assert list(reasons(decided.remove)) == [unnamed.name]
    (unnamed / "precious").touch()
    removal.carry_out(decided)
    assert (unnamed / "precious").exists()
    assert take(project) == ()


def test_unnamed_folder_that_was_filled_is_not_given_to_the_workers(
    project: Path, system_temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WORTH_FORKING", 10)
    unnamed = system_temp / ".trash-0123456789abcdef"
    unnamed.mkdir()
    big = make_entry(project / ".tmp/big", files=10, content=b"")
    decided = plan(project)
    make_entry(unnamed / "precious")
    outcome = removal.carry_out(decided, Workers(2))
    assert list(reasons(outcome.failed)) == [unnamed.name]
    assert (big.exists(), (unnamed / "precious/sub/file-0").exists()) == (False, True)


def test_descriptor_that_is_another_files_by_the_time_its_flags_are_read_is_no_use(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x")
    real = procfs.is_visit

    def is_visit(folder: str, fd: int) -> bool:
        if looked_into.fd == fd:
            os.dup2(null.fileno(), fd)
        return real(folder, fd)

    monkeypatch.setattr(procfs, "is_visit", is_visit)
    with Directory.at(entry) as looked_into, open("/dev/null") as null:
        assert states(project) == {"x": "idle"}
