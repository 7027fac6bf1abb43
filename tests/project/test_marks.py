import contextlib
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.project import marks
from common_tasks.temp import BaseRefused, InvalidAge, InvalidName, TempManager, layout, names

from ..helpers import SETUP, make_project, python

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40)
GOOD = PLAIN.filter(lambda name: not name.startswith("."))


@pytest.mark.parametrize(("marker", "text"), [("pyproject.toml", ""), ("setup.py", SETUP), (".git/HEAD", "ref: x\n")])
def test_root_is_the_nearest_folder_with_a_marker(tmp_path: Path, marker: str, text: str) -> None:
    below = tmp_path / "a" / "b" / "c"
    below.mkdir(parents=True)
    for root in (tmp_path, tmp_path / "a"):
        (root / marker).parent.mkdir(exist_ok=True)
        (root / marker).write_text(text)
        assert layout.find_project(below).root == root


@pytest.mark.parametrize("marker", ["pyproject.toml", "setup.py", ".git", "tasks.py"])
def test_folder_that_is_only_called_like_a_marker_is_none(tmp_path: Path, marker: str) -> None:
    (tmp_path / "a" / marker).mkdir(parents=True)
    assert not marks.begins_project(f"{tmp_path}/a")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (SETUP, True),
        ("import setuptools as tools\nif __name__ == '__main__':\n    tools.setup(**CONFIG)\n", True),
        ("from distutils.core import (\n    Extension,\n    setup,\n)\nsetup ()\n", True),
        ("import sys, setuptools\nsetuptools.setup()\n", True),
        ("from skbuild import setup\nsetup()\n", True),
        ("", False),
        ("import os\n\n\ndef main():\n    return os.uname()\n", False),
        ("import django\n\ndjango.setup()\n", False),
        ("from x import y\n\n\ndef setup(app):\n    pass\n\n\nsetup(y)\n", False),
        ("from setuptools import setup\n# setup()\n", False),
        ("import setuptools\n\n\ndef setup(app):\n    pass\n", False),
    ],
)
def test_setup_script_is_one_that_calls_setup(tmp_path: Path, text: str, *, counts: bool) -> None:
    (tmp_path / "setup.py").write_text(text)
    assert marks.begins_project(str(tmp_path)) is counts


