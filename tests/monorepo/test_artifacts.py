import os
from pathlib import Path

import pytest

from common_tasks.temp import names, removal, retention

from ..conftest import As
from ..helpers import HOLD_DEBUG, OLD, fill, find_artifacts, git, inv, inv_json, make_entry, make_project, running, said

SWEPT = """
    __pycache__/x.pyc pkg/deep/__pycache__/y.pyc pkg/code.pyc .pytest_cache/v .mypy_cache/v .ruff_cache/v
    pkg/.hypothesis/v notebooks/.ipynb_checkpoints/v .coverage .coverage.host.1 coverage.xml htmlcov/index.html
    build/lib/x dist/x.whl my.egg-info/PKG-INFO src/my.egg-info/PKG-INFO .tox/py/x .nox/x/y .eggs/x
"""
STAYS = """
    pkg/build/code.py pkg/dist/code.py pkg/htmlcov/x pkg/.coverage .coveragerc deep/src/my.egg-info/PKG-INFO
    pkg/only.pyc node_modules/x/__pycache__/y.pyc .venv/pyvenv.cfg .venv/lib/__pycache__/x.pyc
    vendored/.git/HEAD vendored/__pycache__/x.pyc pkg/code.py buildings dist.txt build.sh
"""


def find(root: Path, *more: str, keep: tuple[str, ...] = ()) -> set[str]:
    return {"/".join(entry.parts) for entry in find_artifacts(root, *more, keep=keep)}


def test_clean_sweeps_left_overs_and_nothing_else(project: Path) -> None:
    fill(project, SWEPT + STAYS)
    inv(project, "clean")
    assert [path for path in SWEPT.split() if (project / path).exists()] == []
    assert [path for path in STAYS.split() if not (project / path).exists()] == []
    assert inv_json(project, "clean")["removed"] == []


def test_name_that_means_nothing_in_one_folder_may_mean_something_in_another(project: Path) -> None:
    fill(project, "a/b/c/d/out a/b/c/e/out e/b/c/d/out/x e/x.log e/b/c/x.log e/b/c/d/x.log")
    assert find(project, "out/", "/e/b/c/x.log") == {"e/b/c/d/out", "e/b/c/x.log"}
    assert find(project, "/*/x.log") == {"e/x.log"}
    assert find(project, "/e/**/x.log") == {"e/x.log", "e/b/c/x.log", "e/b/c/d/x.log"}


def test_bytecode_in_its_own_folder_is_swept_at_any_depth(project: Path) -> None:
    (project / "invoke.yaml").write_text("clean: {artifacts: ['*.pyc']}\n")
    swept = [f"{folder}__pycache__/x.pyc" for folder in ("", "a/", "a/b/c/d/e/f/g/h/i/")]
    fill(project, [*swept, "a/only.pyc"])
    assert sorted(row["path"] for row in inv_json(project, "clean", "--dry-run")["removed"]) == swept


def test_other_repository_is_never_entered_with_a_work_tree_or_without(project: Path) -> None:
    git(project, "init", "-q", "work")
    git(project, "init", "-q", "--bare", "bare.git")
    fill(project, "work/__pycache__/x bare.git/hooks/__pycache__/x pkg/__pycache__/x")
    assert find(project) == {"pkg/__pycache__"}


def test_history_of_a_project_is_never_an_artifact_whatever_the_patterns_say(project: Path) -> None:
    git(project, "init", "-q")
    fill(project, ".hg/x .jj/x .svn/x below/.hg/x .cache/x")
    assert find(project, ".*") == {".cache"}


def test_nothing_is_swept_in_a_home_inside_a_project_but_the_projects_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(project, "homes/me/.mypy_cache/x homes/me/work/pyproject.toml homes/me/work/__pycache__/x homes/.mypy_cache/x")
    (project / "alias").symlink_to("homes/me")
    monkeypatch.setenv("HOME", str(project / "alias"))
    assert find(project) == {"homes/.mypy_cache", "homes/me/work/__pycache__"}


def test_own_git_directory_is_never_entered(project: Path) -> None:
    fill(project, [".git/__pycache__/x", "pkg/__pycache__/x"])
    assert find(project) == {"pkg/__pycache__"}


