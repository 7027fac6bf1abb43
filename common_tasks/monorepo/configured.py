"""What a file of tasks configures, as far as that can be read without running it.

invoke runs such a file; looking at a project from outside must not. So its syntax is parsed, and that of the local
modules that it imports: a call `configure({…})` with literals at the top level of a module is read as it stands.
Anything else that may configure a collection makes the answer uncertain: see `doubts`.
"""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..project import marks
from .doubts import Module, Unread
from .settings import PROTECTING

# Without any of these words, a file of tasks has no collection that it could configure.
_CONCERNS_INVOKE = re.compile(rb"\b(?:invoke|common_tasks|ns|namespace)\b|\bimport[ \t]*\*")
_MOST_MODULES = 200
_ADVICE = f"tasks are not run to find their settings: set {', '.join(PROTECTING)} in invoke.yaml"


class Configured(NamedTuple):
    """Which of our settings the tasks in a folder configure. `uncertain`: why there may be more, in words."""

    values: Mapping[str, Any]
    uncertain: str | None = None


def read_tasks(folder: str) -> Configured:
    """Return what the tasks in a folder configure; see above."""
    try:
        return Configured(_read(folder))
    except Unread as unread:
        return Configured({}, f"{unread}; {_ADVICE}")
    except OSError as error:
        return Configured({}, f"{str(error.filename or folder)!r} cannot be read: {error.strerror}")


def _read(folder: str) -> Mapping[str, Any]:
    modules = list(_modules(folder))
    found = [values for module in modules for values in module.configured()]
    if len(found) > 1:
        raise Unread(f"the tasks in {folder!r} are configured in several places")
    if found and not modules[0].has_collection:
        raise Unread(f"the tasks in {folder!r} configure a collection that is not theirs")
    if found and len({collection for module in modules for collection in module.collections}) > 1:
        raise Unread(f"the tasks in {folder!r} have several collections, and one of them is configured")
    return found[0] if found else {}


def _modules(folder: str) -> Iterator[Module]:
    """Yield the tasks in a folder, if they concern invoke, and all local modules that they import."""
    name = next((name for name in marks.TASKS if marks.read(folder, name) is not None), "")  # as invoke chooses
    if not name or not _CONCERNS_INVOKE.search(marks.read_whole(folder, name)):
        return
    # Where Python finds what they import: for a package of tasks, invoke puts its own folder on the path.
    places = tuple(dict.fromkeys([os.path.dirname(f"{folder}/{name}"), folder]))
    known = {f"{folder}/{name}": True}  # whether each is imported for certain
    pending = [*known]
    while pending:
        path = pending.pop()
        if len(known) > _MOST_MODULES:
            raise Unread(f"{path!r} is one of more than {_MOST_MODULES} modules that the tasks import")
        module = Module(path, marks.read_whole(*os.path.split(path)), places, certain=known[path])
        yield module
        for file, certain in module.imported_files():
            if file not in known and os.path.isfile(file):
                known[file] = certain
                pending.append(file)
