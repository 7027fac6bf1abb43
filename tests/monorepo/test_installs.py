"""What an environment still uses is no leftover, wherever the environment is and by whatever path it names it."""

import os
import sys
from pathlib import Path

import pytest

from common_tasks.monorepo.installs import Installs

from ..conftest import As
from ..helpers import fill, git, inv_json, make_project

SITE = "lib/python3.11/site-packages"
METADATA, LINKS = "my.egg-info", "build/__editable__.my-1"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "mono/one")
    fill(root, [f"{METADATA}/PKG-INFO", f"{LINKS}/my.py"])
    return root


def make_environment(folder: Path, *names: Path | str, naming: str = "my.egg-link", site: str = SITE) -> Path:
    (folder / site / naming).parent.mkdir(parents=True)
    (folder / "pyvenv.cfg").touch()
    (folder / site / naming).write_text("\n".join(map(str, names)))
    return folder


def kept(project: Path, **variables: str) -> dict[str, str]:
    environment = {**os.environ, **variables}
    return {row["path"]: row["reason"] for row in inv_json(project, "clean", "--dry-run", env=environment)["kept"]}


@pytest.mark.parametrize("site", [SITE, "lib/python3/dist-packages", "lib64/python3.11/site-packages"])
def test_metadata_that_an_environment_in_the_project_names_stays_and_says_so(project: Path, site: str) -> None:
    environment = make_environment(project / ".venv", project, ".", site=site)
    assert kept(project) == {METADATA: f"kept: the environment {environment} uses it"}


def test_folder_that_a_strict_install_links_to_stays(project: Path) -> None:
    make_environment(project / ".venv", project / LINKS, naming="__editable__.my-1.pth")
    assert {"build"} <= kept(project).keys()


@pytest.mark.parametrize("naming", ["my.egg-link", "easy-install.pth"])
def test_relative_name_in_an_environment_counts(project: Path, naming: str) -> None:
    make_environment(project / ".venv", "../../../..", naming=naming)
    assert kept(project).keys() == {METADATA}


def test_address_in_an_editable_installs_record_counts(project: Path) -> None:
    spaced = project.rename(project.with_name("with space"))
    text = f'{{"url": "file://{spaced.parent}/with%20space", "dir_info": {{"editable": true}}}}'
    make_environment(spaced / ".venv", text, naming="my-1.dist-info/direct_url.json")
    assert kept(spaced).keys() == {METADATA}


def test_environment_behind_a_link_counts(project: Path, tmp_path: Path) -> None:
    (project / ".venv").symlink_to(make_environment(tmp_path / "elsewhere", project))
    assert kept(project).keys() == {METADATA}


@pytest.mark.parametrize("place", [".venv", ".tox/py"])
def test_environment_in_what_is_kept_counts(project: Path, place: str) -> None:
    make_environment(project / place, project)
    (project / "invoke.yaml").write_text("clean: {keep: ['/.venv/', '/.tox/']}")
    assert METADATA in kept(project)


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_activated_environment_counts(project: Path, tmp_path: Path, variable: str) -> None:
    environment = make_environment(tmp_path / "elsewhere", project)
    assert kept(project) == {}
    assert kept(project, **{variable: str(environment)}).keys() == {METADATA}


def test_packages_of_the_user_count(project: Path, tmp_path: Path) -> None:
    make_environment(tmp_path / "home/.local", project)
    assert kept(project, HOME=str(tmp_path / "home")).keys() == {METADATA}


def test_environment_of_another_project_of_the_monorepo_counts(project: Path) -> None:
    git(project.parent, "init", "-q")
    (project.parent / ".gitignore").write_text("*\n")
    make_environment(project.parent / "two/.venv", project)
    assert kept(project).keys() == {METADATA}


def test_name_through_a_link_counts(project: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(project)
    make_environment(project / ".venv", tmp_path / "alias")
    assert kept(project).keys() == {METADATA}


def test_environment_that_names_other_folders_uses_nothing_here(project: Path) -> None:
    make_environment(project / ".venv", project / "src", project.parent / "one-more", project / f".venv/{SITE}/inside")
    assert kept(project).keys() == set()


def test_folder_of_the_environment_that_runs_this_stays() -> None:
    assert Installs(()).find_user(Path(sys.prefix).parent) == Path(sys.prefix)


def test_environment_that_may_not_be_looked_into_stops_nothing(project: Path, nobody: As) -> None:
    locked = project / "locked"
    locked.mkdir()
    locked.chmod(0)
    assert nobody(lambda: Installs([locked / "env"]).find_user(project / "x.egg-info")) is None


def test_what_cannot_be_looked_at_is_used_by_no_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_environment(project / ".venv", project / "gone/src")
    monkeypatch.setenv("VIRTUAL_ENV", str(project / "gone/.venv"))
    assert Installs([project / ".venv"]).find_user(project / "gone") is None
