from pathlib import Path

from ..helpers import fresh_python, git, inv
from .helpers import audited, is_settled, put, write

OWN = """
    from invoke import task
    from pathlib import Path
    import time


    def get_temp_dir(name_prefix="temp"):
        temp_dir = Path(".tmp") / f"{name_prefix}_{int(time.time())}"
        temp_dir.mkdir(parents=True, exist_ok=True)
        return temp_dir


    def shout(text):
        return text.upper()


    @task
    def clean(c):
        c.run("rm -rf .tmp")


    @task
    def temp_clean(c):
        clean(c)


    @task
    def temp_status(c):
        c.run("ls .tmp")
"""
TASKS = """
    from invoke import task
    from common_tasks import clean, get_temp_dir, shout, temp_clean, temp_status


    @task
    def demo(c):
        "Make something."
        (get_temp_dir("demo") / "x").write_text(shout("made"))
"""


def test_module_that_hides_ours_is_told_in_steps_and_holds_the_rest_back(tmp_path: Path) -> None:
    put(tmp_path, {"common_tasks.py": OWN, "tasks.py": TASKS})
    rows = {(row.path.name, row.code): row for row in audited(tmp_path).rows}
    main = rows["common_tasks.py", "T0"]
    assert main.safety == "unsafe"
    for step in (
        "rename it to common_tasks_legacy.py",
        "take clean, temp_clean, temp_status",
        "tasks.py",
    ):
        assert step in main.message
    assert rows["tasks.py", "T1"].safety == "unsafe"
    assert is_settled(tmp_path)  # nothing is safe as long as it is there


def test_with_unsafe_it_is_renamed_with_its_imports_and_the_tasks_are_ours(tmp_path: Path) -> None:
    put(tmp_path, {"common_tasks.py": OWN, "tasks.py": TASKS})
    write(tmp_path, unsafe=True)
    assert not (tmp_path / "common_tasks.py").exists()
    assert "def shout" in (tmp_path / "common_tasks_legacy.py").read_text()
    assert "def clean" not in (tmp_path / "common_tasks_legacy.py").read_text()
    inv(tmp_path, "demo")
    assert "demo" in inv(tmp_path, "temp-status").stdout
    assert next((tmp_path / ".tmp/debug").glob("demo_*/x")).read_text() == "MADE"
    assert is_settled(tmp_path, unsafe=True)


FORMS = {
    "a.py": "import common_tasks\nprint(common_tasks.shout('x'))\n",
    "b.py": "import common_tasks as ours\nprint(ours.shout('x'))\n",
    "c.py": "from common_tasks import shout as cry, temp_clean\nprint(cry('x'), temp_clean.name)\n",
    "d.py": "def f():\n    from common_tasks import shout\n    return shout('x')\n\nprint(f())\n",
}


def test_each_form_of_import_works_afterwards(tmp_path: Path) -> None:
    put(tmp_path, {"common_tasks.py": OWN, **FORMS})
    write(tmp_path, unsafe=True)
    for name in FORMS:
        done = fresh_python(f"import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('{name}')", cwd=tmp_path)
        assert done.stdout.startswith("X"), (name, done.stderr)


def test_common_temp_of_the_repositorys_own_stays_and_the_engine_has_its_other_name(tmp_path: Path) -> None:
    files = {
        "common/__init__.py": "",
        "common/temp.py": "def mine():\n    return 'mine'\n",
        "scripts/a.py": "from common.temp import mine\nprint(mine())\n",
        "tests/test_a.py": "import tempfile\n\n\ndef test_a():\n    with tempfile.TemporaryDirectory():\n        pass\n",
    }
    put(tmp_path, files)
    write(tmp_path, unsafe=True)
    assert "from common_tasks.temp import temp_working_dir" in (tmp_path / "tests/test_a.py").read_text()
    assert fresh_python("import scripts.a", cwd=tmp_path).stdout == "mine\n"


def test_comment_that_would_be_lost_stops_the_renaming(tmp_path: Path) -> None:
    imports = "from common_tasks import (\n    shout,  # ours\n)\n"
    put(tmp_path, {"common_tasks.py": OWN, "a.py": imports, "b.py": "from common_tasks import shout\n"})
    rows = [row for row in write(tmp_path, unsafe=True).rows if row.code == "T0"]
    assert {row.safety for row in rows} == {"report"}
    assert any("a.py line 1" in row.message for row in rows)
    assert (tmp_path / "common_tasks.py").exists()
    assert (tmp_path / "a.py").read_text() == imports


def test_clean_that_does_more_than_ours_stays(tmp_path: Path) -> None:
    own = OWN.replace('c.run("rm -rf .tmp")', 'c.run("rm -rf .tmp build")')
    put(tmp_path, {"common_tasks.py": own, "tasks.py": TASKS})
    write(tmp_path, unsafe=True)
    assert "def clean" in (tmp_path / "common_tasks_legacy.py").read_text()
    assert (
        "import clean" in (tmp_path / "tasks.py").read_text().partition("common_tasks_legacy")[2]
        or "clean" in (tmp_path / "tasks.py").read_text()
    )
    assert [row.code for row in audited(tmp_path).rows if not row.fixed] == ["T6"]


def test_task_with_options_of_its_own_stays(tmp_path: Path) -> None:
    put(tmp_path, {"common_tasks.py": OWN.replace("temp_status(c)", "temp_status(c, size=False)"), "tasks.py": TASKS})
    write(tmp_path, unsafe=True)
    assert "def temp_status(c, size=False)" in (tmp_path / "common_tasks_legacy.py").read_text()
    (tmp_path / ".tmp").mkdir()
    inv(tmp_path, "temp-status", "--size")


def test_script_that_git_ignores_stops_the_renaming_if_it_names_the_module(tmp_path: Path) -> None:
    put(tmp_path, {"common_tasks.py": OWN, "tasks.py": TASKS, ".gitignore": "/mine.py\n.tmp/\n.temp/\n"})
    (tmp_path / "mine.py").write_text("import os\nimport common_tasks\n")
    git(tmp_path, "init", "-q")
    rows = [row for row in write(tmp_path, unsafe=True).rows if row.code == "T0"]
    [row] = [row for row in rows if row.path.name == "common_tasks.py"]
    assert (row.safety, "mine.py line 2 names it" in row.message) == ("report", True)


def test_what_is_compiled_ignored_or_no_text_does_not_stop_the_renaming(tmp_path: Path) -> None:
    put(tmp_path, {"common_tasks.py": OWN, "tasks.py": TASKS, ".gitignore": "/build/\n.tmp/\n.temp/\n"})
    for name in ("__pycache__/common_tasks.cpython-311.pyc", "build/notes.cfg", "image.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"common_tasks .tmp" + (b"\0" if name == "image.bin" else b""))
    git(tmp_path, "init", "-q")
    write(tmp_path, unsafe=True)
    assert not (tmp_path / "common_tasks.py").exists()
