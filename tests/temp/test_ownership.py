"""What is somebody's work, or somebody else's folder: it stays, and nothing is made in it."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from common_tasks.project.git import in_repository
from common_tasks.temp import BaseRefused, GuardFailed, TempManager, get_debug_temp_dir, layout
from common_tasks.temp.tag import SIGNATURE

from ..conftest import As
from ..helpers import (
    OLD,
    clean,
    fresh_python,
    git,
    inv,
    inv_json,
    make_entry,
    plan,
    python,
    reasons,
    slow,
    states,
    take,
    trash_is_empty,
)

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def make_repository(path: Path) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "-q")
    return path


# Repositories and bases.


@pytest.mark.parametrize(
    ("place", "where"),
    [
        (".tmp/clone", ""),
        (".tmp/clone", "deep/er"),
        slow(".tmp/clone", "_deps/lib"),
        (".temp/clone", ""),
        slow(".temp/clone", "deep/er"),
        slow(".temp/clone", "_deps/lib"),
        slow("build", "deep/er"),
        ("build", "_deps/lib"),  # a repository that is itself called so is no artifact: see the tests of artifacts
    ],
)
def test_hand_made_entry_or_artifact_that_holds_a_repository_stays_but_for_force(
    project: Path, where: str, place: str
) -> None:
    entry = project / place
    make_repository(entry / where)
    for words in (["clean"], ["clean", "--temp-age-hours", "0"]):
        [kept] = inv_json(project, *words)["kept"]
        assert kept["state"] == "kept"
        assert kept["reason"] == "kept: holds a git repository" + (f" in {where}" if where else "")
    assert entry.exists()
    [removed] = inv_json(project, "clean", "--force")["removed"]
    assert removed["reason"].startswith("forced, holds a git repository")


def test_work_tree_whose_repository_is_elsewhere_counts_too(project: Path) -> None:
    entry = make_entry(project / ".tmp/tree")
    (entry / "sub/.git").write_text("gitdir: /somewhere/else\n")
    assert reasons(clean(project).kept) == {"tree": "kept: holds a git repository in sub"}


def test_what_the_engine_made_goes_clones_and_all(project: Path) -> None:
    made = TempManager.create_persistent_dir("clone", "work")
    make_repository(made / "repository")
    assert list(reasons(clean(project).removed)) == [made.name]


def test_base_that_is_a_repository_or_work_tree_is_refused(project: Path) -> None:
    make_repository(project / ".tmp")
    make_entry(project / ".tmp/work_1696348800")
    with pytest.raises(BaseRefused, match="is a git repository or work tree; nothing in it was touched"):
        take(project)
    with pytest.raises(BaseRefused):
        get_debug_temp_dir()
    assert inv(project, "temp-clean", code=2).stderr.count("\n") == 1


def test_base_inside_a_hand_made_entry_is_not_swept_with_it(project: Path) -> None:
    inner = project / ".tmp/checkout"
    inner.mkdir(parents=True)
    (inner / "pyproject.toml").touch()
    assert python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=inner).returncode == 0
    assert reasons(clean(project).kept) == {
        "checkout": "kept: holds the temporary directories of another project in .tmp"
    }
    assert len(clean(inner).removed) == 1


# Categories and hand-made folders.


def test_hand_made_folder_with_a_stamped_run_in_it_is_one_entry(project: Path) -> None:
    app = project / ".tmp/myapp"
    make_entry(app / "models", hours=999)
    make_entry(app / f"run_{OLD}")
    (app / "state.db").touch()
    assert states(project) == {"myapp": "idle"}
    assert clean(project, max_age=3600).removed == ()
    assert (app / "models").exists()


def test_folder_of_stamped_children_only_is_a_category(project: Path) -> None:
    make_entry(project / f".tmp/runs/a_{OLD}", hours=999)
    make_entry(project / f".tmp/runs/b_{OLD}")
    assert list(reasons(clean(project, max_age=3600).removed)) == [f"a_{OLD}"]


def test_category_that_the_engine_made_stays_one_whatever_is_put_in(project: Path) -> None:
    made = TempManager.create_persistent_dir("x", "odd name\t!")
    stray = make_entry(made.parent / "by hand", hours=999)
    assert {(entry.path, entry.category) for entry in take(project)} == {(made, "odd name\t!"), (stray, "legacy")}


def test_hand_made_folder_that_the_engine_makes_entries_in_stays_one(project: Path) -> None:
    make_entry(project / ".tmp/myapp/models", hours=999)
    made = TempManager.create_persistent_dir("run", "myapp")
    assert [entry.path for entry in take(project)] == [made.parent]
    assert clean(project, max_age=3600).removed == ()


def test_category_made_again_by_hand_is_none_even_with_a_copy_of_the_mark(project: Path) -> None:
    category = TempManager.create_persistent_dir("x", "mine").parent
    [mark] = category.glob(".category_*")
    shutil.copytree(category, project / "copy")
    shutil.rmtree(category)
    (project / "copy").rename(category)
    assert (category / mark.name).exists()
    make_entry(category / "models", hours=99)
    make_entry(category / f"run_{OLD}")
    assert [entry.path for entry in take(project)] == [category]
    assert clean(project, max_age=3600).removed == ()


@pytest.mark.parametrize("stamp", ["1700000000", "models"])
def test_repository_that_is_put_into_a_category_of_the_engines_stays(project: Path, stamp: str) -> None:
    made = get_debug_temp_dir()
    clone = make_repository(made.parent / f"clone_{stamp}")
    assert list(reasons(clean(project).removed)) == [made.name]
    assert reasons(clean(project).kept) == {clone.name: "kept: holds a git repository"}
    assert len(clean(project, force=True).removed) == 1


# Folders of others.


@ROOT
@pytest.mark.parametrize("which", [".tmp", ".tmp/debug"])
def test_nothing_is_made_where_a_stranger_could_swap_it(project: Path, which: str) -> None:
    get_debug_temp_dir()
    os.chown(project / which, 4321, 4321)
    code = "from common_tasks.temp import *; get_debug_temp_dir()"
    assert "belongs to another user; nothing was made there" in python(code, cwd=project).stderr
    # Who owns the project's folder is trusted with it.
    for folder in (project, project / ".tmp"):
        os.chown(folder, 4321, 4321)
    assert python(code, cwd=project).returncode == 0


@pytest.mark.parametrize("which", [".tmp", ".tmp/debug"])
@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_nothing_is_made_where_everybody_may_write(project: Path, which: str, mode: int) -> None:
    get_debug_temp_dir()
    (project / which).chmod(mode)
    done = python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=project)
    assert "is writable by everybody: run chmod o-w on it" in done.stderr
    assert len(list(project.glob(".tmp/debug/debug_*"))) == 1


def test_open_umask_makes_no_base_that_is_refused(project: Path) -> None:
    code = "import os; os.umask(0)\nfrom common_tasks.temp import *\nprint(get_debug_temp_dir(), get_cache_temp_dir())"
    for _ in range(2):
        assert python(code, cwd=project).returncode == 0
    for folder in (".tmp", ".tmp/debug", ".tmp/cache"):
        assert not (project / folder).stat().st_mode & stat.S_IWOTH


@ROOT
def test_marker_of_a_stranger_in_a_folder_open_to_everybody_marks_nothing(tmp_path: Path) -> None:
    (tmp_path / "open/inner").mkdir(parents=True)
    (tmp_path / "open").chmod(0o1777)
    for name, text in (("pyproject.toml", ""), ("tasks.py", "import invoke\n")):
        marker = tmp_path / "open" / name
        marker.write_text(text)
        assert layout.find_project(tmp_path / "open/inner").root == tmp_path / "open"
        os.chown(marker, 4321, 4321)
        assert layout.find_project(tmp_path / "open/inner").root == tmp_path / "open/inner"
        marker.unlink()


@ROOT
def test_entry_of_somebody_else_fails_in_the_plan_and_the_rest_goes(project: Path, nobody: As) -> None:
    foreign = make_entry(project / ".tmp/foreign")
    make_entry(project / ".tmp/mine")
    assert nobody(lambda: (reasons(plan(project).fail), reasons(clean(project).removed)), roots=[foreign]) == (
        {"foreign": "it belongs to another user: Permission denied"},
        {"mine": "not in use"},
    )


def plan_and_clean(project: Path) -> tuple[dict[str, str], dict[str, str], dict[str, str], dict[str, str]]:
    """Return what a plan says that is removed and that fails, and what a clean then does."""
    planned = plan(project)
    outcome = clean(project)
    return reasons(planned.remove), reasons(planned.fail), reasons(outcome.removed), reasons(outcome.failed)


@ROOT
@pytest.mark.parametrize("place", [".tmp/x", f".tmp/debug/x_{OLD}", f".temp/x_{OLD}"])
@pytest.mark.parametrize("inside", ["sub", "sub/deep/er"])
def test_entry_with_a_folder_of_somebody_else_inside_is_not_begun(
    project: Path, nobody: As, place: str, inside: str
) -> None:
    entry = make_entry(project / place)
    (entry / inside).mkdir(parents=True, exist_ok=True)
    (entry / inside / "theirs").touch()
    make_entry(project / ".tmp/mine")
    before = sorted(entry.rglob("*"))
    planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=[entry / inside])
    assert planned.keys() == removed.keys() == {"mine"}
    assert unable == failed == {entry.name: f"{inside}: it belongs to another user: Permission denied"}
    assert sorted(entry.rglob("*")) == before
    assert trash_is_empty(project)


@ROOT
def test_empty_folder_and_files_of_somebody_else_in_an_own_folder_stop_nothing(project: Path, nobody: As) -> None:
    entry = make_entry(project / ".tmp/x")
    (entry / "empty").mkdir()
    planned, unable, removed, failed = nobody(
        lambda: plan_and_clean(project), roots=[entry / "empty", entry / "sub/file-0"]
    )
    assert (planned.keys(), unable) == (removed.keys(), failed) == ({"x"}, {})


@ROOT
@pytest.mark.parametrize("where", [".tmp", ".tmp/work", f".tmp/work/x_{OLD}/sub"])
def test_what_a_sticky_folder_of_somebody_else_protects_fails_in_plan_and_clean_alike(
    project: Path, nobody: As, where: str
) -> None:
    entry = make_entry(project / f".tmp/work/x_{OLD}")
    (project / ".tmp/CACHEDIR.TAG").write_bytes(SIGNATURE)
    sticky = project / where
    sticky.chmod(0o1777)
    theirs = [sticky, *sticky.iterdir()]
    planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=theirs)
    if where == ".tmp":  # what is in a category of this user's may go
        theirs.remove(project / ".tmp/work")
        planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=theirs)
    assert planned.keys() == removed.keys()
    assert unable == failed
    assert (entry.name in failed) is entry.exists()
    assert entry.exists() or where == ".tmp"
    assert not entry.exists() or (entry / "sub/file-0").exists()


@ROOT
@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("folder", [".tmp", ".tmp/work"])
def test_what_anybody_may_write_to_is_protected_by_a_sticky_folder(
    project: Path, nobody: As, folder: str, kind: str
) -> None:
    (project / ".tmp").mkdir()
    (project / ".tmp/CACHEDIR.TAG").write_bytes(SIGNATURE)
    (project / folder).mkdir(exist_ok=True)
    theirs = project / folder / f"x_{OLD}"
    (theirs.mkdir if kind == "folder" else theirs.touch)()
    theirs.chmod(0o777)
    (project / folder).chmod(0o1777)
    planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=[project / folder, theirs])
    assert (planned, removed) == ({}, {})
    assert unable == failed == {theirs.name: "it belongs to another user: Operation not permitted"}


@ROOT
def test_owner_of_a_sticky_folder_may_remove_what_others_put_there(project: Path, nobody: As) -> None:
    (project / ".tmp").mkdir()
    (project / ".tmp").chmod(0o1777)
    theirs = project / ".tmp/theirs"
    theirs.touch()
    planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=[theirs])
    assert planned.keys() == removed.keys() == {"theirs"}
    assert unable == failed == {}


@ROOT
def test_entry_in_a_folder_that_this_user_may_not_change_is_not_begun(project: Path, nobody: As) -> None:
    (project / ".tmp").mkdir()
    (project / ".tmp/CACHEDIR.TAG").write_bytes(SIGNATURE)
    (project / ".tmp/mine").touch()
    planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=[project / ".tmp"])
    assert (planned, removed) == ({}, {})
    assert unable == failed == {"mine": f"this user may not change {project / '.tmp'}: Permission denied"}


@ROOT
def test_empty_folder_of_somebody_else_that_cannot_be_moved_is_not_begun(project: Path, nobody: As) -> None:
    theirs = project / f".tmp/debug/x_{OLD}"
    theirs.mkdir(parents=True)
    planned, unable, removed, failed = nobody(lambda: plan_and_clean(project), roots=[theirs])
    assert (planned, removed) == ({}, {})
    assert unable == failed == {theirs.name: "it belongs to another user: Permission denied"}


@ROOT
def test_what_root_makes_in_a_users_checkout_is_the_users_to_work_in(project: Path) -> None:
    TempManager.create_persistent_dir("first", "work")
    for path in (project, project / ".tmp"):
        os.chown(path, 65534, 65534)
    python("from common_tasks.temp import *; TempManager.create_persistent_dir('x', 'new')", cwd=project)
    assert (project / ".tmp/new").stat().st_uid == 65534
    shutil.rmtree(project / ".tmp")
    python("from common_tasks.temp import *; get_debug_temp_dir('x')", cwd=project)
    places = (".tmp", ".tmp/debug", ".tmp/.leases")
    assert [(project / place).stat().st_uid for place in places] == [65534] * 3


@ROOT
@pytest.mark.parametrize("content", ["nothing", "half a mark", "something"])
def test_empty_base_of_a_stranger_is_not_made_in(project: Path, content: str) -> None:
    (project / ".tmp").mkdir()
    if content != "nothing":
        (project / ".tmp" / ("CACHEDIR.TAG" if content == "half a mark" else "theirs")).touch()
    os.chown(project / ".tmp", 4321, 4321)
    before = os.listdir(project / ".tmp")
    done = python("from common_tasks.temp import *; get_debug_temp_dir('x')", cwd=project)
    assert "belongs to" in done.stderr
    assert os.listdir(project / ".tmp") == before


# What git says.


def test_failure_of_git_is_no_success_where_children_are_reaped_by_the_system(project: Path) -> None:
    entry = make_entry(project / ".tmp/golden")
    git(project, "init", "-q")
    git(project, "add", "-Af")
    (project / ".git/index").write_bytes(b"broken")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(GuardFailed, match="nothing was touched"):
            clean(project)
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    assert entry.exists()


@pytest.mark.parametrize("setting", ["core.fsmonitor", "core.pager", "core.hooksPath", "core.sshCommand"])
def test_asking_git_runs_nothing_that_the_repository_names(project: Path, setting: str) -> None:
    make_entry(project / ".tmp/x")
    git(project, "init", "-q")
    git(project, "add", "-Af")
    program = project / "program"
    program.write_text(f"#!/bin/sh\ntouch {project}/was-run\n")
    program.chmod(0o755)
    git(project, "config", setting, str(program))
    assert states(project) == {"x": "tracked"}
    assert not (project / "was-run").exists()


@ROOT
def test_empty_folder_called_git_above_marks_no_repository(project: Path) -> None:
    (project.parent / ".git").mkdir()
    os.chown(project.parent / ".git", 4321, 4321)
    make_entry(project / ".tmp/x")
    assert len(clean(project).removed) == 1


@ROOT
def test_repository_that_a_stranger_put_above_is_not_asked(project: Path) -> None:
    make_repository(project.parent / "planted")
    (project.parent / "planted/.git").rename(project.parent / ".git")
    for path in [project.parent / ".git", *(project.parent / ".git").rglob("*")]:
        os.chown(path, 4321, 4321)
    project.parent.chmod(0o1777)
    assert not in_repository(project)
    make_entry(project / ".tmp/x")
    assert len(clean(project).removed) == 1


def test_texts_of_errors_are_one_printable_line(project: Path) -> None:
    name = "esc\x1b[2Jape\n"
    (project / name).mkdir()
    (project / name / "pyproject.toml").touch()
    (project / name / ".tmp").symlink_to("nowhere")
    done = python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=project / name)
    last = done.stderr.splitlines()[-1]
    assert r"esc\x1b[2Jape\x0a/.tmp" in last
    assert last.isprintable()
    with pytest.raises(BaseRefused) as caught:
        take(project / name)
    assert caught.value.path == str(project / name / ".tmp")
    assert caught.value.reason.startswith("is not a directory")


AT_EXIT = {
    "a generator in a block": """
