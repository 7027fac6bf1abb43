"""T6: git ignores `.tmp/` and `.temp/` in each project, by whichever file says so."""

from collections.abc import Iterable
from pathlib import Path

from ..project import git
from . import source
from .base_paths import BASES
from .finding import Finding

CODE = "T6"
NAME = ".gitignore"


def check(projects: Iterable[Path], root: Path) -> dict[Path, Finding]:
    """Return a finding for each project in which git does not ignore the bases.

    Raises GuardFailed where git cannot tell.
    """
    asked = {project: [_below(project, root, base) for base in BASES] for project in projects}
    ignored = git.find_ignored(root, [path for paths in asked.values() for path in paths])
    tracked = git.in_repository(root)
    found = {}
    for project, paths in asked.items():
        missing = [f"{base}/" for base, path in zip(BASES, paths, strict=True) if path not in ignored]
        if missing and not tracked:
            named = {line.removeprefix("**/").strip("/") for line in _lines(project / NAME)}
            missing = [name for name in missing if name.rstrip("/") not in named]
        if missing and not _is_silenced(project / NAME):
            found[project] = _finding(project / NAME, missing)
    return found


def _below(project: Path, root: Path, base: str) -> str:
    return (project.relative_to(root) / base).as_posix() + "/"


def _finding(path: Path, missing: list[str]) -> Finding:
    message = f"git does not ignore {' and '.join(missing)} here"
    safety = "report" if path.is_symlink() or (path.exists() and not path.is_file()) else "safe"
    suffix = f"; {NAME} is not a regular file" if safety == "report" else ""
    finding = Finding(path, 1, 0, CODE, "report", message + suffix)
    return finding if safety == "report" else finding._replace(safety="safe", edits=())


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in source.read_bytes(path).decode("utf-8", "replace").splitlines()]
    except (OSError, source.Unreadable):
        return []


def _is_silenced(path: Path) -> bool:
    return any(source.SKIP.search(line) for line in _lines(path))


def complete(data: bytes | None, finding: Finding) -> bytes:
    """Return the content of a `.gitignore` with the lines that its finding says are missing."""
    before = data or b""
    lines = [f"{base}/".encode() for base in BASES if f"{base}/" in finding.message]
    end = b"\r\n" if b"\r\n" in before else b"\n"
    joint = end if before and not before.endswith(b"\n") else b""
    return before + joint + b"".join(line + end for line in lines)
