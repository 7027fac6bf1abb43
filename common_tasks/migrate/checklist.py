"""The guide's checklist: which finding keeps which of its lines open."""

from collections.abc import Iterable
from pathlib import Path

from . import gitignore, shadowing, task_files
from .finding import Finding, Item
from .kinds import is_test

SCRIPTS = "scripts", "Scripts take their temporary directories from TempManager"
TESTS = "tests", "Tests take their temporary directories from pytest_temp_dirs"
TASK_FILES = "task files", "Task files use TempManager in place of get_temp_dir"
TASKS = "task files", "tasks.py has temp-status, temp-clean and clean"
SHADOW = "task files", "No module of its own hides common_tasks"
IGNORED = "configuration", "git ignores .tmp/ and .temp/"
LINES = (SCRIPTS, TESTS, SHADOW, TASK_FILES, TASKS, IGNORED)


def line_of(finding: Finding, project: Path) -> tuple[str, str]:
    """Return the group and the text of the line that a finding keeps open in its project."""
    path = finding.path.relative_to(project)
    if finding.path.name == gitignore.NAME:
        return IGNORED
    if finding.code == task_files.CODE:
        return TASKS
    if finding.code == shadowing.CODE:
        return SHADOW
    if path.parts[0] in (task_files.NAME, "tasks"):
        return TASK_FILES
    return TESTS if is_test(path) else SCRIPTS


def make_checklist(project: Path, findings: Iterable[Finding]) -> tuple[Item, ...]:
    """Return the checklist of a project, all of whose findings these are."""
    still_open = {line_of(finding, project) for finding in findings if not finding.fixed}
    return tuple(Item(project, *line, done=line not in still_open) for line in LINES)
