"""Where output goes, what that costs, and what a document holds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from common_tasks.fs.values import Usage
from common_tasks.report import ProjectStatus, document
from common_tasks.report.console import Screen

from ..helpers import INV, fresh_python, make_entry, slow
from .conftest import ENTRIES, ROOT, On, entry, outcome, outcome_of, status_of


@pytest.mark.parametrize(
    "words", [["temp-clean"], slow(["temp-status"]), slow(["temp-status", "--json"]), slow(["clean", "--dry-run"])]
)
def test_closed_output_is_no_fault(project: Path, words: list[str]) -> None:
    make_entry(project / ".tmp/x")
    done = subprocess.run(["bash", "-c", f"{INV} {' '.join(words)} >&-"], cwd=project, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (project / ".tmp/x").exists() is (words != ["temp-clean"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_line_and_code_1(project: Path) -> None:
    make_entry(project / ".tmp/x")
    done = subprocess.run(["bash", "-c", f"{INV} temp-status >/dev/full"], cwd=project, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


def test_screen_without_a_terminal_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert (Screen().width, Screen().is_terminal) == (None, False)


def test_pipe_loads_nothing_of_rich(project: Path) -> None:
    make_entry(project / ".tmp/x")
    code = "import sys\nfrom pathlib import Path\nfrom common_tasks.report import *\n"
    code += "from common_tasks.temp import inventory, layout\n"
    code += "entries = inventory.scan([layout.find_project()])\n"
    code += "show_status(Path('/'), [ProjectStatus(Path('/'), entries)], 0, View())\n"
    assert fresh_python(code + "print('rich' in sys.modules)", cwd=project).stdout.splitlines()[-1] == "False"


def test_document_holds_the_same_facts(on: On) -> None:
    document = json.loads(on(80, lambda: outcome_of(outcome(), dry_run=True, as_json=True)))
    assert [row["path"] for row in document["removed"]] == [
        f".tmp/wide/{'n' * 29}_1696348800",
        ".tmp/cache/thumbnails_1795406659",
        "build",
    ]
    assert document["kept"][0]["reason"] == ENTRIES[1].reason


def test_age_of_what_cannot_be_looked_into_is_not_made_up(on: On) -> None:
    unread = entry(".tmp/x", 4096, 1)._replace(usage=Usage(0, 0, 0.0, 0.0, fault="x: Permission denied"))
    row = next(line for line in on(None, lambda: status_of([unread])).splitlines() if ".tmp/x" in line)
    assert row.split() == [".tmp/.tmp/x", "0", "B", "0", "?", "idle"]
    [facts] = document.statuses(ROOT, [ProjectStatus(ROOT, [unread])], whole=False)["entries"]
    assert (facts["modified"], facts["changed"], facts["disk_bytes"]) == (None, None, 0)
