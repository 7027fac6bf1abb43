"""What an audit is asked for, and what it found."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import checklist, t0_shadow
from .finding import Finding, Item


class Scope(NamedTuple):
    """What is audited: projects of the monorepo at `root`, in them `paths` (all where there are none).

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


class Repository(NamedTuple):
    """What is there: all Python files, all projects but those that are data of tests, the modules that hide ours."""

    programs: tuple[Path, ...]
    projects: frozenset[Path]
    shadows: tuple[t0_shadow.Shadow, ...]

    def home(self, path: Path) -> Path | None:
        """Return the project that a file belongs to: the nearest above it."""
        return next((folder for folder in path.parents if folder in self.projects), None)


class Audit(NamedTuple):
    """What an audit found, by project. `engine` is the module that new names are imported from."""

    scope: Scope
    repository: Repository
    findings: dict[Path, tuple[Finding, ...]]
    engine: str

    @property
    def rows(self) -> Iterator[Finding]:
        """Every finding."""
        return (finding for findings in self.findings.values() for finding in findings)

    @property
    def checklist(self) -> tuple[Item, ...]:
        """The checklist, project by project."""
        lists = (checklist.make_checklist(project, found) for project, found in self.findings.items())
        return tuple(item for items in lists for item in items)
