"""T6: a project's `tasks.py` shows temp-status, temp-clean and clean, and git ignores its `.tmp/` and `.temp/`."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..project import git
from ..temp.layout import INSIDE as BASES
from . import source
from .finding import Doubt, Finding
from .names import Module
from .place import why_not_import
from .repository import Program, Repository
from .shadowing import NEW, OLD, TASKS, Shadows, find_shadows
from .source import imports, line_of
from .style import WrongSettings, style_of

CODE = "T6"
TASK_FILE, GITIGNORE = "tasks.py", ".gitignore"
_NEW_FILE = f'"""Tasks that `inv` runs."""\n\n{{}}from {OLD} import ns\n\n__all__ = ["ns"]\n'
_COLLECTIONS = ("invoke.Collection", "invoke.collection.Collection")
_TASK = ("invoke.task", "invoke.tasks.task")


def check_tasks(project: Path, repository: Repository) -> Iterator[Finding]:
    """Yield what the task file of a project lacks, in the form that suits the file."""
    path = project / TASK_FILE
    finding = Finding(path, 1, 0, CODE, f"{TASK_FILE} is missing: from {OLD} import ns")
    if path.is_symlink():
        yield finding._replace(message=f"{TASK_FILE} is a link: add the tasks to the file that it points to")
    elif not path.exists() and (project / "tasks").is_dir():
        text = "the tasks are a package: import clean, temp_clean and temp_status, and add them to its collection"
        yield finding._replace(path=project / "tasks", message=text)
    elif not path.exists():
        yield _new_file(finding, Program(path, Module("import invoke"), repository))
    elif not source.is_skipped(path):
        try:
            program = Program(path, Module(source.read(path).text), repository)
        except source.UNREADABLE as error:
            yield finding._replace(message=f"{TASK_FILE} cannot be read: {error}")
        else:
            yield from _lacking(finding, program)


def _new_file(finding: Finding, program: Program) -> Finding:
    try:
        style = style_of(finding.path.parent, program.repository.root)
    except WrongSettings as error:
        return finding._replace(message=f"{finding.message}; {error}")
    content = style.sort(_NEW_FILE.format("".join(f"{line}\n" for line in style.required)))
    found = finding._replace(imports=("ns",), ending=content).concluded(_imported(program))
    return found.judged(why_not_import(program))


def _imported(program: Program) -> Iterator[Doubt]:
    """Yield what in the project imports another module named tasks, which a new file might hide."""
    repository = program.repository
    for path, text in repository.texts.items():
        for at in [at for at, name in imports(text) if name.partition(".")[0] == "tasks"][:1]:
            if repository.home(path) == program.file.parent:
                where = f"{path.name} line {line_of(text, at)}"
                yield Doubt(f"{where} imports another module tasks, which a new {TASK_FILE} may hide")


def _lacking(finding: Finding, program: Program) -> Iterator[Finding]:
    """Yield the findings for a file that lacks tasks of ours, or has tasks of its own in their place."""
    own = _own(program.module, find_shadows(program.repository))
    missing = _missing(program.module, hidden=bool(program.repository.shadows))
    if kept := [name for name in missing if name in own]:
        names = " and ".join(f"{name} (line {own[name]})" for name in kept)
        message = f"{names}: the project's own; have it call temp_clean(c) of {OLD}"
        yield finding._replace(message=message, line=own[kept[0]])
    if wanted := [name for name in missing if name not in own]:
        yield _adding(finding, program, wanted, kept)


def _adding(finding: Finding, program: Program, wanted: list[str], kept: list[str]) -> Finding:
    """Return the finding for a file that gets the `wanted` tasks of ours, and keeps its own."""
    module, collection = program.module, _collection(program.module)
    lacks = f"{TASK_FILE} lacks {', '.join(wanted)} of this package"
    if refusal := _why_not(module, wanted):
        return finding._replace(message=f"{lacks}; {refusal}")
    replaced = find_shadows(program.repository).replaced
    new = [name for name in wanted if name not in replaced or f"{OLD}.{name}" not in module.imported]
    taken = wanted if collection or kept or _has_tasks(module) else ["ns"]
    finding = finding._replace(
        message=f"{lacks}; from {OLD} import {', '.join(taken)}{f', each added to {collection}' if collection else ''}",
        imports=tuple(taken),
        ending="".join(f"{collection}.add_task({name})\n" for name in new) if collection else "",
    )
    return finding.concluded().judged(why_not_import(program))


def _why_not(module: Module, wanted: list[str]) -> str | None:
    if module.tree.body and {"invoke", OLD, NEW}.isdisjoint(origin.partition(".")[0] for origin in module.imported):
        return "it is not a task file of invoke: add the tasks where invoke finds them"
    if _collection(module) is None:
        return f"its collection is not built at the top of the file: add {', '.join(wanted)} of {OLD} to it"
    for binding in module.top.bindings.get("*", ()):
        if not (binding.origin or "").endswith((f"{OLD}.*", f"{NEW}.*", "invoke.*")):
            line = module.statement_of(binding.node).lineno
            return f"line {line} imports everything of a module, which may have tasks of these names"
    return None


def _missing(module: Module, *, hidden: bool) -> list[str]:
    """Return which of our tasks a task file does not show; as long as this package is hidden, all of them.

    The file's own task of the same name counts as shown if it calls ours.
    """
    adding = ("add_collection", "from_module")
    added = [arg for call in module.all(ast.Call) if ast.unparse(call.func).endswith(adding) for arg in call.args]
    origins = {binding.origin for name in ("ns", "*") for binding in module.top.bindings.get(name, ())}
    has_all = any(module.dotted(arg) & {OLD, f"{OLD}.ns"} for arg in added) or origins & {f"{OLD}.ns", f"{OLD}.*"}
    if has_all and not hidden:
        return []
    shown = {name for name in TASKS if f"{OLD}.{name}" in module.imported or _calls_ours(module, name)}
    return [name for name in TASKS if hidden or name not in shown]


def _calls_ours(module: Module, name: str) -> bool:
    functions = [b.node for b in module.top.bindings.get(name, ()) if isinstance(b.node, ast.FunctionDef)]
    ours = [f"{OLD}.{each}" for each in TASKS]
    return any(module.is_call_of(call, *ours) for function in functions for call in ast.walk(function))


def _own(module: Module, shadows: Shadows) -> dict[str, int]:
    """Return the project's own tasks that have one of our names, each with its line."""
    own = {}
    if f"{NEW}.*" in module.imported or (shadows.kept and f"{OLD}.*" in module.imported):
        # What an already renamed module has is not known here: it may have all of them.
        own = {name: 1 for name in TASKS if name in (shadows.kept or TASKS)}
    for name in TASKS:
        for binding in module.top.bindings.get(name, ()):
            if binding.origin != f"{OLD}.{name}" or name in shadows.kept:
                own[name] = getattr(binding.node, "lineno", 1)
    for function in module.functions:  # such as `@task(name="clean")`
        given = " ".join(map(ast.unparse, function.decorator_list)).replace("-", "_")
        own |= {name: function.lineno for name in TASKS if f"name='{name}'" in given}
    return own


