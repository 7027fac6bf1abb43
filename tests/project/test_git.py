import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.project import git as engine_git
from common_tasks.temp import GuardFailed, TempManager

from ..helpers import OLD, clean, git, inv, inv_json, make_entry, reasons, states, take


def commit(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", "-Af")
    git(root, "commit", "-qm", "x")


def test_what_git_tracks_stays(project: Path) -> None:
    kept = make_entry(project / ".tmp/fixtures" / f"golden_{OLD}", hours=100)
    legacy = make_entry(project / ".temp/by hand\n", hours=100)
    commit(project)
    loose = make_entry(project / ".tmp/fixtures" / f"loose_{OLD}", hours=100)
    assert states(project) == {kept.name: "tracked", legacy.name: "tracked", loose.name: "idle"}
    outcome = clean(project, force=True)
    assert reasons(outcome.kept) == {kept.name: "tracked by git", legacy.name: "tracked by git"}
    assert (kept.exists(), legacy.exists(), loose.exists()) == (True, True, False)


def test_project_below_the_repositorys_root_is_guarded_too(tmp_path: Path) -> None:
    root = tmp_path / "mono" / "project"
    kept = make_entry(root / ".tmp/golden")
    (root / "pyproject.toml").touch()
    commit(tmp_path / "mono")
    assert states(root) == {kept.name: "tracked"}


def test_without_a_repository_nothing_is_tracked(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    assert states(project) == {entry.name: "idle"}
    assert ("x",) not in engine_git.ask_git(project)


def test_without_git_what_the_engine_made_goes_and_the_rest_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x")
    commit(project)
    made = TempManager.create_persistent_dir()
    monkeypatch.setenv("PATH", str(project))
    outcome = clean(project, force=True)
    assert reasons(outcome.kept) == {entry.name: "kept: git is not installed, so what it tracks cannot be told"}
    assert (entry.exists(), made.exists()) == (True, False)


def test_repository_that_git_cannot_read_refuses_to_guess(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    commit(project)
    (project / ".git/index").write_bytes(b"broken")
    with pytest.raises(GuardFailed, match="git cannot answer"):
        take(project)
    for words in (["temp-status"], ["temp-clean"], ["clean"]):
        assert len(inv(project, *words, code=2).stderr.splitlines()) == 1
    assert entry.exists()


def test_guard_asks_the_projects_repository_even_in_another_ones_hook(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_entry(project / ".tmp/x")
    commit(project)
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    assert states(project) == {entry.name: "tracked"}


def test_one_call_decides(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        make_entry(project / ".tmp" / f"e{number}")
        make_entry(project / ".temp" / f"e{number}")
    commit(project)
    calls: list[object] = []
    real = subprocess.run

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return real(*args, **options)

    monkeypatch.setattr(subprocess, "run", counted)
    assert set(states(project).values()) == {"tracked"}
    assert len(calls) == 1


def test_many_folders_are_asked_about_all_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_entry(project / ".tmp/x")
    make_entry(project / ".temp/y")
    commit(project)
    make_entry(project / ".tmp/loose")
    expected = states(project)
    monkeypatch.setattr(engine_git, "_MOST_FOLDERS", 1)
    assert states(project) == expected == {"loose": "idle", "x": "tracked", "y": "tracked"}


NAMES = st.sampled_from(["a", "a-b", "a.b", "a0", "ab", "b", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)


@given(files=st.lists(PATHS, max_size=12), asked=PATHS)
def test_what_is_tracked_is_a_file_or_what_holds_one(files: list[tuple[str, ...]], asked: tuple[str, ...]) -> None:
    known = engine_git.Tracked([os.fsencode("/".join(file)) for file in files])
    assert (asked in known) == any(file[: len(asked)] == asked for file in files)
    assert () not in known


def test_tracked_entry_is_in_the_json_with_its_reason(project: Path) -> None:
    make_entry(project / ".tmp/x")
    commit(project)
    [row] = inv_json(project, "temp-clean")["kept"]
    assert (row["state"], row["reason"]) == ("tracked", "tracked by git")