def test_dry_run_lists_exactly_what_a_run_removes(project: Path) -> None:
    fill(project, SWEPT + STAYS)
    make_entry(project / ".tmp/x")
    before = sorted(project.rglob("*"))
    would = inv_json(project, "clean", "--dry-run")
    assert sorted(project.rglob("*")) == before
    did = inv_json(project, "clean")
    assert (would["dry_run"], did["dry_run"]) == (True, False)
    assert [row["path"] for row in would["removed"]] == [row["path"] for row in did["removed"]]
    assert would["freed_bytes"] == did["freed_bytes"] > 0
    assert would["kept"] == did["kept"] == did["failed"] == []


def test_links_are_neither_artifacts_nor_followed(project: Path, tmp_path: Path) -> None:
    fill(tmp_path / "out", ["__pycache__/x.pyc", "build/x"])
    (project / "linked").symlink_to(tmp_path / "out")
    (project / "build").symlink_to(tmp_path / "out/build")
    (project / "x.pyc").symlink_to(tmp_path / "out/build/x")
    inv(project, "clean")
    assert (tmp_path / "out/__pycache__/x.pyc").exists()
    assert (project / "build").is_symlink()
    assert (project / "x.pyc").is_symlink()


def test_what_git_tracks_stays(project: Path) -> None:
    fill(project, ["build/made.html", "pkg/__pycache__/x.pyc", "pkg/legacy.pyc", "pkg/loose.pyc"])
    fill(project, ["pkg/legacy.py", "pkg/loose.py"])
    git(project, "init", "-q")
    git(project, "add", "-f", "build", "pkg/legacy.pyc")
    git(project, "commit", "-qm", "x")
    said = inv_json(project, "clean")
    assert {row["path"]: row["reason"] for row in said["kept"]} == {
        "build": "tracked by git",
        "pkg/legacy.pyc": "tracked by git",
    }
    assert sorted(row["path"] for row in said["removed"]) == ["pkg/__pycache__", "pkg/loose.pyc"]
    assert (project / "build/made.html").exists()


def test_what_is_pinned_or_somebody_elses_house_stays(project: Path) -> None:
    fill(project, ["build/.keep", "dist/.git/HEAD", "dist/x", "htmlcov/pyvenv.cfg", ".tox/x"])
    said = inv_json(project, "clean")
    assert [(row["path"], row["reason"]) for row in said["kept"]] == [("build", "kept: .keep")]
    assert [row["path"] for row in said["removed"]] == [".tox"]
    assert (project / "dist/x").exists()


@pytest.mark.parametrize(
    ("keep", "folder", "stays"),
    [
        ("/build/reports/", "build/reports", True),
        ("/build/reports/", "build/other", False),
        ("*.csv", "build/deep/er/x.csv", True),
        ("build/**/x", "build/a/b", True),
        ("/dist/reports/", "build/reports", False),
    ],
)
def test_artifact_that_holds_what_is_to_be_kept_stays_whole_and_says_so(
    project: Path, keep: str, folder: str, *, stays: bool
) -> None:
    fill(project, [f"{folder}/x" if "." not in folder else folder, "build/y/z"])
    (project / "invoke.yaml").write_text(f"clean: {{keep: ['{keep}']}}\n")
    said = inv_json(project, "clean", "--force")
    inside = folder.removeprefix("build/") + ("/x" if keep.endswith("/x") else "")
    reasons = [("build", f"kept: clean.keep names {inside} in it")] if stays else []
    assert [(row["path"], row["reason"]) for row in said["kept"]] == reasons
    assert (project / "build/y/z").exists() is stays


UNTRACKED = "kept: git neither tracks nor ignores it, so it may be source code; add it to .gitignore to have it cleaned"


