"""T6: a project's `tasks.py` shows temp-status, temp-clean and clean."""

import ast
from pathlib import Path

from . import source
from .finding import Finding
from .names import Module
from .place import why_not_import
from .program import Program
from .repository import Repository
from .shadowing import NEW, OLD, TASKS, Shadows
from .style import style_of

CODE = "T6"
NAME = "tasks.py"
_NEW_FILE = f'"""Tasks that `inv` runs."""\n\n{{}}from {OLD} import ns\n\n__all__ = ["ns"]\n'
_COLLECTIONS = ("invoke.Collection", "invoke.collection.Collection")
_TASK = frozenset({"invoke.task", "invoke.tasks.task"})


def check(project: Path, repository: Repository, shadows: Shadows) -> Finding | None:
    """Return what the task file of a project lacks, and the form of it that suits the file."""
    path = project / NAME
    finding = Finding(path, 1, 0, CODE, f"{NAME} lacks the tasks of this package")
    if path.is_symlink():
        return finding._replace(message=f"{NAME} is a link: add the tasks to the file that it points to")
    if not path.exists():
        return _missing_file(project, finding, repository)
    if source.is_skipped(path):
        return None
    try:
        module = Module(source.read(path).text)
    except source.UNREADABLE as error:
        return finding._replace(message=f"{NAME} cannot be read: {error}")
    if missing := _missing(module, repository):
        return _lacking(finding, missing, Program(path, module, repository), shadows)
    return None


def _missing_file(project: Path, finding: Finding, repository: Repository) -> Finding:
    if (project / "tasks").is_dir():
        text = "the tasks are a package: import clean, temp_clean and temp_status, and add them to its collection"
        return finding._replace(path=project / "tasks", message=text)
    style = style_of(project, repository.root)
    content = style.sort(_NEW_FILE.format("".join(f"{line}\n" for line in style.required)))
    finding = finding._replace(message=f"{NAME} is missing: from {OLD} import ns", safety="safe", ending=content)
    program = Program(finding.path, Module("import invoke"), repository)
    return finding._replace(imports=("ns",)).judged(why_not_import(program))


def _lacking(finding: Finding, missing: list[str], program: Program, shadows: Shadows) -> Finding:
    """Return the finding for a file that lacks tasks of ours, which may have tasks of its own in their place."""
    module, own = program.module, _own(program.module, shadows)
    wanted = [name for name in missing if name not in own]
    finding = finding._replace(message=f"{NAME} lacks {', '.join(missing)} of this package")
    if kept := [f"{name} (line {own[name]})" for name in missing if name in own]:
        advice = f"{' and '.join(kept)}: the project's own; have it call temp_clean(c) of {OLD}"
        finding = finding._replace(message=f"{finding.message}; {advice}", line=own.get(missing[0], 1))
    if not wanted:
        return finding
    if reason := _why_not(module, wanted):
        return finding._replace(message=f"{finding.message}; {reason}")
    collection = _collection(module)
    names = wanted if collection or _has_tasks(module) else ["ns"]
    new = [name for name in wanted if not _is_imported(module, name) or name not in shadows.replaced]
    how = f"; from {OLD} import {', '.join(names)}" + (f", each added to {collection}" if collection else "")
    finding = finding._replace(message=finding.message + how, safety="safe", imports=tuple(names))
    ending = "".join(f"{collection}.add_task({name})\n" for name in new) if collection else ""
    return finding._replace(ending=ending).judged(why_not_import(program))


def _why_not(module: Module, wanted: list[str]) -> str | None:
    origins = [binding.origin or "" for bindings in module.top.bindings.values() for binding in bindings]
    if module.tree.body and {"invoke", OLD, NEW}.isdisjoint(origin.partition(".")[0] for origin in origins):
        return "it is not a task file of invoke: add the tasks where invoke finds them"
    if _collection(module) is None:
        return f"its collection is not built at the top of the file: add {', '.join(wanted)} of {OLD} to it"
    for binding in module.top.bindings.get("*", ()):
        if not (binding.origin or "").endswith((f"{OLD}.*", f"{NEW}.*", "invoke.*")):
            line = getattr(module.parents[binding.node], "lineno", 1)
            return f"line {line} imports everything of a module, which may have tasks of these names"
    return None


