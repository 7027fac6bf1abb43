"""`common_tasks.temp` under the name `common.temp`: the very same module.

`common` itself is a namespace (PEP 420), so a project's own package of that name wins over it.
"""

import sys

import common_tasks.temp
from common_tasks.temp import *  # noqa: F403  (for type checkers; the next line is what counts)

sys.modules[__name__] = common_tasks.temp
