"""The invoke tasks and `ns`: each task parses, calls, renders and exits."""

import os
import re

from invoke.collection import Collection

from .migration import temp_migrate
from .temp import clean, temp_clean, temp_status

__all__ = ["clean", "ns", "temp_clean", "temp_migrate", "temp_status"]

# invoke casts a variable to the kind of value that the configuration holds, and where that is a list or a number ends
# in a traceback. So those that are ours are read by us, under another name; what is started from here finds them too.
_OURS = re.compile(r"INVOKE_(CLEAN_(ARTIFACTS|KEEP)|TEMP_RETENTION_.+_(MAX_AGE|MAX_SIZE|KEEP_LAST))")
for _name in [name for name in os.environ if _OURS.fullmatch(name)]:
    os.environ[f"COMMON_TASKS_{_name}"] = os.environ.pop(_name)

ns = Collection(temp_status, temp_clean, clean, temp_migrate)
