"""Tells whether a path will still be removed when this process ends."""

import atexit
import gc
import os
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_DEEPEST = 4
_MOST_MEMBERS = 1000

Call = tuple[Any, ...]  # whatever a callback holds: function, arguments


class AtExit:
    """Notes what is registered with `atexit` from now on: the module itself tells nobody."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._register, self._unregister = atexit.register, atexit.unregister
        atexit.register, atexit.unregister = self.register, self.unregister

    def register(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Do as `atexit.register`, and note it."""
        self.calls.append((function, args, kwargs))
        return self._register(function, *args, **kwargs)

    def unregister(self, function: Callable[..., Any], /) -> None:
        """Do as `atexit.unregister`, and forget it."""
        self.calls = [call for call in self.calls if call[0] != function]
        self._unregister(function)

    def restore(self) -> None:
        """Let `atexit` be as it was, where nobody else has put something in its place."""
        if atexit.register == self.register:
            atexit.register = self._register
        if atexit.unregister == self.unregister:
            atexit.unregister = self._unregister


def will_be_removed(paths: Iterable[str], calls: Iterable[Call]) -> set[str]:
    """Return those of `paths` that a callback mentions, `calls` of atexit among them, or an open file deletes."""
    open_files = {os.fsdecode(closer.name) for closer in _self_deleting()}
    callbacks = [*calls, *_finalizers(), *_of_multiprocessing()]
    return {path for path in paths if path in open_files or any(_mentions(call, path, 0) for call in callbacks)}


def release_open_files(folder: str) -> None:
    """Let the open files in `folder` not try to delete themselves: the folder goes, and they with it."""
    for closer in _self_deleting():
        if _names(closer.name, folder):
            closer.delete = False


def _self_deleting() -> Iterator[Any]:
    """Yield what closes the files that are open, and deletes them then."""
    kind = getattr(tempfile, "_TemporaryFileCloser", None)
    for each in gc.get_objects():
        if type(each) is kind and each.delete and not each.close_called:
            yield each


def _finalizers() -> Iterator[Call]:
    """Yield what `weakref.finalize` does at exit: that is how a `TemporaryDirectory` goes."""
    for info in list(getattr(weakref.finalize, "_registry", {}).values()):
        if info.atexit:
            yield info.func, info.args, info.kwargs


def _of_multiprocessing() -> Iterator[Call]:
    registry = getattr(sys.modules.get("multiprocessing.util"), "_finalizer_registry", {})
    for (priority, _), finalizer in list(registry.items()):
        if priority is not None:
            yield finalizer._callback, finalizer._args, finalizer._kwargs


def _mentions(value: Any, path: str, depth: int) -> bool:
    """Tell whether a value names `path` or something in it, or holds a value that does."""
    if isinstance(value, str | bytes | os.PathLike):
        return _names(value, path)
    if depth == _DEEPEST:
        return False
    return any(_mentions(member, path, depth + 1) for member in _members(value))


def _names(value: Any, path: str) -> bool:
    try:
        text = os.fsdecode(value)
    except Exception:  # a path-like object of somebody else's, in whatever state
        return False
    return text == path or text.startswith(path + os.sep)


def _members(value: Any) -> list[Any]:
    """Return what a callback can reach: members, attributes, what a function closes over and names."""
    if isinstance(value, dict):
        return [*list(value)[:_MOST_MEMBERS], *list(value.values())[:_MOST_MEMBERS]]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)[:_MOST_MEMBERS]
    members = list(getattr(value, "__dict__", {}).values()) if not isinstance(value, type) else []
    members += [getattr(value, name, None) for name in ("__self__", "__func__", "func", "args", "keywords")]
    code = getattr(value, "__code__", None)
    if code is not None:
        space = value.__globals__
        members += [space[name] for name in code.co_names if name in space and not callable(space[name])]
        members += [cell.cell_contents for cell in value.__closure__ or () if cell != type(cell)()]
        members += [value.__defaults__, value.__kwdefaults__]
    return [member for member in members if not isinstance(member, type(sys))]
