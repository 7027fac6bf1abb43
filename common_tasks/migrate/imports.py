"""Adds the imports that a rewritten program needs, and finds those that it no longer needs."""

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .finding import Drop, Edit, ReplaceImport
from .names import Function, Module, is_docstring, stand_alone
from .source import is_pragma, split_lines
from .style import Style

ENGINES = ("common.temp", "common_tasks.temp", "common_tasks")
_UNUSED = "  # noqa: F401"
_Import = ast.Import | ast.ImportFrom
_Place = tuple[int, int, int]  # how many lines come before it, how many blank ones belong above and below it


class NameTaken(ValueError):
    """A name that is to be imported means something else in the file."""


def add(text: str, names: Iterable[str], home: str, style: Style) -> str:
    """Return `text` with `names` imported from `home` at its top level. Raises NameTaken.

    They join an import from there, or go where the project sorts them. If the file uses none of the new ones, a
    comment says so.
    """
    module = Module(text)
    missing = sorted(name for name in set(names) if not _is_imported(module, name))
    if not missing:
        return text
    comment = "" if any(name in module.names for name in missing) else _UNUSED
    end = "\r\n" if "\r\n" in text else "\n"
    lines = split_lines(text)
    if joined := _find_import(module, lines, home):
        missing = sorted({*missing, *(ast.unparse(alias) for alias in joined.names)})
        at, blank_above, blank_below = joined.lineno - 1, 0, 0
        del lines[at : joined.end_lineno]
    else:
        at, blank_above, blank_below = _find_place(module, lines, home, style)
        while around := [each for each in module.tree.body if each.lineno <= at < (each.end_lineno or 0)]:
            at = around[0].end_lineno or 0  # a statement that shares the line of an import, and goes on below it
    if at and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += end
    # isort folds it, and takes only "\n" as a line end.
    new = style.sort(f"from {home} import {', '.join(missing)}\n").rstrip("\n").replace("\n", end) + comment + end
    lines[at:at] = [end] * blank_above + [new] + [end] * blank_below
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


def _find_place(module: Module, lines: list[str], home: str, style: Style) -> _Place:
    """Return where an import belongs: where the project sorts it, else after the imports that are there."""
    if not (run := _find_run(module)):
        return _find_top(module, lines)
    last = {_skeleton(each): each for each in run}
    if not (position := style.find_position(list(last), f"from {home} import x")):
        return run[-1].end_lineno or 0, 0, 0
    before, after = [*last.values()][: position.after], [*last.values()][position.after :]
    if after and (not before or (position.blank_above and not position.blank_below)):  # the first of its section
        return _top_of(after[0], lines), 0, int(position.blank_below)
    return before[-1].end_lineno or 0, int(position.blank_above), 0


def _top_of(statement: _Import, lines: list[str]) -> int:
    """Return how many lines come before a statement and the comments right above it."""
    at = statement.lineno - 1
    while at and lines[at - 1].startswith("#") and not lines[at - 1].startswith("#!"):
        at -= 1
    return at


def _skeleton(statement: _Import) -> str:
    """Return the shortest import that is sorted to the same place."""
    module = _module_of(statement)
    return f"from {module} import x" if isinstance(statement, ast.ImportFrom) else f"import {module}"


def _find_top(module: Module, lines: list[str]) -> _Place:
    """Return where the first import of a program belongs."""
    body = module.tree.body
    if body and is_docstring(body[0]):
        at, body = body[0].end_lineno or 0, body[1:]
    else:
        at = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    blank = sum(1 for _ in itertools.takewhile(lambda line: not line.strip(), lines[at:]))
    wanted = 2 if body and isinstance(body[0], Function | ast.ClassDef) else 1
    return at, bool(at), max(0, wanted - blank) if body else 0


