from pathlib import Path

import pytest

from common_tasks.monorepo.members import find_roots
from common_tasks.project.marks import monorepo_root

from ..helpers import SETUP, git


def make(root: Path, *files: str) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SETUP if path.name == "setup.py" else "")


def test_root_is_the_git_top_level(tmp_path: Path) -> None:
    make(tmp_path, "pyproject.toml", "repo/one/pyproject.toml", "repo/one/deep/x")
    git(tmp_path / "repo", "init", "-q")
    assert monorepo_root(tmp_path / "repo/one/deep") == tmp_path / "repo"


def test_root_is_a_project_however_empty_it_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert find_roots(tmp_path / "empty") == (tmp_path / "empty",)


def test_without_git_root_is_the_outermost_project(tmp_path: Path) -> None:
    make(tmp_path, "all/pyproject.toml", "all/between/one/setup.py", "all/between/one/deep/x")
    assert monorepo_root(tmp_path / "all/between/one/deep") == tmp_path / "all"
    assert monorepo_root(tmp_path) == tmp_path


def test_home_is_never_found_by_going_upward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "home/.git/HEAD", "home/one/pyproject.toml", "home/one/deep/x")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert monorepo_root(tmp_path / "home/one/deep") == tmp_path / "home/one"
    assert monorepo_root(tmp_path / "home") == tmp_path / "home"


def test_nothing_above_a_home_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "all/pyproject.toml", "all/home/x")
    monkeypatch.setenv("HOME", str(tmp_path / "all/home"))
    assert monorepo_root(tmp_path / "all/home") == tmp_path / "all/home"


def test_projects_have_a_marker_or_a_base(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    make(
        tmp_path, "a/pyproject.toml", "a/b/setup.py", "c/.tmp/x", "d/.temp/x", "e/tasks.py", "f/x", "a/.tmp/g/setup.py"
    )
    (tmp_path / "h").mkdir()
    (tmp_path / "h/tasks.py").write_text("from invoke import task\n")
    # The root itself is always one.
    assert find_roots(tmp_path) == tuple(tmp_path / name for name in ("", "a", "a/b", "c", "d", "h"))


def test_foreign_folders_are_not_entered(tmp_path: Path) -> None:
    make(tmp_path, "pyproject.toml", "venv/pyvenv.cfg", "venv/x/setup.py", "node_modules/x/setup.py", "repo/.git/HEAD")
    make(tmp_path, "repo/setup.py", "outside/setup.py", ".git/x/setup.py")
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    assert find_roots(tmp_path) == (tmp_path, tmp_path / "outside")
