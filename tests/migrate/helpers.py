"""What the tests of migrations need: findings and rewritten programs of a text."""

from pathlib import Path
from textwrap import dedent

from common_tasks.fs.values import no_progress
from common_tasks.migrate import audit, change
from common_tasks.migrate.finding import Finding

TEST = "tests/test_it.py"
SCRIPT = "scripts/build.py"


def plain(text: str) -> str:
    return dedent(text).lstrip("\n")


def audited(root: Path, *projects: Path, helpers: tuple[str, ...] = ()) -> audit.Audit:
    return audit.audit(audit.Scope(root, projects or (root,), (), frozenset(helpers)), no_progress, 1)


def put(root: Path, files: dict[str, str]) -> None:
    """Write files, and what the checklist asks for beside them."""
    files = {
        "tasks.py": "from common_tasks import ns\n",
        ".gitignore": ".tmp/\n.temp/\n",
        "pyproject.toml": "",
        **files,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(plain(text), newline="")


def found(root: Path, path: str = TEST, helpers: tuple[str, ...] = ()) -> list[Finding]:
    """Return the findings of one file."""
    return [row for row in audited(root, helpers=helpers).rows if row.path == root / path]


def find(root: Path, text: str, path: str = TEST, **files: str) -> list[Finding]:
    put(root, {**files, path: text})
    return found(root, path)


def write(root: Path, *, unsafe: bool = False, helpers: tuple[str, ...] = ()) -> audit.Audit:
    """Migrate a project."""
    planned, changes = change.plan(audited(root, helpers=helpers), unsafe=unsafe, progress=no_progress, workers=1)
    done, failed = change.write(planned, changes)
    assert failed == ()
    return done


def is_settled(root: Path, *, unsafe: bool = False) -> bool:
    """Tell whether another run would change nothing."""
    return change.plan(audited(root), unsafe=unsafe, progress=no_progress, workers=1)[1] == ()


def rewrite(root: Path, text: str, path: str = TEST, *, unsafe: bool = False) -> str:
    """Return what becomes of a program in a project of its own."""
    put(root, {path: text})
    write(root, unsafe=unsafe)
    assert is_settled(root, unsafe=unsafe)
    return (root / path).read_text()


def safety(root: Path, text: str, path: str = TEST) -> list[tuple[str, str]]:
    return [(row.code, row.safety) for row in find(root, text, path)]


def unchanged(root: Path, text: str, path: str = TEST, *, unsafe: bool = False) -> bool:
    return rewrite(root, text, path, unsafe=unsafe) == plain(text)
