"""T0: a module `common_tasks.py` or `common/temp.py` of the repository's own, which hides ours.

It is renamed with all its imports; what ours has too is taken from ours.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from . import source
from .context import Program
from .finding import Drop, Edit, Finding, ReplaceStatement
from .names import Function, Module

CODE = "T0"
OURS = ("clean", "get_temp_dir", "temp_clean", "temp_status")


class Shadow(NamedTuple):
    """A module that hides ours: `tail` is how its dotted name ends, `names` what it has."""

    path: Path
    tail: tuple[str, ...]
    names: frozenset[str]

    @property
    def new_stem(self) -> str:
        """What it is called once it is renamed."""
        return f"{self.path.stem}_legacy"

    @property
    def moved(self) -> frozenset[str]:
        """The names that are to be had from the renamed module only."""
        return self.names - frozenset(OURS)


def find_shadow(path: Path) -> Shadow | None:
    """Return the shadow that a file of the repository is; None for any other."""
    if path.name == "common_tasks.py":
        tail: tuple[str, ...] = ("common_tasks",)
    elif path.parts[-2:] == ("common", "temp.py"):
        tail = ("common", "temp")
    else:
        return None
    try:
        names = frozenset(Module(source.read(path).text).top.bindings)
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError):
        names = frozenset()  # that it cannot be read is a finding of its own
    return Shadow(path, tail, names)


def check_module(shadow: Shadow, module: Module, users: Iterable[Path]) -> Finding:
    """Return the finding for the module itself: what to do, in steps."""
    own = sorted(name for name in OURS if name in shadow.names)
    files = ", ".join(sorted({path.name for path in users}))
    steps = [f"rename it to {shadow.new_stem}.py"]
    steps += [f"take {', '.join(own)} from common_tasks, this package"] if own else []
    steps += [f"import the rest from {shadow.new_stem} in {files}"] if files else []
    message = f"{shadow.path.name} hides {'.'.join(shadow.tail)}: {'; '.join(steps)}"
    defined = [
        statement for statement in module.tree.body if isinstance(statement, Function) and statement.name in OURS
    ]
    edits: tuple[Edit, ...] = tuple(Drop(module.place(statement)) for statement in defined)
    imports = tuple(statement.name for statement in defined)
    return Finding(shadow.path, 1, 0, CODE, "unsafe", message, edits, imports, 1)


def check_imports(program: Program) -> Iterator[Finding]:
    """Yield the statements that import from a module which is to be renamed."""
    for shadow in program.shadows:
        for statement in program.module.statements:
            if new := _written_anew(statement, shadow):
                yield _finding(program, statement, shadow, new)


def _written_anew(statement: ast.AST, shadow: Shadow) -> str | None:
    match statement:
        case ast.ImportFrom():
            return _from(statement, shadow)
        case ast.Import():
            return _import(statement, shadow)
    return None


def _finding(program: Program, statement: ast.stmt, shadow: Shadow, new: str) -> Finding:
    line, column = program.module.place(statement)
    if not new.startswith(("import ", "from ")):
        return Finding(program.path, line, column, CODE, "report", new)
    edit = ReplaceStatement(program.module.place(statement), new)
    message = f"imports from {shadow.path.name}, which is to be renamed: {new}"
    return Finding(program.path, line, column, CODE, "unsafe", message, (edit,), (), statement.end_lineno or line)


def _from(statement: ast.ImportFrom, shadow: Shadow) -> str | None:
    home = (statement.module or "").split(".")
    dots = "." * statement.level
    if tuple(home[-len(shadow.tail) :]) == shadow.tail:
        new_home = dots + ".".join([*home[:-1], shadow.new_stem])
        return _split(statement, shadow, dots + ".".join(home), new_home)
    above, last = shadow.tail[:-1] or (shadow.path.parent.name,), shadow.tail[-1]
    named = [alias for alias in statement.names if alias.name == last]
    if named and (tuple(home[-len(above) :]) == above or (statement.level and not statement.module)):
        names = [f"{shadow.new_stem} as {a.asname or a.name}" if a in named else _written(a) for a in statement.names]
        return f"from {dots}{statement.module or ''} import {', '.join(names)}"
    return None


def _split(statement: ast.ImportFrom, shadow: Shadow, home: str, new_home: str) -> str | None:
    """Write an import anew: what moves from the renamed module, the rest from where it was."""
    moved = [_written(a) for a in statement.names if a.name in shadow.moved or a.name == "*"]
    stay = [_written(a) for a in statement.names if not (a.name in shadow.moved or a.name == "*")]
    if not moved:
        return None
    parts = [f"from {home} import {', '.join(stay)}"] if stay else []
    return "; ".join([*parts, f"from {new_home} import {', '.join(moved)}"])


def _import(statement: ast.Import, shadow: Shadow) -> str | None:
    named = [alias for alias in statement.names if tuple(alias.name.split(".")[-len(shadow.tail) :]) == shadow.tail]
    if not named:
        return None
    if any("." in alias.name and not alias.asname for alias in named):
        return f"{shadow.path.name} is to be renamed: import {shadow.new_stem} here, and use it by that name"
    new = []
    for alias in statement.names:
        *above, last = alias.name.split(".")
        name = ".".join([*above, shadow.new_stem])
        new.append(f"{name} as {alias.asname or last}" if alias in named else _written(alias))
    return f"import {', '.join(new)}"


def _written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name
