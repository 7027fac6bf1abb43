from pathlib import Path

import pytest

from .helpers import PYPROJECT, TEST, find, found, plain, put, rewrite, safety, write

USE = "\n\ndef test_it():\n    with {}() as d:\n        print(str(d))\n"
NEW = '\n\ndef test_it():\n    with temp_working_dir("it") as d:\n        print(str(d))\n'
OURS = "from common.temp import temp_working_dir\n"
# The head of a file, the name of the call in it, and the head afterwards.
HEADS = {
    "module": ("import tempfile\n", "tempfile.TemporaryDirectory", OURS),
    "alias of the module": ("import tempfile as tf\n", "tf.TemporaryDirectory", OURS),
    "name": ("from tempfile import TemporaryDirectory\n", "TemporaryDirectory", OURS),
    "alias of the name": ("from tempfile import TemporaryDirectory as TD\n", "TD", OURS),
    "first of two": ("import tempfile, x\n", "tempfile.TemporaryDirectory", "import x\n\n" + OURS),
    "last of two": ("import x, tempfile\n", "tempfile.TemporaryDirectory", "import x\n" + OURS),
    "last in brackets": (
        "from tempfile import (\n    mkdtemp,\n    TemporaryDirectory,\n)\nx = mkdtemp\n",
        "TemporaryDirectory",
        "from tempfile import mkdtemp\n\n" + OURS + "x = mkdtemp\n",
    ),
    "text that begins beside it": (
        'import tempfile; TEXT = """\ntext\n"""\n',
        "tempfile.TemporaryDirectory",
        'import tempfile; TEXT = """\ntext\n"""\n\n' + OURS,
    ),
    "docstring": ('"""Doc."""\nimport tempfile\n', "tempfile.TemporaryDirectory", '"""Doc."""\n\n' + OURS),
    "future": (
        "from __future__ import annotations\n\nimport tempfile\n",
        "tempfile.TemporaryDirectory",
        "from __future__ import annotations\n\n" + OURS,
    ),
    "comments": (
        "# head\n\n# above\nimport tempfile\n\nimport x  # beside\n",
        "tempfile.TemporaryDirectory",
        "# head\n\n# above\nimport x  # beside\n" + OURS,
    ),
    "comment on its line": (
        "import tempfile  # noqa: S404\n",
        "tempfile.TemporaryDirectory",
        OURS,
    ),
    "try": (
        "try:\n    import tempfile\nexcept ImportError:\n    tempfile = None\n",
        "tempfile.TemporaryDirectory",
        OURS + "\ntry:\n    import tempfile\nexcept ImportError:\n    tempfile = None\n",
    ),
    "type checking": (
        "import tempfile\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    " + OURS,
        "tempfile.TemporaryDirectory",
        "from typing import TYPE_CHECKING\n\n" + OURS + "if TYPE_CHECKING:\n    " + OURS,
    ),
    "ours there": (OURS + "import tempfile\n", "tempfile.TemporaryDirectory", OURS),
    "more of ours there": (
        "from common.temp import get_temp_dir, temp_working_dir as t\nimport tempfile\nx = t\n",
        "tempfile.TemporaryDirectory",
        "from common.temp import get_temp_dir\nfrom common.temp import temp_working_dir\n"
        "from common.temp import temp_working_dir as t\nx = t\n",
    ),
    "middle in brackets": (
        "from tempfile import (\n    mkdtemp,\n    TemporaryDirectory,\n    mkstemp\n)\nx = mkdtemp, mkstemp\n",
        "TemporaryDirectory",
        "from tempfile import mkdtemp, mkstemp\n\n" + OURS + "x = mkdtemp, mkstemp\n",
    ),
    "type checking alone": (
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import tempfile\nx = TYPE_CHECKING\n",
        "tempfile.TemporaryDirectory",
        "from typing import TYPE_CHECKING\n\n" + OURS + "\nx = TYPE_CHECKING\n",
    ),
    "submodule": ("import os.path, tempfile\n", "tempfile.TemporaryDirectory", "import os.path\n\n" + OURS),
}


def test_form_feed_ends_no_line(tmp_path: Path) -> None:
    before = "import os\nimport tempfile\n\f\nx = os\n"
    after = rewrite(tmp_path, before + USE.format("tempfile.TemporaryDirectory"))
    assert after == "import os\n\n" + OURS + "\f\nx = os\n" + NEW


# Settings of a project, and its imports before and after.
SORTED = {
    ("ruff.toml", "[lint.isort]\nforce-sort-within-sections = true\n"): (
        "import os\nimport tempfile\n\nimport zoo\n",
        "import os\n\nfrom common.temp import temp_working_dir\nimport zoo\n",
    ),
    (
        "ruff.toml",
        '[lint.isort]\nsection-order = ["future", "standard-library", "ours", "third-party", "first-party"]\n'
        '[lint.isort.sections]\nours = ["common"]\n',
    ): (
        "import os\nimport tempfile\n\nimport zoo\n",
        "import os\n\nfrom common.temp import temp_working_dir\n\nimport zoo\n",
    ),
    (".isort.cfg", "[settings]\nfrom_first = true\n"): (
        "from os import path\nimport tempfile\n\nimport zoo\n",
        "from os import path\n\nfrom common.temp import temp_working_dir\nimport zoo\n",
    ),
    ("setup.cfg", "[isort]\nno_sections = true\n"): (
        "import os\nimport tempfile\nimport zoo\n",
        "import os\nimport zoo\nfrom common.temp import temp_working_dir\n",
    ),
    ("pyproject.toml", '[tool.ruff.lint.isort]\nknown-first-party = ["common"]\n' + PYPROJECT): (
        "import os\nimport tempfile\n\nimport zoo\n",
        "import os\n\nimport zoo\n\nfrom common.temp import temp_working_dir\n",
    ),
    ("ruff.toml", ""): (
        "import zoo\nimport tempfile\n\nx = zoo\n",
        "import zoo\nfrom common.temp import temp_working_dir\n\nx = zoo\n",
    ),
}


