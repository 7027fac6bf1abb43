"""What a migration found and changed, as a checklist, a patch or JSON."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from ..migrate.finding import Change, Finding
from ..migrate.patch import make_patch
from ..migrate.result import Audit, line_of
from . import document
from .console import Line, Prose, Screen, Span, line, write
from .facts import relative
from .text import count, shown, width

_STYLES = {"safe": "green", "unsafe": "yellow", "report": "cyan", "fixed": "green"}
_IN_WORDS = {
    "safe": "safe: --write rewrites them",
    "unsafe": "unsafe: --write --unsafe rewrites them too",
    "report": "to do by hand",
    "fixed": "fixed",
}


def show_audit(audit: Audit, failed: Mapping[Path, str], *, as_json: bool) -> None:
    """Print the checklist with what keeps each of its lines open, on standard output.

    `failed`: the files that should have been written but were not, with the reason; they go to standard error.
    """
    for path, reason in failed.items():
        name = shown(relative(audit.scope.root, path), sys.stderr.encoding)
        print(f"not written: {name}: {shown(reason, sys.stderr.encoding)}", file=sys.stderr)
    if as_json:
        document.write(_document(audit))
    else:
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
        yield from _project(audit, project, screen)
    yield Prose(_summary(audit), "bold")
    if audit.left:
        parts = [f"{number} {what}" for what, number in sorted(audit.left.items())]
        yield Prose(f"Left as they are: {'; '.join(parts)}")


def _project(audit: Audit, project: Path, screen: Screen) -> Iterator[Line]:
    name = relative(audit.scope.shown_from, project)
    yield line(shown(project.name if name == "." else name, screen.encoding), "bold")
    findings = audit.shown(project)
    items = (item for item in audit.checklist if item.project == project)
    for group, of_group in groupby(items, key=lambda item: item.group):
        yield line(f"  {group}")
        for item in of_group:
            box = f"    [{'x' if item.done else ' '}] "
            yield Prose(item.text, "green" if item.done else "", " " * len(box), box)
            for row in findings:
                if line_of(row, project) == (item.group, item.text):
                    yield from _finding(audit.scope.shown_from, row, screen)
    yield ()


def _finding(root: Path, row: Finding, screen: Screen) -> Iterator[Line]:
    """Draw a finding in one line, or, if a terminal has no room for that, with the message below."""
    where = f"        {shown(relative(root, row.path), screen.encoding)}:{row.line}:{row.column + 1}  {row.code}  "
    safety = "fixed" if row.fixed else row.safety
    message = f"  {shown(row.message, screen.encoding)}"
    start = Span(where), Span(f"{safety:6}", _STYLES[safety])
    if screen.width is None or width(where) + 6 + width(message) <= screen.width:
        yield *start, Span(message)
    else:
        yield start
        yield Prose(message.strip(), indent=" " * 12)


def _counts(audit: Audit) -> dict[str, int]:
    found = Counter("fixed" if row.fixed else row.safety for row in audit.rows)
    return {**{kind: found[kind] for kind in _STYLES}, "files": len({row.path for row in audit.rows})}


def _summary(audit: Audit) -> str:
    counts = _counts(audit)
    open_ = counts["safe"] + counts["unsafe"] + counts["report"]
    said = [f"{counts[kind]} {words}" for kind, words in _IN_WORDS.items() if counts[kind]]
    return "; ".join([f"{open_} open in {count(len(audit.findings), 'project')}", *said])


def _document(audit: Audit) -> dict[str, Any]:
    root = audit.scope.shown_from
    return {
        **document.start(root),
        "findings": [
            {
                "path": document.plain(relative(root, row.path)),
                "line": row.line,
                "column": row.column + 1,
                "code": row.code,
                "safety": row.safety,
                "message": document.plain(row.message),
                "fixed": row.fixed,
            }
            for row in audit.rows
        ],
        "checklist": [
            {
                "project": document.plain(relative(root, item.project)),
                "item": f"{item.group}: {item.text}",
                "done": item.done,
            }
            for item in audit.checklist
        ],
        "summary": _counts(audit),
    }
