"""The options of the tasks: their help, and how invoke takes them."""

from collections.abc import Callable, Iterable
from typing import Any

from invoke.parser.argument import Argument
from invoke.tasks import Task, task

_AGE = "HOURS: remove only temporary directories without a change for so long; fractions and 0 are fine."
HELP = {
    "max_age_hours": _AGE,
    "temp_age_hours": _AGE.replace("; ", "; artifacts go at any age; "),
    "keep_last": "NUMBER: keep the newest so many of each name, whatever their age; takes the place of all rules.",
    "max_size": "SIZE such as 2GB: the oldest of each category go while it holds more; takes the place of all rules.",
    "category": "NAME of a category, to clean that one alone; repeatable.",
    "no_rules": "Clean as if the configuration held no rules of retention.",
    "all_projects": "All projects of the monorepo, each by its own rules.",
    "pick": "Choose from a list what is removed.",
    "dry_run": "Remove nothing, only list what would be removed.",
    "force": "Also remove what is in use, and what holds a git repository; never what is kept or tracked by git.",
    "json": "Print one JSON document in place of tables.",
    "full": "Show each entry of a long list on a terminal, too; pipes and JSON always have all.",
}
_UNTYPED = ("max_age_hours", "temp_age_hours", "keep_last", "max_size")


class TempTask(Task[Any]):
    """A task whose help names no type where an option takes hours, and with which `-f` is `--force` alone.

    An option that is repeatable has to have a value: invoke takes it for not given where that is missing.
    """

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """Return what an option is made of."""
        options = super().arg_opts(name, default, taken_names)
        if name in _UNTYPED:
            options["kind"] = as_text
        if name == "full":
            options["names"] = [name]
        return options

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the options, ready to be parsed."""
        arguments = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            if argument.kind is list:
                argument.raw_value = None
        return arguments


def as_text(text: str) -> str:
    """Take an option's text as it is: the task checks it. invoke's help would call a str STRING."""
    return text


def temp_task(*options: str, iterable: Iterable[str] = ()) -> Callable[[Callable[..., None]], Task[Any]]:
    """Return invoke's decorator with a help for each option; typed, so that the tasks can be called and added."""
    return task(help={option: HELP[option] for option in options}, iterable=list(iterable), klass=TempTask)
