"""Takes out the imports that nothing needs once a program is rewritten."""

import ast
import re
from collections.abc import Callable

from .names import Function, Module
from .source import is_pragma, split_lines
from .sub_folders import stand_alone

_Import = ast.Import | ast.ImportFrom


def remove(before: Module, text: str, is_needed: Callable[[str], bool]) -> str:
    """Return `text` without the imports that only `before` used.

    One that a string names stays (`mock.patch("module.name")`, `__all__`), as does one with a comment of the author's
    on its line, and one of which `is_needed` says so.
    """
    while True:
        module = Module(text)
        less = _without(module, _find(before, module, is_needed))
        if less == text:
            return text
        text = less  # what went may have used another one


def _find(before: Module, after: Module, is_needed: Callable[[str], bool]) -> dict[_Import, set[ast.alias]]:
    found: dict[_Import, set[ast.alias]] = {}
    for scope in after.scopes:
        for name, bindings in scope.bindings.items():
            if after.loads(name, scope) or not _was_used(before, name) or len(bindings) > 1 or is_needed(name):
                continue
            alias = bindings[0].node
            if isinstance(alias, ast.alias) and alias.asname is None and "." in alias.name:
                continue  # `import a.b` may be there for what it does
            statement = after.parents.get(alias)
            if isinstance(alias, ast.alias) and isinstance(statement, _Import) and _may_go(after, statement, name):
                found.setdefault(statement, set()).add(alias)
    return found


def _was_used(before: Module, name: str) -> bool:
    return any(isinstance(node.ctx, ast.Load) for node, _ in before.names.get(name, ()))


def _may_go(after: Module, statement: _Import, name: str) -> bool:
    home = after.parents[statement]
    inside = isinstance(home, Function) and len(home.body) > 1
    if not (isinstance(home, ast.Module) or inside or _is_checking(home)) or not stand_alone(after, [statement]):
        return False
    lines = after.lines[statement.lineno - 1 : statement.end_lineno]
    if any("#" in line and not is_pragma(line[line.index("#") :]) for line in lines):
        return False
    word = re.compile(rf"\b{re.escape(name)}\b")
    return not any(word.search(text) for text in after.strings)


def _is_checking(home: ast.AST) -> bool:
    """Tell whether this is `if TYPE_CHECKING:` without an `else`."""
    return isinstance(home, ast.If) and "TYPE_CHECKING" in ast.unparse(home.test) and not home.orelse


def _without(module: Module, unused: dict[_Import, set[ast.alias]]) -> str:
    lines = split_lines(module.text)
    gone: set[ast.stmt] = {each for each, aliases in unused.items() if aliases == set(each.names)}
    homes = {module.parents[each] for each in gone}
    gone |= {home for home in homes if isinstance(home, ast.If) and gone.issuperset(home.body)}
    outermost = {each for each in gone if module.parents[each] not in gone}
    for statement in sorted(outermost | unused.keys() - gone, key=lambda each: each.lineno, reverse=True):
        if statement in gone:
            _take_out(module, lines, statement)
        else:
            assert isinstance(statement, _Import)  # noqa: S101  (only an `if` that is gone is none)
            _take_names(module, lines, statement, unused[statement])
    return "".join(lines)


def _take_out(module: Module, lines: list[str], statement: ast.stmt) -> None:
    """Take a statement out of the lines, and the blank ones that would be too many then."""
    first, last = statement.lineno - 1, statement.end_lineno or statement.lineno
    below = last
    while below < len(lines) and not lines[below].strip():
        below += 1
    home = module.parents[statement]
    begins_function = isinstance(home, Function) and home.body[0] is statement
    begins_file = all(line.startswith(("#", "\r", "\n")) for line in lines[:first])
    if begins_function or begins_file:
        last = below
    elif below > last:
        while first and not lines[first - 1].strip():
            first -= 1
    del lines[first:last]


def _take_names(module: Module, lines: list[str], statement: _Import, aliases: set[ast.alias]) -> None:
    """Take names out of an import that keeps others, with the commas between them."""
    kept = [alias for alias in statement.names if alias not in aliases]
    for number, alias in reversed(list(enumerate(statement.names))):
        if alias in aliases:
            follows = any(each in kept for each in statement.names[number:])
            before = statement.names[number - 1]
            start = module.place(alias) if follows else module.end(before)
            end = module.place(statement.names[number + 1]) if follows else module.end(alias)
            head = lines[start.line - 1][: start.column]
            lines[start.line - 1 : end.line] = [head + lines[end.line - 1][end.column :]]
