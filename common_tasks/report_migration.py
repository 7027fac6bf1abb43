"""What a migration found and changed, as a checklist, a patch or JSON."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from .migrate import checklist
from .migrate.audit import Audit
from .migrate.finding import Change, Finding, Item
from .migrate.patch import make_patch
from .report import _console, _plain, _print_json, _relative, _shown, _write

_STYLES = {"safe": "green", "unsafe": "yellow", "report": "cyan"}


def show_audit(audit: Audit, failed: Sequence[str], *, as_json: bool) -> None:
    """Print the checklist with what keeps each of its lines open, on standard output."""
    if as_json:
        _print_json(audit.scope.shown_from, _document(audit))
        return
    console = _console()
    lines: list[Text] = []
    for project, findings in audit.findings.items():
        lines += _project(audit, project, findings, console)
    _print_lines(console, [*lines, Text(_summary(audit))])
    for line in failed:
        print(f"not written: {_shown(line, console)}", file=sys.stderr)


def show_patch(changes: Iterable[Change], root: Path) -> None:
    """Print changes as a patch: with colours on a terminal, byte for byte into a pipe."""
    patch = make_patch(changes, root)
    if sys.stdout.isatty():
        text = "\n".join(_shown(line, _console()) for line in patch.decode("utf-8", "surrogateescape").split("\n"))
        _console().print(Syntax(text.rstrip("\n"), "diff", theme="ansi_dark", background_color="default"))
        return
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(patch)
        sys.stdout.flush()
    except BrokenPipeError:  # as in report: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _project(audit: Audit, project: Path, findings: Sequence[Finding], console: Console) -> list[Text]:
    root = audit.scope.shown_from
    name = _relative(root, project)
    lines = [Text(_shown(project.name if name == "." else name, console), style="bold")]
    group = ""
    for item in audit.checklist:
        if item.project == project:
            lines += [Text(f"  {item.group}")] if item.group != group else []
            group = item.group
            lines += [_item(item)]
            rows = [row for row in findings if checklist.line_of(row, project) == (item.group, item.text)]
            lines += [_finding(root, row, console) for row in rows]
    return [*lines, Text("")]


def _item(item: Item) -> Text:
    return Text(f"    [{'x' if item.done else ' '}] {item.text}", style="green" if item.done else "")


def _finding(root: Path, row: Finding, console: Console) -> Text:
    where = f"        {_shown(_relative(root, row.path), console)}:{row.line}:{row.column + 1}  {row.code}  "
    safety = "fixed" if row.fixed else row.safety
    return Text.assemble(where, (f"{safety:6}", _STYLES.get(safety, "green")), f"  {_shown(row.message, console)}")


def _print_lines(console: Console, lines: Sequence[Text]) -> None:
    if sys.stdout.isatty():
        for line in lines:
            console.print(line)
        return
    _write("".join(f"{line.plain.rstrip()}\n" for line in lines))


def _counts(audit: Audit) -> dict[str, int]:
    rows = list(audit.rows)
    found = Counter(row.safety for row in rows if not row.fixed)
    fixed = sum(row.fixed for row in rows)
    counts = {safety: found[safety] for safety in ("safe", "unsafe", "report")}
    return {**counts, "fixed": fixed, "files": len({row.path for row in rows})}


def _summary(audit: Audit) -> str:
    counts = _counts(audit)
    open_ = counts["safe"] + counts["unsafe"] + counts["report"]
    parts = [f"{open_} open in {len(audit.findings)} {'project' if len(audit.findings) == 1 else 'projects'}"]
    parts += [f"{counts['safe']} safe: --write rewrites them"] if counts["safe"] else []
    parts += [f"{counts['unsafe']} unsafe: --write --unsafe rewrites them too"] if counts["unsafe"] else []
    parts += [f"{counts['report']} for a person"] if counts["report"] else []
    parts += [f"{counts['fixed']} fixed"] if counts["fixed"] else []
    return "; ".join(parts)


def _document(audit: Audit) -> dict[str, Any]:
    root = audit.scope.shown_from
    rows = list(audit.rows)
    return {
        "findings": [
            {
                "path": _plain(_relative(root, row.path)),
                "line": row.line,
                "column": row.column + 1,
                "code": row.code,
                "safety": row.safety,
                "message": _plain(row.message),
                "fixed": row.fixed,
            }
            for row in rows
        ],
        "checklist": [
            {"project": _plain(_relative(root, item.project)), "item": f"{item.group}: {item.text}", "done": item.done}
            for item in audit.checklist
        ],
        "summary": _counts(audit),
    }
