"""Tells whether a path will still be removed when this process ends."""

import atexit
import contextlib
import gc
import os
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

_DEEPEST = 6  # callback, its object, that object's list, and what lies between
_MOST = 10_000  # values that are looked at on one level

Call = tuple[Any, ...]  # whatever a callback holds: function, arguments


class AtExit:
    """Notes what is registered with `atexit`, which itself cannot be asked, until `patch` is undone."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: list[Call] = []
        self._register, self._unregister = atexit.register, atexit.unregister
        patch.setattr(atexit, "register", self.register)
        patch.setattr(atexit, "unregister", self.unregister)

    def register(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """Do what `atexit.register` does, and note the call."""
        self.calls.append((function, args, kwargs))
        return self._register(function, *args, **kwargs)

    def unregister(self, function: Callable[..., Any], /) -> None:
        """Do what `atexit.unregister` does, and forget the calls."""
        self.calls = [call for call in self.calls if call[0] != function]
        self._unregister(function)


def will_be_removed(folder: str, calls: Iterable[Call]) -> set[str]:
    """Return the names in `folder` that a callback (`calls`: those of atexit) holds, or that an open file deletes."""
    held = [closer.name for closer in _self_deleting()]
    for call in (*calls, *_finalizers(), *_of_multiprocessing()):
        held += [value for value in _reachable(call) if isinstance(value, str | bytes | os.PathLike)]
    return {name for value in held if (name := _name_in(folder, value))}


def release_open_files(folder: str) -> None:
    """Keep the open files in `folder` from deleting themselves: they go with the folder."""
    for closer in _self_deleting():
        if _name_in(folder, closer.name):
            closer.delete = False


def _self_deleting() -> Iterator[Any]:
    """Yield the objects that delete open files when those are closed."""
    kind = getattr(tempfile, "_TemporaryFileCloser", None)
    for each in gc.get_objects():
        if type(each) is kind and each.delete and not each.close_called:
            yield each


def _finalizers() -> Iterator[Call]:
    """Yield what `weakref.finalize` does at exit: that is how a `TemporaryDirectory` is removed."""
    for info in list(getattr(weakref.finalize, "_registry", {}).values()):
        if info.atexit:
            yield info.func, info.args, info.kwargs


def _of_multiprocessing() -> Iterator[Call]:
    registry = getattr(sys.modules.get("multiprocessing.util"), "_finalizer_registry", {})
    for (priority, _), finalizer in list(registry.items()):
        if priority is not None:
            yield finalizer._callback, finalizer._args, finalizer._kwargs


def _reachable(call: Call) -> Iterator[Any]:
    """Yield what a callback holds, directly or through what it holds, except modules and what is in them."""
    level: list[Any] = [call]
    seen: set[int] = set()
    for _ in range(_DEEPEST):
        new = [value for value in level if id(value) not in seen][:_MOST]
        seen.update(map(id, new))
        yield from new
        level = [held for value in new for held in _held_by(value)]


def _held_by(value: Any) -> list[Any]:
    """Return what a value holds, according to the garbage collector; of a function's globals, those that it uses."""
    held = gc.get_referents(value)
    if isinstance(value, FunctionType):
        space, names = value.__globals__, value.__code__.co_names
        held = [each for each in held if each is not space]
        held += [space[name] for name in names if name in space and not callable(space[name])]
    return [each for each in held if not isinstance(each, type | ModuleType | CodeType)]


def _name_in(folder: str, value: Any) -> str | None:
    """Return the name in `folder` that a path is or leads through; None for any other."""
    with contextlib.suppress(Exception):  # somebody else's path-like object may be in any state
        text = os.fsdecode(value)
        if text.startswith(folder + os.sep):
            return text.removeprefix(folder).split(os.sep)[1]
    return None
