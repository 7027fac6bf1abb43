"""T0: a module `common_tasks.py` of the repository's own, which hides ours wherever its folder is on Python's path.

It is renamed with everything that names it, or nothing is done and the line that stops it is named. Its tasks that do
no more than ours are taken from ours; all else stays what it is, under the new name.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .base_paths import BASES
from .classes import Classes
from .finding import Doubt, Drop, Edit, Finding, ReplaceExpression, ReplaceStatement, conclude
from .names import Module
from .surroundings import Program

CODE = "T0"
OLD, NEW = "common_tasks", "common_tasks_legacy"
TASKS = ("clean", "temp_clean", "temp_status")
_WORD = re.compile(rf"\b{OLD}\b")
# What a task does that only shows or removes the bases: a command about them, or calls of these.
_COMMAND = re.compile(r"""(?:rm -r?f?r?|ls(?: -\w+)?|du(?: -\w+)?)(?: ['"]?\.te?mp/?['"]?)+(?: \|\| true)?""")
_HARMLESS_CALLS = frozenset({"builtins.print", "builtins.str", "builtins.len", "pathlib.Path", "shutil.rmtree"})
_HARMLESS_METHODS = frozenset({"exists", "is_dir", "iterdir", "format", "join"})


class Shadows(NamedTuple):
    """The modules that hide ours: their paths, the names that only they have, and the tasks that give way to ours."""

    paths: tuple[Path, ...] = ()
    kept: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()


def find_shadows(classes: Classes, programs: Iterable[Path]) -> Shadows:
    """Return the modules among the files of a repository that hide ours."""
    paths = tuple(path for path in programs if path.name == f"{OLD}.py")
    kept: set[str] = set()
    replaced: set[str] = set()
    for module in (module for path in paths if (module := classes.read(path))):
        own = {task.name for task in _replaceable(module)}
        replaced |= own
        kept |= set(module.top.bindings) - own
    return Shadows(paths, frozenset(kept), frozenset(replaced - kept))


def _replaceable(module: Module) -> list[ast.FunctionDef]:
    """Return the tasks of a module that do no more than ours of the same name, or than call each other."""
    tasks = [each for each in module.tree.body if isinstance(each, ast.FunctionDef) and each.name in TASKS]
    tasks = [each for each in tasks if module.top.bindings[each.name][0].node is each]
    while narrowed := [each for each in tasks if all(_is_ours(module, call, tasks) for call in _calls(each))]:
        if narrowed == tasks:
            return tasks
        tasks = narrowed
    return []


def _calls(function: ast.FunctionDef) -> list[ast.Call]:
    return [node for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Call)]


def _is_ours(module: Module, call: ast.Call, tasks: list[ast.FunctionDef]) -> bool:
    match call:
        case ast.Call(func=ast.Name(id=name)) if any(task.name == name for task in tasks):
            return True
        case ast.Call(func=ast.Attribute(attr="run"), args=[ast.Constant(value=str(command))]):
            return _COMMAND.fullmatch(command) is not None
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _HARMLESS_METHODS:
            return True
    if module.is_call_of(call, "shutil.rmtree", "pathlib.Path"):
        return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value in BASES
    return not module.dotted(call.func).isdisjoint(_HARMLESS_CALLS)


def check_module(path: Path, module: Module, users: Iterable[Path], shadows: Shadows) -> Finding:
    """Return the finding for a module itself: what to do, in steps."""
    gone = [task for task in _replaceable(module) if task.name in shadows.replaced]
    files = ", ".join(sorted({user.name for user in users}))
    steps = [f"rename it to {NEW}.py"]
    steps += [f"take {', '.join(sorted(task.name for task in gone))} from {OLD}, this package"] if gone else []
    steps += [f"name {NEW} in {files}"] if files else []
    edits: tuple[Edit, ...] = tuple(Drop(module.place(task)) for task in gone)
    needed = tuple(task.name for task in gone if _is_loaded_elsewhere(module, task, gone))
    finding = Finding(path, 1, 0, CODE, "report", f"{path.name} hides this package: {'; '.join(steps)}", edits, needed)
    finding = finding._replace(last_line=1, group=CODE)
    if path.with_name(f"{NEW}.py").exists():
        return conclude(finding, [Doubt(f"{NEW}.py is there already", final=True)])
    return finding._replace(safety="unsafe")


