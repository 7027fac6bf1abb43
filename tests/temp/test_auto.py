"""The look at a base's turn: when it comes, and what it costs."""

import os
import time
from pathlib import Path

import pytest

from common_tasks.temp import get_debug_temp_dir, mark, names

from ..helpers import python

NOW = 1_800_000_000.0


@pytest.fixture
def turn(project: Path) -> str:
    """Return the path of the mark of a base."""
    get_debug_temp_dir("x")
    return str(project / ".tmp" / names.AUTO)


def write(path: str, due: float, *, asked: bool = True) -> None:
    with mark.own(path) as owned:
        assert owned is not None
        mark.write_turn(owned, due, asked=asked)


@pytest.mark.parametrize(
    ("due", "comes"),
    [
        (NOW - 1e9, True),
        (NOW - 1, True),
        (NOW + 60, False),
        (NOW + mark.LONGEST, False),
        (NOW + mark.LONGEST + 2 * mark.HOUR, True),  # written by a clock that was wrong
        (NOW + 1e9, True),
    ],
)
def test_turn_comes_at_the_time_of_the_mark_unless_that_is_too_far_away(
    project: Path, turn: str, due: float, *, comes: bool
) -> None:
    write(turn, due)
    assert mark.is_due(turn, project, NOW) == comes


def test_turn_comes_where_there_is_no_mark(project: Path, turn: str) -> None:
    os.unlink(turn)
    assert mark.is_due(turn, project, NOW)


def test_without_auto_the_settings_are_read_once_a_day_and_when_they_change(project: Path, turn: str) -> None:
    assert os.stat(turn).st_size == 0
    assert mark.DAY - 60 < os.stat(turn).st_mtime - time.time() <= mark.DAY
    assert not mark.is_due(turn, project, time.time())
    time.sleep(0.02)
    (project / "invoke.yaml").write_text("temp: {auto: daily}\n")
    assert mark.is_due(turn, project, time.time())


MENTIONS = {
    "invoke.yaml": "temp:\n  auto: daily\n",
    "invoke.json": '{"temp": {"auto": "daily"}}',
    "pyproject.toml": '[tool.common-tasks.temp]\nauto = "daily"\n',
    "tasks.py": 'from common_tasks import ns\nns.configure({"temp": {"auto": "daily"}})\n',
}
MAKES = "from common_tasks.temp import get_debug_temp_dir as d; d('x')"
WITHOUT_A_CLEAN = "import sys; sys.executable = '/bin/true'"


def is_asked(root: Path) -> bool:
    return os.stat(root / ".tmp" / names.AUTO).st_size > 0


@pytest.mark.parametrize("name", MENTIONS)
@pytest.mark.parametrize("above", [False, True])
def test_mention_in_any_file_of_settings_is_found_here_and_at_the_root(
    project: Path, name: str, monkeypatch: pytest.MonkeyPatch, *, above: bool
) -> None:
    monkeypatch.setenv("COMMON_TASKS_AUTO", "")
    root = project.parent / "mono" if above else project
    if above:
        (root / ".git").mkdir(parents=True)
        (root / ".git" / "HEAD").touch()
        project = project.rename(root / "project")
    (root / name).write_text(MENTIONS[name])
    python(f"{WITHOUT_A_CLEAN}; {MAKES}", cwd=project)
    assert is_asked(project)


@pytest.mark.parametrize("text", ['asyncio_mode = "auto"', "# auto is good", "automatic = true", "auto"])
def test_other_words_are_no_mention(project: Path, text: str) -> None:
    (project / "pyproject.toml").write_text(f"[tool.x]\n{text}\n")
    python(MAKES, cwd=project)
    assert not is_asked(project)


def test_variable_mentions_it_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKE_TEMP_AUTO", "daily")
    python(MAKES, cwd=project)
    assert is_asked(project)


@pytest.mark.parametrize("word", ["off", "Off", "OFF", "0", "no", "False"])
def test_variable_forbids_it(project: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    (project / "invoke.yaml").write_text(MENTIONS["invoke.yaml"])
    monkeypatch.setenv("COMMON_TASKS_AUTO", word)
    assert python(MAKES, cwd=project).returncode == 0
    assert not (project / ".tmp" / names.AUTO).exists()


@pytest.mark.parametrize("stands", ["folder", "pipe", "link", "nothing writable"])
def test_mark_that_cannot_be_written_stops_nothing_and_starts_nothing(project: Path, turn: str, stands: str) -> None:
    os.unlink(turn)
    if stands == "folder":
        os.mkdir(turn)
    elif stands == "pipe":
        os.mkfifo(turn)
    elif stands == "link":
        os.symlink(project / "precious", turn)
    (project / "invoke.yaml").write_text(MENTIONS["invoke.yaml"])
    done = python(MAKES, cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (project / "precious").exists()


def test_report_is_read_as_it_was_written_and_leaves_the_turn_alone(turn: str) -> None:
    due = float(int(time.time()) + 3600)
    write(turn, due)
    assert mark.read_report(turn) is None
    report = mark.Report(1_700_000_000, 12, 34, ("one\nline", "\x1b[31mred", "a\udcffb"))
    with mark.own(turn) as owned:
        assert owned is not None
        mark.write_report(owned, report)
    assert mark.read_report(turn) == report._replace(problems=("one\\x0aline", "\\x1b[31mred", "a\\xffb"))
    assert os.stat(turn).st_mtime == due


@pytest.mark.parametrize("content", [b"", b"\n", b"\0" * 10, b"1 2", b"a b c", b"1 2 3 4", b"\xff" * 100])
def test_mark_that_was_cut_off_tells_nothing(turn: str, content: bytes) -> None:
    Path(turn).write_bytes(content)
    assert mark.read_report(turn) is None


def test_mark_is_one_processes_at_a_time(turn: str) -> None:
    with mark.own(turn) as first, mark.own(turn) as second:
        assert first is not None
        assert second is None
    with mark.own(turn) as third:
        assert third is not None


@pytest.mark.usefixtures("project")
def test_process_looks_once_and_again_after_an_hour(turn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.unlink(turn)
    get_debug_temp_dir("x")
    assert not os.path.exists(turn)
    later = time.monotonic() + 3601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    get_debug_temp_dir("x")
    assert os.path.exists(turn)


def test_mark_that_is_no_regular_file_is_nobodys(turn: str) -> None:
    os.unlink(turn)
    os.mkfifo(turn)
    with pytest.raises(FileExistsError), mark.own(turn):
        pass
    assert mark.read_report(turn) is None
