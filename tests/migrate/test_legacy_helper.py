from pathlib import Path

import pytest

from .helpers import find, is_settled, plain, put, rewrite, safety, write

DEFINED = """
    import time
    from pathlib import Path

    from invoke import task
    from common_tasks import clean, temp_clean, temp_status


    def get_temp_dir(name_prefix="temp"):
        temp_base = Path(".tmp")
        temp_base.mkdir(exist_ok=True)
        timestamp = int(time.time())
        temp_dir = temp_base / f"{name_prefix}_{timestamp}"  # unique
        temp_dir.mkdir(exist_ok=True)
        return temp_dir


    @task
    def demo(c):
        print(get_temp_dir("demo"), get_temp_dir())
"""


def test_definition_goes_and_its_calls_ask_the_engine(tmp_path: Path) -> None:
    assert rewrite(tmp_path, DEFINED, "tasks.py") == plain(
        """
        from invoke import task
        from common_tasks import clean, temp_clean, temp_status
        from common.temp import get_debug_temp_dir


        # unique


        @task
        def demo(c):
            print(get_debug_temp_dir("demo"), get_debug_temp_dir("temp"))
        """
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name_prefix="temp"', 'name_prefix="temp", suffix=""'),
        ("return temp_dir", "print('made')\n        return temp_dir"),
        ("return temp_dir", "return str(temp_dir)"),
        ("return temp_dir", "if temp_dir:\n            return temp_dir"),
        ("print(get_temp_dir(", "print(get_temp_dir, get_temp_dir("),
        ('print(get_temp_dir("demo")', "print(f'{get_temp_dir()}'"),
        ("def get_temp_dir", "@cached\n    def get_temp_dir"),
    ],
)
def test_definition_that_does_more_is_reported(tmp_path: Path, old: str, new: str) -> None:
    assert ("T1", "report") in safety(tmp_path, DEFINED.replace(old, new), "tasks.py")


def test_what_follows_the_imports_when_the_definition_is_gone_stands_one_line_below(tmp_path: Path) -> None:
    definition = plain(DEFINED).partition("def ")[2].partition("@task")[0].replace("  # unique", "")
    text = f"import time\nfrom pathlib import Path\n\n\ndef {definition}print(get_temp_dir('x'))\n"
    after = "from common.temp import get_debug_temp_dir\n\nprint(get_debug_temp_dir('x'))\n"
    assert rewrite(tmp_path, text, "scripts/a.py") == after


@pytest.mark.parametrize(
    "line",
    [
        "get_temp_dir('x').parent",
        "made = get_temp_dir('x')\n        made.relative_to('.tmp')",
        "from os import listdir; listdir('.tmp')",
        "c.run('cat .tmp/demo_*/x')",
        "try: get_temp_dir('x')\n        except FileExistsError: pass",
    ],
)
def test_call_is_unsafe_where_the_program_may_see_that_it_is_made_elsewhere(tmp_path: Path, line: str) -> None:
    rows = safety(tmp_path, f"{DEFINED}        {line}\n", "tasks.py")
    assert ("T1", "unsafe") in rows
    assert ("T1", "safe") not in rows[:1]


def test_function_that_only_has_the_name_is_none(tmp_path: Path) -> None:
    assert safety(tmp_path, "def get_temp_dir():\n    return 'x'\n\nprint(get_temp_dir())\n", "tasks.py")[0][0] == "T6"
    assert safety(tmp_path, "from somewhere import get_temp_dir\nget_temp_dir('x')\n", "scripts/a.py") == []


USER = "from tasks import get_temp_dir\n\n\nget_temp_dir()\n"


def test_definition_goes_together_with_its_uses_in_other_files(tmp_path: Path) -> None:
    put(tmp_path, {"tasks.py": DEFINED, "scripts/a.py": USER, "b.py": "from .tasks import get_temp_dir as g\ng('x')\n"})
    write(tmp_path)
    assert is_settled(tmp_path)
    assert "def get_temp_dir" not in (tmp_path / "tasks.py").read_text()
    new = 'from common.temp import get_debug_temp_dir\n\n\nget_debug_temp_dir("temp")\n'
    assert (tmp_path / "scripts/a.py").read_text() == new


@pytest.mark.parametrize(
    "user",
    [
        "from tasks import get_temp_dir\nrun(get_temp_dir)\n",
        "from tasks import *\nfrom tools import *\nget_temp_dir()\n",
        "try:\n    from tasks import get_temp_dir\nexcept OSError:\n    from x import get_temp_dir\nget_temp_dir()\n",
        "mock.patch('tasks.get_temp_dir')\n",
        "spec = spec_from_file_location('tasks', 'tasks.py')\nt = module_from_spec(spec)\nt.get_temp_dir()\n",
        "from tasks import get_temp_dir\nget_debug_temp_dir = 1\nget_temp_dir()\n",
    ],
    ids=["handed on", "two stars", "two imports", "patched", "loaded by its path", "name taken"],
)
def test_definition_stays_where_a_use_of_it_stays(tmp_path: Path, user: str) -> None:
    put(tmp_path, {"tasks.py": DEFINED, "scripts/a.py": user})
    write(tmp_path)
    assert "def get_temp_dir" in (tmp_path / "tasks.py").read_text()
    assert (tmp_path / "scripts/a.py").read_text() == user
    assert is_settled(tmp_path)


IMPORTS = {
    "from common_tasks import get_temp_dir": "get_temp_dir",
    "from common.temp import get_temp_dir as make": "make",
    "from common_tasks import *": "get_temp_dir",
    "import common_tasks": "common_tasks.get_temp_dir",
    "import common_tasks.temp as engine": "engine.get_temp_dir",
    "from COMMON.common_tasks import get_temp_dir": "get_temp_dir",
}


@pytest.mark.parametrize(("imported", "called"), IMPORTS.items())
def test_helper_is_known_by_its_import(tmp_path: Path, imported: str, called: str) -> None:
    after = rewrite(tmp_path, f"{imported}\n\nprint({called}(name_prefix='x'))\n", "scripts/a.py")
    assert "get_debug_temp_dir(name_prefix='x')" in after
    [row] = find(tmp_path, f"{imported}\n\nprint({called})\n", "scripts/a.py")
    assert (row.code, row.safety) == ("T1", "report")


def test_helper_of_another_name_is_configured(tmp_path: Path) -> None:
    put(tmp_path, {"scripts/a.py": "from tools.paths import scratch\n\nscratch('x')\n"})
    write(tmp_path)
    assert "scratch('x')" in (tmp_path / "scripts/a.py").read_text()
    write(tmp_path, helpers=("tools.paths.scratch",))
    after = "from common.temp import get_debug_temp_dir\n\nget_debug_temp_dir('x')\n"
    assert (tmp_path / "scripts/a.py").read_text() == after


@pytest.mark.parametrize("arguments", ["'x', 'y'", "*names", "category='x'", "**options"])
def test_call_that_asks_for_more_is_reported(tmp_path: Path, arguments: str) -> None:
    text = f"from common_tasks import get_temp_dir\nget_temp_dir({arguments})\n"
    assert safety(tmp_path, text, "scripts/a.py") == [("T1", "report")]


def test_call_in_an_f_string_is_reported(tmp_path: Path) -> None:
    text = "from common_tasks import get_temp_dir\nprint(f'ééé {get_temp_dir()}')\n"
    assert safety(tmp_path, text, "scripts/a.py") == [("T1", "report")]
