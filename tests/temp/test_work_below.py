"""Somebody's work below a hand-made folder is found, however it is hidden and whenever it comes."""

from pathlib import Path

import pytest

from common_tasks.temp import TempManager, removal

from ..conftest import As
from ..helpers import HOUR, OLD, clean, clean_artifacts, git, inv_json, make_entry, plan, python, reasons, slow


@pytest.mark.parametrize("place", [".tmp/mine", ".tmp/mine.git", ".temp/mine", "build"])
def test_bare_repository_is_a_repository(project: Path, place: str) -> None:
    inside = "" if place.endswith(".git") else "deep/lib.git"
    (project / place / inside).mkdir(parents=True)
    git(project / place / inside, "init", "--bare", ".")
    [kept] = inv_json(project, "clean")["kept"]
    assert kept["reason"] == "kept: holds a git repository" + (f" in {inside}" if inside else "")
    [removed] = inv_json(project, "clean", "--force")["removed"]
    assert removed["path"] == place


@pytest.mark.parametrize("max_age", [None, 24 * HOUR])
def test_repository_that_comes_after_the_plan_keeps_a_hand_made_folder(project: Path, max_age: float | None) -> None:
    entry = make_entry(project / ".tmp/work", hours=99)
    decided = plan(project, max_age)
    git(entry / "sub", "init")
    assert reasons(removal.carry_out(decided).kept) == {"work": "kept: holds a git repository in sub"}
    assert (entry / "sub/.git").exists()


@pytest.mark.parametrize("mode", [0o000, 0o300, slow(0o200), slow(0o400), slow(0o600)])
@pytest.mark.parametrize("place", [".tmp/work", f".tmp/runs_{OLD}", "build"])
def test_repository_below_a_folder_that_may_not_be_read_is_found_and_modes_are_as_before(
    project: Path, nobody: As, place: str, mode: int
) -> None:
    secret = make_entry(project / place / "secret")
    git(secret / "sub", "init")
    locked = [secret / "sub", secret]
    for folder in locked:
        folder.chmod(mode)

    def look_and_clean() -> tuple[dict[str, str], dict[str, str]]:
        outcome = clean(project) if place.startswith(".tmp") else clean_artifacts(project)
        return reasons(outcome.kept), reasons(outcome.failed)

    kept, failed = nobody(look_and_clean)
    assert kept == {secret.parent.name: "kept: holds a git repository in secret/sub"}
    assert failed == {}
    assert (secret / "sub/.git/HEAD").exists()
    assert [folder.stat().st_mode & 0o777 for folder in locked] == [mode, mode]


@pytest.mark.parametrize("place", [".temp/by hand", f".temp/run_{OLD}", ".tmp/by hand", ".tmp/debug/by hand"])
def test_dry_run_tells_of_a_pinned_folder_wherever_it_is(project: Path, place: str) -> None:
    python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=project)
    entry = make_entry(project / place)
    (entry / "sub/.keep").touch()
    planned = inv_json(project, "temp-clean", "--dry-run")
    done = inv_json(project, "temp-clean")
    for key in ("removed", "kept"):
        assert [(row["path"], row["reason"]) for row in planned[key]] == [
            (row["path"], row["reason"]) for row in done[key]
        ]
    assert [row["reason"] for row in done["kept"]] == ["kept: .keep of an entry inside"]


@pytest.mark.parametrize("where", [".tmp", ".temp", ".tmp/by hand"])
def test_clean_in_a_block_leaves_its_directory_alone_where_the_systems_folder_is_in_a_base(
    project: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (project / where).mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(project / where))
    with TempManager.auto_cleanup_dir() as lent:
        assert TempManager.clean_persistent_temps() == 0
        assert lent.exists()
    assert not lent.exists()
