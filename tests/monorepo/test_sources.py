"""Where settings come from, and which of them win."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from ..helpers import INV, OLD, command, inv, inv_json, make_entry


def kept_by(project: Path, *words: str, **variables: str) -> set[str]:
    for name in "abcde":
        (project / name).mkdir(exist_ok=True)
    document = inv_json(project, *words, "clean", "--dry-run", env={**os.environ, **variables})
    return {*"abcde"} - {row["path"] for row in document["removed"]}


def say(path: Path, name: str) -> None:
    text = json.dumps({"clean": {"keep": [f"/{name}/"], "artifacts": ["/?/"]}})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_is_more_particular_wins_as_in_invoke(project: Path, tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path / "home")}
    say(tmp_path / "home/.invoke.yaml", "a")
    assert kept_by(project, **home) == {"a"}
    (project / "tasks.py").write_text(
        "from common_tasks import ns\nns.configure({'clean': {'keep': ['/b/'], 'artifacts': ['/?/']}})\n"
    )
    assert kept_by(project, **home) == {"b"}
    say(project / "invoke.yaml", "c")
    assert kept_by(project, **home) == {"c"}
    assert kept_by(project, **home, INVOKE_CLEAN_KEEP="/d/") == {"d"}
    say(tmp_path / "run.json", "e")
    assert kept_by(project, "-f", str(tmp_path / "run.json"), **home, INVOKE_CLEAN_KEEP="/d/") == {"e"}


def test_file_given_on_the_command_line_holds_for_all_projects(project: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (project / name / "dist").mkdir(parents=True)
        (project / name / "pyproject.toml").touch()
        (project / name / "invoke.yaml").write_text("clean: {keep: []}")
    (tmp_path / "run.yaml").write_text("clean: {keep: [/dist/]}")
    assert inv_json(project, "-f", str(tmp_path / "run.yaml"), "clean", "-a", "--dry-run")["total"]["entries"] == 0
    assert inv_json(project, "clean", "-a", "--dry-run")["total"]["entries"] == 2


def test_table_in_pyproject_is_a_source(project: Path) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.common-tasks.clean]\nkeep = ["/dist/"]\n[tool.common-tasks.temp.retention]\n2024 = {max_age = "7d"}\n'
    )
    (project / "dist").mkdir()
    make_entry(project / f".tmp/2024/old_{OLD}", hours=24 * 8)
    document = inv_json(project, "clean")
    assert [(row["name"], row["reason"]) for row in document["removed"]] == [("old", "older than 7 days")]
    assert (project / "dist").exists()


def test_file_given_on_the_command_line_that_is_missing_is_refused(project: Path) -> None:
    left = make_entry(project / ".tmp/x")
    assert (
        inv(project, "-f", "nope.yaml", "clean", code=2).stderr
        == "--config takes a file that exists, not 'nope.yaml'\n"
    )
    assert left.exists()


@pytest.mark.parametrize("name", ["invoke.yaml", "invoke.json"])
def test_same_key_in_two_files_of_one_folder_is_refused(project: Path, name: str) -> None:
    (project / "pyproject.toml").write_text('[tool.common-tasks.clean]\nkeep = ["/dist/"]\n')
    (project / name).write_text('{"clean": {"keep": []}}')
    said = inv(project, "clean", code=2).stderr
    where = f"'{project}/{name}' and in '{project}/pyproject.toml'"
    assert said == f"the setting clean.keep is in {where}: keep one of them\n"
    (project / name).write_text('{"clean": {"artifacts": []}}')
    inv(project, "clean")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.common-tasks.tmp]\nx = 1\n", "[tool.common-tasks] takes clean, temp, migrate, not 'tmp'"),
        ("[tool.common-tasks.clean]\nkept = []\n", "the setting clean.kept is unknown"),
        ("[tool.common-tasks\n", "cannot be read: "),
        ("# x\n" * 2**18 + "[tool.common-tasks]\n", "cannot be read: File too large"),
        ("[tool.common_tasks.clean]\nkeep = []\n", "the table is called [tool.common-tasks], not [tool.common_tasks]"),
    ],
)
def test_wrong_table_in_pyproject_is_one_line(project: Path, text: str, said: str) -> None:
    (project / "pyproject.toml").write_text(text)
    left = make_entry(project / "build")
    stderr = inv(project, "clean", code=2).stderr
    assert said in stderr
    assert stderr.count("\n") == 1
    assert left.exists()


def test_pyproject_that_says_nothing_of_ours_may_be_a_template(project: Path) -> None:
    (project / "pyproject.toml").write_text("{% if x %}\nname = {{ cookiecutter.name }}\n")
    inv(project, "clean")


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_settings_that_a_stranger_could_have_put_there_are_not_read(project: Path) -> None:
    project.chmod(0o1777)
    (project / "invoke.yaml").write_text('clean: {artifacts: ["*"]}')
    os.chown(project / "invoke.yaml", 65534, 65534)
    (project / "precious.txt").touch()
    assert "put there by another user" in inv(project, "clean", code=2).stderr
    assert (project / "precious.txt").exists()


@pytest.mark.parametrize("category", ["2024", "no", "1.5", "null"])
def test_category_is_text_whatever_yaml_would_read(project: Path, category: str) -> None:
    (project / "invoke.yaml").write_text(f"temp: {{retention: {{{category}: {{max_age: 7d}}}}}}")
    make_entry(project / f".tmp/{category}/old_{OLD}", hours=24 * 8)
    removed = json.loads(command(project, "temp-clean", "--json").stdout)["removed"]
    assert [row["reason"] for row in removed] == ["older than 7 days"]


def test_empty_limit_in_a_variable_is_a_wrong_value(project: Path) -> None:
    entry = make_entry(project / ".tmp/x")
    variables = {**os.environ, "INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE": ""}
    said = inv(project, "temp-clean", code=2, env=variables).stderr
    assert said.startswith("the variable INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE takes a number and m, h, d or w")
    assert entry.exists()


def test_importing_changes_no_variable_and_programs_started_by_tasks_see_them(project: Path) -> None:
    (project / "invoke.yaml").write_text("clean: {keep: [/x/]}")
    (project / "tasks.py").write_text(
        "import os\nfrom invoke import task\nfrom common_tasks import clean\n"
        "@task\ndef show(c):\n    c.run('echo $INVOKE_CLEAN_KEEP')\n"
        "class Shown(type(clean)):\n    pass\n"
    )
    variables = {**os.environ, "INVOKE_CLEAN_KEEP": "/dist/"}
    code = "import os; before = dict(os.environ); from common_tasks import ns; assert dict(os.environ) == before"
    subprocess.run([str(Path(INV).with_name("python3")), "-c", code], cwd=project, check=True, env=variables)
    (project / "invoke.yaml").unlink()
    assert inv(project, "show", env=variables).stdout == "/dist/\n"
