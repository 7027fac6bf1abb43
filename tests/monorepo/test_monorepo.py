"""All projects of a monorepo at once, with the real inv."""

import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from common_tasks.monorepo import members
from common_tasks.monorepo.members import Aim, Scope
from common_tasks.monorepo.settings import Settings
from common_tasks.project.marks import monorepo_root
from common_tasks.project.patterns import ARTIFACTS, Patterns
from common_tasks.report.picking import parse
from common_tasks.temp import layout

from .. import warm
from ..helpers import (
    HOLD_DEBUG,
    INV,
    OLD,
    OURS,
    SETUP,
    git,
    inv,
    inv_json,
    make_entry,
    make_project,
    python,
    running,
    said,
)


@pytest.fixture
def mono(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a git repository of three projects, one in another; the working directory is in it."""
    root = tmp_path / "mono"
    for name in ("packages/aws", "packages/aws/plugins/s3", "packages/web"):
        make_project(root / name)
    git(root, "init", "-q")
    (root / ".gitignore").write_text("build\n__pycache__\n")
    make_entry(root / f"packages/aws/.tmp/debug/demo_{OLD}", hours=100, files=9)
    make_entry(root / f"packages/aws/plugins/s3/.tmp/debug/demo_{OLD}", hours=10)
    make_entry(root / "packages/aws/build")
    make_entry(root / "packages/aws/plugins/s3/src/__pycache__")
    make_entry(root / "packages/web/src/build")
    monkeypatch.chdir(root / "packages/web")
    return root


def paths(document: dict[str, list[dict[str, list[dict[str, str]]]]], part: str) -> dict[str, list[str]]:
    roots = {os.path.basename(str(each["root"])): each for each in document["projects"]}
    return {name: [row["path"] for row in each[part]] for name, each in roots.items() if each[part]}


def test_status_shows_a_row_a_project_the_largest_first_then_the_total(mono: Path) -> None:
    shown = inv(mono / "packages/web", "temp-status", "-a").stdout.splitlines()
    assert shown[0] == str(mono)
    assert [line.split()[0] for line in shown[2:5]] == ["packages/aws", "packages/aws/plugins/s3", "Total:"]
    assert "2 more projects hold nothing" in shown
    assert re.fullmatch(r"\S*inv temp-clean -a would free \d.* KiB in 2 entries\.", shown[-2])


def test_status_says_the_same_from_any_folder(mono: Path) -> None:
    one, other = (inv_json(mono / name, "temp-status", "-a") for name in ("packages/web", "packages/aws/plugins/s3"))
    assert one == other
    assert one["root"] == str(mono)
    assert one["total"]["projects"] == 4
    assert one["total"]["entries"] == 2
    assert [each["error"] for each in one["projects"]] == [None] * 4
    single = inv_json(mono / "packages/aws", "temp-status")
    [same] = [each for each in one["projects"] if each["root"].endswith("aws")]
    assert same == {**single, "error": None}


def test_clean_sweeps_the_artifacts_at_every_projects_root(mono: Path) -> None:
    would = inv_json(mono / "packages/web", "clean", "-a", "--dry-run")
    assert paths(would, "removed") == {
        "aws": [f".tmp/debug/demo_{OLD}", "build"],
        "s3": [f".tmp/debug/demo_{OLD}", "src/__pycache__"],
    }
    did = inv_json(mono / "packages/web", "clean", "-a")
    assert paths(did, "removed") == paths(would, "removed")
    assert did["freed_bytes"] == would["freed_bytes"] > 0
    assert (would["dry_run"], did["dry_run"]) == (True, False)
    assert (mono / "packages/web/src/build").exists()
    assert inv_json(mono / "packages/web", "clean", "-a")["total"]["entries"] == 0


def test_temp_clean_takes_no_artifacts(mono: Path) -> None:
    inv(mono / "packages/web", "temp-clean", "--all-projects")
    assert (mono / "packages/aws/build").exists()
    assert not (mono / "packages/aws/.tmp/debug").exists()


def test_each_project_is_cleaned_by_its_own_rules_else_by_the_monorepos(mono: Path) -> None:
    (mono / "invoke.yaml").write_text("temp: {retention: {debug: {max_age: 1d}}}")
    (mono / "packages/aws/invoke.yaml").write_text("temp: {retention: {debug: {max_age: 7d}}}")
    document = inv_json(mono / "packages/web", "temp-clean", "-a")
    assert paths(document, "removed") == {}
    reasons = {row["reason"] for each in document["projects"] for row in each["kept"]}
    assert reasons == {"younger than 7 days", "younger than 1 day"}
    assert inv_json(mono / "packages/aws", "temp-clean")["kept"][0]["reason"] == "younger than 7 days"
    assert inv_json(mono / "packages/aws/plugins/s3", "temp-clean")["kept"][0]["reason"] == "younger than 1 day"


def test_nobodys_tasks_are_run_for_that(mono: Path) -> None:
    for name in ("tasks.py", "invoke.py"):
        (mono / "packages/aws" / name).write_text("import invoke, pathlib\npathlib.Path('was-run').touch()\n")
    document = inv_json(mono / "packages/web", "temp-status", "-a", code=1)
    assert not list(mono.rglob("was-run"))
    [error] = [each["error"] for each in document["projects"] if each["error"]]
    assert "invoke.py' is not run to find its settings: put them in invoke.yaml" in error


@pytest.mark.parametrize("text", ["temp: {retention: {debug: {max_age: soon}}}", "{", "[]"])
def test_project_whose_settings_are_wrong_is_reported_and_the_others_go_on(mono: Path, text: str) -> None:
    (mono / "packages/aws/invoke.yaml").write_text(text)
    done = inv(mono / "packages/web", "clean", "-a", code=1)
    assert re.search(r"^FAILED packages/aws: .+", done.stdout, re.MULTILINE)
    assert (mono / "packages/aws/build").exists()
    assert (mono / f"packages/aws/.tmp/debug/demo_{OLD}").exists()
    assert not (mono / f"packages/aws/plugins/s3/.tmp/debug/demo_{OLD}").exists()


def test_project_whose_base_is_refused_is_reported_and_the_others_go_on(mono: Path, tmp_path: Path) -> None:
    precious = make_entry(tmp_path / "precious")
    (mono / "packages/web/.tmp").symlink_to(precious)
    document = inv_json(mono / "packages/web", "temp-clean", "-a", code=1)
    [error] = [each["error"] for each in document["projects"] if each["error"]]
    assert error.endswith(
        "is a link and carries no CACHEDIR.TAG of common-tasks: put a folder in its place; nothing in it was touched"
    )
    assert sorted(paths(document, "removed")) == ["aws", "s3"]
    assert (precious / "sub/file-0").exists()


def test_wrong_settings_of_the_monorepo_are_refused_for_all(mono: Path) -> None:
    (mono / "invoke.yaml").write_text("temp: {retention: {debug: {max_age: soon}}}")
    for words in (["clean", "-a"], ["temp-clean"]):
        done = inv(mono / "packages/web", *words, code=2)
        assert done.stderr.startswith("the setting temp.retention.debug.max_age takes a number")
    assert (mono / "packages/aws/build").exists()


def test_what_a_project_below_keeps_or_does_not_tell_stays_in_a_clean_around_it(mono: Path) -> None:
    aws = mono / "packages/aws"
    texts = {
        "s3": "clean: {keep: [/src/__pycache__/]}",
        "gcs": "clean: {keep: 1}",
        "raw": "clean: {artifacts: []}",
        "abs": "clean: {keep: [/other/]}",
    }
    for name, text in texts.items():
        (aws / "plugins" / name / "src/__pycache__").mkdir(parents=True, exist_ok=True)
        (aws / "plugins" / name / "setup.py").write_text(SETUP)
        (aws / "plugins" / name / "invoke.yaml").write_text(text)
    swept = "plugins/abs/src/__pycache__"
    document = inv_json(aws, "clean", "--dry-run")
    assert [row["path"] for row in document["removed"]] == [f".tmp/debug/demo_{OLD}", "build", swept]
    done = inv(aws, "clean")
    assert [line for line in done.stderr.splitlines() if "not swept" in line] == [
        f"not swept: {aws}/plugins/gcs: the setting clean.keep takes a list of patterns, not 1"
    ]
    assert {name for name in texts if not (aws / "plugins" / name / "src/__pycache__").exists()} == {"abs"}


def test_project_that_a_folder_belongs_to_decides_what_is_kept_there(mono: Path) -> None:
    (mono / "packages/aws/invoke.yaml").write_text("clean: {keep: [/plugins/s3/src/__pycache__/]}")
    document = inv_json(mono / "packages/web", "clean", "-a")
    assert paths(document, "removed")["s3"] == [f".tmp/debug/demo_{OLD}", "src/__pycache__"]


def test_other_repositories_environments_and_modules_of_node_are_not_entered(mono: Path) -> None:
    for folder, mark in (("vendored", ".git/HEAD"), (".venv", "pyvenv.cfg"), ("web/node_modules", "package.json")):
        make_entry(mono / folder / ".tmp/x")
        (mono / folder / mark).parent.mkdir(exist_ok=True)
        (mono / folder / mark).touch()
        (mono / folder / "setup.py").write_text(SETUP)
    assert inv_json(mono / "packages/web", "temp-status", "-a")["total"]["projects"] == 4


def test_what_is_in_use_stays_and_is_counted(mono: Path) -> None:
    with running(HOLD_DEBUG, mono / "packages/web") as holder:
        held = Path(said(holder))
        document = inv_json(mono / "packages/web", "temp-clean", "-a")
        [kept] = [row for each in document["projects"] for row in each["kept"]]
        assert kept["reason"].startswith("in use by pid")
        assert held.exists()


def test_project_without_a_flag_tells_of_those_below_in_one_line(mono: Path) -> None:
    (mono / "tasks.py").write_text("from common_tasks import ns\n")
    for task in ("temp-status", "clean"):
        shown = inv(mono, task, *(["--dry-run"] if task == "clean" else [])).stdout.splitlines()
        assert re.fullmatch(r"2 projects below hold \d.* [KM]iB: \S*inv temp-status -a", shown[-1])
        assert "below" not in inv(mono, task, "--json").stdout
        assert "below" not in inv(mono / "packages/web", task).stdout


def test_projects_that_share_a_base_show_it_once(mono: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "COMMON_TASKS_TMP": str(tmp_path / "scratch")}
    for name in ("packages/aws", "packages/web"):
        python("from common_tasks.temp import *; get_debug_temp_dir()", cwd=mono / name, env=environment)
    document = inv_json(mono / "packages/web", "temp-status", "-a", env=environment)
    assert document["total"]["entries"] == 2


def test_more_projects_than_are_looked_at_at_once(mono: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "most_descriptors", lambda: 40)
    built_in = Settings(artifacts=Patterns(ARTIFACTS), keep=Patterns(()))
    scope = Scope(root=mono, project=layout.project_at(str(mono)), settings_of=lambda _: built_in, whole=True)
    found = members.with_entries(members.find(scope, Aim(swept=True)))
    assert [len(member.entries) for member in found] == [0, 1, 1, 0]
    assert [len(member.artifacts) for member in found] == [0, 1, 1, 0]


def test_root_is_the_git_top_level_else_the_outermost_project(mono: Path, tmp_path: Path) -> None:
    assert monorepo_root(mono / "packages/aws/plugins/s3") == mono
    loose = make_project(tmp_path / "loose")
    inner = make_project(loose / "a/b")
    assert monorepo_root(inner) == loose
    assert monorepo_root(tmp_path / "loose/a") == loose


def test_home_under_git_is_no_monorepo(mono: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(mono))
    assert monorepo_root(mono / "packages/aws/plugins/s3") == mono / "packages/aws"
    (mono / "tasks.py").write_text("from common_tasks import ns\n")
    done = inv(mono, "clean", "-a", code=2)
    assert "is the home folder" in done.stderr
    assert (mono / "packages/aws/build").exists()


def test_nothing_below_the_home_folder_is_told_of(mono: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(mono))
    (mono / "tasks.py").write_text("from common_tasks import ns\n")
    assert "below hold" not in inv(mono, "temp-status").stdout
    monkeypatch.setenv("HOME", str(mono.parent))
    assert "2 projects below hold" in inv(mono, "temp-status").stdout


def test_projects_are_found_by_markers_bases_and_tasks(mono: Path) -> None:
    (mono / "docs/tasks").mkdir(parents=True)
    (mono / "docs/tasks/__init__.py").write_text("from invoke import task\n")
    (mono / "celery").mkdir()
    (mono / "celery/tasks.py").write_text("from celery import shared_task\n")
    make_entry(mono / "scripts/.temp/x")
    found = [path.relative_to(mono).as_posix() for path in members.find_roots(mono)]
    assert found == [".", "docs", "packages/aws", "packages/aws/plugins/s3", "packages/web", "scripts"]


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [("", []), (" ", []), ("*", [1, 2, 3, 4, 5]), ("1,3-5", [1, 3, 4, 5]), ("2 4", [2, 4]), ("3-3,", [3])],
)
def test_answer_names_numbers_and_ranges(answer: str, numbers: list[int]) -> None:
    assert sorted(parse(answer, 5)) == numbers


@pytest.mark.parametrize("answer", ["0", "6", "3-1", "x", "1-", "-1", "1-9", "**", "1.5"])
def test_any_other_answer_is_refused(answer: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 5"):
        parse(answer, 5)


def pick(root: Path, *answers: str) -> str:
    """Run `inv temp-clean --pick` on a terminal, and answer."""
    return on_terminal(root, "temp-clean", "--pick", answers=answers)


def on_terminal(root: Path, *words: str, answers: Sequence[str] = ()) -> str:
    """Run `inv` on a terminal, and return all that it shows."""
    shown = b""
    with terminal_of(root, *words) as terminal:
        for answer in answers:
            os.write(terminal, f"{answer}\n".encode())
        with contextlib.suppress(OSError):  # Linux's way to say that nobody has the other end open any more
            while part := os.read(terminal, 65536):
                shown += part
    return shown.decode()


@contextlib.contextmanager
def terminal_of(root: Path, *words: str) -> Iterator[int]:
    """Lend the terminal of 80 columns that `inv` runs on until it has ended."""
    terminal, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    ended = warm.start_on(other, sys.executable, OURS, [INV, *words], cwd=root, timeout=60)
    os.close(other)
    try:
        yield terminal
    finally:
        code = ended()
        os.close(terminal)
    assert code == 0


def test_what_is_picked_goes_and_nothing_else(project: Path) -> None:
    for number, size in enumerate((9000, 6000, 3000)):
        make_entry(project / f".tmp/debug/e{number}_{OLD}", content=b"x" * size, files=9)
    kept = make_entry(project / f".tmp/debug/kept_{OLD}")
    (kept / ".keep").touch()
    shown = pick(project, "7", "1,3")
    assert "'7' is not a number or range from 1 to 3" in shown
    assert "kept: .keep" in shown
    assert sorted(path.name for path in (project / ".tmp/debug").iterdir()) == [f"e1_{OLD}", f"kept_{OLD}"]


def test_what_changes_while_the_prompt_waits_stays(project: Path) -> None:
    deep, pinned, gone, same = (make_entry(project / f".tmp/debug/{name}_{OLD}") for name in ("d", "p", "g", "s"))
    with terminal_of(project, "temp-clean", "--pick") as terminal:
        read_until(terminal, b"Remove: ")
        (deep / "sub/fresh").write_text("hours of work")
        (pinned / ".keep").touch()
        gone.rename(project / "elsewhere")
        os.write(terminal, b"*\n")
        shown = read_until(terminal, b"kept 2")
    assert b"Picked: 4 entries" in shown
    assert b"changed since it was shown" in shown
    assert [path.exists() for path in (deep, pinned, same)] == [True, True, False]
    assert (project / "elsewhere").exists()


def read_until(terminal: int, words: bytes) -> bytes:
    shown = b""
    while words not in shown:
        shown += os.read(terminal, 65536)
    return shown


def test_empty_answer_leaves_all(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    assert "Nothing was picked: everything stays." in pick(project, "")
    assert entry.exists()


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_picking_needs_a_terminal(project: Path, words: list[str]) -> None:
    entry = make_entry(project / ".tmp/x")
    done = inv(project, "temp-clean", "--pick", *words, code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert entry.exists()


def test_reasons_of_what_may_not_be_picked_are_whole_in_80_columns(project: Path) -> None:
    name = "a-name-that-leaves-little-room-for-a-column-of-reasons"
    for stamp in (OLD, OLD + 1):
        make_entry(project / f".tmp/debug/{name}_{stamp}", hours=100)
    (project / "invoke.yaml").write_text("temp: {retention: {debug: {max_age: 7d, keep_last: 3}}}")
    assert f"the newest 3 of {name} stay" in pick(project)


def test_long_lists_are_summed_up_over_all_projects_together(mono: Path) -> None:
    for name in ("packages/web", "packages/aws"):
        for number in range(20):
            make_entry(mono / name / f".tmp/debug/x_{OLD + number}", files=1, hours=60)
    words = ("temp-clean", "-a", "--max-age-hours", "50", "--dry-run")
    shown, full = on_terminal(mono / "packages/web", *words), on_terminal(mono / "packages/web", *words, "--full")
    assert [text.count("Would remove: older than 50 h") for text in (shown, full)] == [1, 1]
    assert [text.count("\r\n- ") for text in map(plain, (shown, full))] == [10, 41]
    assert "31 more" in shown
    assert all(name in shown for name in ("packages/web", "packages/aws/plugins/s3"))


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;[^\x1b]*\x1b\\", "", shown)
