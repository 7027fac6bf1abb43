"""What a migration found and changed, as a checklist, a patch or JSON."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..migrate.finding import Change, Finding, Item
from ..migrate.patch import make_patch
from ..migrate.result import Audit, line_of
from . import document
from .console import Line, Screen, Span, line, prose, write
from .text import count, shown, width, wrap

_STYLES = {"safe": "green", "unsafe": "yellow", "report": "cyan", "fixed": "green"}


def show_audit(audit: Audit, failed: Mapping[Path, str], *, as_json: bool) -> None:
    """Print the checklist with what keeps each of its lines open, on standard output.

    `failed`: the files that were to be written and were not, with the reason; they go to standard error.
    """
    for path, reason in failed.items():
        name = shown(_relative(audit.scope.root, path), sys.stderr.encoding)
        print(f"not written: {name}: {shown(reason, sys.stderr.encoding)}", file=sys.stderr)
    if as_json:
        document.write(_document(audit))
        return
    screen = Screen()
    screen.show(_audit(audit, screen))


def show_patch(changes: Iterable[Change], root: Path) -> None:
    """Print changes as a patch: with colours on a terminal, byte for byte into a pipe."""
    patch = make_patch(changes, root)
    screen = Screen()
    if screen.is_terminal:
        texts = patch.decode("utf-8", "surrogateescape").rstrip("\n").split("\n")
        screen.show(line(shown(text, screen.encoding), _style_of(text)) for text in texts)
        return
    write(patch)


def _style_of(row: str) -> str:
    if row.startswith(("---", "+++", "diff ")):
        return "bold"
    return {"+": "green", "-": "red", "@": "cyan"}.get(row[:1], "")


def _audit(audit: Audit, screen: Screen) -> Iterator[Line]:
    for project in audit.findings:
        yield from _project(audit, project, audit.shown(project), screen)
    yield from prose(_summary(audit), screen.width, style="bold")
    if audit.left:
        parts = [f"{number} {what}" for what, number in sorted(audit.left.items())]
        yield from prose(f"Left as they are: {'; '.join(parts)}", screen.width)


def _project(audit: Audit, project: Path, findings: Sequence[Finding], screen: Screen) -> Iterator[Line]:
    name = _relative(audit.scope.shown_from, project)
    yield line(shown(project.name if name == "." else name, screen.encoding), "bold")
    group = ""
    for item in (item for item in audit.checklist if item.project == project):
        if item.group != group:
            yield line(f"  {item.group}")
        group = item.group
        yield from _item(item, screen)
        for row in findings:
            if line_of(row, project) == (item.group, item.text):
                yield from _finding(audit.scope.shown_from, row, screen)
    yield line("")


def _item(item: Item, screen: Screen) -> Iterator[Line]:
    first, *rest = wrap(item.text, screen.width, " " * 8)
    for text in (f"    [{'x' if item.done else ' '}] {first.strip()}", *rest):
        yield line(text, "green" if item.done else "")


def _finding(root: Path, row: Finding, screen: Screen) -> Iterator[Line]:
    """Draw a finding in one line, or where a terminal has no room for that, with the message below."""
    where = f"        {shown(_relative(root, row.path), screen.encoding)}:{row.line}:{row.column + 1}  {row.code}  "
    safety = "fixed" if row.fixed else row.safety
    message = f"  {shown(row.message, screen.encoding)}"
    start = Span(where), Span(f"{safety:6}", _STYLES[safety])
    if screen.width is None or width(where) + 6 + width(message) <= screen.width:
        yield *start, Span(message)
        return
    yield start
    yield from prose(message.strip(), screen.width, " " * 12)


def _relative(root: Path, path: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _counts(audit: Audit) -> dict[str, int]:
    rows = list(audit.rows)
    found = Counter(row.safety for row in rows if not row.fixed)
    fixed = sum(row.fixed for row in rows)
    counts = {safety: found[safety] for safety in ("safe", "unsafe", "report")}
    return {**counts, "fixed": fixed, "files": len({row.path for row in rows})}


def _summary(audit: Audit) -> str:
    counts = _counts(audit)
    open_ = counts["safe"] + counts["unsafe"] + counts["report"]
    parts = [f"{open_} open in {count(len(audit.findings), 'project')}"]
    parts += [f"{counts['safe']} safe: --write rewrites them"] if counts["safe"] else []
    parts += [f"{counts['unsafe']} unsafe: --write --unsafe rewrites them too"] if counts["unsafe"] else []
    parts += [f"{counts['report']} to do by hand"] if counts["report"] else []
    parts += [f"{counts['fixed']} fixed"] if counts["fixed"] else []
    return "; ".join(parts)


def _document(audit: Audit) -> dict[str, Any]:
    root = audit.scope.shown_from
    rows = list(audit.rows)
    return {
        **document.start(root),
        "findings": [
            {
                "path": document.plain(_relative(root, row.path)),
                "line": row.line,
                "column": row.column + 1,
                "code": row.code,
                "safety": row.safety,
                "message": document.plain(row.message),
                "fixed": row.fixed,
            }
            for row in rows
        ],
        "checklist": [
            {
                "project": document.plain(_relative(root, item.project)),
                "item": f"{item.group}: {item.text}",
                "done": item.done,
            }
            for item in audit.checklist
        ],
        "summary": _counts(audit),
    }