def _find_run(module: Module) -> list[_Import]:
    """Return the imports that ours belong to: the run with tempfile in it, else the last before any definition."""
    head = itertools.takewhile(lambda each: not isinstance(each, Function | ast.ClassDef), module.tree.body)
    groups = itertools.groupby(head, lambda each: isinstance(each, _Import))
    runs = [[each for each in group if isinstance(each, _Import)] for are_imports, group in groups if are_imports]
    with_tempfile = [run for run in runs if any(_module_of(each) == "tempfile" for each in run)]
    return (with_tempfile or runs[-1:] or [[]])[0]


def _module_of(statement: _Import) -> str:
    if isinstance(statement, ast.ImportFrom):
        return "." * statement.level + (statement.module or "")
    return statement.names[0].name


def find_unused(before: Module, after: Module, users: Callable[[str], list[Path]], style: Style) -> list[Edit]:
    """Return the edits that remove from `after` the imports that only `before` used.

    An import stays if a string names it (`mock.patch("module.name")`, `__all__`), if the author wrote a comment on its
    line, or if other files take it from this one (`users`).
    """
    found: dict[_Import, list[str]] = {}
    for name, statement in _unused(before, after):
        if not users(name) and _may_go(after, statement, name):
            found.setdefault(statement, []).append(name)
    edits = (_edit(after, statement, names, style) for statement, names in found.items())
    return [edit for edit in edits if edit]


def mark_unused(before: Module, text: str) -> str:
    """Return a program with a note to linters on the imports that stay though only `before` used them.

    Without it, a linter's own fix would remove them. To linters, a string that begins with the name is a use, too.
    """
    after, lines = Module(text), split_lines(text)
    going_on = {each.lineno for each in after.all(ast.stmt) if each.end_lineno != each.lineno}
    for name, statement in _unused(before, after):
        line = lines[statement.lineno - 1]
        bare = line.rstrip()
        is_used = any(re.match(rf"{re.escape(name)}\b", each) for each in after.strings)
        if statement.lineno not in going_on and "noqa" not in line and not is_used:
            lines[statement.lineno - 1] = bare + _UNUSED + line[len(bare) :]
    return "".join(lines)


def _unused(before: Module, after: Module) -> Iterator[tuple[str, _Import]]:
    """Yield the imported names of `after` that only `before` used, each with its import."""
    for scope in after.scopes:
        for name, [binding, *others] in scope.bindings.items():
            alias, statement = binding.node, after.parents.get(binding.node)
            if others or not isinstance(alias, ast.alias) or not isinstance(statement, _Import):
                continue
            is_submodule = alias.asname is None and "." in alias.name  # it may be there for its side effects
            if _is_read(before, name) and not after.loads(name, scope) and not is_submodule:
                yield name, statement


def _is_read(before: Module, name: str) -> bool:
    return any(isinstance(node.ctx, ast.Load) for node, _ in before.names.get(name, ()))


def _may_go(after: Module, statement: _Import, name: str) -> bool:
    match after.parents[statement]:
        case ast.Module():
            pass
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) if len(body) > 1:
            pass
        case ast.If(test=test, orelse=[]) if "TYPE_CHECKING" in ast.unparse(test):
            pass
        case _:
            return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    return stand_alone(after, [statement]) and not any(word.search(text) for text in after.strings)


def _edit(module: Module, statement: _Import, names: list[str], style: Style) -> Edit | None:
    """Return the edit that removes names from an import; None if a comment belongs to one of them."""
    place = module.place(statement)
    lines = module.lines[statement.lineno - 1 : statement.end_lineno]
    comments = [line[line.index("#") :] for line in lines if "#" in line]
    beside_others = len(lines) > 1 and len(names) < len(statement.names)
    if not all(map(is_pragma, comments)) or (comments and beside_others):
        return None
    statement.names = [alias for alias in statement.names if (alias.asname or alias.name) not in names]
    return ReplaceImport(place, style.sort(ast.unparse(statement)).strip()) if statement.names else Drop(place)
