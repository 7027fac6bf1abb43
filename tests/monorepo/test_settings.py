"""Configuration and options, read and checked; in every form of a tasks.py."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.monorepo import settings
from common_tasks.project.errors import InvalidSetting
from common_tasks.temp.retention import Limit, Rule

from ..cli.test_tasks import FORMS
from ..helpers import OLD, SETUP, inv, inv_json, make_entry, slow


def read(*layers: Any, **variables: str) -> settings.Settings:
    return settings.read(layers, variables)


def test_file_that_cannot_be_looked_at_is_not_taken_for_none(project: Path) -> None:
    (project / "dist").mkdir()
    (project / "below").mkdir()
    (project / "below/setup.py").write_text(SETUP)
    (project / "below/dist").mkdir()
    (project / "below/invoke.yaml").symlink_to("invoke.yaml")  # a link to itself
    said = f"'{project}/below/invoke.yaml' cannot be read: Too many levels of symbolic links"
    assert [row["error"] for row in inv_json(project, "clean", "-a", code=1)["projects"]] == [None, said]
    assert ((project / "dist").exists(), (project / "below/dist").exists()) == (False, True)


def rule(**limits: Any) -> Rule:
    rules = read({"temp": {"retention": {"debug": limits}}}).rules
    assert rules is not None
    return rules["debug"]


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        ("90m", 5400, "90 minutes"),
        ("1h", 3600, "1 hour"),
        ("7d", 604_800, "7 days"),
        ("1.5d", 129_600, "1.5 days"),
        ("2 w", 1_209_600, "2 weeks"),
        ("0d", 0, "0 days"),
    ],
)
def test_age_is_a_number_and_a_unit(text: str, seconds: float, words: str) -> None:
    assert rule(max_age=text).max_age == Limit(seconds, words)


@pytest.mark.parametrize(
    ("text", "size", "words"),
    [
        ("500MB", 500_000_000, "500 MB"),
        ("2GB", 2_000_000_000, "2 GB"),
        ("2GiB", 2 * 2**30, "2 GiB"),
        ("1kB", 1000, "1 kB"),
        ("1KiB", 1024, "1 KiB"),
        ("1.5 tib", 1.5 * 2**40, "1.5 TiB"),
        ("2G", 2 * 2**30, "2 GiB"),
        ("64k", 2**16, "64 KiB"),
        ("3Mi", 3 * 2**20, "3 MiB"),
        ("0B", 0, "0 B"),
    ],
)
def test_size_is_written_as_people_do(text: str, size: float, words: str) -> None:
    assert rule(max_size=text).max_size == Limit(size, words)


RETENTION = "the setting temp.retention"
WRONG = {
    "{clean: {artifact: []}}": "the setting clean.artifact is unknown: clean takes artifacts, keep",
    "{clean: {keep: [1]}}": "the setting clean.keep takes a list of patterns, not [1]",
    "{clean: {keep: ['../x']}}": "the setting clean.keep: '../x' is not a pattern",
    "{clean: [x]}": "the setting clean takes artifacts, keep, not ['x']",
    "{temp: {retenton: {}}}": "the setting temp.retenton is unknown: temp takes retention",
    "{temp: {retention: 7d}}": f"{RETENTION} takes a rule for each category, not '7d'",
    "{temp: {retention: {debug: 7d}}}": f"{RETENTION}.debug takes one or more of max_age, max_size, keep_last",
    "{temp: {retention: {debug: {}}}}": f"{RETENTION}.debug takes one or more of",
    "{temp: {retention: {debug: {age: 7d}}}}": f"{RETENTION}.debug.age is unknown: a rule takes max_age, max_size,",
    "{temp: {retention: {debug: {max_age: 7}}}}": f"{RETENTION}.debug.max_age takes a number and m, h, d or w, such as",
    "{temp: {retention: {debug: {max_age: 7y}}}}": f"{RETENTION}.debug.max_age takes a number and",
    "{temp: {retention: {debug: {max_age: -7d}}}}": f"{RETENTION}.debug.max_age takes a number and",
    "{temp: {retention: {debug: {max_size: 2}}}}": f"{RETENTION}.debug.max_size takes a size such as 500MB or 2G",
    "{temp: {retention: {debug: {max_size: 2X}}}}": f"{RETENTION}.debug.max_size takes a size such as",
    "{temp: {retention: {debug: {max_size: '2'}}}}": f"{RETENTION}.debug.max_size takes a size such as",
    "{temp: {retention: {debug: {keep_last: -1}}}}": f"{RETENTION}.debug.keep_last takes a whole number from 0 up",
    "{temp: {retention: {debug: {keep_last: 1.5}}}}": f"{RETENTION}.debug.keep_last takes a whole number",
    "{temp: {retention: {debug: {keep_last: yes}}}}": f"{RETENTION}.debug.keep_last takes a whole number",
}


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("task", ["clean", slow("temp-clean"), slow("temp-status")])
def test_wrong_setting_is_one_line_and_nothing_is_touched(project: Path, task: str, text: str) -> None:
    entry, left = make_entry(project / ".tmp/x"), make_entry(project / "build")
    (project / "invoke.yaml").write_text(text)
    done = inv(project, task, code=2)
    assert done.stderr.startswith(WRONG[text])
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert entry.exists()
    assert left.exists()


VARIABLES = {
    "INVOKE_CLEAN_KEPT": "the variable INVOKE_CLEAN_KEPT is unknown; the known ones are INVOKE_CLEAN_ARTIFACTS,",
    "INVOKE_TEMP_RETENTION_DEBUG_AGE": "the variable INVOKE_TEMP_RETENTION_DEBUG_AGE is unknown",
    "INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE": "the variable INVOKE_TEMP_RETENTION_DEBUG_MAX_AGE takes a number and m,",
    "INVOKE_TEMP_RETENTION_MY_KIND_KEEP_LAST": "the variable INVOKE_TEMP_RETENTION_MY_KIND_KEEP_LAST takes a whole",
    "INVOKE_CLEAN_KEEP": "the variable INVOKE_CLEAN_KEEP: '../x' is not a pattern",
}


@pytest.mark.parametrize(
    ("variable", "form"),
    [
        *((variable, next(iter(FORMS))) for variable in VARIABLES),
        *(("INVOKE_CLEAN_KEEP", form) for form in [*FORMS][1:]),
        *(slow(variable, form) for variable in VARIABLES if variable != "INVOKE_CLEAN_KEEP" for form in [*FORMS][1:]),
    ],
)
def test_wrong_variable_is_one_line_in_every_form_of_a_tasks_file(project: Path, form: str, variable: str) -> None:
    (project / "tasks.py").write_text(FORMS[form])
    entry = make_entry(project / ".tmp/x")
    done = inv(project, "clean", code=2, env={**os.environ, variable: "../x"})
    assert done.stderr.startswith(VARIABLES[variable])
    assert done.stderr.count("\n") == 1
    assert entry.exists()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("configured", ["clean: {keep: [/other/]}", slow(""), slow("clean: {keep: []}")])
def test_variable_holds_in_every_form_of_a_tasks_file_and_over_the_file(
    project: Path, form: str, configured: str
) -> None:
    (project / "tasks.py").write_text(FORMS[form])
    (project / "invoke.yaml").write_text(configured)
    make_entry(project / "dist")
    make_entry(project / "build")
    document = inv_json(project, "clean", env={**os.environ, "INVOKE_CLEAN_KEEP": "/dist/"})
    assert [row["path"] for row in document["removed"]] == ["build"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("configured", ["temp: {retention: {debug: {keep_last: 3}}}", slow("")])
def test_rule_from_variables_holds_in_every_form_of_a_tasks_file(project: Path, form: str, configured: str) -> None:
    (project / "tasks.py").write_text(FORMS[form])
    (project / "invoke.yaml").write_text(configured)
    for number in range(4):
        make_entry(project / f".tmp/debug/demo_{OLD + number}", hours=10 - number)
    environment = {**os.environ, "INVOKE_TEMP_RETENTION_DEBUG_KEEP_LAST": "1"}
    document = inv_json(project, "temp-clean", env=environment)
    assert [row["path"] for row in document["kept"]] == [f".tmp/debug/demo_{OLD + 3}"]


CONFIGURED = {
    "ns": 'from common_tasks import ns\nns.configure({"temp": {"retention": {"debug": {"max_age": "7d"}}}})\n',
    "own ns": "from invoke import Collection\nfrom common_tasks import temp_clean\nns = Collection(temp_clean)\n"
    'ns.configure({"temp": {"retention": {"debug": {"max_age": "7d"}}}})\n',
}


@pytest.mark.parametrize("form", CONFIGURED)
def test_rules_come_from_ns_configure_too(project: Path, form: str) -> None:
    (project / "tasks.py").write_text(CONFIGURED[form])
    make_entry(project / f".tmp/debug/old_{OLD}", hours=24 * 8)
    make_entry(project / f".tmp/debug/young_{OLD}", hours=24 * 6)
    make_entry(project / f".tmp/data/x_{OLD}", hours=24 * 80)
    document = inv_json(project, "temp-clean")
    assert [(row["name"], row["reason"]) for row in document["removed"]] == [("old", "older than 7 days")]
    assert [row["reason"] for row in document["kept"]] == ["no rule for data", "younger than 7 days"]


def test_variable_of_a_section_of_ones_own_is_none_of_ours(project: Path) -> None:
    (project / "invoke.yaml").write_text("{clean_up: {at: night}, temp_folder: x}")
    environment = {**os.environ, "INVOKE_CLEAN_UP_AT": "noon", "INVOKE_TEMP_FOLDER": "y"}
    inv(project, "clean", env=environment)


def test_first_configuration_that_has_a_setting_gives_it() -> None:
    own = {"clean": {"keep": ["/own/"]}}
    shared = {"clean": {"keep": ["/shared/"], "artifacts": ["/out/"]}, "temp": {"retention": {"x": {"max_age": "1d"}}}}
    found = read(own, shared)
    assert found.keep.match((), "own", directory=True)
    assert not found.keep.match((), "shared", directory=True)
    assert found.artifacts.match((), "out", directory=True)
    assert found.rules
    assert list(found.rules) == ["x"]


def test_variable_of_a_category_is_spelled_as_in_the_file() -> None:
    rules = read({"temp": {"retention": {"My-Kind": {"max_age": "1d"}}}}, INVOKE_TEMP_RETENTION_MY_KIND_KEEP_LAST="2")
    assert rules.rules == {"My-Kind": Rule(max_age=Limit(86_400, "1 day"), keep_last=2)}


def test_empty_variable_is_unset() -> None:
    assert read({"clean": {"keep": ["/x/"]}}, INVOKE_CLEAN_KEEP="").keep.match((), "x", directory=True)


@pytest.mark.parametrize(
    ("option", "value", "takes"),
    [
        ("--keep-last", "x", "a whole number from 0 up, not 'x'"),
        ("--keep-last", "-1", "a whole number from 0 up, not '-1'"),
        ("--max-size", "12", "a size such as 500MB or 2G, not '12'"),
        ("--max-age-hours", "7d", "a number of hours from 0 up, such as 24 or 0.5, not '7d'"),
    ],
)
def test_wrong_option_is_one_line_that_names_it(project: Path, option: str, value: str, takes: str) -> None:
    entry = make_entry(project / ".tmp/x")
    done = inv(project, "temp-clean", f"{option}={value}", code=2)
    assert done.stderr == f"{option} takes {takes}\n"
    assert entry.exists()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["clean", "keep", "temp", "retention", "debug", "max_age", "x"]), inner, max_size=3
            )
        ),
    )
)
def test_any_configuration_is_read_or_refused_in_one_line(value: Any) -> None:
    said = ""
    try:
        read({"clean": value}, {"temp": value}, {"temp": {"retention": value}})
    except InvalidSetting as error:
        said = str(error)
    assert "\n" not in said


def test_tasks_that_cannot_be_read_are_not_taken_for_none(project: Path) -> None:
    (project / "below/dist").mkdir(parents=True)
    (project / "below/setup.py").write_text(SETUP)
    (project / "below/tasks.py").symlink_to("tasks.py")  # a link to itself
    said = f"'{project}/below/tasks.py' cannot be read: Too many levels of symbolic links"
    assert [row["error"] for row in inv_json(project, "clean", "-a", code=1)["projects"]] == [None, said]
    assert (project / "below/dist").exists()
