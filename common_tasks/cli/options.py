"""The options of the tasks: their help, and how invoke takes them."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from .bytecode import cached_bytecode

_REPLACES_RULES = "replaces all rules."
HELP = {
    "max_age_hours": "HOURS: like --max-age, in plain hours such as 24, 0.5 or 0.",
    "temp_age_hours": "HOURS: like --max-age, in plain hours; artifacts are removed at any age.",
    "max_age": f"AGE such as 7d, 12h or 90m: remove only what has not changed for that long; {_REPLACES_RULES}",
    "keep_last": f"NUMBER: keep the newest NUMBER of each name, whatever their age; {_REPLACES_RULES}",
    "max_size": f"SIZE such as 2GB: remove the oldest of each category until it is within SIZE; {_REPLACES_RULES}",
    "max_total": f"SIZE: remove the oldest until everything is within SIZE; {_REPLACES_RULES}",
    "keep_free": f"SIZE: remove the oldest until that much is free on the disk; {_REPLACES_RULES}",
    "by": "maker: show the totals for each program or test that made directories.",
    "system": "Act on what your Python programs left in the system's temporary location; the default age is 24 hours.",
    "category": "NAME of a category: clean only that one; can be repeated.",
    "no_rules": "Ignore the retention rules of the configuration.",
    "all_projects": "Act on all projects of the monorepo, each by its own rules.",
    "pick": "Choose from a list what to remove.",
    "sort": "size (the default), age or name: what to sort by.",
    "dry_run": "Remove nothing; list what would be removed.",
    "force": "Also remove what is in use and what holds a git repository; never what is kept or tracked by git.",
    "json": "Print one JSON document instead of tables.",
    "full": "On a terminal, list every entry; pipes and JSON always get all of them.",
}
# Only these options have a short form, their first letter: so a letter means the same in every task.
_LETTERED = frozenset(
    {"all_projects", "category", "dry_run", "force", "json", "keep_last", "max_age_hours", "no_rules", "pick"}
    | {"temp_age_hours", "unsafe", "write"}
)
# invoke casts a variable to the type of the value that the configuration holds; if that is a list or a number, it ends
# in a traceback. So it must not see our variables while it prepares a task.
_OURS = re.compile(
    r"INVOKE_(CLEAN_(ARTIFACTS|KEEP)|TEMP_(AUTO|KEEP_FREE|MAX_TOTAL|SYSTEM)|TEMP_RETENTION_.+_(MAX_AGE|MAX_SIZE|KEEP_LAST))"
)
_HIDDEN = "COMMON_TASKS_"  # before the name of a variable that is hidden


class Option(Argument):
    """An option that invoke's messages call by the name that a user types.

    A repeatable one needs a value: without one, invoke would behave as if the option had not been given.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if self.kind is list:
            self.raw_value = None

    def __repr__(self) -> str:
        return f"--{self.names[0]}"


def _hide_variables() -> None:
    """Hide our variables from invoke, while it prepares to run a task of ours; see `_shown_variables`."""
    for name in [name for name in os.environ if _OURS.fullmatch(name)]:
        os.environ[_HIDDEN + name] = os.environ.pop(name)


@contextlib.contextmanager
def _shown_variables() -> Iterator[None]:
    """Show our variables again, to the block and to what it starts; hide them afterwards if they were hidden."""
    hidden = [name for name in os.environ if _OURS.fullmatch(name.removeprefix(_HIDDEN)) and name.startswith(_HIDDEN)]
    for name in hidden:
        os.environ[name.removeprefix(_HIDDEN)] = os.environ.pop(name)
    try:
        yield
    finally:
        if hidden:
            _hide_variables()


class TempTask(Task[Any]):
    """A task that gives an option the same letter as our other tasks do, and checks its values itself."""

    @property
    def pre(self) -> list[Any]:
        """The tasks that run before it. invoke asks for them before it reads variables, so those are hidden here."""
        _hide_variables()
        return self._pre

    @pre.setter
    def pre(self, tasks: list[Any]) -> None:
        self._pre = tasks

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the task."""
        with _shown_variables(), cached_bytecode():
            return super().__call__(*args, **options)

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return the arguments from which an option is made."""
        options = super().arg_opts(name, default, taken_names)
        if options.get("kind", str) is str:
            options["kind"] = as_text
        options["names"] = [options["names"][0], *([name[0]] if name in _LETTERED else [])]
        return options

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: FBT001, ARG002  # as invoke's
        """Return the options, ready to be parsed."""
        parameters = self.argspec(self.body).parameters.values()
        return [Option(**self.arg_opts(each.name, each.default, set())) for each in parameters]


def as_text(text: str) -> str:
    """Take an option's text as it is: the task checks it. invoke's help would call a `str` STRING."""
    return text


def temp_task(body: Callable[..., None]) -> Task[Any]:
    """Make a task, with the help for each of its options; typed, so that the tasks can be called and added."""
    options = [name for name in signature(body).parameters if name in HELP]
    repeatable = [name for name in options if name == "category"]
    made: Task[Any] = task(help={name: HELP[name] for name in options}, iterable=repeatable, klass=TempTask)(body)
    return made
