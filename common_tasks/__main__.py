"""`python -m common_tasks` is the command `common-tasks`."""

from .program import main

main()