MARKERS = {
    "pyproject.toml": "",
    "setup.py": SETUP,
    ".git": "gitdir: elsewhere\n",
    "tasks.py": "from common_tasks import ns\n",
    "tasks/__init__.py": "from common_tasks import ns\n",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
@pytest.mark.parametrize(("mode", "counts"), [(0o1777, False), (0o777, False), (0o1770, False), (0o2770, True)])
@pytest.mark.parametrize("marker", MARKERS)
def test_marker_that_a_stranger_could_have_put_there_marks_nothing(
    tmp_path: Path, marker: str, mode: int, *, counts: bool
) -> None:
    shared = tmp_path / "shared"
    (shared / marker).parent.mkdir(parents=True)
    (shared / marker).write_text(MARKERS[marker])
    shared.chmod(mode)
    assert marks.begins_project(str(shared))
    os.chown(shared / marker, 65534, 65534)
    assert marks.begins_project(str(shared)) is counts
    shared.chmod(0o755)
    assert marks.begins_project(str(shared))
    assert not marks.begins_project(str(shared), exposed=True)


def test_home_is_known_by_whatever_path_leads_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home/below").mkdir(parents=True)
    (tmp_path / "home/pyproject.toml").touch()
    (tmp_path / "link").symlink_to("home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    below = str(tmp_path / "link/below")
    assert marks.find_root(below) == below
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    assert marks.find_root(str(tmp_path / "home/below")) == str(tmp_path / "home/below")


def user(number: int, home: Path) -> pwd.struct_passwd:
    return pwd.struct_passwd(("u", "x", number, number, "", str(home), "/bin/sh"))


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
@pytest.mark.parametrize("known_by", ["owner", "SUDO_UID", "no home"])
def test_root_finds_nobodys_home_by_going_upward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_by: str
) -> None:
    home = tmp_path / "home"
    (home / "below").mkdir(parents=True)
    (home / "pyproject.toml").touch()
    os.chown(home, 54321, 54321)
    assert marks.find_root(str(home / "below")) == str(home)
    where = tmp_path / "nowhere" if known_by == "no home" else home
    owner = {"owner": 54322, "SUDO_UID": 54323, "no home": 54324}[known_by]  # what is known of a user is kept
    os.chown(home, owner if known_by != "SUDO_UID" else 0, 0)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: user(number, where if number == owner else tmp_path / "x"))
    if known_by != "owner":
        monkeypatch.setenv("SUDO_UID", str(owner))
    assert marks.find_root(str(home / "below")) == str(home / "below")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("from common_tasks import ns\n", True),
        ("import os\n\nfrom invoke import task\n", True),
        ("import os, invoke\n", True),
        ("from mycompany import ns\n", True),
        ("from mycompany.tools import (\n    build,\n    ns,\n)\n", True),
        ("from mycompany import collection as namespace\n", True),
        ("import mycompany\n\nns = mycompany.collect()\n", True),
        ("# from invoke import task\n", False),
        ("print('import')\n", False),
        ("from celery import shared_task\n\nnamespace = 'mail'\n", False),
        ("from mycompany import columns, Namespace\n", False),
    ],
)
@pytest.mark.parametrize("name", ["tasks.py", "tasks/__init__.py"])
def test_tasks_are_a_marker_if_they_are_invokes(tmp_path: Path, name: str, text: str, *, counts: bool) -> None:
    below = tmp_path / "project" / "below"
    below.mkdir(parents=True)
    (tmp_path / "project/tasks").mkdir()
    (tmp_path / "project" / name).write_text(text)
    assert (layout.find_project(below).root == tmp_path / "project") is counts


def test_without_a_marker_the_working_directory_is_the_root() -> None:
    assert layout.find_project(Path("/nowhere/at/all")).root == Path("/nowhere/at/all")


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR"])
def test_home_and_the_systems_folder_are_never_found_by_going_upward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    below = tmp_path / "project/reserved/below"
    below.mkdir(parents=True)
    (tmp_path / "project/reserved/.git").write_text("gitdir: x")
    assert layout.find_project(below).root == below.parent
    monkeypatch.setenv(variable, str(below.parent))
    assert layout.find_project(below).root == below
    (tmp_path / "project/.git").touch()
    assert layout.find_project(below).root == tmp_path / "project"


def test_top_of_the_file_system_is_nobodys_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "begins_project", lambda folder: folder == "/")
    assert layout.find_project(Path("/nowhere/at/all")).root == Path("/nowhere/at/all")
    assert layout.find_project(Path("/")).reserved == "the top of the file system"


def test_script_that_works_in_the_home_folder_gets_a_base_of_its_own_there(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project))
    assert TempManager.create_persistent_dir().parents[1] == project / ".tmp"
    (project / ".tmp/CACHEDIR.TAG").unlink()
    with pytest.raises(BaseRefused, match=r"\.tmp' \(in the home folder\) is not empty and carries no CACHEDIR.TAG"):
        TempManager.create_persistent_dir(category="other")


def test_script_in_a_subfolder_sees_the_base_of_the_root(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "scripts").mkdir()
    monkeypatch.chdir(project / "scripts")
    assert layout.find_project().bases[0].path == project / ".tmp"


def test_variable_gives_each_project_a_folder_of_its_own_and_empty_is_unset(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, "")
    assert layout.find_project().bases[0] == layout.Base(project / ".tmp")
    monkeypatch.setenv(layout.VARIABLE, "../scratch")
    own, shared, legacy = layout.find_project().bases
    assert own.path.parent == shared.path == project.parent / "scratch"
    assert own.path.name.startswith("project@")
    assert (own.shared, shared.shared, legacy.path) == (False, True, project / ".temp")


def own_base(root: Path) -> Path:
    return layout.find_project(root).bases[0].path


