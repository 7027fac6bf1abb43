"""T6: the checklist's own files: `.gitignore` and `tasks.py`."""

import ast
from pathlib import Path

from . import source
from .finding import Finding
from .names import Module

CODE = "T6"
_WHOLE = "from common_tasks import ns"
TASKS = ("clean", "temp_clean", "temp_status")
IGNORED = (".tmp/", ".temp/")
_COLLECTIONS = frozenset({"invoke.Collection", "invoke.collection.Collection"})
_TASKS = frozenset({"invoke.task", "invoke.tasks.task"})
_OURS = frozenset({"common_tasks", "common_tasks.tasks"})


def check_gitignore(project: Path, root: Path) -> Finding | None:
    """Return what the `.gitignore` files from `project` up to `root` lack of `.tmp/` and `.temp/`."""
    path = project / ".gitignore"
    missing = _missing_patterns(project, root)
    if not missing:
        return None
    message = f".gitignore lacks {' and '.join(missing)}"
    if path.is_symlink():
        return Finding(path, 1, 0, CODE, "report", f"{message}, and is a link")
    return Finding(path, 1, 0, CODE, "safe", message)


def _missing_patterns(project: Path, root: Path) -> list[str]:
    above = [folder for folder in (project, *project.parents) if folder.is_relative_to(root)]
    lines = [line for folder in above for line in _lines(folder / ".gitignore")]
    if any(source.SKIP.search(line) for line in lines):
        return []
    return [name for name in IGNORED if not _forms(name) & set(lines)]


def _forms(pattern: str) -> set[str]:
    """Return the ways to write a pattern for a directory that is ignored wherever it is."""
    bare = pattern.rstrip("/")
    return {f"{start}{name}" for start in ("", "/", "**/") for name in (pattern, bare)}


def _lines(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    return [line.strip() for line in text.splitlines()]


def check_tasks(project: Path) -> Finding | None:
    """Return what the task file of `project` lacks, and the form of it that suits the file."""
    path = project / "tasks.py"
    if not path.exists():
        if (project / "tasks").is_dir():
            text = "the tasks are a package: import ours in it, and add them to its collection"
            return Finding(project / "tasks", 1, 0, CODE, "report", text)
        return Finding(path, 1, 0, CODE, "safe", f"tasks.py is missing: {_WHOLE}")
    try:
        text = source.read(path).text
        module = Module(text)
    except (OSError, source.Unreadable, SyntaxError, ValueError, RecursionError) as error:
        return Finding(path, 1, 0, CODE, "report", f"tasks.py cannot be read: {error}")
    return None if source.SKIP.search(source.head(text)) else _check_module(path, text, module)


def _check_module(path: Path, text: str, module: Module) -> Finding | None:
    missing = missing_tasks(module)
    if not missing:
        return None
    own = [name for name in missing if name in module.top.bindings]
    message = f"tasks.py lacks {', '.join(missing)}"
    if own:
        message += f"; its own {', '.join(own)} stays: let it call temp_clean(c)"
    new, how = _with_tasks(text, module)
    return Finding(path, 1, 0, CODE, "safe" if new else "report", f"{message}; {how}")


def complete(path: Path, data: bytes | None, root: Path) -> bytes | None:
    """Return the content of a `.gitignore` or `tasks.py` with what it lacks; None where nothing can be added."""
    if path.name == ".gitignore":
        return _appended(data or b"", _missing_patterns(path.parent, root))
    if data is None:
        return f"{_WHOLE}\n".encode()
    found = source.decode(path, data)
    new, _ = _with_tasks(found.text, Module(found.text))
    return found.encode(new) if new else None


def _appended(before: bytes, lines: list[str]) -> bytes:
    end = b"\r\n" if b"\r\n" in before else b"\n"
    joint = end if before and not before.endswith(b"\n") else b""
    return before + joint + b"".join(line.encode() + end for line in lines)


def missing_tasks(module: Module) -> list[str]:
    """Return which of our tasks a task file does not show.

    A task of the same name that is the file's own counts as there once it calls ours.
    """
    origins = {
        name: {binding.origin for binding in bindings if binding.origin}
        for name, bindings in module.top.bindings.items()
    }
    if "ns" in origins and origins["ns"] & {f"{home}.ns" for home in _OURS}:
        return []
    starred = bool(origins.get("*", set()) & {f"{home}.*" for home in _OURS})
    return [name for name in TASKS if not (starred or _has(module, name))]


def _has(module: Module, name: str) -> bool:
    for bindings in module.top.bindings.values():
        if any(binding.origin in {f"{home}.{name}" for home in _OURS} for binding in bindings):
            return True
    own = [binding.node for binding in module.top.bindings.get(name, ()) if isinstance(binding.node, ast.FunctionDef)]
    return any(_calls_ours(module, function) for function in own)


def _calls_ours(module: Module, function: ast.FunctionDef) -> bool:
    names = {f"{home}.{name}" for home in _OURS for name in TASKS}
    return any(module.is_call_of(call, *names) for call in ast.walk(function))


def _with_tasks(text: str, module: Module) -> tuple[str | None, str]:
    """Return a task file with ours added, and in words how; None where that is for a person."""
    wanted = [name for name in missing_tasks(module) if name not in module.top.bindings]
    line = f"from common_tasks import {', '.join(wanted)}"
    collection = _collection(module)
    if not wanted:
        return None, "nothing is to be added"
    if not _uses_invoke(module):
        return None, "it is no task file of invoke's: put the tasks where invoke finds them"
    if collection is None:
        return None, f"its collection is not built at the top of the file: {line}, and add each of them to it"
    if not collection:
        line = line if _has_tasks(module) else _WHOLE
        return _insert(text, module, line), line
    end = "\r\n" if "\r\n" in text else "\n"
    added = "".join(f"{collection}.add_task({name}){end}" for name in wanted)
    joint = "" if text.endswith("\n") else end
    return _insert(text, module, line) + joint + added, f"{line}, each added to {collection}"


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
    return not module.tree.body or any(origin.partition(".")[0] in ("invoke", "common_tasks") for origin in origins)


def _has_tasks(module: Module) -> bool:
    return any(
        not module.dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).isdisjoint(_TASKS)
        for function in module.functions
        for decorator in function.decorator_list
    )


def _insert(text: str, module: Module, line: str) -> str:
    """Put an import behind those that a task file begins with."""
    body = module.tree.body
    after = 0
    for number, statement in enumerate(body):
        docstring = number == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not (docstring or isinstance(statement, ast.Import | ast.ImportFrom)):
            break
        after = statement.end_lineno or 0
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    if after == 0:
        after = len(source.head(text).splitlines()) if source.head(text).startswith("#!") else 0
    joint = end if after and not lines[after - 1].endswith(("\n", "\r")) else ""
    return "".join([*lines[:after], joint, line, end, *lines[after:]])
