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
    assert reasons(outcome.kept) == {entry.name: "kept: git is not installed, so what it tracks is unknown"}
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
    monkeypatch.setattr(engine_git, "MOST_FOLDERS", 1)
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


@pytest.fixture
def hostile(project: Path, tmp_path: Path) -> Path:
    """Return a repository whose configuration names programs; each says in the file returned that it ran."""
    ran = tmp_path / "ran"
    script = tmp_path / "script"
    script.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    script.chmod(0o755)
    (project / ".gitignore").write_text("ignored/\n")
    (project / "a.py").write_text("1\n")
    commit(project)
    (project / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    (project / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "reference-transaction"):
        (project / ".git/hooks" / hook).symlink_to(script)
    named = ("core.fsmonitor", "core.pager", "filter.evil.clean", "filter.evil.smudge", "filter.evil.process")
    for key in (*named, "diff.evil.textconv", "diff.external", "credential.helper", "core.sshCommand"):
        git(project, "config", key, str(script))
    git(project, "config", "alias.ls-files", f"!{script}")
    os.utime(project / "a.py")
    return ran


def test_nothing_that_a_repository_names_is_run(project: Path, hostile: Path) -> None:
    hostile.unlink(missing_ok=True)
    engine_git.ask_git(project)
    engine_git.find_new(project, ["a.py", "x"])
    engine_git.find_ignored(project, ["a.py", "ignored/x"])
    assert engine_git.find_unsaved(project, ["a.py"]) == {"a.py": "changed by a filter"}
    assert not hostile.exists()


def test_what_the_newest_commit_does_not_hold_is_unsaved(project: Path) -> None:
    names = ("same", "changed", "hidden", "skipped", "staged", "a b\n", ":!x", "*.py")
    for name in names:
        (project / name).write_text(f"{name} 1\n")
    git(project, "init", "-q")
    everything = [*names, "untracked", "link"]
    (project / "untracked").touch()
    (project / "link").symlink_to("same")
    assert set(engine_git.find_unsaved(project, everything)) == set(everything)
    git(project, "add", "--", *(f":(literal){name}" for name in (*names, "link")))
    git(project, "commit", "-qm", "x")
    git(project, "update-index", "--assume-unchanged", "hidden")
    git(project, "update-index", "--skip-worktree", "skipped")
    for name in ("changed", "hidden", "skipped", "staged"):
        (project / name).write_text("2\n")
    git(project, "add", "staged")
    assert engine_git.find_unsaved(project, everything) == {
        **dict.fromkeys(["changed", "hidden", "skipped", "staged"], "uncommitted changes"),
        **dict.fromkeys(["untracked", "link"], "not committed"),
    }
    assert engine_git.find_unsaved(project, ["same"]) == engine_git.find_unsaved(project, []) == {}


def test_line_endings_that_a_checkout_makes_are_saved(project: Path) -> None:
    for name in ("all", "mixed"):
        (project / name).write_bytes(b"a\nb\n")
    commit(project)
    (project / "all").write_bytes(b"a\r\nb\r\n")
    (project / "mixed").write_bytes(b"a\r\nb\n")
    assert engine_git.find_unsaved(project, ["all", "mixed"]) == {"mixed": "uncommitted changes"}


def test_project_below_the_top_level_asks_by_its_own_paths(tmp_path: Path) -> None:
    root = tmp_path / "mono/project"
    root.mkdir(parents=True)
    for name in ("a", "ignored"):
        (root / name).touch()
    (tmp_path / "mono/.gitignore").write_text("/project/ignored\n")
    git(tmp_path / "mono", "init", "-q")
    git(tmp_path / "mono", "add", ".")
    git(tmp_path / "mono", "commit", "-qm", "x")
    (root / "new").touch()
    assert engine_git.find_unsaved(root, ["a", "new"]) == {"new": "not committed"}
    assert engine_git.find_ignored(root, ["a", "new", "ignored"]) == {"ignored"}
    new = engine_git.find_new(root, ["a", "new", "ignored"])
    assert [name for name in ("a", "new", "ignored") if (name,) in new] == ["new"]


def test_names_that_look_like_patterns_are_names(project: Path) -> None:
    commit(project)
    (project / ".gitignore").write_text("gen/\n")
    names = [":!x.py", "*.py", ":(top)x", "gen/a", "gen/:!b", "-x"]
    (project / "gen").mkdir()
    for name in names:
        (project / name).touch()
    assert engine_git.find_ignored(project, names) == {"gen/a", "gen/:!b"}
    assert {name for name in names if (name,) in engine_git.find_new(project, names[:3])} == {*names[:3]}


@pytest.mark.parametrize(
    "variables",
    [
        {"GIT_DIR": "{other}/.git"},
        {"GIT_DIR": "{other}/.git", "GIT_WORK_TREE": "{here}"},
        {"GIT_INDEX_FILE": "{other}/.git/index"},
        {"GIT_OBJECT_DIRECTORY": "{other}/.git/objects"},
        {"GIT_CEILING_DIRECTORIES": "{here}/.."},
        {"GIT_NAMESPACE": "x"},
        {"GIT_GLOB_PATHSPECS": "1"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.worktree", "GIT_CONFIG_VALUE_0": "{other}"},
    ],
)
def test_no_variable_sends_git_elsewhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    make_entry(project / ".tmp/x")
    (project / ".gitignore").write_text("gen\n")
    commit(project)
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init", "-q")
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(other=tmp_path / "other", here=project))
    assert states(project) == {"x": "tracked"}
    assert engine_git.find_ignored(project, ["gen", "x"]) == {"gen"}
    assert engine_git.find_unsaved(project, ["tasks.py", "gen"]) == {"gen": "not committed"}


def test_folder_that_looks_like_a_repository_is_not_taken_for_one(project: Path) -> None:
    make_entry(project / ".tmp/x")
    commit(project)
    for name in ("objects", "refs"):
        (project / name).mkdir()
    (project / "HEAD").write_text("ref: refs/heads/main\n")
    (project / "config").write_text("[core]\n\tbare = true\n")
    assert states(project) == {"x": "tracked"}


@pytest.mark.parametrize("name", ["below/.gitignore", ".git/info/exclude", ".git/info/attributes"])
def test_pipe_that_git_would_wait_for_is_refused(project: Path, name: str) -> None:
    commit(project)
    for folder in ("below", ".git/info"):
        (project / folder).mkdir(exist_ok=True)
    (project / name).unlink(missing_ok=True)
    os.mkfifo(project / name)
    with pytest.raises(GuardFailed, match="is a pipe"):
        engine_git.find_ignored(project, ["below/x"])


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_what_git_advises_is_in_the_message(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(project)
    for path in (project, project / ".git"):
        os.chown(path, 4321, 4321)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    with pytest.raises(GuardFailed, match=r"git config --global --add safe\.directory") as raised:
        engine_git.ask_git(project)
    assert "\n" not in str(raised.value)
