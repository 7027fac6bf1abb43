"""The command `common-tasks`: the same tasks, without any `tasks.py`."""

import contextlib
import difflib
import os
import re
import sys
from collections.abc import Iterator

from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.program import Program

from ..project.errors import InvalidSetting
from . import ns
from .configuration import Configuration
from .context import refusals

_BARE = "temp-status"  # what runs if no task is named
_LISTS = "flat", "nested", "json"
# invoke has more, for tasks that run other programs; ours run none.
_OPTIONS = (
    Argument(names=("help", "h"), optional=True, help="Show this, or the options of a TASK.", kind=str),
    Argument(names=("config", "f"), help="Configuration FILE to read in addition to the project's own."),
    Argument(names=("dry", "R"), kind=bool, help="Remove nothing; list what would be removed."),
    Argument(names=("print-completion-script",), help="Print the completion script for bash, zsh or fish."),
    Argument(names=("version", "V"), kind=bool, help="Show the version."),
)


class CommonTasks(Program):
    """A program that reads the project's configuration file, as `inv` does if there are tasks.

    A project's configuration file in Python is not run unless `-f` names it: so a checkout can be looked at without
    trusting it. Bad usage gives one line and exit code 2; invoke alone would exit with 1, as if something could not be
    removed.
    """

    def create_config(self) -> None:
        """Read the system's and the user's configuration."""
        with _readable():
            self.config = Configuration()

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the options that stand before the first task."""
        with self._bad_usage():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Read the tasks and their options."""
        with self._bad_usage():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        """Print what is asked for in place of running tasks."""
        style = self.args["list-format"].value
        if style not in _LISTS:
            raise Exit(f"--list-format takes {', '.join(_LISTS)}, not {style!r}", code=2)
        with self._bad_usage():
            super().parse_cleanup()

    def parse_collection(self) -> None:
        """Take our tasks, and the configuration of the project that they are run in."""
        from ..temp import layout

        super().parse_collection()
        with refusals():
            root = layout.find_project().root
        self.config.tasks.collection_name = __package__  # as if `inv` had found them there
        self.config.set_project_location(os.fspath(root))
        with _readable():
            self.config.load_project()

    def update_config(self, merge: bool = True) -> None:  # noqa: FBT001, FBT002  # as invoke's
        """Read the configuration file that `-f` names, and the environment."""
        with _readable():
            super().update_config(merge)

    def no_tasks_given(self) -> None:
        """Run the one task that only looks."""
        self.tasks = self.parser.parse_argv([_BARE])
        del self.tasks[0]  # the options before it

    def execute(self) -> None:
        """Run the tasks."""
        super().execute()
        if not self.core.unparsed:
            print(f"For the other tasks: {self.binary} --help")

    def print_help(self) -> None:
        """Print the tasks, and then the options that stand before them."""
        print(f"Usage: {self.binary} [OPTIONS] TASK [TASK OPTIONS]\n")
        print(f"Without a TASK it runs {_BARE}.\nOptions of a task: {self.binary} --help TASK\n")
        self.list_tasks()
        print("Options:\n")
        self.print_columns(ParserContext(args=_OPTIONS).help_tuples())

    def task_list_opener(self, extra: str = "") -> str:  # noqa: ARG002  # as invoke's
        """Return what stands above the list of tasks."""
        return "Tasks"

    def print_version(self) -> None:
        """Print the installed version."""
        from importlib.metadata import version

        print(f"{self.name} {version('common-tasks')}")

    @contextlib.contextmanager
    def _bad_usage(self) -> Iterator[None]:
        try:
            yield
        except ParseError as error:
            raise Exit(self._explained(error), code=2) from None
        except ValueError as error:  # of invoke's own options that take a number
            raise Exit(f"an option before the task has a wrong value: {error}", code=2) from None

    def _explained(self, error: ParseError) -> str:
        """Return what is wrong in one line, with a similar name if there is one."""
        if lacks := re.fullmatch(r"Flag (?:--|<Argument: )([\w-]+).* needed value .*", str(error)):
            return f"--{lacks[1].replace('_', '-')} needs a value"
        unknown = re.fullmatch(r"No idea what '(.*)' is!", str(error))
        return self._unknown(unknown[1], error.context) if unknown else str(error)

    def _unknown(self, word: str, context: ParserContext | None) -> str:
        task = (context.name or "") if context else ""
        if word.startswith("-"):
            known = [flag for flag in (context.flags if context else ()) if flag.startswith("--")]
            said = f"{task or self.binary} has no option {word!r}"
        elif flag := context and next(
            (each for each in self.argv if re.fullmatch(rf"-.*={re.escape(word)}", each)), None
        ):
            return f"{flag.partition('=')[0]} takes no value"
        else:
            known, task, said = sorted(ns.task_names), "", f"there is no task {word!r}"
        near = [each for each in known if word and each.startswith(word)] or difflib.get_close_matches(word, known, n=1)
        return f"{said}; did you mean {near[0]}?" if near else f"{said}; see {self.binary} --help {task}".rstrip()


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """End in one line if a configuration cannot be read, or holds something that invoke does not take."""
    try:
        yield
    except InvalidSetting as error:
        raise Exit(str(error), code=2) from None
    except Exception as error:  # invoke, YAML and the user's own files raise many kinds
        problem = " ".join(str(error).split())
        raise Exit(f"the configuration cannot be read: {problem}", code=2) from error


program = CommonTasks(name="common-tasks", binary="common-tasks", namespace=ns)


def main() -> None:
    """Run the command. Output that cannot be written ends it in one line; a reader that closes the pipe is no error."""
    try:
        try:
            program.run()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python's last flush fails once more
        sys.exit(None if isinstance(error, BrokenPipeError) else f"the system refused: {error.strerror}")
