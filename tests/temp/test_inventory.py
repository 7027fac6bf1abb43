import os
import tempfile
import time
from pathlib import Path

import pytest

from common_tasks.temp import TempManager, get_cache_temp_dir, inventory, layout, temp_working_dir

from ..conftest import As
from ..helpers import (
    HOLD_DEBUG,
    OLD,
    clean,
    inv_json,
    make_entry,
    make_project,
    reasons,
    running,
    said,
    states,
    take,
    trash_is_empty,
)


def listed(root: Path) -> dict[str, tuple[str, str, int | None]]:
    return {str(e.path.relative_to(root)): (e.category, e.name, e.created) for e in take(root)}


def test_entries_of_categories_and_all_that_was_there_before(project: Path) -> None:
    make_entry(project / f".tmp/debug/demo_{OLD}")
    make_entry(project / f".tmp/debug/demo_{OLD}-2")
    make_entry(project / f".tmp/demo_{OLD}")
    make_entry(project / ".tmp/processing")
    (project / ".tmp/stray.txt").touch()
    (project / ".tmp/link").symlink_to("nowhere")
    (project / ".tmp/empty").mkdir()
    make_entry(project / f".temp/old_{OLD}")
    make_entry(project / f".temp/debug/demo_{OLD}")
    assert listed(project) == {
        f".tmp/debug/demo_{OLD}": ("debug", "demo", OLD),
        f".tmp/debug/demo_{OLD}-2": ("debug", "demo", OLD),
        f".tmp/demo_{OLD}": ("legacy", "demo", OLD),
        ".tmp/processing": ("legacy", "processing", None),
        ".tmp/stray.txt": ("legacy", "stray.txt", None),
        ".tmp/link": ("legacy", "link", None),
        ".tmp/empty": ("legacy", "empty", None),
        f".temp/old_{OLD}": ("legacy", "old", OLD),
        ".temp/debug": ("legacy", "debug", None),
    }
    assert len(clean(project).removed) == 9
    assert take(project) == ()
    assert trash_is_empty(project)


def test_what_a_base_needs_for_itself_is_no_entry(project: Path) -> None:
    TempManager.create_persistent_dir("x", "debug")
    (project / ".tmp/.keep").touch()
    assert len(take(project)) == 1
    clean(project)
    assert sorted(os.listdir(project / ".tmp")) == [".auto", ".gitignore", ".keep", ".leases", "CACHEDIR.TAG", "debug"]


def test_category_that_holds_a_keep_file_keeps_all_its_entries(project: Path) -> None:
    entry = TempManager.create_persistent_dir("demo", "debug")
    stray = make_entry(project / ".tmp/debug/by hand")
    (project / ".tmp/debug/.keep").touch()
    assert set(reasons(clean(project, force=True).kept).values()) == {"kept: .keep of debug"}
    assert entry.exists()
    assert stray.exists()


def test_legacy_entry_stays_whole_whatever_lies_in_it(project: Path) -> None:
    make_entry(project / f".tmp/demo_{OLD}/step_{OLD}")
    (project / f".tmp/demo_{OLD}/.keep").touch()
    assert states(project) == {f"demo_{OLD}": "kept"}
    with pytest.raises(ValueError, match="ends in a time"):
        TempManager.create_persistent_dir("x", f"demo_{OLD}")


def test_base_inside_another_base_is_in_use_from_outside(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMON_TASKS_TMP", ".tmp/ci")
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        monkeypatch.delenv("COMMON_TASKS_TMP")
        assert states(project) == {"ci": "in-use"}
        clean(project)
        assert held.exists()


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o300])
def test_category_that_cannot_be_read_is_not_taken_for_an_entry(project: Path, mode: int, nobody: As) -> None:
    entry = make_entry(project / f".tmp/debug/demo_{OLD}")
    (entry / ".keep").touch()
    (project / ".tmp/debug").chmod(mode)
    assert "now a category" in nobody(lambda: reasons(clean(project).kept))["debug"]
    assert entry.exists()
    assert (project / ".tmp/debug").stat().st_mode & 0o777 == mode


def test_pin_in_an_entry_that_cannot_be_searched_counts(project: Path, nobody: As) -> None:
    entry = make_entry(project / f".tmp/debug/demo_{OLD}")
    (entry / ".keep").touch()
    entry.chmod(0o600)
    assert nobody(lambda: reasons(clean(project).kept))[entry.name] == "kept: .keep"
    assert entry.exists()


def test_system_folder_that_is_a_base_is_listed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(project / ".tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with temp_working_dir():
        assert len(take(project)) == 1


def test_clock_before_1973_makes_entries_that_are_known_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 300.0)
    made = TempManager.create_persistent_dir("x", "debug")
    assert get_cache_temp_dir("c") == get_cache_temp_dir("c")
    assert [entry.created for entry in take(project) if entry.path == made] == [300]


def test_pinned_entry_is_shown_and_stays(project: Path) -> None:
    entry = make_entry(project / f".tmp/debug/demo_{OLD}", hours=999)
    (entry / ".keep").touch()
    assert states(project) == {entry.name: "kept"}
    assert reasons(clean(project, force=True).kept) == {entry.name: "kept: .keep"}
    for words in (["temp-clean"], ["clean", "--force"]):
        assert inv_json(project, *words)["kept"][0]["reason"] == "kept: .keep"
    assert TempManager.clean_persistent_temps() == 0
    assert entry.exists()


def test_several_projects_in_one_view(tmp_path: Path) -> None:
    roots = [make_project(tmp_path / name) for name in "abc"]
    made = [make_entry(root / ".tmp/x") for root in roots]
    found = inventory.scan([layout.find_project(root) for root in roots])
    assert [entry.path for entry in found] == made


def test_everything_is_measured(project: Path) -> None:
    TempManager.create_persistent_dir()
    make_entry(project / ".tmp/by hand")
    assert [entry.usage.files for entry in take(project) if entry.usage] == [2, 0]


def test_looking_changes_nothing_on_disk(project: Path) -> None:
    entry = make_entry(project / ".tmp/x", hours=5)
    before = [(path, path.lstat()) for path in [*project.rglob("*"), project]]
    take(project)
    assert entry.exists()
    after = [(path, path.lstat()) for path in [*project.rglob("*"), project]]
    # Reading a directory may move its access time.
    assert [(p, s.st_mtime_ns, s.st_ctime_ns, s.st_mode) for p, s in before] == [
        (p, s.st_mtime_ns, s.st_ctime_ns, s.st_mode) for p, s in after
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_said(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    (entry / "sub").chmod(0)
    [found] = take(project)
    assert found.reason == "cannot be read in full: x/sub: Permission denied"


def test_pinned_folder_in_a_category_outlives_its_neighbours(project: Path) -> None:
    make_entry(project / f".tmp/debug/demo_{OLD}")
    pinned = make_entry(project / ".tmp/debug/mine")
    (pinned / ".keep").touch()
    for _ in range(3):
        clean(project, force=True)
    assert pinned.exists()
    assert states(project) == {"debug": "kept"}


def test_own_working_directory_is_no_orphan_while_the_block_lasts(project: Path) -> None:
    with temp_working_dir() as folder:
        assert take(project) == ()
        assert clean(project).removed == ()
        assert folder.exists()