def test_projects_folder_is_stable_and_no_other_projects_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "scratch"))
    roots = [make_project(tmp_path / name / "aws") for name in ("one", "two")]
    assert len({own_base(root) for root in roots}) == 2
    (tmp_path / "link").symlink_to(roots[0])
    assert own_base(tmp_path / "link") == own_base(roots[0])
    code = "from common_tasks.temp import layout; print(layout.find_project().bases[0].path)"
    assert python(code, cwd=roots[0]).stdout == f"{own_base(roots[0])}\n"


@pytest.mark.parametrize("name", [".hidden", "é" * 120, os.fsdecode(b"\xff" * 120), "a b@0123456789"])
def test_any_name_of_a_root_gives_a_folder_that_can_be_made_and_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path))
    own, shared, _ = layout.find_project(make_project(tmp_path / "roots" / name)).bases
    own.path.mkdir()
    assert not own.path.name.startswith(".")
    assert shared.reserves(own.path.name)
    own.path.name.encode()  # no half of a character


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("own", [".tmp", ".temp", "./.tmp/"])
def test_variable_that_names_the_projects_own_base_changes_nothing(monkeypatch: pytest.MonkeyPatch, own: str) -> None:
    before = layout.find_project()
    monkeypatch.setenv(layout.VARIABLE, own)
    assert layout.find_project() == before


def test_tilde_is_the_home_folder(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(layout.VARIABLE, "~/scratch")
    assert own_base(project).parent == tmp_path / "home/scratch"
    monkeypatch.setenv(layout.VARIABLE, "~nobody-of-this-name/scratch")
    with pytest.raises(BaseRefused, match=r"^'~nobody-of-this-name/scratch' from COMMON_TASKS_TMP names"):
        layout.find_project()


BAD = ["", ".", "..", ".hidden", "a/b", "/abs", "../up", "nul\0", "x" * 300, "é" * 130, "\ud800"]


@pytest.mark.parametrize("bad", BAD)
def test_bad_names_and_categories_are_refused_and_nothing_is_made(project: Path, bad: str) -> None:
    attempts: tuple[Callable[[], Path], ...] = (
        lambda: TempManager.create_persistent_dir(bad),
        lambda: TempManager.create_persistent_dir("good", bad),
        lambda: TempManager.create_persistent_file(bad),
        lambda: contextlib.ExitStack().enter_context(TempManager.auto_cleanup_dir(bad)),
        lambda: contextlib.ExitStack().enter_context(TempManager.auto_cleanup_file(bad)),
    )
    for make in attempts:
        with pytest.raises(ValueError, match=r"^the (name|category)[^\n]*$"):
            make()
    assert not (project / ".tmp").exists()
    assert not os.listdir(os.environ["TMPDIR"])


@pytest.mark.parametrize("bad", ["/x", "a\0", "x" * 300])
def test_bad_suffixes_are_refused_and_nothing_is_made(project: Path, bad: str) -> None:
    with pytest.raises(InvalidName):
        TempManager.create_persistent_file("good", bad)
    with pytest.raises(InvalidName), TempManager.auto_cleanup_file("good", bad):
        pass
    assert not (project / ".tmp").exists()


@given(GOOD, st.integers(100_000_000, 99_999_999_999), st.integers(1, 5000))
def test_names_are_taken_apart_as_they_were_put_together(name: str, unix: int, number: int) -> None:
    assert names.parse_name(names.entry_name(name, unix, number)) == (name, unix, number)


@pytest.mark.parametrize("name", ["processing", "run_1", "v_2024", "_1696348800", "demo_1696348800x"])
def test_hand_made_names_have_no_time_of_creation(name: str) -> None:
    assert names.parse_name(name) is None


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), 1e308, True, "24", None])
def test_ages_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(InvalidAge, match="number of hours"):
        layout.seconds(bad)


def test_ages_may_be_fractions_and_zero() -> None:
    assert (layout.seconds(0.5), layout.seconds(0)) == (1800, 0)


def test_pipe_called_tasks_py_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tasks.py")
    (tmp_path / "below").mkdir()
    assert layout.find_project(tmp_path / "below").root != tmp_path
