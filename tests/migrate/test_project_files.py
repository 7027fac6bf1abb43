from pathlib import Path

import pytest

from ..helpers import git, inv
from .helpers import audited, is_settled, plain, put, write

OWN = """
    from invoke import task


    @task
    def build(c):
        "Build it."
        print("built")
"""


def migrated_tasks(root: Path, text: str) -> str:
    put(root, {"tasks.py": text})
    write(root)
    assert is_settled(root)
    return (root / "tasks.py").read_text()


def shows_all(root: Path) -> bool:
    listed = inv(root, "--list").stdout
    return all(f"  {name} " in listed for name in ("temp-status", "temp-clean", "clean", "build"))


def test_bare_tasks_get_ours_beside_them(tmp_path: Path) -> None:
    after = migrated_tasks(tmp_path, OWN)
    assert after.startswith(
        "from common_tasks import clean, temp_clean, temp_status  # noqa: F401\nfrom invoke import task\n\n\n@task"
    )
    assert shows_all(tmp_path)


@pytest.mark.parametrize("name", ["ns", "namespace"])
def test_collection_gets_ours_added(tmp_path: Path, name: str) -> None:
    head = plain(OWN).replace("import task", "import Collection, task")
    after = migrated_tasks(tmp_path, f"{head}\n{name} = Collection(build)\n")
    assert after.endswith("".join(f"{name}.add_task({task})\n" for task in ("clean", "temp_clean", "temp_status")))
    assert shows_all(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ruff.toml", '[lint.isort]\nrequired-imports = ["from __future__ import annotations"]\n'),
        (".isort.cfg", "[settings]\nadd_imports = from __future__ import annotations\n"),
    ],
)
def test_missing_file_is_made_with_the_imports_that_the_project_requires(tmp_path: Path, name: str, text: str) -> None:
    put(tmp_path, {name: text})
    (tmp_path / "tasks.py").unlink()
    write(tmp_path)
    assert (
        "\n\nfrom __future__ import annotations\n\nfrom common_tasks import ns\n" in (tmp_path / "tasks.py").read_text()
    )


def test_missing_file_is_made_and_an_empty_one_filled(tmp_path: Path) -> None:
    put(tmp_path, {})
    (tmp_path / "tasks.py").unlink()
    write(tmp_path)
    assert (tmp_path / "tasks.py").read_text().endswith('from common_tasks import ns\n\n__all__ = ["ns"]\n')
    assert migrated_tasks(tmp_path, '"""Tasks."""\n') == '"""Tasks."""\n'  # it does not say that it is invoke's
    assert migrated_tasks(tmp_path, "import invoke\n") == "import invoke\nfrom common_tasks import ns  # noqa: F401\n"


def test_file_that_may_hide_another_module_of_its_name_is_unsafe(tmp_path: Path) -> None:
    put(tmp_path, {"src/tasks.py": "def add():\n    pass\n", "use.py": "import os\nfrom tasks import add\n"})
    (tmp_path / "tasks.py").unlink()
    [row] = audited(tmp_path).rows
    assert (row.code, row.safety, "use.py line 2 imports another module" in row.message) == ("T6", "unsafe", True)


@pytest.mark.parametrize(
    "text",
    [
        "from common_tasks import ns\n",
        "from common_tasks import *\n",
        "from common_tasks import clean, temp_clean, temp_status\n",
        "# temp-migrate: skip\nimport invoke\n",
        "import common_tasks\nfrom invoke import Collection\n\nns = Collection()\n"
        "ns.add_collection(common_tasks.ns, 'common')\n",
    ],
)
def test_file_that_has_them_stays_as_it_is(tmp_path: Path, text: str) -> None:
    assert migrated_tasks(tmp_path, text) == text


def test_own_clean_stays_and_is_done_once_it_calls_ours(tmp_path: Path) -> None:
    own = plain(OWN) + '\n\n@task\ndef clean(c):\n    "Clean."\n    c.run("true")\n'
    after = migrated_tasks(tmp_path, own)
    assert "from common_tasks import temp_clean, temp_status  # noqa: F401\n" in after
    put(tmp_path, {"tasks.py": own})
    assert [row.fixed for row in write(tmp_path).rows] == [True, False]  # the line of the checklist stays open
    [row] = audited(tmp_path).rows
    assert (row.code, row.safety, "have it call temp_clean(c)" in row.message) == ("T6", "report", True)
    (tmp_path / "tasks.py").write_text(after.replace('c.run("true")', "temp_clean(c)"))
    assert list(audited(tmp_path).rows) == []


@pytest.mark.parametrize("text", ["from celery import task\n\nx = task\n", "import invoke\nns = make()\n", "def (:\n"])
def test_file_that_is_not_plain_is_reported(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"tasks.py": text})
    assert [(row.code, row.safety) for row in audited(tmp_path).rows] == [("T6", "report")]
    write(tmp_path, unsafe=True)
    assert (tmp_path / "tasks.py").read_text() == text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, b".tmp/\n.temp/\n"),
        (b"build/", b"build/\n.tmp/\n.temp/\n"),
        (b"/.tmp\n", b"/.tmp\n.temp/\n"),
        (b"a\r\n.temp\r\n", b"a\r\n.temp\r\n.tmp/\r\n"),
        (b"\xff\n", b"\xff\n.tmp/\n.temp/\n"),
        (b"**/.tmp/\n.temp\n", b"**/.tmp/\n.temp\n"),
        (b"# temp-migrate: skip\n", b"# temp-migrate: skip\n"),
    ],
)
def test_gitignore_gets_what_it_lacks(tmp_path: Path, before: bytes | None, after: bytes) -> None:
    put(tmp_path, {})
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").unlink()
    if before is not None:
        (tmp_path / ".gitignore").write_bytes(before)
    write(tmp_path)
    assert (tmp_path / ".gitignore").read_bytes() == after
    assert is_settled(tmp_path)


def test_gitignore_of_the_monorepo_holds_for_its_projects(tmp_path: Path) -> None:
    put(tmp_path, {"one/pyproject.toml": "", "one/tasks.py": "from common_tasks import ns\n"})
    git(tmp_path, "init", "-q")
    assert list(audited(tmp_path, tmp_path / "one").rows) == []
