from pathlib import Path

import pytest

from .helpers import SCRIPT, find, found, plain, put, rewrite, safety, unchanged, write

HEAD = "import os\nfrom pathlib import Path\n\n"


def test_block_of_a_script_becomes_a_working_directory(tmp_path: Path) -> None:
    text = """
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as temp:
            work_dir = Path(temp) / "work"
            work_dir.mkdir()
    """
    assert rewrite(tmp_path, text, SCRIPT) == plain(
        """
        from common.temp import temp_working_dir

        with temp_working_dir("build") as temp:
            work_dir = temp / "work"
            work_dir.mkdir()
        """
    )


def test_name_that_stands_in_its_own_value_is_followed_to_an_end(tmp_path: Path) -> None:
    text = """
        from conf import *

        BASE = BASE / ".tmp" / "images"
        BASE.mkdir()
    """
    assert unchanged(tmp_path, text, SCRIPT)


FORMS = {
    'd = Path(".tmp") / "images"': "d.mkdir(parents=True, exist_ok=True)",
    'd = Path(".tmp/images")': "d.mkdir(parents=True, exist_ok=True)",
    'd = Path("./.tmp").joinpath("images")': "d.mkdir(exist_ok=True)",
    'd = Path(".temp", "images")': "os.makedirs(d, exist_ok=True)",
}


@pytest.mark.parametrize(("named", "made"), FORMS.items())
def test_place_that_one_script_only_writes_to_becomes_a_persistent_directory(
    tmp_path: Path, named: str, made: str
) -> None:
    after = rewrite(tmp_path, f"{HEAD}{named}\n{made}  # here\n(d / 'x').write_text('')\n", SCRIPT, unsafe=True)
    assert "d = TempManager.create_persistent_dir(\"images\", \"work\")\n# here\n(d / 'x').write_text('')\n" in after


MADE = HEAD + 'd = Path(".tmp") / "images"\nd.mkdir(parents=True, exist_ok=True)\n'
# What may find the directory again: it is one place for every call, process and run.
FOUND = {
    "if (d / 'x').exists():\n    pass": "line 6 may find",
    "print(list(d.glob('*')))": "line 6 may find",
    "(d / 'log').open('a')": "line 6 may find",
    "(d / 'x').write_text('')": "another program may look for it",
}


@pytest.mark.parametrize(("use", "reason"), FOUND.items())
def test_place_that_something_may_find_again_is_unsafe_and_says_where(tmp_path: Path, use: str, reason: str) -> None:
    [row] = find(tmp_path, f"{MADE}{use}\n", SCRIPT)
    assert (row.safety, reason in row.message) == ("unsafe", True)


@pytest.mark.parametrize("head", ["def f():", "for _ in range(2):", "class C:", "while x:"])
def test_place_that_is_made_more_than_once_is_unsafe(tmp_path: Path, head: str) -> None:
    body = MADE.removeprefix(HEAD).replace("\n", "\n    ")
    [row] = find(tmp_path, f"{HEAD}{head}\n    {body}\n", SCRIPT)
    assert (row.safety, 'get_cache_temp_dir("images")' in row.message) == ("unsafe", True)


@pytest.mark.parametrize("made", ["d.mkdir(parents=True)", "d.mkdir()"])
def test_directory_that_must_not_be_there_may_be_a_lock(tmp_path: Path, made: str) -> None:
    [row] = find(tmp_path, f'{HEAD}d = Path(".tmp/lock")\n{made}\n', SCRIPT)
    assert (row.safety, "it may be a lock" in row.message) == ("report", True)


OTHERS = {
    "scripts/read.py": "print(open('.tmp/images/x').read())\n",
    "scripts/join.py": "import os\nos.listdir(os.path.join('.tmp', 'images'))\n",
    "scripts/list.py": "from pathlib import Path\nprint(*Path('.tmp').iterdir())\n",
    ".github/workflows/ci.yml": "path: .tmp/images\n",
    "read.sh": "cd .tmp && ls images\n",
}


