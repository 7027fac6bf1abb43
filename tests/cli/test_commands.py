"""Commands that are proposed work as printed, from where one stands."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ..helpers import INV, inv, make_entry, slow

BARE = "from common_tasks import clean, temp_clean, temp_status\n"
OF_ITS_OWN = BARE + "from invoke import Collection\nns = Collection()\n"
FORMS = {
    "from common_tasks import ns\n": "temp-status",
    BARE: "temp-status",
    "from common_tasks import *\n": "temp-status",
    OF_ITS_OWN + "for task in (clean, temp_clean, temp_status): ns.add_task(task)\n": "temp-status",
    OF_ITS_OWN + "ns.add_collection(Collection('tmp', clean, temp_clean, temp_status))\n": "tmp.temp-status",
    "import common_tasks\n" + OF_ITS_OWN + "ns.add_collection(common_tasks.ns, 'common')\n": "common.temp-status",
    BARE + "from invoke import Config, Collection\nns = Collection(); ns.add_task(temp_clean, name='tidy')\n"
    "ns.add_task(temp_status)\n": "temp-status",
}
PATH = f"{Path(INV).parent}{os.pathsep}{os.environ['PATH']}"


def proposed(said: str) -> str:
    return said.splitlines()[-1].removeprefix("To see which: ")


def run(command: str, cwd: Path, path: str = PATH) -> str:
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        ["bash", "-c", command], cwd=cwd, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_command_has_the_name_that_the_task_has_there(
    project: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", PATH)
    (project / "tasks.py").write_text(form)
    make_entry(project / ".tmp/x")
    name, *words = shlex.split(proposed(inv(project, FORMS[form]).stdout))
    assert name == "inv"
    assert "would remove  .tmp/x" in inv(project, *words).stdout


@pytest.mark.parametrize(
    "start", ["python -m invoke", slow("inv -c tasks"), slow("inv"), slow("inv --search-root ../project")]
)
def test_command_is_run_as_the_one_before(project: Path, start: str) -> None:
    make_entry(project / ".tmp/x")
    command = proposed(run(f"{start} temp-status", project))
    assert command == f"{start} temp-clean --dry-run"
    assert "would remove  .tmp/x" in run(command, project)


def test_program_that_is_not_on_the_path_is_named_by_its_place(project: Path) -> None:
    make_entry(project / ".tmp/x")
    (project / ".venv").mkdir()
    (project / ".venv/bin").symlink_to(Path(INV).parent)
    said = run(".venv/bin/inv temp-status", project, os.defpath)
    assert proposed(said) == ".venv/bin/inv temp-clean --dry-run"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this system does not tell who started what")
def test_program_that_another_one_was_told_to_run_is_run_by_it_again(project: Path) -> None:
    make_entry(project / ".tmp/x")
    command = proposed(run(f"timeout 60 {INV} temp-status", project, os.defpath))
    assert command == f"timeout 60 {INV} temp-clean --dry-run"
    assert "would remove  .tmp/x" in run(command, project)


@pytest.mark.skipif(not shutil.which("xargs"), reason="there is no xargs")
def test_program_that_reads_the_words_to_run_is_not_proposed(project: Path) -> None:
    make_entry(project / ".tmp/x")
    assert proposed(run("xargs inv temp-status < /dev/null", project)) == "inv temp-clean --dry-run"


def test_task_that_another_task_calls_proposes_nothing(project: Path) -> None:
    make_entry(project / "below/.tmp/x")
    (project / "below/pyproject.toml").touch()
    (project / "tasks.py").write_text(
        "from invoke import task\nfrom common_tasks import temp_status\n\n"
        "@task\ndef below(c):\n    with c.cd('below'):\n        temp_status(c)\n"
    )
    assert "temp-clean" not in inv(project, "below").stdout


def test_help_says_what_is_swept_how_to_change_that_and_what_takes_hours(project: Path) -> None:
    said = inv(project, "--help", "clean").stdout
    for words in ("__pycache__", "clean.artifacts", "clean.keep", "at any age", "HOURS"):
        assert words in said
    assert "STRING" not in said
    assert "HOURS" in inv(project, "--help", "temp-clean").stdout


def test_short_f_is_force_or_nothing(project: Path) -> None:
    assert "-f, --force" in inv(project, "--help", "temp-clean").stdout
    assert "-f," not in inv(project, "--help", "temp-status").stdout
