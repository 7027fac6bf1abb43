import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common_tasks.fs import lock
from common_tasks.fs.directory import Directory
from common_tasks.fs.lock import Claim
from common_tasks.temp import BaseRefused, TempManager, base_lock, get_debug_temp_dir, hold, layout, tag

from ..helpers import before, clean, crowd, git, inv, make_entry, make_project, python, take


def test_base_is_made_with_tag_and_gitignore(project: Path) -> None:
    git(project, "init", "-q")
    TempManager.create_persistent_dir()
    tag = (project / ".tmp/CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    seen = subprocess.run(["git", "status", "--porcelain"], cwd=project, capture_output=True, text=True, check=True)
    assert ".tmp" not in seen.stdout


def test_existing_hand_made_base_is_marked_and_keeps_what_is_there(project: Path) -> None:
    make_entry(project / ".tmp/processing")
    (project / ".tmp/.gitignore").write_text("mine\n")
    TempManager.create_persistent_dir()
    assert (project / ".tmp/.gitignore").read_text() == "mine\n"
    assert (project / ".tmp/CACHEDIR.TAG").exists()
    assert (project / ".tmp/processing/sub/file-0").exists()


def test_half_written_mark_of_a_killed_process_is_completed(project: Path) -> None:
    (project / ".tmp").mkdir()
    (project / ".tmp/CACHEDIR.TAG").touch()
    TempManager.create_persistent_dir()
    assert (project / ".tmp/CACHEDIR.TAG").read_bytes().startswith(tag.SIGNATURE)


def refused_everywhere(root: Path) -> None:
    with pytest.raises(BaseRefused, match="nothing in it was touched"):
        TempManager.create_persistent_dir()
    with pytest.raises(BaseRefused):
        take(root)
    for words in (["temp-status"], ["temp-clean"], ["clean"]):
        done = inv(root, *words, code=2)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("which", [".tmp", ".temp"])
def test_link_as_base_is_refused(project: Path, tmp_path: Path, which: str) -> None:
    precious = make_entry(tmp_path / "home" / "work_1696348800")
    (project / which).symlink_to(tmp_path / "home")
    with pytest.raises(BaseRefused, match="nothing in it was touched"):
        take(project)
    if which == ".tmp":
        with pytest.raises(BaseRefused, match="nothing in it was touched"):
            TempManager.create_persistent_dir()
    assert os.listdir(tmp_path / "home") == [precious.name]
    assert inv(project, "temp-clean", code=2).stderr.count("\n") == 1
    assert (precious / "sub/file-0").exists()


def test_link_is_followed_to_a_directory_with_our_tag(project: Path, tmp_path: Path) -> None:
    other = make_project(tmp_path / "other")
    python("from common_tasks.temp import *; get_debug_temp_dir('x')", cwd=other)
    (project / ".tmp").symlink_to(other / ".tmp")
    assert [entry.category for entry in take(project)] == ["debug"]
    assert len(clean(project).removed) == 1


@pytest.mark.parametrize("tag", [None, b"Signature: 8a477f597d28d172789f06886806bc55\n# made by another tool\n"])
def test_variable_that_names_a_home_leaves_all_that_is_there_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: bytes | None
) -> None:
    precious = make_entry(tmp_path / "home" / "work_1696348800")
    if tag:
        (tmp_path / "home/CACHEDIR.TAG").write_bytes(tag)
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "home"))
    made = Path(python("from common_tasks.temp import *; print(get_debug_temp_dir())", cwd=project).stdout.rstrip())
    assert made.parents[2] == tmp_path / "home"
    assert [entry.path for entry in take(project)] == [made]
    inv(project, "clean")
    assert not made.exists()
    assert (precious / "sub/file-0").exists()


def test_tag_has_to_be_a_regular_file(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "shared"))
    own = layout.find_project().bases[0].path
    make_entry(own / "work_1696348800")
    (tmp_path / "tag").write_bytes(tag.SIGNATURE)
    (own / "CACHEDIR.TAG").symlink_to(tmp_path / "tag")
    refused_everywhere(project)
    (own / "CACHEDIR.TAG").unlink()
    os.mkfifo(own / "CACHEDIR.TAG")
    refused_everywhere(project)


def test_variable_names_a_new_or_existing_folder_that_bases_are_made_in(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new/below"):
        monkeypatch.setenv(layout.VARIABLE, str(tmp_path / name))
        assert take(project) == ()
        made = TempManager.create_persistent_dir("x", "debug")
        assert made.parents[2] == tmp_path / name
        assert [entry.path for entry in take(project)] == [made]
    assert not (project / ".tmp").exists()


def test_two_projects_with_the_variable_share_neither_caches_nor_cleans(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "shared"))
    other = make_project(tmp_path / "other/project")
    code = "from common_tasks.temp import *; print(get_cache_temp_dir('x'))"
    mine, theirs = (Path(python(code, cwd=root).stdout.rstrip()) for root in (project, other))
    assert mine != theirs
    assert [entry.path for entry in take(project)] == [mine]
    inv(project, "clean")
    assert (mine.exists(), theirs.exists()) == (False, True)


