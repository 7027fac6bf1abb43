"""What is somebody's work, or somebody else's folder: it stays, and nothing is made in it."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from common_tasks.project.git import in_repository
from common_tasks.temp import BaseRefused, GuardFailed, TempManager, get_debug_temp_dir, layout

from ..conftest import As
from ..helpers import OLD, clean, git, inv, inv_json, make_entry, plan, python, reasons, states, take

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do this")


def make_repository(path: Path) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "-q")
    return path


# Repositories and bases.


@pytest.mark.parametrize("where", ["", "deep/er", "_deps/lib"])
@pytest.mark.parametrize("place", [".tmp/clone", ".temp/clone", "build"])
def test_hand_made_entry_or_artifact_that_holds_a_repository_stays_but_for_force(
    project: Path, where: str, place: str
) -> None:
    entry = project / place
    make_repository(entry / where)
    if place == "build" and not where:
        return  # a repository itself is no artifact at all: see the tests of artifacts
    for words in (["clean", "--dry-run"], ["clean"], ["clean", "--temp-age-hours", "0"]):
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
    with pytest.raises(BaseRefused, match="is a git repository or work tree; nothing was touched"):
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


def test_notes_of_categories_do_not_grow_for_ever(project: Path) -> None:
    tag = project / ".tmp/CACHEDIR.TAG"
    for number in range(600):
        made = TempManager.create_persistent_dir("x", f"{number:03d}" + "long" * 30)
        os.rmdir(made)
        os.rmdir(made.parent)
    assert tag.stat().st_size < 2**16
    assert tag.read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")


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
    assert "may be written to by everybody: take that right away with chmod o-w" in done.stderr
    assert len(list(project.glob(".tmp/debug/*"))) == 1


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
    given = nobody._give

    def give_all_but_one(user: int) -> None:
        given(user)
        os.chown(foreign, 0, 0)

    nobody._give = give_all_but_one  # type: ignore[method-assign]
    assert nobody(lambda: (reasons(plan(project).fail), reasons(clean(project).removed))) == (
        {"foreign": "it belongs to another user: Permission denied"},
        {"mine": "not in use"},
    )


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
    done = python(f"from common_tasks.temp import *\n{AT_EXIT[how]}", cwd=project)
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
