"""Files that belong together go together; what only bears such a name does not."""

import os
from pathlib import Path

import pytest

from common_tasks.temp import removal
from common_tasks.temp.removal import run
from common_tasks.temp.removal.folders import Folders

from ..helpers import HOUR, OLD, before, clean, git, make_entry, plan, python, reasons, running, said, set_age, take

DAY = 24 * HOUR


def make_database(path: Path) -> Path:
    """Make a database without a change for four days, with a journal that was written just now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("database")
    set_age(path, 99)
    path.with_name(path.name + "-wal").write_text("not yet in the database")
    return path


@pytest.mark.parametrize("category", ["", "debug"])
def test_database_stays_with_its_young_journal_in_a_base_and_in_a_category(project: Path, category: str) -> None:
    python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=project)
    database = make_database(project / ".tmp" / category / "data.db")
    assert "data.db" in reasons(clean(project, DAY).kept)
    assert database.exists()
    set_age(database.with_name("data.db-wal"), 99)
    assert "data.db" in reasons(clean(project, DAY).removed)
    assert not list(project.glob(".tmp/**/data.db*"))


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_folder_named_like_a_journal_is_an_entry_of_its_own(project: Path, kind: str) -> None:
    if kind == "file":
        (project / ".tmp").mkdir()
        (project / ".tmp/work").touch()
    else:
        make_entry(project / ".tmp/work")
    kept, held = make_entry(project / ".tmp/work-journal"), make_entry(project / ".tmp/work-wal")
    (kept / ".keep").touch()
    git(held, "init")
    assert list(reasons(clean(project).removed)) == ["work"]
    assert kept.exists()
    assert held.exists()


def test_category_named_like_a_journal_keeps_its_leases(project: Path) -> None:
    (project / ".tmp").mkdir()
    (project / ".tmp/work").touch()
    code = "from common_tasks.temp import TempManager\n"
    code += "print(TempManager.create_persistent_dir('x', 'work-shm'), flush=True); input()"
    with running(code, project) as holder:
        made = Path(said(holder))
        assert list(reasons(clean(project).removed)) == ["work"]
    assert made.exists()
    assert [entry.category for entry in take(project)] == ["work-shm"]


@pytest.mark.parametrize("after", ["a journal", "a folder in place of the journal"])
def test_database_stays_if_what_is_beside_it_is_new_since_the_plan(project: Path, after: str) -> None:
    database = make_database(project / ".tmp/data.db")
    journal = database.with_name("data.db-wal")
    set_age(journal, 99)
    if after == "a journal":
        journal.unlink()
    decided = plan(project, DAY)
    journal.unlink(missing_ok=True)
    if after == "a journal":
        journal.write_text("young")
    else:
        make_entry(journal / f"precious_{OLD}", hours=99)
    assert reasons(removal.carry_out(decided).kept) == {"data.db": "changed since it was looked at"}
    assert database.exists()
    assert journal.exists()


@pytest.mark.parametrize("full", [False, True])
def test_database_and_its_journal_come_back_together(
    project: Path, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    database = make_database(project / ".tmp/data.db")

    def interrupt() -> None:
        assert not list(project.glob(".tmp/data.db*"))
        raise KeyboardInterrupt

    if full:
        monkeypatch.setattr(Folders, "new_batch", lambda *_: None)
    before(monkeypatch, run, "put_back_given", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clean(project)
    assert database.read_text() == "database"
    assert database.with_name("data.db-wal").read_text() == "not yet in the database"


@pytest.mark.parametrize("full", [False, True])
def test_journal_of_a_database_that_was_decided_on_is_finished_with_it(project: Path, *, full: bool) -> None:
    make_database(project / ".tmp/data.db")
    child = os.fork()
    if child == 0:
        with pytest.MonkeyPatch.context() as monkeypatch:
            if full:
                monkeypatch.setattr(Folders, "new_batch", lambda *_: None)
            before(monkeypatch, run, "delete_from", lambda: os._exit(9))
            clean(project)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert {entry.category for entry in take(project)} == {".trash"}
    assert not clean(project, DAY).failed
    assert take(project) == ()
