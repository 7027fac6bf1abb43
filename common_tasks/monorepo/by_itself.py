"""What a clean by itself does: the same as `temp-clean` by the rules, except that what changed within an hour stays.

Before anything is removed, each base notes when its next turn comes; afterwards, it notes what was done.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from ..fs import lock
from ..fs.directory import Directory
from ..fs.lock import Claim
from ..project.errors import TempError
from ..temp import mark, names
from ..temp.base import open_base
from ..temp.entry import Outcome
from ..temp.layout import Project
from ..temp.mark import DAY, HOUR, Report
from ..temp.tag import is_tagged
from . import members
from .choice import Choice
from .members import Aim, Member, Scope
from .settings import Settings

_MOST_TOLD = 10  # problems of one project


def run(project: Project, monorepo: Path, settings_of: Callable[[Path], Settings]) -> None:
    """Clean what the settings say: all projects of the monorepo if its root asks for that, else this one.

    What went wrong is noted in the project's base, and shown by the next `temp-status`; nothing is printed.
    """
    try:
        scope = _scope(project, monorepo, settings_of)
        if scope is None:
            _put_off([project], time.time() + DAY, asked=False)
            return
        # Only one clean of these projects by itself at a time: the lock is on their folder, so no lock file is needed.
        with Directory.at(scope.root, follow=True) as folder, lock.claim(folder.fd) as claim:
            if claim is not Claim.REFUSED:
                _clean(scope, settings_of(scope.root))
    except (TempError, OSError) as error:
        note(project, time.time(), str(error))


def note(project: Project, now: float, problem: str) -> None:
    """In the base of the project that asked for a clean, note what stopped it. `now`: seconds since 1970."""
    _write(project, partial(mark.write_report, report=Report(now, problems=(problem,))))


def _scope(project: Project, monorepo: Path, settings_of: Callable[[Path], Settings]) -> Scope | None:
    """Return what to clean; None if the project does not ask for that. Raises InvalidSetting."""
    if settings_of(project.root).auto is None:
        return None
    whole = settings_of(monorepo).auto is not None
    return Scope(root=monorepo if whole else project.root, project=project, settings_of=settings_of, whole=whole)


def _clean(scope: Scope, settings: Settings) -> None:
    period = settings.auto or HOUR
    found = members.asked_for(scope, members.find(scope, Aim(cleaned=True)))
    asked = [member for member in found if member.settings is None or member.settings.auto]
    _put_off([member.project for member in asked], time.time() + period, asked=True)
    looked = members.with_entries(asked)
    plans = Choice(period=period).plans(looked, time.time())
    for member, outcome in zip(looked, members.carry_out(plans), strict=True):
        _write(member.project, partial(mark.write_report, report=_report(member, outcome)))


def _report(member: Member, outcome: Outcome) -> Report:
    problems = [member.error] if member.error else []
    problems += [f"{row.entry.path}: {row.reason}" for row in outcome.failed[:_MOST_TOLD]]
    if len(outcome.failed) > _MOST_TOLD:
        problems.append(f"{len(outcome.failed) - _MOST_TOLD} more could not be removed")
    return Report(time.time(), len(outcome.removed), outcome.freed_bytes, tuple(problems))


def _put_off(projects: Iterable[Project], due: float, *, asked: bool) -> None:
    """Write when the projects' next turn comes."""
    for project in projects:
        _write(project, partial(mark.write_turn, due=due, asked=asked))


def _write(project: Project, write: Callable[[int], None]) -> None:
    """Write into the mark in a project's base, if that is possible: no clean depends on it."""
    for path in _marks(project):
        with contextlib.suppress(OSError), mark.own(path) as owned:
            if owned is not None:
                write(owned)


def _marks(project: Project) -> list[str]:
    """Return the path of the mark in a project's base, if the engine has made that base."""
    base = project.bases[0]
    with contextlib.suppress(OSError):  # refused, or gone
        directory = open_base(base)
        if directory is not None:
            with directory:
                return [f"{base.path}/{names.AUTO}"] if is_tagged(directory) else []
    return []


def last_report(project: Project) -> Report | None:
    """Return what the last clean by itself did in a project; None if there was none."""
    return next(filter(None, map(mark.read_report, _marks(project))), None)


def waits_for_hand(member: Member) -> bool:
    """Tell whether a project has rules that apply only when somebody runs a clean."""
    settings = member.settings
    return settings is not None and settings.policy.rules is not None and settings.auto is None
