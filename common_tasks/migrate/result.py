"""What an audit is asked for, and what it found."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from . import checklist
from .finding import Finding, Item
from .repository import Repository


class Scope(NamedTuple):
    """What is audited: projects of the monorepo at `root`, of which only `paths` are shown (all where there are none).

    `helpers`: dotted names of legacy helpers, beside the known ones.
    """

    root: Path
    projects: tuple[Path, ...]
    paths: tuple[Path, ...] = ()
    helpers: frozenset[str] = frozenset()

    @property
    def shown_from(self) -> Path:
        """What shown paths are relative to: the project where it is one, else the monorepo."""
        return self.projects[0] if len(self.projects) == 1 else self.root

    def shows(self, path: Path) -> bool:
        """Tell whether a file is among those asked for."""
        return not self.paths or any(path.is_relative_to(top) for top in self.paths)


class Audit(NamedTuple):
    """What an audit found in whole projects. `engine` is the module that new names are imported from.

    `left`: how many uses there are that are right as they are, by what they are.
    """

    scope: Scope
    repository: Repository
    findings: dict[Path, tuple[Finding, ...]]
    engine: str
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
        """The checklist, project by project: of all that is there, whatever is shown."""
        lists = (checklist.make_checklist(project, found) for project, found in self.findings.items())
        return tuple(item for items in lists for item in items)

    def with_each(self, act: Callable[[Finding], Finding]) -> "Audit":
        """Return it with each finding as `act` makes it."""
        return self._replace(findings={project: tuple(map(act, rows)) for project, rows in self.findings.items()})
