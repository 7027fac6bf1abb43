"""The real inv, in a monorepo of three projects."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..helpers import HOLD_DEBUG, OLD, git, inv, inv_json, make_entry, make_project, python, running, said

OWN = '\n\n@task\ndef build(c):\n    "Build it."\n    print("built")\n'
FORMS = {
    "ns": "from invoke import task\nfrom common_tasks import ns\n" + OWN + "\nns.add_task(build)\n",
    "one by one": "from invoke import task\nfrom common_tasks import clean, temp_clean, temp_status\n" + OWN,
    "star": "from invoke import task\nfrom common_tasks import *\n" + OWN,
    "own ns": "from invoke import Collection, task\nfrom common_tasks import clean, temp_clean, temp_status\n"
    + OWN
    + "\nns = Collection(build)\nfor t in (clean, temp_clean, temp_status):\n    ns.add_task(t)\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_tasks_file_has_all_tasks_and_its_own(project: Path, form: str) -> None:
    (project / "tasks.py").write_text(FORMS[form])
    listed = inv(project, "--list").stdout
    for name in ("temp-status", "temp-clean", "clean", "build"):
        assert f"  {name} " in listed
    assert inv(project, "build").stdout == "built\n"
    make_entry(project / f".tmp/debug/demo_{OLD}")
    (project / "build").mkdir()
    assert f"demo_{OLD}" in inv(project, "temp-status").stdout
    assert inv_json(project, "temp-clean", "--max-age-hours", "1")["removed"] == []
    assert [row["path"] for row in inv_json(project, "clean")["removed"]] == [f".tmp/debug/demo_{OLD}", "build"]


def test_list_and_help_read_well(project: Path) -> None:
    listed = inv(project, "--list").stdout.splitlines()
    ours = [line for line in listed if "temp" in line or "clean" in line]
    assert [line.split()[0] for line in ours] == ["clean", "temp-clean", "temp-migrate", "temp-status"]
    assert all(line.endswith(".") for line in ours)  # a summary is one line
    for task in ("temp-status", "temp-clean", "temp-migrate", "clean"):
        text = inv(project, "--help", task).stdout
        flags = [line for line in text.splitlines() if line.startswith("  -")]
        assert flags
        assert all(len(line.split("  ")) > 2 for line in flags), text  # each flag has its help


def test_each_project_of_a_monorepo_sees_its_own(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    roots = [make_project(tmp_path / "projects" / name) for name in ("one", "two", "three")]
    script = "from common.temp import get_debug_temp_dir; print(get_debug_temp_dir('demo'))"
    for root in roots:
        (root / "scripts").mkdir()
        python(script, cwd=root / "scripts")
        make_entry(root / ".temp/legacy", hours=100)
    assert [len(inv_json(root / "scripts", "temp-status")["entries"]) for root in roots] == [2, 2, 2]
    inv(roots[0], "clean", "--temp-age-hours", "48")
    assert [len(inv_json(root, "temp-status")["entries"]) for root in roots] == [1, 2, 2]
    inv(roots[1], "temp-clean")
    assert [len(inv_json(root, "temp-status")["entries"]) for root in roots] == [1, 0, 2]
    assert inv_json(roots[2], "temp-status")["root"] == str(roots[2])


def test_status_json_is_as_promised(project: Path) -> None:
    entry = make_entry(project / f".tmp/debug/demo_{OLD}")
    stamp = OLD + 200.5
    for path in [*entry.rglob("*"), entry]:
        os.utime(path, (stamp, stamp))
    done = inv(project, "temp-status", "--json")
    size = json.loads(done.stdout)["entries"][0]["disk_bytes"]
    assert size > 0
    assert json.loads(done.stdout) == {
        "schema": 1,
        "root": str(project),
        "entries": [
            {
                "path": f".tmp/debug/demo_{OLD}",
                "category": "debug",
                "name": "demo",
                "created": OLD,
                "modified": stamp,
                "changed": stamp,
                "files": 2,
                "disk_bytes": size,
                "state": "idle",
                "reason": None,
                "made_by": None,
            }
        ],
        "total": {"entries": 1, "files": 2, "disk_bytes": size},
    }
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)


def test_clean_json_is_as_promised(project: Path) -> None:
    make_entry(project / f".tmp/debug/old_{OLD}", hours=30)
    make_entry(project / f".tmp/debug/young_{OLD}", hours=3)
    document = inv_json(project, "temp-clean", "--max-age-hours", "24")
    assert list(document) == ["schema", "root", "dry_run", "removed", "kept", "failed", "freed_bytes"]
    [removed], [kept] = document["removed"], document["kept"]
    assert (removed["name"], removed["reason"]) == ("old", "older than 24 h")
    assert (kept["name"], kept["reason"]) == ("young", "younger than 24 h")
    assert document["freed_bytes"] == removed["disk_bytes"]
    assert (document["schema"], document["dry_run"], document["failed"]) == (1, False, [])


@pytest.mark.parametrize("bad", ["abc", "-1", "nan", "inf", "", "1e309", "24h", "-0.5"])
@pytest.mark.parametrize(("task", "option"), [("temp-clean", "--max-age-hours"), ("clean", "--temp-age-hours")])
def test_bad_age_is_one_line_that_names_the_option_and_nothing_is_removed(
    project: Path, task: str, option: str, bad: str
) -> None:
    entry = make_entry(project / ".tmp/x", hours=1000)
    left = make_entry(project / "build")
    done = inv(project, task, option, bad, code=2)
    assert done.stderr.startswith(f"{option} takes a number of hours")
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert entry.exists()
    assert left.exists()


def removed(document: Any) -> list[str]:
    return [row["path"] for row in document["removed"]]


def test_clean_is_narrowed_to_the_categories_that_are_named(project: Path) -> None:
    paths = [f".tmp/{category}/x_{OLD}" for category in ("cache", "debug", "test")]
    for path in paths:
        make_entry(project / path)
    (project / "build").mkdir()
    for task in ("temp-clean", "clean"):
        assert removed(inv_json(project, task, "--dry-run", "--category", "cache")) == paths[:1]
        assert removed(inv_json(project, task, "--dry-run", "-c", "cache", "--category=debug")) == paths[:2]
    assert removed(inv_json(project, "temp-clean", "--category", "cache", "--category", "debug")) == paths[:2]
    assert removed(inv_json(project, "clean", "-c", "artifact")) == ["build"]
    done = inv(project, "temp-clean", "-c", "tset")
    assert done.stderr == "--category: there is nothing in 'tset'; the categories here are test\n"
    assert (project / paths[2]).exists()


@pytest.mark.parametrize("task", ["temp-clean", "clean"])
def test_category_without_a_name_removes_nothing(project: Path, task: str) -> None:
    entry = make_entry(project / f".tmp/debug/x_{OLD}")
    for words in (["--category"], ["-c", "--force"], ["--category", "--full"]):
        assert "needed value" in inv(project, task, *words, code=1).stderr
    assert entry.exists()


@pytest.mark.parametrize(("hours", "removed"), [("0", 3), ("0.5", 2), ("1e3", 0), ("6", 1)])
def test_ages_may_be_fractions_and_zero(project: Path, hours: str, removed: int) -> None:
    for age in (0, 5, 50):
        make_entry(project / ".tmp" / f"h{age}", hours=age)
    assert len(inv_json(project, "temp-clean", "--max-age-hours", hours)["removed"]) == removed
    assert len(list((project / ".tmp").glob("h*"))) == 3 - removed


def test_nothing_to_do_is_exit_code_0_and_makes_nothing(project: Path) -> None:
    for words in (["temp-status"], ["temp-clean"], ["clean"], ["temp-clean", "--dry-run", "--json"]):
        inv(project, *words)
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml", "tasks.py"]


def test_dry_run_changes_nothing_and_lists_what_a_run_removes(project: Path) -> None:
    make_entry(project / f".tmp/debug/a_{OLD}", hours=30)
    make_entry(project / f".tmp/debug/b_{OLD}")
    make_entry(project / ".tmp/.trash/0011223344556677")
    with running(HOLD_DEBUG, project) as holder:
        said(holder)
        before = sorted(project.rglob("*"))
        would = inv_json(project, "temp-clean", "--dry-run")
        assert sorted(project.rglob("*")) == before
        did = inv_json(project, "temp-clean")
    for part in ("removed", "kept", "failed"):
        assert [(row["path"], row["reason"]) for row in would[part]] == [
            (row["path"], row["reason"]) for row in did[part]
        ]
    assert would["freed_bytes"] == did["freed_bytes"]


DRY = {
    "--dry temp-clean": {},
    "-R clean": {},
    "temp-clean": {"INVOKE_RUN_DRY": "1"},
    "clean": {"INVOKE_RUN_DRY": "1"},
}


@pytest.mark.parametrize("words", DRY)
def test_invokes_own_dry_run_is_one(project: Path, words: str) -> None:
    entry, left = make_entry(project / ".tmp/x"), make_entry(project / "build")
    document = inv_json(project, *words.split(), env={**os.environ, **DRY[words]})
    assert document["dry_run"] is True
    assert document["removed"][0]["path"] == ".tmp/x"
    assert entry.exists()
    assert left.exists()


def test_variable_of_invoke_that_says_no_is_no_dry_run(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    inv(project, "temp-clean", env={**os.environ, "INVOKE_RUN_DRY": "0"})
    assert not entry.exists()


def test_entries_elsewhere_are_shown_with_their_whole_path(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMON_TASKS_TMP", str(tmp_path / "scratch"))
    python(HOLD_DEBUG.replace("input()", ""), cwd=project)
    [row] = inv_json(project, "temp-status")["entries"]
    assert row["path"].startswith(str(tmp_path / "scratch/project@"))
    assert not (project / ".tmp").exists()


@pytest.mark.parametrize("columns", ["10", "40", "500"])
def test_into_a_pipe_nothing_is_cut_or_wrapped(project: Path, columns: str) -> None:
    name = "long " * 40 + f"_{OLD}"
    make_entry(project / f".tmp/debug/{name}")
    for words in (["temp-status"], ["temp-clean", "--dry-run"]):
        shown = inv(project, *words, env={**os.environ, "COLUMNS": columns}).stdout
        assert any(f".tmp/debug/{name}" in line and "KiB" in line for line in shown.splitlines())
        assert "\x1b" not in shown
        assert not any(line.endswith(" ") for line in shown.splitlines())


def test_reader_that_has_seen_enough_is_no_error(project: Path) -> None:
    for number in range(300):
        make_entry(project / f".tmp/debug/{'x' * 150}{number}_{OLD}", files=0)
    done = subprocess.run(
        ["bash", "-c", f"{Path(sys.executable).parent / 'inv'} temp-status | head -1"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


@pytest.mark.usefixtures("project")
def test_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = (
        f"cd {tmp_path}/gone && rmdir ../gone && {sys.executable} -c 'from common_tasks.temp import *; get_temp_dir()'"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert "FileNotFoundError" in done.stderr


@pytest.mark.parametrize("before", [700, 0, 200_000])
def test_python_looks_for_cycles_as_before_once_a_task_is_done(project: Path, before: int) -> None:
    (project / "tasks.py").write_text(
        "import gc\nfrom invoke import task\nfrom common_tasks import temp_status\n"
        f"gc.set_threshold({before}, 9, 8)\n\n@task(pre=[temp_status])\ndef after(c):\n    print(gc.get_threshold())\n"
    )
    assert inv(project, "after").stdout.endswith(f"({before}, 9, 8)\n")


def test_tasks_can_be_called_from_other_tasks(project: Path) -> None:
    (project / "tasks.py").write_text(
        "from invoke import task\nfrom common_tasks import clean, temp_clean\n\n"
        "@task(pre=[clean])\ndef fresh(c):\n    'Do it.'\n    temp_clean(c, max_age_hours=24)\n"
    )
    old, young = make_entry(project / ".tmp/old", hours=30), make_entry(project / "build")
    inv(project, "fresh")
    assert not old.exists()
    assert not young.exists()


def test_force_is_proposed_only_where_it_would_remove_something(project: Path) -> None:
    with running(HOLD_DEBUG, project) as holder:
        said(holder)
        assert "--force" not in inv(project, "temp-clean", "--max-age", "1h", "--dry-run").stdout
        assert "--force" not in inv(project, "temp-clean", "--dry-run", "--force").stdout
        shown = inv(project, "temp-clean", "--dry-run").stdout
    assert "--force would also remove 1 kept entry, in spite of the reason above" in shown
    kept = make_entry(project / ".tmp/debug/kept_1")
    (kept / ".keep").touch()
    assert "--force" not in inv(project, "temp-clean").stdout