def test_what_git_neither_tracks_nor_ignores_at_the_root_stays_and_says_what_to_do(project: Path) -> None:
    doubtful = ["build", "dist", "htmlcov", "my.egg-info", "src/my.egg-info"]
    fill(project, [f"{folder}/x" for folder in doubtful] + ["coverage.xml", "pkg/__pycache__/x.pyc", "pkg/code.py"])
    git(project, "init", "-q")
    said = inv_json(project, "clean", "--force")
    assert {row["path"]: row["reason"] for row in said["kept"]} == dict.fromkeys([*doubtful, "coverage.xml"], UNTRACKED)
    assert {row["path"] for row in said["removed"]} == {"pkg/__pycache__"}
    (project / ".gitignore").write_text("/build/\n")
    assert [row["path"] for row in inv_json(project, "clean")["removed"]] == ["build"]
    assert (project / "dist/x").exists()


def test_build_whose_files_git_ignores_goes(project: Path) -> None:
    fill(project, ["build/a.o", "build/deep/b.o"])
    git(project, "init", "-q")
    (project / ".gitignore").write_text("*.o\n")
    assert [row["path"] for row in inv_json(project, "clean")["removed"]] == ["build"]


def test_project_in_a_repository_above_it_is_asked_about_there(tmp_path: Path) -> None:
    root = make_project(tmp_path / "mono/packages/one")
    git(tmp_path / "mono", "init", "-q")
    fill(root, ["build/a.c", ".gitignore"])
    assert [row["reason"] for row in inv_json(root, "clean")["kept"]] == [UNTRACKED]
    (root / ".gitignore").write_text("build\n")
    assert [row["path"] for row in inv_json(root, "clean")["removed"]] == ["build"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has this guard")
def test_root_leaves_artifacts_in_folders_that_everybody_may_write_to(project: Path) -> None:
    fill(project, ["open/deep/__pycache__/x", "pkg/__pycache__/x"])
    (project / "open").chmod(0o1777)
    said = inv_json(project, "clean")
    reason = "kept: its folder is writable by everybody, and you are root"
    assert [(row["path"], row["reason"]) for row in said["kept"]] == [("open/deep/__pycache__", reason)]
    assert [row["path"] for row in said["removed"]] == ["pkg/__pycache__"]
    assert [row["path"] for row in inv_json(project, "clean", "--force")["removed"]] == ["open/deep/__pycache__"]


def test_ordinary_user_cleans_a_folder_that_everybody_may_write_to(project: Path, nobody: As) -> None:
    fill(project, ["open/__pycache__/x"])
    (project / "open").chmod(0o777)
    [found] = nobody(lambda: find_artifacts(project))
    assert found.state == "idle"


def test_entries_of_the_base_are_swept_as_entries_only(project: Path) -> None:
    make_entry(project / ".tmp/x/__pycache__")
    make_entry(project / ".temp/x/__pycache__")
    make_entry(project / f"below/.tmp/debug/x_{OLD}/__pycache__")
    assert find(project) == set()
    said = inv_json(project, "clean", "--temp-age-hours", "5")
    assert said["removed"] == []
    assert [row["path"] for row in said["kept"]] == [".tmp/x", ".temp/x"]


def test_artifact_folder_that_holds_the_base_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMON_TASKS_TMP", "build/tmp")
    fill(project, ["build/x", "pkg/__pycache__/x"])
    with running(HOLD_DEBUG, project) as holder:
        held = Path(said(holder))
        assert [row["path"] for row in inv_json(project, "clean")["removed"]] == ["pkg/__pycache__"]
        assert held.exists()


def test_other_bases_and_working_directories_in_the_tree_are_not_swept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(project / "t"))
    monkeypatch.setenv("COMMON_TASKS_TMP", "scratch")
    code = "from common_tasks.temp import *\nwith temp_working_dir() as d: print(d, flush=True); input()"
    with running(HOLD_DEBUG, project) as holder, running(code, project) as worker:
        folders = [Path(said(holder)), Path(said(worker))]
        monkeypatch.delenv("COMMON_TASKS_TMP")
        for folder in folders:
            fill(folder, ["__pycache__/x.pyc", "y.pyc"])
        inv(project, "clean")
        assert all((folder / "y.pyc").exists() and (folder / "__pycache__/x.pyc").exists() for folder in folders)