def work():
    with temp_working_dir("left") as folder:
        print(folder, flush=True)
        yield
kept = work()
next(kept)
""",
    "an entered context manager": "kept = temp_working_dir('left'); print(kept.__enter__())",
    "a file": "kept = TempManager.auto_cleanup_file('left'); print(kept.__enter__())",
}


@pytest.mark.parametrize("how", AT_EXIT)
def test_block_that_is_open_when_python_ends_is_cleaned_up(project: Path, system_temp: Path, how: str) -> None:
    done = fresh_python(f"from common_tasks.temp import *\n{AT_EXIT[how]}", cwd=project)
    assert done.stdout.startswith(str(system_temp))
    assert done.stderr == ""
    assert os.listdir(system_temp) == []


def test_scripts_folder_with_modules_of_standard_names_does_no_harm(project: Path) -> None:
    for name in ("select", "signal", "subprocess", "pickle", "random"):
        (project / f"{name}.py").write_text("raise ImportError('not this one')\n")
    code = (
        "from common_tasks.temp import *\nget_debug_temp_dir()\nwith temp_working_dir() as made: (made / 'a').mkdir()\n"
    )
    (project / "work.py").write_text(code)
    done = subprocess.run([sys.executable, "work.py"], cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_system_folder_that_vanished_is_not_insisted_on(project: Path, tmp_path: Path) -> None:
    code = "import os, tempfile; tempfile.gettempdir(); os.rmdir(os.environ['TMPDIR'])\n"
    code += "from common_tasks.temp import *\nwith temp_working_dir() as folder: print(folder.parent)"
    (tmp_path / "short-lived").mkdir()
    done = python(code, cwd=project, env={**os.environ, "TMPDIR": str(tmp_path / "short-lived")})
    assert done.stdout in ("/tmp\n", "/var/tmp\n"), done.stderr
