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
    """Return a finding for each project in which git does not ignore the bases; none where there is no git.

    Raises GuardFailed where git cannot tell.
    """
    asked = {project: [_below(project, root, base) for base in BASES] for project in projects}
    ignored = git.find_ignored(root, [path for paths in asked.values() for path in paths])
    found = {}
    for project, paths in asked.items() if git.in_repository(root) else ():
        missing = [f"{base}/" for base, path in zip(BASES, paths, strict=True) if path not in ignored]
        if missing and not source.is_skipped(project / NAME):
            found[project] = _finding(project / NAME, missing)
    return found


def _below(project: Path, root: Path, base: str) -> str:
    return (project.relative_to(root) / base).as_posix() + "/"


def _finding(path: Path, missing: list[str]) -> Finding:
    finding = Finding(path, 1, 0, CODE, "safe", f"git does not ignore {' and '.join(missing)} here")
    is_odd = path.is_symlink() or (path.exists() and not path.is_file())
    return finding.refused(f"{NAME} is not a regular file") if is_odd else finding


def complete(data: bytes | None, finding: Finding) -> bytes:
    """Return the content of a `.gitignore` with the lines that its finding says are missing."""
    before = data or b""
    lines = [f"{base}/".encode() for base in BASES if f"{base}/" in finding.message]
    end = b"\r\n" if b"\r\n" in before else b"\n"
    joint = end if before and not before.endswith(b"\n") else b""
    return before + joint + b"".join(line + end for line in lines)
