"""What belongs to whom, what stays, and what is left alone."""

import os
import subprocess
from pathlib import Path

import pytest

from common_tasks.temp import BaseRefused, layout

from ..helpers import SETUP, find_artifacts, git, inv, inv_json, make_entry, make_project, python


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
@pytest.mark.parametrize(
    "marker", ["pyproject.toml", "setup.py", ".git/HEAD", "tasks.py", ".tmp/x", "mine/pyproject.toml"]
)
def test_nothing_goes_on_the_word_of_a_stranger(project: Path, marker: str) -> None:
    shared = project / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    folder = (shared / marker).parent if marker.startswith("mine") else shared
    (shared / marker).parent.mkdir(exist_ok=True)
    (shared / marker).write_text(SETUP if marker == "setup.py" else "from common_tasks import ns\n")
    (folder / "invoke.yaml").write_text('clean: {artifacts: ["*"]}')
    for path in [*shared.rglob("*")]:
        os.chown(path, 65534, 65534)
    (folder / "precious.txt").touch()
    document = inv_json(project, "clean", "-a")
    assert [row["root"] for row in document["projects"]] == [str(project)]
    assert (folder / "precious.txt").exists()


@pytest.mark.parametrize("pattern", ["/.tmp/reference/", "/.tmp/reference", "*.db", "reference/"])
def test_what_keep_names_stays_in_a_base_too(project: Path, pattern: str) -> None:
    named = make_entry(project / ".tmp/reference")
    (named / "sub/x.db").touch()
    (project / ".tmp/results.db").touch()
    (project / "invoke.yaml").write_text(f"clean: {{keep: ['{pattern}']}}")
    document = inv_json(project, "temp-clean", "--force")
    kept = {row["path"]: row["reason"] for row in document["kept"]}
    inside = pattern == "*.db"
    assert kept[".tmp/reference"] == f"kept: clean.keep names {'sub/x.db in it' if inside else 'it'}"
    assert (".tmp/results.db" in kept) is inside
    assert named.exists()


def test_git_of_a_work_tree_or_submodule_is_no_artifact(project: Path) -> None:
    main = project.parent / "main"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-q", "--allow-empty", "-m", "x")
    git(main, "worktree", "add", "-q", str(project / "wt"))
    (project / "wt/.git").rename(project / ".git")
    (project / ".hidden").touch()
    (project / "pkg/.git").mkdir(parents=True)
    found = {"/".join(entry.parts) for entry in find_artifacts(project, ".*", "*")}
    assert not any(path.endswith(".git") for path in found)


def test_metadata_of_an_editable_install_stays(project: Path) -> None:
    site = project / ".venv/lib/python3.11/site-packages"
    site.mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").touch()
    for folder in ("a.egg-info", "src/b.egg-info", "build/__editable__.c", "other/d.egg-info"):
        (project / folder).mkdir(parents=True)
    (project / "other/pyproject.toml").touch()

    def states() -> dict[str, str]:
        return {"/".join(entry.parts): entry.state for entry in find_artifacts(project)}

    assert set(states().values()) == {"idle"}
    (site / "a.egg-link").write_text(f"{project}\n.")
    assert states() == {"a.egg-info": "kept", "src/b.egg-info": "idle", "build": "idle", "other/d.egg-info": "idle"}
    (site / "b.pth").write_text(f"{project}/src\n")
    (site / "__editable__.c.pth").write_text(f"{project}/build/__editable__.c\n")
    assert states() == {"a.egg-info": "kept", "src/b.egg-info": "kept", "build": "kept", "other/d.egg-info": "idle"}


def test_wheel_that_was_installed_is_no_use(project: Path) -> None:
    site = project / ".venv/lib/python3.11/site-packages/x.dist-info"
    site.mkdir(parents=True)
    (project / ".venv/pyvenv.cfg").touch()
    (project / "dist").mkdir()
    (site / "direct_url.json").write_text(f'{{"archive_info": {{}}, "url": "file://{project}/dist/x.whl"}}')
    assert [entry.state for entry in find_artifacts(project)] == ["idle"]


def test_compiled_file_goes_only_beside_its_source(project: Path) -> None:
    (project / "pkg").mkdir()
    for name in ("a.py", "a.pyc", "only.pyc"):
        (project / "pkg" / name).touch()
    assert [entry.parts for entry in find_artifacts(project)] == [("pkg", "a.pyc")]


def test_clean_of_what_holds_nothing_tells_of_the_projects_below(project: Path) -> None:
    make_entry(make_project(project / "below") / ".tmp/x")
    for task in ("temp-clean", "temp-status", "clean"):
        assert "1 project below holds" in inv(project, task).stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_foreign_base_is_refused_and_the_artifacts_go(project: Path) -> None:
    make_entry(project / ".tmp/x")
    make_entry(project / "pkg/__pycache__")
    os.chown(project / ".tmp", 65534, 65534)
    done = inv(project, "clean", code=1)
    assert "belongs to somebody else" in done.stdout
    assert not (project / "pkg/__pycache__").exists()
    assert (project / ".tmp/x").exists()


@pytest.mark.parametrize("place", ["other/.tmp", "other/.temp/deep", "link"])
def test_variable_that_names_another_projects_base_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    make_project(tmp_path / "other")
    (tmp_path / "link").symlink_to("other/.tmp")
    monkeypatch.setenv("COMMON_TASKS_TMP", str(tmp_path / place))
    with pytest.raises(BaseRefused, match="the base of another project"):
        layout.find_project(project)


def test_what_a_project_that_is_gone_left_elsewhere_is_orphaned(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMON_TASKS_TMP", str(tmp_path / "scratch"))
    gone = make_project(tmp_path / "gone")
    python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=gone)
    assert inv_json(project, "temp-status")["entries"] == []
    gone.rename(tmp_path / "moved")
    [row] = inv_json(project, "temp-status")["entries"]
    assert (row["category"], row["state"], row["reason"]) == ("orphaned", "orphaned", f"its project is gone: {gone}")
    assert len(inv_json(project, "temp-clean")["removed"]) == 1
    assert inv_json(project, "temp-status")["entries"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
def test_no_mount_is_crossed_but_a_project_on_one_can_be_cleaned(project: Path, tmp_path: Path) -> None:
    git(project, "init", "-q")
    make_entry(tmp_path / "elsewhere/pkg/__pycache__")
    (tmp_path / "elsewhere/pyproject.toml").touch()
    (project / "mounted").mkdir()
    mounted = subprocess.run(["mount", "--bind", str(tmp_path / "elsewhere"), str(project / "mounted")], check=False)
    if mounted.returncode:
        pytest.skip("may not mount")
    try:
        inv(project, "clean", "-a")
        assert (tmp_path / "elsewhere/pkg/__pycache__").exists()
        inv(project / "mounted", "clean")
        assert not (tmp_path / "elsewhere/pkg/__pycache__").exists()
    finally:
        subprocess.run(["umount", str(project / "mounted")], check=True)
