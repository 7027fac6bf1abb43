"""Imports to match a rewritten program: new names come in where the project's settings put them, unused ones go."""

import ast
from collections.abc import Iterable

from .names import Function, Module
from .source import split_lines
from .style import Style

ENGINES = ("common.temp", "common_tasks.temp", "common_tasks")


class NameTaken(ValueError):
    """A name that is to be imported means something else in the file."""


def add(text: str, names: Iterable[str], home: str, style: Style, comment: str = "") -> str:
    """Return `text` with `names` imported from `home` at its top level. Raises NameTaken.

    They join an import from there; else they get one of their own, in the order that `style` asks for.
    """
    module = Module(text)
    missing = sorted(name for name in set(names) if not _is_imported(module, name))
    if not missing:
        return text
    lines = split_lines(text)
    end = "\r\n" if "\r\n" in text else "\n"
    if joined := _join(module, lines, missing, home, style):
        statement, aliases = joined
        lines[statement.lineno - 1 : statement.end_lineno] = [_written(home, aliases, style, comment, end)]
        return "".join(lines)
    return _insert(module, lines, _written(home, missing, style, comment, end), home, style, end)


def _is_imported(module: Module, name: str) -> bool:
    """Tell whether the module imports `name` from the engine, at its top level."""
    for scope in module.scopes:
        for binding in scope.bindings.get(name, ()):
            if binding.origin not in {f"{engine}.{name}" for engine in ENGINES}:
                raise NameTaken(f"{name} already means something else in line {getattr(binding.node, 'lineno', 1)}")
    return any(module.parents[module.parents[b.node]] is module.tree for b in module.top.bindings.get(name, ()))


def _join(
    module: Module, lines: list[str], names: list[str], home: str, style: Style
) -> tuple[ast.ImportFrom, list[str]] | None:
    """Return a plain import from the same module, and the names that it is to have."""
    for statement in module.tree.body:
        if not (isinstance(statement, ast.ImportFrom) and statement.module == home and not statement.level):
            continue
        own = "".join(lines[statement.lineno - 1 : statement.end_lineno])
        if style.single or "#" in own or ";" in own or statement.names[0].name == "*" or statement.col_offset:
            continue
        aliases = [f"{a.name} as {a.asname}" if a.asname else a.name for a in statement.names]
        return statement, sorted({*aliases, *names}, key=_by_kind)
    return None


def _by_kind(name: str) -> tuple[int, str]:
    """Sort as isort does: constants, classes, the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2), name


def _written(home: str, names: Iterable[str], style: Style, comment: str, end: str) -> str:
    ordered = sorted(names, key=_by_kind)
    if style.single:
        return "".join(f"from {home} import {name}{comment}{end}" for name in ordered)
    return import_line(home, ordered, style.length, end) + comment + end


def import_line(home: str, names: Iterable[str], length: int, end: str = "\n") -> str:
    """Return an import of names, a name a line where it would be longer than `length`."""
    names = list(names)
    line = f"from {home} import {', '.join(names)}"
    if len(line) <= length or len(names) < 2:
        return line
    return f"from {home} import ({end}" + "".join(f"    {name},{end}" for name in names) + ")"


class _Entry:
    """An import at the top level, with what it is sorted by."""

    def __init__(self, statement: ast.Import | ast.ImportFrom, style: Style) -> None:
        self.first, self.last = statement.lineno, statement.end_lineno or statement.lineno
        is_from = isinstance(statement, ast.ImportFrom)
        name = statement.module or "" if isinstance(statement, ast.ImportFrom) else statement.names[0].name
        level = statement.level if isinstance(statement, ast.ImportFrom) else 0
        self.section = style.section(name, level)
        self.order = style.order(name, is_from=is_from)


def _insert(module: Module, lines: list[str], line: str, home: str, style: Style, end: str) -> str:
    section, order = style.section(home, 0), style.order(home, is_from=True)
    run = _run(module, style)
    if module.tree.body and module.tree.body[-1].end_lineno == (run[-1].last if run else 0):
        lines[-1] = lines[-1].rstrip("\r\n") + end  # an import is the last line
    if not run:
        return _insert_first(module, lines, line, end)
    same = [entry for entry in run if entry.section == section]
    earlier = [entry for entry in same if entry.order <= order]
    before = [entry for entry in run if entry.section < section]
    if earlier:
        lines.insert(earlier[-1].last, line)
    elif same:
        lines.insert(_above_comments(lines, same[0].first - 1), line)
    elif before:
        at = before[-1].last
        follows = before[-1] is not run[-1] and at < len(lines) and lines[at].strip()
        lines.insert(at, end + line + (end if follows else ""))
    else:
        lines.insert(_above_comments(lines, run[0].first - 1), line + end)
    return "".join(lines)


def _above_comments(lines: list[str], at: int) -> int:
    while at and lines[at - 1].startswith("#") and not lines[at - 1].startswith("#!"):
        at -= 1
    return at


def _run(module: Module, style: Style) -> list[_Entry]:
    """Return the imports to sort ours into: those that tempfile is among, else the last before any definition."""
    runs: list[list[ast.Import | ast.ImportFrom]] = [[]]
    for statement in module.tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            runs[-1].append(statement)
        elif isinstance(statement, Function | ast.ClassDef):
            break
        elif runs[-1]:
            runs.append([])
    plain = [run for run in runs if run]
    chosen = next((run for run in plain if any(_imports_tempfile(each) for each in run)), plain[-1] if plain else [])
    return [_Entry(statement, style) for statement in chosen]


def _imports_tempfile(statement: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "tempfile"
    return any(alias.name == "tempfile" for alias in statement.names)


def _insert_first(module: Module, lines: list[str], line: str, end: str) -> str:
    """Put an import into a program that has none: below its docstring or the comments that it begins with."""
    body = module.tree.body
    docstring = body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    if docstring:
        at = body[0].end_lineno or 1
        rest = body[1:]
        gap = "" if at < len(lines) and not lines[at].strip() else end
        lines.insert(at, end + line + (gap if rest else ""))
        return "".join(lines)
    at = 0
    while at < len(lines) and lines[at].startswith("#"):
        at += 1
    blank = at < len(lines) and not lines[at].strip()
    above = end if at else ""
    two = bool(body) and isinstance(body[0], Function | ast.ClassDef)
    below = "" if blank or not body else end * (2 if two else 1)
    lines.insert(at, above + line + below)
    return "".join(lines)
