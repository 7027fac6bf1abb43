import os
from pathlib import Path

import pytest

from common_tasks.temp import TempManager, inventory, layout

from ..helpers import OLD, clean, inv_json, make_entry, make_project, reasons, states, take, trash_is_empty


def listed(root: Path) -> dict[str, tuple[str, str, int | None]]:
    return {str(e.path.relative_to(root)): (e.category, e.name, e.created) for e in take(root)}


def test_entries_of_categories_and_all_that_was_there_before(project: Path) -> None:
    make_entry(project / f".tmp/debug/demo_{OLD}")
    make_entry(project / f".tmp/debug/demo_{OLD}-2")
    make_entry(project / ".tmp/debug/by hand")
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
        ".tmp/debug/by hand": ("legacy", "by hand", None),
        f".tmp/demo_{OLD}": ("legacy", "demo", OLD),
        ".tmp/processing": ("legacy", "processing", None),
        ".tmp/stray.txt": ("legacy", "stray.txt", None),
        ".tmp/link": ("legacy", "link", None),
        ".tmp/empty": ("legacy", "empty", None),
        f".temp/old_{OLD}": ("legacy", "old", OLD),
        ".temp/debug": ("legacy", "debug", None),
    }
    assert len(clean(project).removed) == 10
    assert take(project) == ()
    assert trash_is_empty(project)


def test_what_a_base_needs_for_itself_is_no_entry(project: Path) -> None:
    TempManager.create_persistent_dir("x", "debug")
    (project / ".tmp/.keep").touch()
    (project / ".tmp/debug/.keep").touch()
    assert len(take(project)) == 1
    clean(project)
    assert sorted(os.listdir(project / ".tmp")) == [".gitignore", ".keep", "CACHEDIR.TAG", "debug"]
    assert os.listdir(project / ".tmp/debug") == [".keep"]


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
    found = inventory.take([layout.find_project(root) for root in roots])
    assert [entry.path for entry in found] == made


def test_without_being_asked_nothing_is_measured(project: Path) -> None:
    make_entry(project / ".tmp/x")
    assert [entry.usage for entry in take(project, measured=False)] == [None]


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
