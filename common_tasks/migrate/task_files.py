"""T6: a project's `tasks.py` shows temp-status, temp-clean and clean."""

import ast
from pathlib import Path

from . import imports, source
from .finding import Doubt, Finding
from .names import Module
from .shadowing import NEW, OLD, TASKS, Shadows
from .style import Style

CODE = "T6"
NAME = "tasks.py"
_DOCSTRING = '"""Tasks that `inv` runs."""'
_IMPORT = f'from {OLD} import ns\n\n__all__ = ["ns"]\n'
_COLLECTIONS = frozenset({"invoke.Collection", "invoke.collection.Collection"})
_TASK = frozenset({"invoke.task", "invoke.tasks.task"})
_UNUSED = "  # noqa: F401"


def check(project: Path, doubt: Doubt | None, shadows: Shadows) -> Finding | None:
    """Return what the task file of a project lacks, and the form of it that suits the file.

    `doubt`: why the project should not be made to import this package.
    """
    path = project / NAME
    finding = Finding(path, 1, 0, CODE, "unsafe", f"{NAME} is missing: from {OLD} import ns", imports=("ns",))
    if not path.exists() and not path.is_symlink():
        if (project / "tasks").is_dir():
            text = "the tasks are a package: import clean, temp_clean and temp_status, and add them to its collection"
            return Finding(project / "tasks", 1, 0, CODE, "report", text)
        return _concluded(finding, doubt)
    if path.is_symlink():
        return finding.refused("it is a symbolic link: add the tasks to the file that it points to")._replace(
            message=f"{NAME} is a link"
        )
    try:
        text = source.read(path).text
        module = Module(text)
    except source.UNREADABLE as error:
        return finding._replace(safety="report", message=f"{NAME} cannot be read: {error}", imports=())
    return None if source.SKIP.search(source.head(text)) else _check_module(finding, module, doubt, shadows)


def _concluded(finding: Finding, doubt: Doubt | None) -> Finding:
    # There is no edit of a program here: `complete` writes the file.
    if doubt and doubt.final:
        return finding.refused(doubt.reason)
    return finding.doubted(doubt.reason) if doubt else finding._replace(safety="safe")


def _check_module(finding: Finding, module: Module, doubt: Doubt | None, shadows: Shadows) -> Finding | None:
    missing = _missing(module, shadows)
    if not missing:
        return None
    own = _own(module, shadows)
    wanted = [name for name in missing if name not in own]
    finding = finding._replace(message=f"{NAME} lacks {', '.join(missing)} of this package")
    kept = [f"{name} (line {own[name]})" for name in missing if name in own]
    if kept:
        advice = f"{' and '.join(kept)}: the project's own; have it call temp_clean(c) of {OLD}"
        finding = finding._replace(message=f"{finding.message}; {advice}", line=own.get(missing[0], 1))
    reason = _why_not(module, wanted)
    if reason:
        return finding.refused(reason) if wanted else finding._replace(safety="report", imports=())
    added = f"from {OLD} import {', '.join(wanted)}"
    how = f"{added}, each added to {name}" if (name := _collection(module)) else added
    return _concluded(finding._replace(message=f"{finding.message}; {how}"), doubt)


def _why_not(module: Module, wanted: list[str]) -> str | None:
    if not wanted:
        return "nothing can be added"
    if not _uses_invoke(module):
        return "it is not a task file of invoke: add the tasks where invoke finds them"
    if _collection(module) is None:
        return f"its collection is not built at the top of the file: add {', '.join(wanted)} of {OLD} to it"
    for binding in module.top.bindings.get("*", ()):
        if not (binding.origin or "").endswith((f"{OLD}.*", f"{NEW}.*", "invoke.*")):
            line = getattr(module.parents[binding.node], "lineno", 1)
            return f"line {line} imports everything of a module, which may have tasks of these names"
    return None


