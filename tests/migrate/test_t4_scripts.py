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
        from pathlib import Path
        from common.temp import temp_working_dir

        with temp_working_dir("build") as temp:
            work_dir = Path(temp) / "work"
            work_dir.mkdir()
        """
    )


WRITTEN = {
    'd = Path(".tmp") / "images"': "d.mkdir(parents=True, exist_ok=True)",
    'd = Path(".tmp/images")': "d.mkdir(parents=True)",
    'd = Path(".temp", "images")': "os.makedirs(d)",
    'd = Path("./.tmp").joinpath("images")': "d.mkdir()",
}
TEXTS = {
    'd = ".tmp/images"': "os.makedirs(d, exist_ok=True)",
    'd = os.path.join(".tmp", "images")': "os.mkdir(d)",
}


@pytest.mark.parametrize(("named", "made"), WRITTEN.items())
def test_directory_made_by_hand_becomes_a_persistent_one(tmp_path: Path, named: str, made: str) -> None:
    after = rewrite(tmp_path, f"{HEAD}{named}\n{made}  # here\n(d / 'x').touch()\nprint(os.sep, Path())\n", SCRIPT)
    assert 'd = TempManager.create_persistent_dir("images", "work")\n# here\n(d / \'x\').touch()\n' in after


@pytest.mark.parametrize(("named", "made"), TEXTS.items())
def test_path_that_was_text_stays_text(tmp_path: Path, named: str, made: str) -> None:
    after = rewrite(tmp_path, f"{HEAD}{named}\n{made}\nprint(d + '/x')\n", SCRIPT)
    assert 'd = str(TempManager.create_persistent_dir("images", "work"))\nprint(d + \'/x\')\n' in after


MADE = HEAD + 'd = Path(".tmp") / "images"\nd.mkdir(parents=True, exist_ok=True)\n'


@pytest.mark.parametrize(
    "use",
    ["if (d / 'x').exists():\n    pass", "print(list(d.glob('*')))", "os.listdir(d)", "open('.tmp/images/x', 'w')"],
)
def test_directory_that_a_second_run_may_look_for_is_unsafe(tmp_path: Path, use: str) -> None:
    assert safety(tmp_path, f"{MADE}{use}\n", SCRIPT) == [("T4", "unsafe")]


def test_directory_that_another_file_names_is_reported(tmp_path: Path) -> None:
    put(tmp_path, {SCRIPT: MADE, "scripts/read.py": "print(open('.tmp/images/x').read())\n"})
    write(tmp_path, unsafe=True)
    assert (tmp_path / SCRIPT).read_text() == MADE


def test_directory_that_a_setting_names_is_reported(tmp_path: Path) -> None:
    put(tmp_path, {SCRIPT: MADE, ".github/workflows/ci.yml": "path: .tmp/images\n"})
    assert [row.safety for row in found(tmp_path, SCRIPT)] == ["report"]


def test_constant_of_a_module_is_unsafe(tmp_path: Path) -> None:
    assert safety(tmp_path, MADE.replace("d ", "FOLDER ").replace("d.", "FOLDER."), SCRIPT) == [("T4", "unsafe")]


REPORTED = {
    "no name": 'os.makedirs(".tmp/images", exist_ok=True)',
    "base": 'Path(".tmp").mkdir(exist_ok=True)',
    "deeper": 'd = Path(".tmp/a/b")\nd.mkdir(parents=True)',
    "time": 'd = Path(".tmp") / f"x_{int(time.time())}"\nd.mkdir()',
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
    assert 'TempManager.create_persistent_dir("images", "work")' in row.message


@pytest.mark.parametrize(
    ("path", "pyproject", "safe"),
    [
        ("package/build.py", "", "unsafe"),
        ("package/build.py", "[project]\ndependencies = ['common-tasks>=1']\n", "safe"),
        ("package/scripts/build.py", "", "safe"),
        ("build.py", "", "safe"),
    ],
)
def test_package_that_does_not_depend_on_ours_is_doubtful(tmp_path: Path, path: str, pyproject: str, safe: str) -> None:
    text = "import tempfile\n\nwith tempfile.TemporaryDirectory() as d:\n    print(str(d))\n"
    files = {"package/__init__.py": "", "package/scripts/__init__.py": "", "pyproject.toml": pyproject, path: text}
    put(tmp_path, files)
    assert [row.safety for row in found(tmp_path, path)] == [safe]