@pytest.mark.parametrize(("path", "text"), OTHERS.items())
def test_place_that_another_file_may_look_for_is_left(tmp_path: Path, path: str, text: str) -> None:
    put(tmp_path, {SCRIPT: f"{MADE}(d / 'x').write_text('')\n", path: text})
    assert [row.safety for row in found(tmp_path, SCRIPT)] == ["report"]
    write(tmp_path, unsafe=True)
    assert "mkdir" in (tmp_path / SCRIPT).read_text()


STAMPED = """
    import time
    from pathlib import Path


    def demo():
        temp_base = Path(".tmp")
        temp_base.mkdir(exist_ok=True)
        timestamp = int(time.time())
        temp_dir = temp_base / f"demo_{timestamp}"
        temp_dir.mkdir(exist_ok=True)
        run(temp_dir)
"""


def test_directory_with_the_time_in_its_name_becomes_one_for_inspection(tmp_path: Path) -> None:
    assert rewrite(tmp_path, STAMPED, SCRIPT) == plain(
        """
        from common.temp import get_debug_temp_dir


        def demo():
            temp_dir = get_debug_temp_dir("demo")
            run(temp_dir)
        """
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("run(temp_dir)", "print(temp_dir.relative_to('.'))"),
        ("run(temp_dir)", "sorted(temp_base.glob('demo_*'))"),
    ],
)
def test_directory_that_is_looked_for_among_others_is_unsafe(tmp_path: Path, old: str, new: str) -> None:
    assert [safe for _, safe in safety(tmp_path, STAMPED.replace(old, new), SCRIPT)] == ["unsafe"]


# What follows the making of `.tmp/demo_<time>`, with a line that uses a base otherwise, or counts on where it lies.
LOOKS_HERE = (
    "(temp_base / 'latest').symlink_to(temp_dir.name)",
    "from os import listdir; listdir('.tmp')",
    "from glob import glob; glob('.tmp/demo_*')",
    "subprocess.run('cat .tmp/demo_*/x', shell=True)",
    "print(subprocess.run('ls .tmp', shell=True, capture_output=True))",
    "shutil.make_archive('all', 'zip', temp_base)",
    "shutil.copytree('.tmp', 'copy')",
    "shutil.rmtree(temp_base)",
    "report(temp_base)",
    "os.path.dirname(temp_dir)",
    "(temp_dir / 'x').relative_to('.')",
    "os.chdir(temp_dir)",
)


@pytest.mark.parametrize("line", LOOKS_HERE)
def test_directory_in_a_base_that_the_program_uses_otherwise_is_unsafe(tmp_path: Path, line: str) -> None:
    text = STAMPED.replace("import time", "import os, shutil, subprocess, time").replace("run(temp_dir)", line)
    [row] = find(tmp_path, text, SCRIPT)
    assert (row.safety, "line 11" in row.message) == ("unsafe", True)


@pytest.mark.parametrize(
    "line",
    [
        "shutil.rmtree('.tmp', ignore_errors=True)",
        "atexit.register(shutil.rmtree, '.tmp')",
        "c.run('rm -rf .tmp build')",
        "c.run('ls .tmp')",
        "run(name.with_suffix('.tmp'))",
        "print(sorted(temp_dir.iterdir()), temp_dir.name)",
    ],
)
def test_what_only_removes_or_shows_a_base_does_not_look_for_a_directory(tmp_path: Path, line: str) -> None:
    text = STAMPED.replace("import time", "import atexit, shutil, time").replace("run(temp_dir)", line)
    assert safety(tmp_path, text, SCRIPT) == [("T4", "safe")]


def test_directory_whose_being_there_is_waited_for_is_unsafe(tmp_path: Path) -> None:
    text = STAMPED + "\n\n    try:\n        demo()\n    except FileExistsError:\n        pass\n"
    assert safety(tmp_path, text, SCRIPT) == [("T4", "unsafe")]