def complete(data: bytes | None, shadows: Shadows, style: Style) -> bytes:
    """Return the content of a `tasks.py` with what it lacks. Raises NameTaken, or as `source.decode`."""
    if not data:
        required = "".join(f"{line}\n" for line in style.required)
        return style.sort(f"{_DOCSTRING}\n\n{required}{_IMPORT}").encode()
    found = source.decode(Path(NAME), data)
    module = Module(found.text)
    own = _own(module, shadows)
    wanted = [name for name in _missing(module, shadows) if name not in own]
    if not wanted:
        return data
    if not _has_tasks(module) and not _collection(module):
        return found.encode(imports.add(found.text, ["ns"], OLD, style, _UNUSED))
    collection = _collection(module)
    text = imports.add(found.text, wanted, OLD, style, "" if collection else _UNUSED)
    end = "\r\n" if "\r\n" in text else "\n"
    added = "".join(f"{collection}.add_task({name}){end}" for name in wanted) if collection else ""
    joint = "" if text.endswith("\n") or not added else end
    return found.encode(text + joint + added)


def _missing(module: Module, shadows: Shadows) -> list[str]:
    """Return which of our tasks a task file does not show.

    A task of the same name that is the file's own counts as there once it calls ours.
    """
    if shadows.paths:
        return list(TASKS)
    if _has_collection(module) or f"{OLD}.ns" in _origins(module, "ns") or f"{OLD}.*" in _origins(module, "*"):
        return []
    return [name for name in TASKS if not _has(module, name)]


def _origins(module: Module, name: str) -> set[str]:
    return {binding.origin for binding in module.top.bindings.get(name, ()) if binding.origin}


def _has_collection(module: Module) -> bool:
    """Tell whether all of ours are added as a collection: `ns.add_collection(common_tasks.ns, "common")`."""
    ours = {OLD, f"{OLD}.ns"}
    return any(
        isinstance(call.func, ast.Attribute)
        and call.func.attr in ("add_collection", "from_module")
        and any(module.dotted(argument) & ours for argument in call.args)
        for call in module.calls
    )


def _has(module: Module, name: str) -> bool:
    ours = {f"{OLD}.{each}" for each in TASKS}
    if any(binding.origin == f"{OLD}.{name}" for row in module.top.bindings.values() for binding in row):
        return True
    functions = [b.node for b in module.top.bindings.get(name, ()) if isinstance(b.node, ast.FunctionDef)]
    return any(module.is_call_of(call, *ours) for function in functions for call in ast.walk(function))


def _own(module: Module, shadows: Shadows) -> dict[str, int]:
    """Return the tasks of our names that are the project's own, each with its line."""
    own = {}
    for name in TASKS:
        for binding in module.top.bindings.get(name, ()):
            own[name] = getattr(binding.node, "lineno", 1)
    starred = _origins(module, "*") & {f"{OLD}.*" if shadows.paths else "", f"{NEW}.*"}
    # What an already renamed module has is not known here: it may have all of them.
    kept = shadows.kept or frozenset(TASKS)
    return {**{name: 1 for name in TASKS if starred and name in kept}, **own, **_renamed(module)}


def _renamed(module: Module) -> dict[str, int]:
    """Return the tasks that go by one of our names though their functions have another: `@task(name="clean")`."""
    return {
        str(keyword.value.value).replace("-", "_"): function.lineno
        for function in module.functions
        for decorator in function.decorator_list
        for keyword in (decorator.keywords if isinstance(decorator, ast.Call) else ())
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
        if str(keyword.value.value).replace("-", "_") in TASKS
    }


def _collection(module: Module) -> str | None:
    """Return the name of the file's collection: empty where it has none, None where it is not plain to see."""
    for name in ("ns", "namespace"):
        if bindings := module.top.bindings.get(name):
            assigned = module.parents[bindings[0].node]
            built = isinstance(assigned, ast.Assign) and module.is_call_of(assigned.value, *_COLLECTIONS)
            at_top = built and module.parents[assigned] is module.tree
            return name if len(bindings) == 1 and at_top else None
    return ""


def _uses_invoke(module: Module) -> bool:
    origins = (binding.origin or "" for bindings in module.top.bindings.values() for binding in bindings)
    return not module.tree.body or any(origin.partition(".")[0] in ("invoke", OLD, NEW) for origin in origins)


def _has_tasks(module: Module) -> bool:
    starred = _origins(module, "*") & {f"{OLD}.*", f"{NEW}.*"}
    return bool(starred) or any(
        not module.dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).isdisjoint(_TASK)
        for function in module.functions
        for decorator in function.decorator_list
    )