def _is_loaded_elsewhere(module: Module, task: ast.FunctionDef, gone: list[ast.FunctionDef]) -> bool:
    loads = [load for load, _ in module.loads(task.name, module.top)]
    return any(not any(other in module.above(load) for other in gone) for load in loads)


def check_users(program: Program, shadows: Shadows) -> Iterator[Finding]:
    """Yield what names a module that is to be renamed: its imports, and strings."""
    module = program.module
    for node in module.nodes:
        match node:
            case ast.ImportFrom() | ast.Import():
                yield from _import_finding(program, node, shadows)
            case ast.Constant(value=str(text)) if _WORD.search(text) and not _is_docstring(module, node):
                yield _string_finding(program, node)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if _is_module(module, node, name):
                if attr not in shadows.kept | shadows.replaced:
                    yield _stop(program, node, f"uses {name}.{attr}, which that module does not have")


def _is_module(module: Module, node: ast.Attribute, name: str) -> bool:
    return bool(name) and OLD in module.dotted(node.value)


def _is_docstring(module: Module, node: ast.AST) -> bool:
    return isinstance(module.parents[node], ast.Expr)


def _base(program: Program, node: ast.stmt | ast.expr, message: str) -> Finding:
    return program.report(node, CODE, message)._replace(group=CODE)


def _stop(program: Program, node: ast.stmt | ast.expr, reason: str) -> Finding:
    return _base(program, node, f"{OLD}.py has to be renamed, but line {node.lineno} {reason}")


def _string_finding(program: Program, node: ast.Constant) -> Finding:
    module = program.module
    old = module.segment(node)
    if module.is_in_f_string(node) or not _WORD.search(old):
        return _stop(program, node, "builds its name in a string")
    edit = ReplaceExpression(module.place(node), old, _WORD.sub(NEW, old))
    finding = _base(program, node, f"names {OLD}.py, which has to be renamed")
    return finding._replace(edits=(edit,), safety="unsafe")


def _import_finding(program: Program, statement: ast.ImportFrom | ast.Import, shadows: Shadows) -> Iterator[Finding]:
    if isinstance(statement, ast.ImportFrom):
        new: str | None = _from(statement, shadows)
    else:
        new = _import(statement)
    if new is None:
        return
    if not new:
        yield _stop(program, statement, f"imports it by its dotted name: import {NEW} there, and use it by that name")
        return
    finding = _base(program, statement, f"imports from {OLD}.py, which has to be renamed")
    edit = ReplaceStatement(program.module.place(statement), new)
    yield finding._replace(edits=(edit,), safety="unsafe")


def _from(statement: ast.ImportFrom, shadows: Shadows) -> str | None:
    """Return an import written anew, a line a module; None where it concerns nothing of ours."""
    *above, last = (statement.module or "").split(".")
    dots = "." * statement.level
    if last == OLD:
        return _split(statement, shadows, dots + ".".join([*above, NEW]))
    named = [alias for alias in statement.names if alias.name == OLD]
    if not named:
        return None
    names = [f"{NEW} as {a.asname or a.name}" if a in named else _written(a) for a in statement.names]
    return f"from {dots}{statement.module or ''} import {', '.join(names)}"


def _split(statement: ast.ImportFrom, shadows: Shadows, new_home: str) -> str | None:
    moved = [_written(a) for a in statement.names if a.name in shadows.kept or a.name == "*"]
    stay = [_written(a) for a in statement.names if not (a.name in shadows.kept or a.name == "*")]
    if not moved:
        return None
    parts = [f"from {OLD} import {', '.join(stay)}"] if stay else []
    return "\n".join([*parts, f"from {new_home} import {', '.join(moved)}"])


def _import(statement: ast.Import) -> str | None:
    named = [alias for alias in statement.names if alias.name.rpartition(".")[2] == OLD]
    if not named:
        return None
    if any("." in alias.name and not alias.asname for alias in named):
        return ""
    new = []
    for alias in statement.names:
        *above, last = alias.name.split(".")
        name = ".".join([*above, NEW])
        new.append(f"{name} as {alias.asname or last}" if alias in named else _written(alias))
    return f"import {', '.join(new)}"


def _written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def find_mention(texts: dict[Path, str]) -> str | None:
    """Return where a file other than a program names the module, in words; documents do not count."""
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if _WORD.search(line):
                return f"{path.name} line {number} names it"
    return None
