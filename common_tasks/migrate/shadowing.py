"""T0: a module `common_tasks.py` of the repository's own, which hides ours wherever its folder is on Python's path.

It is renamed with everything that names it; or nothing is done, and the message names the line that prevents it. Our
tasks replace those of its tasks that do no more than ours; all else stays as it is, under the new name.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..temp.layout import INSIDE as BASES
from .base_paths import SHOWS_OR_REMOVES
from .finding import Drop, Finding, Replace, ReplaceImport
from .names import Module, parameters
from .repository import Program, Repository

CODE = "T0"
OLD, NEW = "common_tasks", "common_tasks_legacy"
TASKS = ("clean", "temp_clean", "temp_status")
_WORD = re.compile(rf"\b{OLD}\b")
# What a task may call if it only shows or removes the bases, besides commands about them.
_HARMLESS_METHODS = frozenset({"exists", "is_dir", "iterdir", "format", "join"})


class Shadows(NamedTuple):
    """What the modules that hide ours have: the names that only they have, and the tasks that ours replace."""

    kept: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()


@lru_cache(maxsize=1)
def find_shadows(repository: Repository) -> Shadows:
    """Return what the modules in a repository that hide ours have."""
    modules = [module for path in repository.shadows if (module := repository.classes.read(path))]
    own = [{task.name for task in _replaceable(module)} for module in modules]
    kept = [set(module.top.bindings) - names for module, names in zip(modules, own, strict=True)]
    return Shadows(frozenset().union(*kept), frozenset().union(*own).difference(*kept))


def _replaceable(module: Module) -> list[ast.FunctionDef]:
    """Return the tasks of a module that only do what ours of the same name do, or call each other."""
    tasks = [each for each in module.tree.body if isinstance(each, ast.FunctionDef) and each.name in TASKS]
    tasks = [task for task in tasks if len(module.top.bindings[task.name]) == len(parameters(task)) == 1]
    inner = {task: [node for each in task.body for node in ast.walk(each)] for task in tasks}
    calls = {task: [node for node in inner[task] if isinstance(node, ast.Call)] for task in tasks}
    while more := [task for task in tasks if not all(_is_ours(module, call, tasks) for call in calls[task])]:
        tasks = [task for task in tasks if task not in more]
    return tasks


def _is_ours(module: Module, call: ast.Call, tasks: list[ast.FunctionDef]) -> bool:
    match call:
        case ast.Call(func=ast.Name(id=name)) if name in [task.name for task in tasks]:
            return True
        case ast.Call(func=ast.Attribute(attr="run"), args=[ast.Constant(value=str(command))]):
            return SHOWS_OR_REMOVES.fullmatch(command) is not None
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _HARMLESS_METHODS:
            return True
        case ast.Call(args=args) if module.is_call_of(call, "shutil.rmtree", "pathlib.Path"):
            return ast.unparse(args[0]) in map(repr, BASES) if args else False
    return module.is_call_of(call, "builtins.print", "builtins.str", "builtins.len")


def check_module(path: Path, users: Iterable[Path], repository: Repository) -> Finding:
    """Return the finding for a module itself: what to do, in steps."""
    module = repository.classes.read(path)
    if module is None:
        return Finding(path, 1, 0, CODE, f"{path.name} hides this package, and cannot be read")
    gone = [task for task in _replaceable(module) if task.name in find_shadows(repository).replaced]
    files = ", ".join(sorted({user.name for user in users}))
    steps = [f"rename it to {NEW}.py"]
    steps += [f"take {', '.join(sorted(task.name for task in gone))} from {OLD}, this package"] if gone else []
    steps += [f"name {NEW} in {files}"] if files else []
    finding = Finding(path, 1, 0, CODE, f"{path.name} hides this package: {'; '.join(steps)}", "unsafe", last_line=1)
    finding = finding._replace(
        edits=tuple(Drop(module.place(task)) for task in gone),
        imports=tuple(task.name for task in gone if module.loads(task.name, module.top, gone)),
    )
    mention = repository.who_names(_WORD, repository.unlooked)
    if path.with_name(f"{NEW}.py").exists():
        return finding.refused(f"{NEW}.py is there already")
    return finding.refused(mention) if mention else finding


def check(program: Program) -> Iterator[Finding]:
    """Yield what names a module that is to be renamed: its imports, and strings."""
    shadows, hidden = find_shadows(program.repository), program.repository.shadows
    concerned = program.module.nodes if hidden and program.file not in hidden else []
    for node in (each for each in concerned if isinstance(each, ast.stmt | ast.expr)):
        match _renaming(program.module, node, shadows):
            case str(reason):
                yield program.report(node, CODE, f"{OLD}.py has to be renamed, but line {node.lineno} {reason}")
            case Replace() | ReplaceImport() as edit:
                what = "names" if isinstance(edit, Replace) else "imports from"
                message = f"{what} {OLD}.py, which has to be renamed"
                yield program.report(node, CODE, message)._replace(edits=(edit,), safety="unsafe")


def _renaming(module: Module, node: ast.stmt | ast.expr, shadows: Shadows) -> Replace | ReplaceImport | str | None:
    """Return the edit by which a node names the renamed module, or why it cannot; None if it does not name it."""
    match node:
        case ast.ImportFrom() if imports := _from(node, shadows):
            return ReplaceImport(module.place(node), "\n".join(map(ast.unparse, imports)))
        case ast.Import(names=names) if old := [each for each in names if each.name.rpartition(".")[2] == OLD]:
            if any("." in alias.name and not alias.asname for alias in old):
                return f"imports it by its dotted name: import {NEW} there, and use it by that name"
            new = [ast.alias(_renamed(each.name), each.asname or OLD) if each in old else each for each in names]
            return ReplaceImport(module.place(node), ast.unparse(ast.Import(new)))
        case ast.Constant(value=str(text)) if _WORD.search(text) and not isinstance(module.parents[node], ast.Expr):
            written = module.segment(node)
            if module.is_in_f_string(node) or not _WORD.search(written):
                return "builds its name in a string"
            return Replace(module.place(node), written, _WORD.sub(NEW, written))
        case ast.Attribute(value=ast.Name(id=name) as home, attr=attr) if OLD in module.dotted(home):
            known = attr in shadows.kept | shadows.replaced
            return None if known else f"uses {name}.{attr}, which that module does not have"
    return None


def _renamed(dotted: str) -> str:
    return dotted.removesuffix(OLD) + NEW


def _from(statement: ast.ImportFrom, shadows: Shadows) -> list[ast.ImportFrom]:
    """Return what replaces an import: each name from the module that will have it. Nothing if nothing changes."""
    home, names = statement.module or "", statement.names
    if home.rpartition(".")[2] != OLD:
        new = [ast.alias(NEW, alias.asname or OLD) if alias.name == OLD else alias for alias in names]
        return [ast.ImportFrom(home, new, statement.level)] if new != names else []
    moved = [alias for alias in names if alias.name in {*shadows.kept, "*"}]
    stay = [alias for alias in names if alias not in moved]
    parts = [ast.ImportFrom(OLD, stay, 0)] if stay else []
    return [*parts, ast.ImportFrom(_renamed(home), moved, statement.level)] if moved else []
