"""Entries and outcomes, drawn as tables or written as JSON; and the progress of long work.

The only package that imports rich and humanize.
"""

from .monorepo import ProjectOutcome as ProjectOutcome
from .monorepo import ProjectStatus as ProjectStatus
from .monorepo import show_hint as show_hint
from .monorepo import show_outcomes as show_outcomes
from .monorepo import show_projects as show_projects
from .outcome import show_outcome as show_outcome
from .picking import pick as pick
from .progress import watch as watch
from .status import show_status as show_status
