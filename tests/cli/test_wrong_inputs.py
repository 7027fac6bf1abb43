"""Whatever is typed or configured wrongly ends in one clear line and exit code 2, and nothing is removed."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from common_tasks.cli import ns
from common_tasks.cli.configuration import load
from common_tasks.cli.program import CommonTasks
from common_tasks.monorepo.sources import read_file
from common_tasks.project.errors import InvalidSetting

from ..conftest import As
from ..helpers import COMMAND, INV, OLD, command, inv, make_entry, slow

WORDS = {
    "--foo": "common-tasks has no option '--foo'; see common-tasks --help",
    "--verison": "common-tasks has no option '--verison'; did you mean --version?",
    "nosuch": "there is no task 'nosuch'; see common-tasks --help",
    "temp-clen": "there is no task 'temp-clen'; did you mean temp-clean?",
    "temp_stats": "there is no task 'temp_stats'; did you mean temp-status?",
    "status": "there is no task 'status'; did you mean temp-status?",
    "--help nosuch": "there is no task 'nosuch'",
    "-f": "--config needs a value",
    "-f nosuch.yaml temp-clean": "--config takes a file that exists, not 'nosuch.yaml'",
    "-f broken.yaml temp-clean": "'broken.yaml' cannot be read: ",
    "-f plain.txt temp-clean": "the configuration cannot be read: ",
    "-T soon temp-clean": "an option before the task has a wrong value: ",
    "-l -F fancy": "--list-format takes flat, nested, json, not 'fancy'",
    "temp-status --dry-run": "temp-status has no option '--dry-run'",
    "temp-status --jsn": "temp-status has no option '--jsn'; did you mean --json?",
    "temp-status -m 3": "temp-status has no option '-m'",
    "temp-status --sort": "--sort needs a value",
    "temp-status --sort age name": "there is no task 'name'",
    "temp-status --sort=date": "--sort takes size, age or name, not 'date'",
    "temp-status --sort=": "--sort takes size, age or name, not ''",
    "temp-clean 24": "there is no task '24'",
    "temp-clean --dryrun": "temp-clean has no option '--dryrun'; did you mean --dry-run?",
    "temp-clean --max-age-hour 3": "temp-clean has no option '--max-age-hour'; did you mean --max-age-hours?",
    "temp-clean --temp-age-hours 3": "temp-clean has no option '--temp-age-hours'; did you mean --max-age-hours?",
    "temp-clean --max-age-hours": "--max-age-hours needs a value",
    "temp-clean --max-age-hours --dry-run": "--max-age-hours needs a value",
    "temp-clean --max-age-hours=soon": "--max-age-hours takes a number of hours from 0 up",
    "temp-clean --max-age-hours=-1": "--max-age-hours takes a number of hours",
    "temp-clean --max-age-hours=nan": "--max-age-hours takes a number of hours",
    "temp-clean --max-age-hours=1e999": "--max-age-hours takes a number of hours",
    "temp-clean --max-age": "--max-age needs a value",
    "temp-clean --max-age=7": "--max-age takes a number and m, h, d or w, such as 7d, not '7'",
    "temp-clean --max-age=7y": "--max-age takes a number and m, h, d or w",
    "temp-clean --max-age=-7d": "--max-age takes a number and m, h, d or w",
    "temp-clean --max-age=": "--max-age takes a number and m, h, d or w",
    "temp-clean --max-age=7d -m 24": "--max-age-hours and --max-age mean the same: give one",
    "temp-clean --keep-last": "--keep-last needs a value",
    "temp-clean --keep-last=x": "--keep-last takes a whole number from 0 up, not 'x'",
    "temp-clean --keep-last=1.5": "--keep-last takes a whole number",
    "temp-clean --keep-last=-1": "--keep-last takes a whole number",
    "temp-clean --max-size": "--max-size needs a value",
    "temp-clean --max-size=12": "--max-size takes a size such as 500MB or 2G, not '12'",
    "temp-clean --max-size=2X": "--max-size takes a size",
    "temp-clean --max-size=-2G": "--max-size takes a size",
    "temp-clean --category": "--category needs a value",
    "temp-clean -c": "--category needs a value",
    "temp-clean --category=": "--category takes the name of a category, such as debug, not ''",
    "temp-clean --category=../x": "--category takes the name of a category",
    "clean -c debug/x": "--category takes the name of a category",
    "temp-clean --max-age=0": "--max-age takes a number and m, h, d or w, such as 7d, not '0'",
    "temp-clean --max-age=1.5.2d": "--max-age takes a number and m, h, d or w",
    "temp-clean --max-age=٣d": "--max-age takes a number and m, h, d or w",
    "temp-clean --max-age=7d extra": "there is no task 'extra'",
    "temp-clean --max-total=5": "--max-total takes a size such as 500MB or 2G, not '5'",
    "temp-clean --keep-free=lots": "--keep-free takes a size such as 500MB or 2G, not 'lots'",
    "temp-clean --system --force": "--system takes no --force",
    "temp-clean --system --all-projects": "--system takes no --all-projects",
    "temp-clean --system --pick": "--system takes no --pick",
    "temp-clean --system --max-size=1G": "--system takes no --max-size",
    "temp-clean --system --max-age=5m": "--max-age takes an age from 1 hour up with --system, not '5 minutes'",
    "temp-clean temp-status --foo": "temp-status has no option '--foo'",
    "-R --foo temp-clean": "common-tasks has no option '--foo'",
    "temp-status --by": "--by needs a value",
    "temp-status --by=foo": "--by takes maker, not 'foo'",
    "temp-status --system -a": "--system takes no --all-projects",
    "clean --system": "clean has no option '--system'",
    "temp-clean --pick": "--pick asks what to remove, so it needs a terminal",
    "temp-clean --pick --json": "--pick shows a list to choose from, so it takes no --json",
    "temp-clean --pick=x": "--pick takes no value",
    "clean --dry-run=yes": "--dry-run takes no value",
    "clean --max-age-hours 3": "clean has no option '--max-age-hours'; did you mean --temp-age-hours?",
    "clean --temp-age-hours=24h": "--temp-age-hours takes a number of hours from 0 up",
    "clean --pick": "clean has no option '--pick'",
    "clean --max-age=1d -t 3": "--temp-age-hours and --max-age mean the same: give one",
    "clean --sort=biggest": "--sort takes size, age or name",
    "temp-migrate --diff --write": "--diff only shows and --write changes: give one of them",
    "temp-migrate --unsafe": "--unsafe needs --diff or --write",
    "temp-migrate --force --check": "--force needs --write",
    "temp-migrate --paths": "--paths needs a value",
    "temp-status --all": "temp-status has no option '--all'; did you mean --all-projects?",
    "-R=1 temp-clean": "-R takes no value",
    "--help=nosuch": "there is no task 'nosuch'",
    "temp-migrate --paths=": "--paths takes files and folders that exist, not ''",
    "temp-migrate --paths nosuch.py": "--paths takes files and folders that exist, not 'nosuch.py'",
    "temp-migrate --wirte": "temp-migrate has no option '--wirte'; did you mean --write?",
}
FILES = {
    "{": "cannot be read: ",
    "a: [": "cannot be read: ",
    "\t- x": "cannot be read: ",
    "[]": "takes settings by name, not []",
    "7": "takes settings by name, not 7",
    "a: b: c": "cannot be read: ",
    "clean: 7": "the setting clean takes artifacts, keep, not 7",
    "clean: {keeep: []}": "the setting clean.keeep is unknown: clean takes artifacts, keep",
    "clean: {artifacts: build}": "the setting clean.artifacts takes a list of patterns, not 'build'",
    "temp: 7": "the setting temp takes retention, ",
    "temp: {auto: sometimes}": "the setting temp.auto takes off, hourly, daily, weekly, not 'sometimes'",
    "temp: {max_total: 5}": "the setting temp.max_total takes a size such as 500MB or 2G, not 5",
    "temp: {retention: {a/b: {max_age: 7d}}}": "a key of the setting temp.retention takes the name of a category",
    "temp: {retention: 7d}": "the setting temp.retention takes a rule for each category, not '7d'",
    "temp: {retention: {debug: {max_agee: 7d}}}": "the setting temp.retention.debug.max_agee is unknown",
    "run: 7": "the setting run takes settings by name, not 7",
    "run: {env: 7}": "the setting run.env takes settings by name, not 7",
    "run: {shell: {a: b}}": "the setting run.shell takes one value, not {'a': 'b'}",
    "temp: {retention: {debug: {max_age: soon}}}": "the setting temp.retention.debug.max_age takes",
    "temp: {retention: {debug: {max_size: lots}}}": "the setting temp.retention.debug.max_size takes",
}


@pytest.fixture
def kept(project: Path) -> Callable[[], bool]:
    """Return what tells whether nothing has been removed from the project."""
    (project / "broken.yaml").write_text("{")
    (project / "plain.txt").write_text("x")
    made = make_entry(project / f".tmp/debug/demo_{OLD}", hours=100), make_entry(project / "build")
    return lambda: all(path.exists() for path in made)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[[str], tuple[object, str, str]]:
    """Run `common-tasks` in this process; return its exit code and what it wrote."""

    def run(words: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            CommonTasks(name="common-tasks", binary="common-tasks", namespace=ns).run(["common-tasks", *words.split()])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run


@pytest.mark.parametrize("words", WORDS)
def test_wrong_words_are_one_clear_line(
    run: Callable[[str], tuple[object, str, str]], kept: Callable[[], bool], words: str
) -> None:
    code, out, err = run(words)
    assert err.startswith(WORDS[words])
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert kept()


@pytest.mark.parametrize("text", FILES)
def test_wrong_configuration_is_one_clear_line(
    run: Callable[[str], tuple[object, str, str]], kept: Callable[[], bool], text: str
) -> None:
    Path("invoke.yaml").write_text(text)
    code, out, err = run("clean")
    assert FILES[text] in err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert kept()


TABLES = {
    "[tool.common-tasks": "cannot be read: ",
    "[tool]\ncommon-tasks = 7": "[tool.common-tasks] takes clean, temp, migrate, not 7",
    "[tool.common-tasks]\ntmp = 1": "[tool.common-tasks] takes clean, temp, migrate, not 'tmp'",
    "[tool.common-tasks.temp]\nauto = 'x'": "the setting temp.auto takes off, hourly, daily, weekly, not 'x'",
    "[tool.common-tasks.clean]\nkeep = 'x'": "the setting clean.keep takes a list of patterns, not 'x'",
}
VARIABLES = {
    "INVOKE_TEMP_AUTO": "the variable {name} takes off, hourly, daily, weekly, not 'x'",
    "INVOKE_TEMP_MAX_TOTAL": "the variable {name} takes a size such as 500MB or 2G, not 'x'",
    "INVOKE_TEMP_KEEP_FREE": "the variable {name} takes a size such as 500MB or 2G, not 'x'",
    "INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE": "the variable {name} takes a number and m, h, d or w, such as 7d, not 'x'",
    "INVOKE_TEMP_RETENTION_DEBUG_KEEP_LAST": "the variable {name} takes a whole number from 0 up, not 'x'",
}


@pytest.mark.parametrize("text", TABLES)
def test_wrong_table_of_settings_is_one_clear_line(
    run: Callable[[str], tuple[object, str, str]], kept: Callable[[], bool], text: str
) -> None:
    Path("pyproject.toml").write_text(text)
    code, out, err = run("clean")
    assert TABLES[text] in err
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert kept()


@pytest.mark.parametrize("name", VARIABLES)
def test_wrong_variable_is_one_clear_line(
    run: Callable[[str], tuple[object, str, str]], kept: Callable[[], bool], name: str
) -> None:
    with mock.patch.dict(os.environ, {name: "x"}):
        assert run("clean") == (2, "", VARIABLES[name].format(name=name) + "\n")
    assert kept()


@pytest.mark.parametrize(("name", "text"), [(".invoke.yaml", "{"), (".invoke.json", "{"), (".invoke.py", "1 / 0")])
def test_wrong_configuration_of_the_user_is_one_clear_line(
    run: Callable[[str], tuple[object, str, str]],
    kept: Callable[[], bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    text: str,
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / name).write_text(text)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    code, out, err = run("clean")
    assert err.startswith(f"'{tmp_path}/home/{name}' cannot be read: ")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert kept()


@pytest.mark.parametrize("words", ["temp-clean --max-age-hours", "temp-clean --sort", "clean -c"])
def test_inv_calls_an_option_by_the_name_that_is_typed(project: Path, words: str) -> None:
    said = inv(project, *words.split(), code=1).stderr
    assert re.fullmatch(r"Flag --[a-z-]+ needed value and was not given one!\n", said)


def test_each_letter_means_one_option_in_all_tasks() -> None:
    meanings: dict[str, set[str]] = {}
    for name in ns.task_names:
        for option in ns[name].get_arguments():
            for letter in option.nicknames:
                meanings.setdefault(letter, set()).add(option.names[0])
    assert {letter: names for letter, names in meanings.items() if len(names) > 1} == {}


def test_working_directory_that_is_gone_is_one_clear_line(
    run: Callable[[str], tuple[object, str, str]], project: Path
) -> None:
    (project / "gone").mkdir()
    os.chdir(project / "gone")
    (project / "gone").rmdir()
    said = "the working directory no longer exists\n"
    try:
        assert run("temp-status") == (2, "", said)
        done = subprocess.run([INV, "-r", project, "temp-status"], capture_output=True, text=True, check=False)
    finally:
        os.chdir(project)
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", ["--help", slow("--version")])
def test_output_that_finds_no_room_is_one_clear_line(words: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "the system refused: No space left on device\n")


def test_configuration_that_is_a_pipe_is_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "invoke.yaml")
    assert command(project, "temp-status").stderr == ""


def test_configuration_that_may_not_be_read_is_one_clear_line(nobody: As, project: Path) -> None:
    path = str(project / "invoke.yaml")
    Path(path).touch(mode=0)
    with pytest.raises(InvalidSetting, match=rf"\A'{path}' cannot be read: Permission denied\Z"):
        nobody(lambda: read_file(path, load))
