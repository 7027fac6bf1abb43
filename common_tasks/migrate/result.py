"""What an audit is asked for, what it found, and which lines of the guide's checklist that keeps open."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import project_files, shadowing
from .finding import Finding, Item
from .kinds import is_test
from .repository import Repository

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
    if finding.path.name == project_files.GITIGNORE:
        return IGNORED
    if finding.code == project_files.CODE:
        return TASKS
    if finding.code == shadowing.CODE:
        return SHADOW
    if path.parts[0] in (project_files.TASK_FILE, "tasks"):
        return TASK_FILES
    return TESTS if is_test(path) else SCRIPTS


class Scope(NamedTuple):
    """What is audited: projects of the monorepo at `root`, of which only `paths` are shown (all if there are none).

    `helpers`: dotted names of legacy helpers, besides the known ones.
    """

    root: Path
    projects: tuple[Path, ...]
    paths: tuple[Path, ...] = ()
    helpers: frozenset[str] = frozenset()

    @property
    def shown_from(self) -> Path:
        """What shown paths are relative to: the project if there is just one, else the monorepo."""
        return self.projects[0] if len(self.projects) == 1 else self.root

    def shows(self, path: Path) -> bool:
        """Tell whether a file is among those asked for."""
        return not self.paths or any(path.is_relative_to(top) for top in self.paths)


class Audit(NamedTuple):
    """What an audit found in whole projects. `left`: how many uses are right as they are, by what they are."""

    scope: Scope
    repository: Repository
    findings: dict[Path, tuple[Finding, ...]]
    left: Counter[str]

    @property
    def rows(self) -> tuple[Finding, ...]:
        """Every finding that is asked for."""
        return tuple(row for project in self.findings for row in self.shown(project))

    def shown(self, project: Path) -> tuple[Finding, ...]:
        """Return the findings of a project that are asked for."""
        return tuple(row for row in self.findings[project] if self.scope.shows(row.path))

    @property
    def checklist(self) -> tuple[Item, ...]:
        """The checklist, project by project: it covers everything, even what is not shown."""
        items = []
        for project, found in self.findings.items():
            still_open = {line_of(finding, project) for finding in found if not finding.fixed}
            items += [Item(project, *line, done=line not in still_open) for line in LINES]
        return tuple(items)

    def with_each(self, act: Callable[[Finding], Finding]) -> "Audit":
        """Return it with `act` applied to each finding."""
        return self._replace(findings={project: tuple(map(act, rows)) for project, rows in self.findings.items()})