def test_artifact_that_holds_a_directory_in_use_stays(project: Path) -> None:
    fill(project, ["dist/.tmp/x", "dist/pyproject.toml"])
    with running(HOLD_DEBUG, project / "dist") as holder:
        held = Path(said(holder))
        [kept] = inv_json(project, "clean")["kept"]
        assert (kept["path"], kept["state"]) == ("dist", "in-use")
        assert held.exists()


def test_artifacts_go_whatever_the_age_of_temporary_directories(project: Path) -> None:
    fill(project, ["build/x"])
    make_entry(project / ".tmp/x")
    said = inv_json(project, "clean", "--temp-age-hours", "5")
    assert [(row["path"], row["reason"]) for row in said["removed"]] == [("build", "left by a build or a test")]


CONFIGURED = """
from common_tasks import ARTIFACTS, ns
ns.configure({"clean": {"artifacts": %s, "keep": ["build", "/pkg/"]}})
"""


@pytest.mark.parametrize("form", ['[*ARTIFACTS, "/out/"]', '["...", "/out/"]'])
def test_project_adds_and_takes_in_its_tasks_file(project: Path, form: str) -> None:
    fill(project, ["build/x", "out/x", "pkg/__pycache__/x", "other/__pycache__/x"])
    (project / "tasks.py").write_text(CONFIGURED % form)
    said = inv_json(project, "clean")
    assert sorted(row["path"] for row in said["removed"]) == ["other/__pycache__", "out"]


def test_project_adds_and_takes_in_invoke_yaml(project: Path) -> None:
    fill(project, ["build/x", "out/x", "pkg/__pycache__/x"])
    (project / "invoke.yaml").write_text('clean:\n  artifacts: ["/out/", "build"]\n  keep: ["build"]\n')
    assert [row["path"] for row in inv_json(project, "clean")["removed"]] == ["out"]


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("clean: {artifacts: build}", "clean.artifacts takes a list of patterns, not 'build'"),
        ("clean: {keep: [1]}", "clean.keep takes a list of patterns, not [1]"),
        ("clean: {artifacts: ['../x']}", "clean.artifacts: '../x' is not a pattern"),
    ],
)
def test_bad_setting_is_one_line_and_nothing_is_removed(project: Path, setting: str, names: str) -> None:
    fill(project, ["build/x"])
    make_entry(project / ".tmp/x")
    (project / "invoke.yaml").write_text(setting)
    done = inv(project, "clean", code=2)
    assert names in done.stderr
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)
    assert (project / "build/x").exists()
    assert (project / ".tmp/x").exists()


def test_killed_sweep_is_finished_by_the_next(project: Path) -> None:
    fill(project, ["pkg/build-cache/x", "pkg/__pycache__/x"])
    code = """
import os, signal, time
from pathlib import Path
from common_tasks.temp import removal, retention
from tests.helpers import find_artifacts
found = find_artifacts(Path.cwd())
os.unlink = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
removal.carry_out(retention.make_plan(found, retention.Policy(), 0))
"""
    with running(code, project) as process:
        process.wait()
    [left] = (project / "pkg").glob(".trash_*")
    assert names.unseal(left.name, left.stat().st_ino) == ".trash"
    # A look-alike is none.
    (project / "pkg" / (left.name[:-1] + ("0" if left.name[-1] != "0" else "1"))).mkdir()
    [row] = inv_json(project, "clean")["removed"]
    assert (row["state"], row["reason"]) == ("unfinished", "left by an interrupted clean")
    assert len(list((project / "pkg").glob(".trash_*"))) == 1


def test_artifact_swapped_for_a_link_after_the_look_stays(project: Path, tmp_path: Path) -> None:
    fill(project, ["build/x", "pkg/__pycache__/x"])
    precious = make_entry(tmp_path / "precious")
    found = find_artifacts(project)
    (project / "build").rename(project / "moved")
    (project / "build").symlink_to(precious)
    (project / "pkg").rename(project / "gone")
    (project / "pkg").symlink_to(project / "gone")
    outcome = removal.carry_out(retention.make_plan(found, retention.Policy(), 0))
    assert outcome.removed == outcome.failed == ()
    assert (precious / "sub/file-0").exists()
    assert (project / "gone/__pycache__/x").exists()
