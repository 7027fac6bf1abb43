"""T6: git ignores `.tmp/` and `.temp/` in each project, by whichever file says so."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..project import git
from . import source
from .finding import Finding
from .kinds import BASES

CODE = "T6"
NAME = ".gitignore"


def check(projects: Iterable[Path], root: Path) -> Iterator[Finding]:
    """Yield a finding for each project in which git does not ignore the bases; none where there is no git.

    Raises GuardFailed where git cannot tell.
    """
    asked = {project: [f"{(project.relative_to(root) / base).as_posix()}/" for base in BASES] for project in projects}
    ignored = git.find_ignored(root, [path for paths in asked.values() for path in paths])
    for project, paths in asked.items() if git.in_repository(root) else ():
        missing = [f"{base}/" for base, path in zip(BASES, paths, strict=True) if path not in ignored]
        if missing and not source.is_skipped(project / NAME):
            yield _finding(project / NAME, missing)


def _finding(path: Path, missing: list[str]) -> Finding:
    message = f"git does not ignore {' and '.join(missing)} here"
    finding = Finding(path, 1, 0, CODE, message, ending="".join(f"{base}\n" for base in missing)).concluded()
    is_odd = path.is_symlink() or (path.exists() and not path.is_file())
    return finding.refused(f"{NAME} is not a regular file") if is_odd else finding