def _collection(module: Module) -> str | None:
    """Return the name of the file's collection: empty if it has none, None if that is not plain to see."""
    name = next((name for name in ("ns", "namespace") if name in module.top.bindings), "")
    if not name:
        return name
    [binding, *others] = module.top.bindings[name]
    assigned = module.parents[binding.node]
    built = isinstance(assigned, ast.Assign) and module.is_call_of(assigned.value, *_COLLECTIONS)
    return name if built and not others and assigned in module.tree.body else None


def _has_tasks(module: Module) -> bool:
    decorators = [each for function in module.functions for each in function.decorator_list]
    called = [each.func if isinstance(each, ast.Call) else each for each in decorators]
    starred = not module.imported.isdisjoint({f"{OLD}.*", f"{NEW}.*"})
    return starred or any(not module.dotted(each).isdisjoint(_TASK) for each in called)


def check_ignored(projects: Iterable[Path], root: Path) -> Iterator[Finding]:
    """Yield a finding for each project in which git does not ignore every base, whichever file could say so.

    Yields nothing without a git repository. Raises GuardFailed if git cannot tell.
    """
    asked = {project: [f"{(project.relative_to(root) / base).as_posix()}/" for base in BASES] for project in projects}
    ignored = git.find_ignored(root, [path for paths in asked.values() for path in paths])
    for project, paths in asked.items() if git.in_repository(root) else ():
        missing = [f"{base}/" for base, path in zip(BASES, paths, strict=True) if path not in ignored]
        if missing and not source.is_skipped(project / GITIGNORE):
            yield _not_ignored(project / GITIGNORE, missing)


def _not_ignored(path: Path, missing: list[str]) -> Finding:
    message = f"git does not ignore {' and '.join(missing)} here"
    finding = Finding(path, 1, 0, CODE, message, ending="".join(f"{base}\n" for base in missing)).concluded()
    is_odd = path.is_symlink() or (path.exists() and not path.is_file())
    return finding.refused(f"{GITIGNORE} is not a regular file") if is_odd else finding