def _missing(module: Module, repository: Repository) -> list[str]:
    """Return which of our tasks a task file does not show.

    A task of the same name that is the file's own counts as there once it calls ours.
    """
    if repository.shadows:
        return list(TASKS)
    if _has_collection(module) or f"{OLD}.ns" in _origins(module, "ns") or f"{OLD}.*" in _origins(module, "*"):
        return []
    return [name for name in TASKS if not (_is_imported(module, name) or _is_called(module, name))]


def _origins(module: Module, name: str) -> set[str]:
    return {binding.origin for binding in module.top.bindings.get(name, ()) if binding.origin}


def _has_collection(module: Module) -> bool:
    """Tell whether all of ours are added as a collection: `ns.add_collection(common_tasks.ns, "common")`."""
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("add_collection", "from_module")
        and any(module.dotted(argument) & {OLD, f"{OLD}.ns"} for argument in call.args)
        for call in module.all(ast.Call)
    )


def _is_imported(module: Module, name: str) -> bool:
    return any(binding.origin == f"{OLD}.{name}" for row in module.top.bindings.values() for binding in row)


def _is_called(module: Module, name: str) -> bool:
    """Tell whether the file's own task of a name calls one of ours."""
    functions = [b.node for b in module.top.bindings.get(name, ()) if isinstance(b.node, ast.FunctionDef)]
    ours = [f"{OLD}.{each}" for each in TASKS]
    return any(module.is_call_of(call, *ours) for function in functions for call in ast.walk(function))


def _own(module: Module, shadows: Shadows) -> dict[str, int]:
    """Return the tasks of our names that are the project's own, each with its line."""
    own = {}
    for name in TASKS:
        for binding in module.top.bindings.get(name, ()):
            if binding.origin != f"{OLD}.{name}" or name in shadows.kept:
                own[name] = getattr(binding.node, "lineno", 1)
    starred = _origins(module, "*") & {f"{OLD}.*" if shadows.kept else "", f"{NEW}.*"}
    # What an already renamed module has is not known here: it may have all of them.
    kept = shadows.kept or frozenset(TASKS)
    return {**{name: 1 for name in TASKS if starred and name in kept}, **own, **_called_otherwise(module)}


def _called_otherwise(module: Module) -> dict[str, int]:
    """Return the tasks that go by one of our names though their functions have another: `@task(name="clean")`."""
    decorators = [(function, each) for function in module.functions for each in function.decorator_list]
    given = [
        (f, k.value.value)
        for f, each in decorators
        if isinstance(each, ast.Call)
        for k in each.keywords
        if k.arg == "name" and isinstance(k.value, ast.Constant)
    ]
    names = {str(name).replace("-", "_"): function.lineno for function, name in given}
    return {name: line for name, line in names.items() if name in TASKS}


def _collection(module: Module) -> str | None:
    """Return the name of the file's collection: empty where it has none, None where it is not plain to see."""
    for name in ("ns", "namespace"):
        if bindings := module.top.bindings.get(name):
            assigned = module.parents[bindings[0].node]
            built = isinstance(assigned, ast.Assign) and module.is_call_of(assigned.value, *_COLLECTIONS)
            at_top = built and module.parents[assigned] is module.tree
            return name if len(bindings) == 1 and at_top else None
    return ""


def _has_tasks(module: Module) -> bool:
    decorators = [each for function in module.functions for each in function.decorator_list]
    called = [each.func if isinstance(each, ast.Call) else each for each in decorators]
    starred = _origins(module, "*") & {f"{OLD}.*", f"{NEW}.*"}
    return bool(starred) or any(not module.dotted(each).isdisjoint(_TASK) for each in called)