@pytest.mark.parametrize("settings", SORTED, ids=lambda settings: settings[0])
def test_imports_are_sorted_as_the_project_sorts_them(tmp_path: Path, settings: tuple[str, str]) -> None:
    name, text = settings
    before, after = SORTED[settings]
    put(tmp_path, {name: text, TEST: before + USE.format("tempfile.TemporaryDirectory")})
    write(tmp_path)
    assert (tmp_path / TEST).read_text() == after + NEW


def test_wrong_settings_are_a_reason_not_to_write(tmp_path: Path) -> None:
    wrong = "[settings]\nprofile = unknown\n"
    put(tmp_path, {".isort.cfg": wrong, TEST: "import tempfile\n" + USE.format("tempfile.TemporaryDirectory")})
    (tmp_path / "tasks.py").unlink()
    rows = write(tmp_path).rows
    assert [(row.path.name, row.safety) for row in rows] == [("tasks.py", "report"), ("test_it.py", "report")]
    assert all("settings for sorting imports are wrong" in row.message for row in rows)


@pytest.mark.parametrize("case", HEADS)
def test_imports_come_and_go_rightly(tmp_path: Path, case: str) -> None:
    before, name, after = HEADS[case]
    assert rewrite(tmp_path, before + USE.format(name)) == after + NEW


def test_import_inside_a_function_goes_with_its_use(tmp_path: Path) -> None:
    text = """
        def test_it():
            import tempfile
            from pathlib import Path

            with tempfile.TemporaryDirectory() as d:
                print(Path(d))
    """
    assert rewrite(tmp_path, text) == plain(
        """
        from common.temp import temp_working_dir


        def test_it():
            with temp_working_dir("it") as d:
                print(d)
        """
    )


@pytest.mark.parametrize(
    "line",
    [
        "mock.patch('test_it.tempfile.mkdtemp')",
        "x: 'tempfile.TemporaryDirectory[str]'",
        "__all__ = ['tempfile']",
        "print(tempfile.gettempdir())",
        'def f():\n    """Do it.\n\n    >>> tempfile.gettempdir()[:1]\n    """',
    ],
)
def test_import_that_a_string_or_another_use_needs_stays(tmp_path: Path, line: str) -> None:
    after = rewrite(tmp_path, "import tempfile\n" + line + USE.format("tempfile.TemporaryDirectory"))
    marked = "" if line.startswith(("x:", "__all__", "print")) else "  # noqa: F401"
    assert after.startswith(f"import tempfile{marked}\n")
    assert 'temp_working_dir("it")' in after


@pytest.mark.parametrize(
    "line",
    [
        "from scripts.build import tempfile",
        "from scripts.build import *",
        "print(build.tempfile)",
        "import scripts.build as b\nprint(b.tempfile)",
        "from scripts import build as b\nprint(b.tempfile)",
    ],
)
def test_import_that_another_file_counts_on_stays(tmp_path: Path, line: str) -> None:
    script = "import tempfile\n\n\ndef f():\n    with tempfile.TemporaryDirectory() as d:\n        print(str(d))\n"
    put(tmp_path, {"scripts/build.py": script, "tests/test_it.py": line})
    write(tmp_path)
    after = (tmp_path / "scripts/build.py").read_text()
    assert after.startswith("import tempfile  # noqa: F401\n\nfrom common.temp import temp_working_dir\n")


@pytest.mark.parametrize(
    "line",
    [
        "mock.patch('scripts.build.tempfile.mkdtemp')",
        "mock.patch('build.tempfile')",
        "mock.patch.object(build, 'tempfile')",
        "monkeypatch.setattr(tempfile, 'TemporaryDirectory', x)",
    ],
)
def test_script_whose_tempfile_a_test_replaces_is_unsafe(tmp_path: Path, line: str) -> None:
    script = "import tempfile\n\nwith tempfile.TemporaryDirectory() as d:\n    print(str(d))\n"
    put(tmp_path, {"scripts/build.py": script, "tests/test_it.py": line})
    [row] = found(tmp_path, "scripts/build.py")
    assert (row.safety, "test_it.py line 1 replaces" in row.message) == ("unsafe", True)


def test_name_that_is_taken_is_reported_and_nothing_is_written(tmp_path: Path) -> None:
    text = "import tempfile\n\ntemp_working_dir = None\n" + USE.format("tempfile.TemporaryDirectory")
    put(tmp_path, {"tests/test_it.py": text})
    rows = [row for row in write(tmp_path).rows if row.code == "T2"]
    assert [(row.safety, row.fixed, "already means" in row.message) for row in rows] == [("report", False, True)]
    assert (tmp_path / "tests/test_it.py").read_text() == text


def test_unused_imports_of_others_are_left_alone(tmp_path: Path) -> None:
    after = rewrite(tmp_path, "import json\nimport tempfile\n" + USE.format("tempfile.TemporaryDirectory"))
    assert after.startswith("import json\n")


def test_name_of_a_parameter_is_not_the_module(tmp_path: Path) -> None:
    text = "import tempfile\n\n\ndef test_it(tempfile):\n    with tempfile.TemporaryDirectory() as d:\n        pass\n"
    assert safety(tmp_path, text) == []


def test_star_import_is_seen_through(tmp_path: Path) -> None:
    text = "from tempfile import *\n" + USE.format("TemporaryDirectory")
    assert [row.code for row in find(tmp_path, text)] == ["T2"]
