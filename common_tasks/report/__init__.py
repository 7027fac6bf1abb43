"""Entries and outcomes, drawn as tables or written as JSON; and the progress of long work.

The only package that imports rich and humanize.
"""

from .outcome import show_outcome as show_outcome
from .progress import watch as watch
from .status import show_status as show_status
