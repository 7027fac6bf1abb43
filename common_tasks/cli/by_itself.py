"""The process in the background that cleans by itself: see `temp.auto`. It has no terminal, and prints nothing."""

import contextlib
import os
import shutil
import subprocess
import time

from ..monorepo import by_itself
from ..monorepo.sources import Sources
from ..project import marks
from ..temp import layout
from .configuration import Configuration, load
from .context import allow_descriptors


def main(root: str) -> None:
    """Clean the project at `root`, or all projects of its monorepo, by their rules, at the lowest priority."""
    _give_way()
    allow_descriptors()
    project = layout.project_at(root)
    monorepo = marks.monorepo_root(project.root)
    try:
        config = Configuration()
        sources = Sources(config, load, loaded=None, current=project.root, monorepo=monorepo)
        by_itself.run(project, monorepo, sources.of)
    except Exception as error:  # noqa: BLE001  # nobody is watching: the next status shows it, whatever it is
        by_itself.note(project, time.time(), f"{type(error).__name__}: {error}")


def _give_way() -> None:
    """Let every other process go first."""
    with contextlib.suppress(OSError):
        os.setsid()  # in case the system could not do that at the start
    if ionice := shutil.which("ionice"):
        subprocess.run([ionice, "-c", "3", "-p", str(os.getpid())], check=False, capture_output=True)
