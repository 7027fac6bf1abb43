"""Adds the imports that a rewritten program needs."""

import ast
from collections.abc import Iterable

from .names import Function, Module
from .source import split_lines
from .style import Style

ENGINES = ("common.temp", "common_tasks.temp", "common_tasks")
_Import = ast.Import | ast.ImportFrom


class NameTaken(ValueError):
    """A name that is to be imported means something else in the file."""


def add(text: str, names: Iterable[str], home: str, style: Style, comment: str = "") -> str:
    """Return `text` with `names` imported from `home` at its top level. Raises NameTaken.

    They join an import from there, or come after the other imports of the same section.
    """
    module = Module(text)
    missing = sorted(name for name in set(names) if not _is_imported(module, name))
    if not missing:
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    lines = split_lines(text)
    if joined := _find_import(module, lines, home):
        has = {f"{each.name} as {each.asname}" if each.asname else each.name for each in joined.names}
        missing = sorted({*has, *missing})
        lines[joined.lineno - 1 : joined.end_lineno] = []
        at = joined.lineno - 1
    else:
        at, gap = _find_place(module, lines, home, style)
        lines[at:at] = [end] * gap
        at += gap
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += end
    lines.insert(at, f"from {home} import {', '.join(missing)}{comment}{end}")
    return "".join(lines)


def _is_imported(module: Module, name: str) -> bool:
    """Tell whether the module imports `name` from the engine, at its top level."""
    for scope in module.scopes:
        for binding in scope.bindings.get(name, ()):
            if binding.origin not in {f"{engine}.{name}" for engine in ENGINES}:
                raise NameTaken(f"{name} already means something else in line {getattr(binding.node, 'lineno', 1)}")
    return any(module.parents[module.parents[b.node]] is module.tree for b in module.top.bindings.get(name, ()))


def _find_import(module: Module, lines: list[str], home: str) -> ast.ImportFrom | None:
    """Return a plain import from the same module."""
    for each in module.tree.body:
        if isinstance(each, ast.ImportFrom) and each.module == home and not each.level and each.names[0].name != "*":
            own = "".join(lines[each.lineno - 1 : each.end_lineno])
            if "#" not in own and ";" not in own:
                return each
    return None


def _find_place(module: Module, lines: list[str], home: str, style: Style) -> tuple[int, bool]:
    """Return the line that an import comes after, and whether a blank one belongs between them."""
    if run := _find_run(module):
        section = style.section(home)
        same = [each for each in run if style.section(_module_of(each)) == section]
        return (same or run)[-1].end_lineno or 0, not same
    first = module.tree.body[0] if module.tree.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first.end_lineno or 0, True
    at = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return at, bool(at)


def _find_run(module: Module) -> list[_Import]:
    """Return the imports that ours belong to: those that tempfile is among, else the last before any definition."""
    runs: list[list[_Import]] = [[]]
    for statement in module.tree.body:
        if isinstance(statement, _Import):
            runs[-1].append(statement)
        elif isinstance(statement, Function | ast.ClassDef):
            break
        elif runs[-1]:
            runs.append([])
    plain = [run for run in runs if run]
    with_tempfile = [run for run in plain if any(_module_of(each) == "tempfile" for each in run)]
    return (with_tempfile or plain[-1:] or [[]])[0]


def _module_of(statement: _Import) -> str:
    if isinstance(statement, ast.ImportFrom):
        return "." * statement.level + (statement.module or "")
    return statement.names[0].name
