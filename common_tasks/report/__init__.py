"""Entries and outcomes, drawn as tables or written as JSON; and the progress of long work.

The only package that imports rich and humanize.
"""

from .outcome import show_outcome as show_outcome
from .picking import pick as pick
from .progress import watch as watch
from .sentences import show_hint as show_hint
from .status import show_status as show_status
from .view import ProjectOutcome as ProjectOutcome
from .view import ProjectStatus as ProjectStatus
from .view import View as View
