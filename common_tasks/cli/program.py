"""The command `common-tasks`: the same tasks, where there is no `tasks.py` at all."""

import contextlib
import os
from collections.abc import Iterator

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from . import ns


@contextlib.contextmanager
def _bad_usage() -> Iterator[None]:
    """End with exit code 2, as for a bad value, where invoke alone would say 1: something could not be removed."""
    try:
        yield
    except ParseError as error:
        raise Exit(str(error), code=2) from None


class CommonTasks(Program):
    """A program that reads the project's configuration file, as `inv` does where there are tasks.

    A configuration file that is Python is not run: whoever looks at a checkout need not trust it.
    """

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the options that stand before the first task."""
        with _bad_usage():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Read the tasks and their options."""
        with _bad_usage():
            super().parse_tasks()

    def parse_collection(self) -> None:
        """Take our tasks, and the configuration of the project that they are run in."""
        from ..monorepo import settings
        from ..temp import layout

        super().parse_collection()
        root = layout.find_project().root
        try:
            settings.read_file(self.config, root)
            settings.refuse_untold(root)
        except settings.InvalidSetting as error:
            raise Exit(str(error), code=2) from None
        self.config.tasks.collection_name = __package__  # as if `inv` had found them there
        self.config.set_project_location(os.fspath(root))
        self.config.load_project()

    def print_version(self) -> None:
        """Print the installed version."""
        from importlib.metadata import version

        print(f"{self.name} {version('common-tasks')}")


program = CommonTasks(name="common-tasks", binary="common-tasks", namespace=ns)


def main() -> None:
    """Run the command."""
    program.run()