@pytest.mark.parametrize(
    ("line", "safe"),
    [
        ("shutil.copytree('.tmp', 'copy')", "unsafe"),
        ("subprocess.run('cp -r .tmp/demo_* copy', shell=True)", "unsafe"),
        ("d = Path('.tmp/' + name)", "unsafe"),
        ("d = Path('.tmp') / 'other'", "safe"),
        ("shutil.rmtree('.tmp')", "safe"),
        ("d = Path('.tmp') / f'else_{int(time.time())}'", "safe"),
    ],
)
def test_other_program_looks_for_a_directory_if_what_it_names_may_be_that(tmp_path: Path, line: str, safe: str) -> None:
    put(tmp_path, {SCRIPT: STAMPED, "scripts/other.py": f"import shutil, subprocess, time\n{HEAD}{line}\n"})
    assert [row.safety for row in found(tmp_path, SCRIPT)] == [safe]


def test_directory_for_each_day_is_a_place_that_others_find(tmp_path: Path) -> None:
    text = STAMPED.replace("int(time.time())", "time.strftime('%Y%m%d')")
    assert safety(tmp_path, text, SCRIPT) == [("T4", "report")]


def test_what_runs_only_without_ours_is_left(tmp_path: Path) -> None:
    text = "try:\n    import x\nexcept ImportError:\n    d = Path('.tmp') / 'a'\n    d.mkdir(exist_ok=True)\n"
    assert safety(tmp_path, HEAD + text, SCRIPT) == []


REPORTED = {
    "no name": 'os.makedirs(".tmp/images", exist_ok=True)',
    "base": 'Path(".tmp").mkdir(exist_ok=True)',
    "deeper": 'd = Path(".tmp/a/b")\nd.mkdir(parents=True)',
    "below a root": 'd = Path(__file__).parent / ".tmp" / "x"\nd.mkdir()',
    "later": 'd = Path(".tmp") / "x"\nprint()\nd.mkdir()',
    "by a base": 'base = Path(".tmp")\nbase.mkdir(exist_ok=True)\nd = base / "x" / name\nd.mkdir()',
}


@pytest.mark.parametrize("text", REPORTED.values(), ids=list(REPORTED))
def test_what_cannot_be_followed_is_reported_once(tmp_path: Path, text: str) -> None:
    assert safety(tmp_path, f"import time\n{HEAD}{text}\n", SCRIPT) == [("T4", "report")]
    assert unchanged(tmp_path, f"import time\n{HEAD}{text}\n", SCRIPT, unsafe=True)


def test_other_directories_are_no_business_of_ours(tmp_path: Path) -> None:
    assert safety(tmp_path, f'{HEAD}Path("build").mkdir()\nos.makedirs("x.tmp/y")\nopen("a.tmp")\n', SCRIPT) == []


def test_report_tells_what_to_call(tmp_path: Path) -> None:
    [row] = find(tmp_path, f'{HEAD}os.makedirs(".tmp/images")\n', SCRIPT)
    assert "get_debug_temp_dir(name)" in row.message


@pytest.mark.parametrize(
    ("path", "pyproject", "safe"),
    [
        ("package/build.py", "", "unsafe"),
        ("package/build.py", "[project]\ndependencies = ['common-tasks>=1']\n", "safe"),
        ("package/scripts/build.py", "", "safe"),
        ("build.py", "[project]\nname = 'x'\n", "safe"),
    ],
)
def test_package_that_does_not_depend_on_ours_is_doubtful(tmp_path: Path, path: str, pyproject: str, safe: str) -> None:
    text = "import tempfile\n\nwith tempfile.TemporaryDirectory() as d:\n    print(str(d))\n"
    files = {"package/__init__.py": "", "package/scripts/__init__.py": "", "pyproject.toml": pyproject, path: text}
    put(tmp_path, files)
    assert [row.safety for row in found(tmp_path, path)] == [safe]
