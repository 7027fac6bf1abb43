import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.temp import names, temp_working_dir

from ..helpers import inv, inv_json, make_entry, running, said, set_age, slow, states, take


@given(st.binary(min_size=1, max_size=60).map(os.fsdecode), st.integers(0, 2**64), st.integers(0, 2**64))
def test_sealed_name_belongs_to_one_inode(name: str, inode: int, other: int) -> None:
    sealed = names.seal(name, inode)
    assert names.looks_sealed(sealed)
    assert len(os.fsencode(sealed)) == len(os.fsencode(name)) + names.SEAL_ROOM
    assert names.unseal(sealed, inode) == name
    assert other == inode or names.unseal(sealed, other) is None
    assert names.unseal("x" + sealed, inode) is None


HELD = {
    "temp_working_dir": "with temp_working_dir('left') as made:",
    "auto_cleanup_dir": "with TempManager.auto_cleanup_dir('left') as made:",
    "auto_cleanup_file": "with TempManager.auto_cleanup_file('left') as made:",
}


@pytest.mark.parametrize("kind", ["temp_working_dir", slow("auto_cleanup_dir"), "auto_cleanup_file"])
def test_what_a_killed_process_leaves_is_an_orphan_and_cleaned_by_age(
    project: Path, system_temp: Path, kind: str
) -> None:
    code = f"from common_tasks.temp import *\n{HELD[kind]}\n    print(made, flush=True); input()"
    with running(code, project) as process:
        made = Path(said(process))
        assert take(project) == ()  # in use: no orphan
        assert inv_json(project, "temp-clean", "--force")["removed"] == []
        assert made.exists()
        process.kill()
        process.wait()
    [orphan] = take(project)
    assert made.is_relative_to(orphan.path)
    assert (orphan.state, orphan.reason) == ("orphaned", "left by a process that ended")
    assert "orphaned" in inv(project, "temp-status").stdout
    [row] = inv_json(project, "temp-status")["entries"]
    assert row["path"] == str(orphan.path)
    set_age(orphan.path, 5)
    assert inv_json(project, "temp-clean", "--max-age-hours", "6")["removed"] == []
    assert len(inv_json(project, "clean", "--temp-age-hours", "4")["removed"]) == 1
    assert not os.listdir(system_temp)


def leave_orphan(project: Path) -> Path:
    with running(
        "from common_tasks.temp import *\nwith temp_working_dir() as d: print(d, flush=True); input()", project
    ) as p:
        made = Path(said(p))
        p.kill()
        p.wait()
    return made


def test_look_alikes_are_never_touched(project: Path, system_temp: Path) -> None:
    orphan = leave_orphan(project)
    make_entry(system_temp / "work_0123456789abcdef0123", hours=100)
    make_entry(system_temp / "demo_1696348800", hours=100)
    copy = system_temp / orphan.name.replace("work", "copy")
    shutil.copytree(orphan, copy)
    orphan.rename(system_temp / "renamed_by_its_owner")
    (system_temp / orphan.name).symlink_to(project)
    (system_temp / names.seal("file", 1)).touch()
    before = sorted(os.listdir(system_temp))
    assert take(project) == ()
    inv(project, "temp-clean")
    inv(project, "clean", "--force")
    assert sorted(os.listdir(system_temp)) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_orphan_of_somebody_else_is_never_touched(project: Path) -> None:
    orphan = leave_orphan(project)
    os.chown(orphan, 4321, 4321)
    assert take(project) == ()
    os.chown(orphan, 0, 0)
    assert len(take(project)) == 1


def test_pinned_orphan_stays(project: Path) -> None:
    orphan = leave_orphan(project)
    (orphan / ".keep").touch()
    assert states(project) == {orphan.name: "kept"}
    inv(project, "temp-clean", "--force")
    assert orphan.exists()


def test_directory_that_is_just_being_made_is_no_orphan(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = Path.rename

    def look(self: Path, target: Path) -> Path:
        seen.append(take(project))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", look)
    with temp_working_dir():
        seen.append(take(project))
    assert seen[0] == ()
