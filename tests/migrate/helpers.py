"""What the tests of migrations need: findings and rewritten programs of a text."""

from pathlib import Path
from textwrap import dedent

from common_tasks.fs.workers import ALONE
from common_tasks.migrate import audit, change
from common_tasks.migrate import write as writing
from common_tasks.migrate.finding import Change, Finding

from ..helpers import command

PYPROJECT = '[project]\nname = "p"\nversion = "1"\ndependencies = ["common-tasks"]\n'
TEST = "tests/test_it.py"
SCRIPT = "scripts/build.py"


def plain(text: str) -> str:
    return dedent(text).lstrip("\n")


def audited(root: Path, *projects: Path, helpers: tuple[str, ...] = ()) -> audit.Audit:
    return audit.audit(audit.Scope(root, projects or (root,), (), frozenset(helpers)), ALONE)


def put(root: Path, files: dict[str, str]) -> None:
    """Write files, and what the checklist asks for beside them."""
    files = {
        "tasks.py": "from common_tasks import ns\n",
        ".gitignore": ".tmp/\n.temp/\n",
        "pyproject.toml": PYPROJECT,
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


def planned(found: audit.Audit, *, unsafe: bool = False) -> tuple[audit.Audit, tuple[Change, ...]]:
    found, changes, _ = change.plan(found, unsafe=unsafe, force=True, workers=ALONE)
    return found, changes


def migrate(root: Path, *words: str, code: int = 0) -> str:
    """Run `common-tasks temp-migrate`."""
    return command(root, "temp-migrate", *words, code=code).stdout


def write(root: Path, *, unsafe: bool = False, helpers: tuple[str, ...] = ()) -> audit.Audit:
    """Migrate a project."""
    found, changes = planned(audited(root, helpers=helpers), unsafe=unsafe)
    failed = writing.write(changes)
    assert failed == {}
    return change.settled(found, changes, failed)


def is_settled(root: Path, *, unsafe: bool = False) -> bool:
    """Tell whether another run would change nothing."""
    return planned(audited(root), unsafe=unsafe)[1] == ()


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
