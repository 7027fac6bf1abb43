"""T2: `tempfile.TemporaryDirectory` in fixtures and tests becomes `pytest_temp_dirs`."""

import ast
from collections.abc import Iterator

from . import made_folders
from .blocks import Block, Verdict, find_blocks, find_loose_calls, judge, path_conversion, prefix
from .context import Program
from .finding import Drop, Finding, ReplaceItem, Safety
from .made_folders import Folders
from .names import Module

CODE = "T2"


def check(program: Program) -> Iterator[Finding]:
    """Yield what stands in a test file."""
    if not program.is_test:
        return
    for block in find_blocks(program.module):
        yield _finding(program, block)
    for call in find_loose_calls(program.module):
        yield loose(program, call, CODE, "with pytest_temp_dirs(1) as (name,)")


def loose(program: Program, call: ast.Call, code: str, better: str) -> Finding:
    """Report a TemporaryDirectory that no block ends."""
    line, column = program.module.place(call)
    message = f"TemporaryDirectory outside a with statement: only a person can say when it ends; see {better}"
    return Finding(program.path, line, column, code, "report", message, last_line=call.end_lineno or line)


def _finding(program: Program, block: Block) -> Finding:
    verdict = judge(program.module, block)
    folders = _folders(program.module, block)
    if verdict.safety != "report" and folders:
        return block_finding(program, block, CODE, Verdict("safe"), folders.code, folders)
    name = block.target.id if isinstance(block.target, ast.Name) else None
    if given := prefix(block.call):
        code = f'temp_working_dir("{given}")' + (f" as {name}" if name else "")
    else:
        code = "pytest_temp_dirs(1)" + (f" as ({name},)" if name else "")
    return block_finding(program, block, CODE, verdict, code)


def _folders(module: Module, block: Block) -> Folders | None:
    """Return the directories that a block begins by making, where it is about nothing else of its own."""
    body, name = block.statement.body, block.target
    if len(block.statement.items) > 1 or block.call.keywords or not isinstance(name, ast.Name):
        return None
    scope = module.scope_of(name)
    folders = made_folders.find_run(module, body, name.id, converted=path_conversion(module, block) is not None)
    if scope is None or folders is None or folders.first or len(folders.statements) == len(body):
        return None
    names = {name.id} | made_folders.aliases(folders)
    if len(scope.bindings[name.id]) > 1 or not made_folders.uses_only(module, folders, names, scope):
        return None
    return folders if made_folders.is_droppable(module, folders) else None


def block_finding(
    program: Program, block: Block, code: str, verdict: Verdict, new: str, folders: Folders | None = None
) -> Finding:
    """Return the finding for a block that `new`, an item of a `with` statement, takes the place of."""
    module = program.module
    line, column = module.place(block.call)
    used = new.partition("(")[0]
    told = verdict.reason if verdict.safety == "report" else f"with {new}"
    reason = f"; {verdict.reason}" if verdict.safety == "unsafe" else ""
    dropped = [Drop(module.place(statement)) for statement in folders.statements] if folders else []
    item = ReplaceItem(module.place(block.statement), block.number, new)
    edits = () if verdict.safety == "report" else (item, *verdict.edits, *dropped)
    safety: Safety = verdict.safety
    message = f"TemporaryDirectory: {told}{reason}"
    return Finding(program.path, line, column, code, safety, message, edits, (used,), block.call.end_lineno or line)