def test_what_stands_directly_in_the_variables_folder_is_shown_and_cleaned_if_it_is_tagged(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "shared"))
    old = make_entry(tmp_path / "shared/debug/old_1696348800")
    own = Path(python("from common_tasks.temp import *; print(get_temp_dir())", cwd=project).stdout.rstrip())
    other = make_project(tmp_path / "other")
    theirs = Path(python("from common_tasks.temp import *; print(get_temp_dir())", cwd=other).stdout.rstrip())
    assert [entry.path for entry in take(project)] == [own]
    (tmp_path / "shared/CACHEDIR.TAG").write_bytes(tag.SIGNATURE)
    assert [entry.path for entry in take(project)] == [own, old]
    inv(project, "temp-clean")
    assert (own.exists(), old.exists(), theirs.exists()) == (False, False, True)


@pytest.mark.parametrize(("value", "why"), [("file", "cannot be made: "), ("~no-such-user", "of an unknown user")])
def test_errors_of_the_variable_name_it(project: Path, monkeypatch: pytest.MonkeyPatch, value: str, why: str) -> None:
    (project / "file").touch()
    monkeypatch.setenv(layout.VARIABLE, value)
    with pytest.raises(BaseRefused, match=f"COMMON_TASKS_TMP.*{why}"):
        TempManager.create_persistent_dir()
    for task in ("temp-status", "temp-clean", "clean"):
        done = inv(project, task, code=2)
        assert "COMMON_TASKS_TMP" in done.stderr
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)


@pytest.mark.parametrize("place", [".tmp", ".tmp/below/it"])
def test_variable_names_no_folder_in_the_base_of_another_project(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    other = make_project(tmp_path / "other")
    (other / place).mkdir(parents=True)
    monkeypatch.setenv(layout.VARIABLE, str(other / place))
    with pytest.raises(BaseRefused, match="names the base of another project"):
        get_debug_temp_dir()
    assert list(project.glob(".tmp")) == []


@pytest.mark.usefixtures("project")
def test_folder_that_may_not_be_written_to_is_refused_by_name(
    nobody: Callable[[Callable[[], object]], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, "/proc/nowhere")
    with pytest.raises(BaseRefused, match=r"^'/proc/nowhere/project@.*' \(from COMMON_TASKS_TMP\) cannot be made: "):
        nobody(TempManager.create_persistent_dir)


def test_eight_processes_make_one_base_elsewhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "new"))
    made = crowd(8, "from common_tasks.temp import *; print(get_debug_temp_dir())", project)
    assert len(set(made)) == 8


def test_base_that_another_process_makes_while_it_is_looked_at_is_used(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "new"))
    make = "from common_tasks.temp import *; print(get_debug_temp_dir())"
    made: list[str] = []
    before(monkeypatch, Directory, "names", lambda: made.append(python(make, cwd=project).stdout.strip()))
    assert get_debug_temp_dir().parent == Path(made[0]).parent


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo], ids=["file", "fifo"])
def test_base_that_is_no_directory_is_refused(project: Path, make: object) -> None:
    make(project / ".tmp")  # type: ignore[operator]
    refused_everywhere(project)


def test_dangling_link_as_base_is_refused(project: Path, tmp_path: Path) -> None:
    (project / ".tmp").symlink_to(tmp_path / "nowhere")
    refused_everywhere(project)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_base_of_somebody_else_is_refused_unless_it_carries_our_tag(project: Path) -> None:
    precious = make_entry(project / ".tmp/processing")
    os.chown(project / ".tmp", 4321, 4321)
    refused_everywhere(project)
    assert precious.exists()
    (project / ".tmp/CACHEDIR.TAG").write_bytes(tag.SIGNATURE)
    assert [entry.path for entry in take(project)] == [precious]


def test_category_that_is_a_link_is_refused(project: Path, tmp_path: Path) -> None:
    TempManager.create_persistent_dir()
    (project / ".tmp/debug").symlink_to(tmp_path)
    with pytest.raises(BaseRefused, match="give another category"):
        TempManager.create_persistent_dir("x", "debug")


def test_folder_of_another_tool_that_holds_nothing_but_its_tag_is_refused(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.VARIABLE, str(tmp_path / "elsewhere"))
    base = layout.find_project(project).bases[0].path
    base.mkdir(parents=True)
    (base / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n# Another tool's\n")
    with pytest.raises(BaseRefused, match="not ours"):
        TempManager.create_persistent_dir()


def test_base_without_a_tag_is_locked_itself(project: Path) -> None:
    (project / ".tmp").mkdir()
    with Directory.at(".tmp") as cleaned, Directory.at(".tmp") as other, base_lock.locked(cleaned) as granted:
        assert granted
        assert lock.own(other.fd) is Claim.REFUSED


def test_base_gets_its_tag_once_a_clean_that_began_before_has_ended(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".tmp").mkdir()
    seen = []
    with Directory.at(".tmp") as cleaned:

        def end_clean(_: float) -> None:
            seen.append(cleaned.has("CACHEDIR.TAG"))
            lock.give_back(cleaned.fd)

        monkeypatch.setattr(time, "sleep", end_clean)
        assert lock.own(cleaned.fd) is Claim.GRANTED
        TempManager.create_persistent_dir()
    assert seen == [False]


def test_directory_that_a_cleaner_has_locked_is_not_put_to_use(tmp_path: Path) -> None:
    with Directory.at(tmp_path) as cleaner:
        assert lock.own(cleaner.fd) is Claim.GRANTED
        asked = Directory.at(tmp_path)
        assert hold.share(asked) is None
        assert asked.fd == -1
