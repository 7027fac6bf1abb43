"""Which project the tasks act on, with the real inv."""

import os
from pathlib import Path

import pytest
from invoke.context import Context

from common_tasks import temp_clean

from ..helpers import git, inv, inv_json, make_entry, make_project, python


@pytest.fixture
def mono(project: Path) -> Path:
    """Return a monorepo with one package that is a project, and left-overs in both."""
    for root in (project, make_project(project / "packages/aws")):
        make_entry(root / ".tmp/old")
        make_entry(root / "out/build")  # nobody's artifact
        make_entry(root / "dist")
    return project


def cleaned(root: Path) -> bool:
    return not (root / ".tmp/old").exists()


@pytest.mark.parametrize("relative", [True, False])
def test_search_root_names_the_project(mono: Path, *, relative: bool) -> None:
    aws = mono / "packages/aws"
    inv(mono, "-r", "packages/aws" if relative else str(aws), "clean")
    assert (cleaned(aws), cleaned(mono)) == (True, False)


def test_search_root_above_names_the_project(mono: Path) -> None:
    inv(mono / "packages/aws", "-r", "../..", "clean")
    assert (cleaned(mono / "packages/aws"), cleaned(mono)) == (False, True)


def test_search_root_through_a_link_is_the_project_itself(mono: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(mono / "packages/aws")
    assert inv_json(tmp_path, "-r", str(tmp_path / "link"), "temp-status")["root"] == str(mono / "packages/aws")


def test_collection_of_another_name_names_the_project(mono: Path) -> None:
    (mono / "other.py").write_text("from common_tasks import ns\n")
    inv(mono / "packages/aws", "-c", "other", "clean")
    assert (cleaned(mono / "packages/aws"), cleaned(mono)) == (False, True)


def test_folder_below_with_a_marker_is_the_project_though_the_tasks_lie_above(mono: Path) -> None:
    (mono / "packages/aws/tasks.py").unlink()
    (mono / "packages/aws/src").mkdir()
    inv(mono / "packages/aws/src", "clean")
    assert (cleaned(mono / "packages/aws"), cleaned(mono)) == (True, False)


SENT = """
from invoke import task
from common_tasks import clean, ns

@task
def sweep(c, folder, then="."):
    with c.cd(folder), c.cd(then):
        clean(c)

ns.add_task(sweep)
"""


@pytest.mark.parametrize("words", [["packages/aws"], ["packages", "aws"], ["packages/aws/out"]])
def test_folder_that_the_context_was_sent_to_is_the_project(mono: Path, words: list[str]) -> None:
    (mono / "tasks.py").write_text(SENT)
    inv(mono, "sweep", "--folder", *[words[0], *(["--then", words[1]] if words[1:] else [])])
    assert (cleaned(mono / "packages/aws"), cleaned(mono)) == (True, False)


def test_folder_that_the_context_was_sent_to_needs_no_marker_and_may_have_spaces(mono: Path) -> None:
    (mono / "tasks.py").write_text(SENT)
    make_entry(mono / "my packages/bare/.tmp/old")
    make_entry(mono / "my packages/bare/dist")
    inv(mono, "sweep", "--folder", "my packages/bare")
    assert (cleaned(mono / "my packages/bare"), cleaned(mono)) == (True, False)


def test_folder_that_the_context_was_sent_to_has_to_be_there(mono: Path) -> None:
    (mono / "tasks.py").write_text(SENT)
    done = inv(mono, "sweep", "--folder", "nowhere", code=1)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert "nowhere" in done.stderr
    assert not cleaned(mono)


def test_context_made_by_hand_acts_on_the_working_directorys_project(mono: Path) -> None:
    os.chdir(mono / "packages/aws/out")
    temp_clean(Context())
    assert not (mono / "packages/aws/.tmp/old").exists()
    assert not cleaned(mono)


COMPANY = "import os, sys\nsys.path.append(os.environ['LIB'])\n"
FORMS = {
    "package": ("tasks/__init__.py", "from common_tasks import ns\n"),
    "package of a company": ("tasks/__init__.py", f"{COMPANY}from mycompany import *\n"),
    "file of a company": ("tasks.py", f"{COMPANY}from mycompany import *\n"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sub", [".", "scripts"])
def test_folder_of_the_tasks_is_the_project_below_a_home_under_git(tmp_path: Path, form: str, sub: str) -> None:
    home, root = tmp_path / "home", tmp_path / "home/code/app"
    (root / "scripts").mkdir(parents=True)
    git(home, "init", "-q")
    (home / ".gitignore").write_text("build/\nhtmlcov/\n")
    make_entry(home / ".tmp/precious")
    make_entry(home / "htmlcov")
    make_entry(root / "htmlcov")
    make_entry(root / ".tmp/old")
    name, text = FORMS[form]
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(text)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/mycompany.py").write_text("from common_tasks import *\n")
    env = {**os.environ, "HOME": str(home), "LIB": str(tmp_path / "lib")}
    inv(root / sub, "clean", env=env)
    assert not (root / "htmlcov").exists()
    assert not (root / ".tmp/old").exists()
    assert (home / "htmlcov").exists()
    assert (home / ".tmp/precious").exists()


@pytest.fixture(params=["HOME", "TMPDIR"])
def reserved(project: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """Make the project's root a folder for everything, with left-overs; return the environment."""
    make_entry(project / "build")
    make_entry(project / ".tmp/work")
    return {**os.environ, request.param: str(project)}


@pytest.mark.parametrize("words", [["clean"], ["clean", "--dry-run"], ["clean", "--json"]])
def test_clean_refuses_a_folder_for_everything_in_one_line(
    project: Path, reserved: dict[str, str], words: list[str]
) -> None:
    before = sorted(project.rglob("*"))
    done = inv(project, *words, env=reserved, code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert done.stderr.startswith(f"'{project}' is the ")
    assert "--force" in done.stderr
    assert sorted(project.rglob("*")) == before


def test_forced_clean_sweeps_a_folder_for_everything_but_for_a_base_that_is_not_ours(
    project: Path, reserved: dict[str, str]
) -> None:
    inv(project, "clean", "--force", env=reserved)
    assert not (project / "build").exists()
    assert (project / ".tmp/work").exists()


def test_in_a_folder_for_everything_only_a_tagged_base_is_cleaned(project: Path, reserved: dict[str, str]) -> None:
    make_entry(project / ".temp/work")
    for task in ("temp-status", "temp-clean"):
        done = inv(project, task, env=reserved)
        assert done.stderr.startswith(f"'{project}' is the ")
        assert "work" not in done.stdout
    assert (project / ".tmp/work").exists()
    assert (project / ".temp/work").exists()
    (project / ".tmp/work").rename(project / "elsewhere")
    python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=project, env=reserved)
    (project / "elsewhere").rename(project / ".tmp/work")
    assert len(inv_json(project, "temp-clean", env=reserved)["removed"]) == 2
    assert (project / ".temp/work").exists()
