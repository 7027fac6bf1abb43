"""Entries and outcomes, drawn as tables or written as JSON; and the progress of long work.

The only module that imports rich and humanize. What it prints is data of others: names are shown with
all that could move a cursor, or hide, written as escapes.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import humanize
from rich import box
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..temp.entry import ORPHANED, Entry, Outcome
from ..temp.layout import LEGACY, TRASH
from ..tree.values import Progress as Report
from ..tree.values import no_progress, printable

if TYPE_CHECKING:
    from rich.progress import Progress

SCHEMA = 1
_PATIENCE = 0.5  # seconds of work before it is worth a progress bar
_FRAME = 0.1  # seconds between two drawings of it
_WIDE = 100_000  # columns: nobody's terminal, so nothing is cut or wrapped in a pipe
_HEADINGS = {ORPHANED: "orphaned, in the system's temporary location", TRASH: "unfinished, in the trash"}
_STYLES = {"idle": "", "in-use": "green", "kept": "cyan", "tracked": "cyan", "orphaned": "yellow", "unfinished": "red"}


def show_status(root: Path, entries: Sequence[Entry], now: float, *, as_json: bool) -> None:
    """Print what there is, on standard output. `now`: seconds since 1970."""
    if as_json:
        rows = [_row(root, entry, entry.reason) for entry in entries]
        total = {"entries": len(entries), "files": _files(entries), "disk_bytes": _bytes(entries)}
        _print_json(root, {"entries": rows, "total": total})
        return
    console = _console()
    if not entries:
        _print(console, f"No temporary directories in {_shown(root, console)}")
        return
    free = [entry for entry in entries if entry.state in ("idle", "orphaned", "unfinished")]
    _print(
        console,
        _status_table(root, entries, now, console),
        f"inv temp-clean would free {_size(_bytes(free))} in {_count(len(free))}; try inv temp-clean --dry-run first",
    )


def show_outcome(root: Path, outcome: Outcome, now: float, *, dry_run: bool, as_json: bool) -> None:
    """Print what a clean did, or with `dry_run` would do, on standard output. `now`: seconds since 1970."""
    if as_json:
        parts = {"removed": outcome.removed, "kept": outcome.kept, "failed": outcome.failed}
        rows = {name: [_row(root, row.entry, row.reason) for row in part] for name, part in parts.items()}
        _print_json(root, {"dry_run": dry_run, **rows, "freed_bytes": outcome.freed_bytes})
        return
    console = _console()
    lines: list[Table | str] = [_summary(outcome, dry_run)]
    if any(row.entry.state == "in-use" for row in outcome.kept):
        lines.append("What is in use stays; --force takes it too")
    if dry_run and outcome.removed:
        lines.append("Nothing was removed: this was a dry run")
    table = _outcome_table(root, outcome, now, dry_run, console)
    _print(console, *([table] if table.row_count else []), *lines)


@contextlib.contextmanager
def watch(what: str) -> Iterator[Report]:
    """Lend a progress report for long work: where a terminal watches, a bar on standard error after half a second."""
    if not sys.stderr.isatty():
        yield no_progress
        return
    watcher = _Watcher(what)
    try:
        yield watcher.advance
    finally:
        watcher.stop()


class _Watcher:
    """A progress bar that begins late and draws without a thread of its own: workers are forked beside it.

    In a forked worker it draws nothing: two cannot share a terminal, and what has begun here ends here.
    """

    def __init__(self, what: str) -> None:
        self._pid = os.getpid()
        self._what = what
        self._files = 0
        self._next = time.monotonic() + _PATIENCE
        self._bar: Progress | None = None

    def advance(self, files: int) -> None:
        """Count files, and draw if it is time."""
        self._files += files
        if time.monotonic() < self._next or os.getpid() != self._pid:
            return
        self._next = time.monotonic() + _FRAME
        if self._bar is None:
            self._bar = self._make()  # known before it hides the cursor: Ctrl-C may come at any time
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], files=f"{self._files:,}")
        self._bar.refresh()

    def _make(self) -> "Progress":
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[files]} files")
        bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), auto_refresh=False, transient=True)
        bar.add_task(self._what, total=None, files="")
        return bar

    def stop(self) -> None:
        """Wipe the bar, and give the terminal back as it was."""
        if self._bar:
            self._bar.stop()


def _console() -> Console:
    wide = None if sys.stdout.isatty() else _WIDE
    return Console(width=wide, markup=False, emoji=False, highlight=False, soft_wrap=wide is not None)


def _print(console: Console, *parts: "Table | str") -> None:
    """Print on standard output, into a pipe without trailing blanks."""
    if sys.stdout.isatty():
        console.print(*parts, sep="\n")
        return
    with console.capture() as captured:
        console.print(*parts, sep="\n")
    _write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough; nothing more is to be said, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _status_table(root: Path, entries: Sequence[Entry], now: float, console: Console) -> Table:
    table = _table(console, "Entry", "Size>", "Share", "Files>", "Age>", "State")
    whole = _bytes(entries) or 1
    for category, group in groupby(sorted(entries, key=_by_category), key=lambda entry: entry.category):
        members = list(group)
        head = Text(_shown(_HEADINGS.get(category, category), console))
        bar = _bar(_bytes(members), whole)
        table.add_row(head, _size(_bytes(members)), bar, f"{_files(members):,}", "", "", style="bold")
        for entry in members:
            cells = _cells(root, entry, now, console)
            bar = _bar(entry.usage.disk_bytes if entry.usage else 0, whole)
            table.add_row(cells.path, cells.size, bar, cells.files, cells.age, _state(entry, console))
        table.add_section()
    size, files = _size(_bytes(entries)), f"{_files(entries):,}"
    table.add_row(f"Total: {_count(len(entries))}", size, "", files, "", "", style="bold")
    return table


def _outcome_table(root: Path, outcome: Outcome, now: float, dry_run: bool, console: Console) -> Table:
    table = _table(console, "", "Entry", "Size>", "Files>", "Age>", "Why")
    done = "would remove" if dry_run else "removed"
    parts = ((done, "", outcome.removed), ("kept", "cyan", outcome.kept), ("FAILED", "red", outcome.failed))
    for verb, style, rows in parts:
        for row in rows:
            cells = _cells(root, row.entry, now, console)
            why = Text(_shown(row.reason, console), style=style)
            table.add_row(Text(verb, style=style), cells.path, cells.size, cells.files, cells.age, why)
        table.add_section()
    return table


def _summary(outcome: Outcome, dry_run: bool) -> str:
    verb = "Would remove" if dry_run else "Removed"
    parts = [f"{verb} {_count(len(outcome.removed))}, {_size(outcome.freed_bytes)}"]
    parts += [f"kept {len(outcome.kept)}"] if outcome.kept else []
    parts += [f"{len(outcome.failed)} could not be removed"] if outcome.failed else []
    return "; ".join(parts)


def _table(console: Console, *headings: str) -> Table:
    """Lay a table out; a heading that ends in `>` stands over numbers."""
    plain = not sys.stdout.isatty()
    table = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for heading in headings:
        right = heading.endswith(">")
        free = heading in ("Entry", "State", "Why") and not plain
        table.add_column(
            heading.removesuffix(">"), justify="right" if right else "left", overflow="fold", no_wrap=not free
        )
    return table


class _Cells(NamedTuple):
    path: Text
    size: str
    files: str
    age: str


def _cells(root: Path, entry: Entry, now: float, console: Console) -> _Cells:
    usage = entry.usage
    path = Text("  " + _shown(_relative(root, entry.path), console))
    if usage is None:
        return _Cells(path, "", "", "")
    age = humanize.naturaldelta(max(0.0, now - usage.changed), months=False)
    return _Cells(path, _size(usage.disk_bytes), f"{usage.files:,}", age)


def _state(entry: Entry, console: Console) -> Text:
    return Text(_shown(entry.reason or entry.state, console), style=_STYLES[entry.state])


def _by_category(entry: Entry) -> tuple[int, str, int, tuple[str, ...]]:
    last = {LEGACY: 1, ORPHANED: 2, TRASH: 3}
    return last.get(entry.category, 0), entry.category, -(entry.usage.disk_bytes if entry.usage else 0), entry.parts


def _bar(part: int, whole: int) -> ProgressBar:
    return ProgressBar(total=whole, completed=part, width=10, complete_style="cyan", finished_style="cyan")


def _count(number: int) -> str:
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


def _size(number: int) -> str:
    return humanize.naturalsize(number, binary=True)


def _bytes(entries: Iterable[Entry]) -> int:
    return sum(entry.usage.disk_bytes for entry in entries if entry.usage)


def _files(entries: Iterable[Entry]) -> int:
    return sum(entry.usage.files for entry in entries if entry.usage)


def _shown(text: str | Path, console: Console) -> str:
    """Return a name as it may be shown: all that is no plain character of the terminal's, escaped."""
    return printable(os.fspath(text)).encode(console.encoding, "backslashreplace").decode(console.encoding)


def _print_json(root: Path, document: dict[str, Any]) -> None:
    _write(json.dumps({"schema": SCHEMA, "root": _plain(root), **document}) + "\n")


def _row(root: Path, entry: Entry, reason: str | None) -> dict[str, Any]:
    usage = entry.usage
    return {
        "path": _plain(_relative(root, entry.path)),
        "category": _plain(entry.category),
        "name": _plain(entry.name),
        "created": entry.created,
        "modified": usage.modified if usage else None,
        "changed": usage.changed if usage else None,
        "files": usage.files if usage else None,
        "disk_bytes": usage.disk_bytes if usage else None,
        "state": entry.state,
        "reason": None if reason is None else _plain(reason),
    }


def _relative(root: Path, path: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _plain(text: str | Path) -> str:
    r"""Return text for JSON: a byte that is no UTF-8 as `\xNN`. The rest json itself escapes."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
