"""What there is in all projects of a monorepo, and what a clean of all did: a row a project."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..temp.entry import Entry, Outcome
from ..temp.retention import Due
from . import cells, document
from .console import Line, Screen, line
from .outcome import show_outcome
from .outlook import outlook
from .table import Column, Row, Table, lay_out, lines
from .text import age, count, shown, size
from .text import entries as count_entries

_STATUS = (
    Column("Entries"),
    cells.SIZE,
    cells.SHARE,
    Column("Oldest", 2),
    Column("In use", 1),
    Column("A clean frees"),
)
_OUTCOME = (cells.SIZE, cells.SHARE, Column("Kept", 1), Column("Failed"))


class ProjectStatus(NamedTuple):
    """What there is in one project, and what a clean lets go when. `error`: why it could not be looked at."""

    root: Path
    entries: Sequence[Entry] = ()
    due: Sequence[Due] = ()
    error: str | None = None


class ProjectOutcome(NamedTuple):
    """What a clean did in one project. `error`: why it was left alone."""

    root: Path
    outcome: Outcome
    error: str | None = None


def show_projects(
    root: Path, projects: Sequence[ProjectStatus], now: float, *, as_json: bool, clean: str | None
) -> None:
    """Print what there is in the projects of the monorepo at `root`. `now`: seconds since 1970.

    `clean`: the command that cleans, to be proposed.
    """
    if as_json:
        rows = [document.status(project.root, project.entries) for project in projects]
        write_documents(root, rows, [project.error for project in projects], {})
        return
    screen = Screen()
    screen.show(_Status(root, projects, now, screen).lines(clean))


def show_outcomes(
    root: Path, projects: Sequence[ProjectOutcome], now: float, *, dry_run: bool, as_json: bool, full: bool = False
) -> None:
    """Print what a clean did in the projects of a monorepo, or with `dry_run` would do: each, then all as a table.

    On a terminal a project of which all is kept has a row in the table alone, unless `full`.
    """
    if as_json:
        rows = [document.outcome(project.root, project.outcome, dry_run=dry_run) for project in projects]
        freed = sum(project.outcome.freed_bytes for project in projects)
        write_documents(root, rows, [project.error for project in projects], {"dry_run": dry_run, "freed_bytes": freed})
        return
    screen = Screen()
    whole = full or not screen.is_terminal
    for project in projects:
        if project.outcome.removed or project.outcome.failed or (whole and project.outcome.kept):
            show_outcome(project.root, project.outcome, now, dry_run=dry_run, as_json=False, full=full)
            screen.show([()])
    screen.show(_Outcomes(root, projects, dry_run, screen).lines())


def show_hint(projects: Sequence[Sequence[Entry]], status: str | None) -> None:
    """Say in one line what the projects below hold, if anything. `status`: the command that shows a project."""
    if not projects:
        return
    taken = sum(cells.disk_bytes(entry) for entries in projects for entry in entries)
    hold = count(len(projects), "project below holds", "projects below hold")
    Screen().show([line(f"{hold} {size(taken)}: {status or 'temp-status'} --all-projects")])


def write_documents(
    root: Path, rows: Sequence[dict[str, Any]], errors: Sequence[str | None], more: dict[str, Any]
) -> None:
    """Print the documents of projects as one, on standard output."""
    every = [entry for row in rows for entry in row.get("entries", row.get("removed", ()))]
    total = {
        "projects": len(rows),
        "entries": len(every),
        "files": sum(entry["files"] or 0 for entry in every),
        "disk_bytes": sum(entry["disk_bytes"] or 0 for entry in every),
    }
    projects = [
        {**row, "error": None if error is None else document.plain(error)}
        for row, error in zip(rows, errors, strict=True)
    ]
    document.write(
        {"schema": document.SCHEMA, "root": document.plain(root), **more, "projects": projects, "total": total}
    )


def name(root: Path, project: Path) -> str:
    """Return how a project is called in its monorepo: where it stands below the root."""
    return project.relative_to(root).as_posix()


@dataclass(frozen=True, slots=True)
class _Status:
    """What there is, and what it takes to draw it."""

    root: Path
    projects: Sequence[ProjectStatus]
    now: float
    screen: Screen

    def lines(self, clean: str | None) -> Iterator[Line]:
        """Draw all of it."""
        listed = [project for project in self.projects if project.entries]
        every = [entry for project in listed for entry in project.entries]
        yield line(shown(self.root, self.screen.encoding), "bold")
        if listed:
            table = Table(label="Project", columns=_STATUS, note="", rows=tuple(self._rows(listed, every)))
            yield from lines(table, lay_out(table, self.screen))
        yield from _closing(self.root, self.projects, len(listed), self.screen)
        yield from outlook([project.due for project in listed], clean, self.screen.width)

    def _rows(self, listed: Sequence[ProjectStatus], every: Sequence[Entry]) -> Iterator[Row]:
        whole = sum(map(cells.disk_bytes, every))
        for project in sorted(listed, key=lambda project: -sum(map(cells.disk_bytes, project.entries))):
            label = shown(name(self.root, project.root), self.screen.encoding)
            link = project.root.as_uri() if self.screen.is_terminal else ""
            yield Row(label, self._cells(project.entries, project.due, whole), link=link)
        due = [due for project in listed for due in project.due]
        yield Row(f"Total: {count(len(listed), 'project')}", self._cells(every, due, whole), style="bold", head=True)

    def _cells(self, entries: Sequence[Entry], due: Sequence[Due], whole: int) -> tuple[str, ...]:
        taken = sum(map(cells.disk_bytes, entries))
        oldest = min(filter(None, map(cells.changed, entries)), default=self.now)
        used = sum(entry.state == "in-use" for entry in entries)
        free = sum(cells.disk_bytes(row.entry) for each in due if each.when == "now" for row in each.rows)
        bar = cells.bar(taken, whole)
        return f"{len(entries):,}", size(taken), bar, age(self.now - oldest), f"{used:,}" if used else "", size(free)


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What became of projects, and what it takes to draw it."""

    root: Path
    projects: Sequence[ProjectOutcome]
    dry_run: bool
    screen: Screen

    def lines(self) -> Iterator[Line]:
        """Draw all of it."""
        listed = [each for each in self.projects if each.outcome.removed or each.outcome.kept or each.outcome.failed]
        yield line(shown(self.root, self.screen.encoding), "bold")
        if listed:
            columns = (Column("Would remove" if self.dry_run else "Removed"), *_OUTCOME)
            table = Table(label="Project", columns=columns, note="", rows=tuple(self._rows(listed)))
            yield from lines(table, lay_out(table, self.screen))
        yield from _closing(self.root, self.projects, len(listed), self.screen)
        yield line(self._summary())

    def _rows(self, listed: Sequence[ProjectOutcome]) -> Iterator[Row]:
        whole = sum(each.outcome.freed_bytes for each in listed)
        for each in sorted(listed, key=lambda project: -project.outcome.freed_bytes):
            label = shown(name(self.root, each.root), self.screen.encoding)
            yield Row(label, self._cells([each], whole), style="red" if each.outcome.failed else "")
        yield Row(f"Total: {count(len(listed), 'project')}", self._cells(listed, whole), style="bold", head=True)

    def _cells(self, some: Sequence[ProjectOutcome], whole: int) -> tuple[str, ...]:
        freed = sum(each.outcome.freed_bytes for each in some)
        kept, failed = sum(len(each.outcome.kept) for each in some), sum(len(each.outcome.failed) for each in some)
        removed = f"{sum(len(each.outcome.removed) for each in some):,}"
        return (
            removed,
            size(freed),
            cells.bar(freed, whole),
            f"{kept:,}" if kept else "",
            f"{failed:,}" if failed else "",
        )

    def _summary(self) -> str:
        removed = sum(len(each.outcome.removed) for each in self.projects)
        failed = sum(len(each.outcome.failed) for each in self.projects)
        freed = size(sum(each.outcome.freed_bytes for each in self.projects))
        verb = "Would remove" if self.dry_run else "Removed"
        said = f"{verb} {count_entries(removed)}, {freed}" if removed else f"{verb} nothing"
        said += f"; {failed:,} could not be removed" if failed else ""
        return f"{said}; nothing was removed: this was a dry run" if self.dry_run and removed else said


def _closing(
    root: Path, projects: Sequence[ProjectStatus] | Sequence[ProjectOutcome], listed: int, screen: Screen
) -> Iterator[Line]:
    for project in projects:
        if project.error:
            yield line(shown(f"FAILED {name(root, project.root)}: {project.error}", screen.encoding), "red")
    rest = sum(not project.error for project in projects) - listed
    if rest > 0:
        yield line(f"{count(rest, 'more project holds', 'more projects hold')} nothing" if listed else _nothing(rest))


def _nothing(projects: int) -> str:
    return f"Nothing in {count(projects, 'project')}"
