"""`python -m common_tasks` is the command `common-tasks`."""

import sys

if not sys.flags.safe_path:
    # Python has put the working directory first, but what lies in a checkout is not to be run.
    del sys.path[0]

from .cli.program import main

main()
