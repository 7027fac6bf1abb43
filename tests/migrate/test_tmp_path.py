from pathlib import Path

import pytest

from .helpers import find, plain, put, rewrite, safety, write

MADE = """
    import pytest


    @pytest.mark.slow
    def test_it(tmp_path, monkeypatch):
        source = tmp_path / "source"
        target = tmp_path / "target"
        source.mkdir()
        target.mkdir()

        # Copy.
        copy(source, target)

        assert target.exists()
"""


def test_directories_in_tmp_path_become_those_of_the_helper(tmp_path: Path) -> None:
    assert rewrite(tmp_path, MADE) == plain(
        """
        import pytest
        from common.temp import pytest_temp_dirs


        @pytest.mark.slow
        def test_it(monkeypatch):
            with pytest_temp_dirs(2, ["source", "target"]) as (source, target):
                # Copy.
                copy(source, target)

                assert target.exists()
        """
    )


def test_what_stands_before_stays_before_and_text_is_not_indented(tmp_path: Path) -> None:
    text = '''
        async def test_it(self, tmp_path):
            "It copies."
            text = """
        a
            b"""
            a = tmp_path / "a"; await check()
            b = tmp_path.joinpath("b")
            b.mkdir(parents=True, exist_ok=True)
            b.write(text, """
        c""")
    '''
    assert safety(tmp_path, text) == []
    text = text.replace('a = tmp_path / "a"; ', "")
    text = text.replace(
        "b.mkdir(parents=True, exist_ok=True)", 'b.mkdir()\n            c = tmp_path / "c"\n            c.mkdir()'
    )
    after = rewrite(tmp_path, text)
    assert after == plain(
        '''
        from common.temp import pytest_temp_dirs


        async def test_it(self):
            "It copies."
            text = """
        a
            b"""
            await check()
            with pytest_temp_dirs(2, ["b", "c"]) as (b, c):
                b.write(text, """
        c""")
        '''
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("monkeypatch):", "tmpdir):"),
        ("monkeypatch):", "monkeypatch=None):"),
        ("pytest.mark.slow", "pytest.mark.usefixtures('tmpdir')"),
        ("pytest.mark.slow", "pytest.mark.parametrize('tmp_path', ['x'])"),
        ("import pytest", "import pytest\n    pytestmark = pytest.mark.usefixtures('pytester')"),
        ("assert target.exists()", "assert test_it"),
    ],
)
def test_whatever_may_share_the_directory_or_need_its_parent_is_reported(tmp_path: Path, old: str, new: str) -> None:
    assert safety(tmp_path, MADE.replace(old, new)) == [("T3", "report")]


@pytest.mark.parametrize(
    "text",
    [
        "def test_it(tmp_path):\n    (tmp_path / 'x').write_text('')\n",
        "def test_it(tmp_path):\n    (tmp_path / 'x').mkdir()\n    run(tmp_path)\n",
        "def test_it(tmp_path):\n    a = tmp_path / 'a'\n    a.mkdir()\n    run(a)\n",
    ],
)
def test_other_uses_of_tmp_path_are_left_alone(tmp_path: Path, text: str) -> None:
    assert safety(tmp_path, text) == []


@pytest.mark.parametrize("line", ["os.chdir(source)", "monkeypatch.chdir(source)", "request.addfinalizer(x)"])
def test_directory_that_may_be_needed_after_the_test_is_unsafe(tmp_path: Path, line: str) -> None:
    assert safety(tmp_path, MADE.replace("copy(source, target)", line)) == [("T3", "unsafe")]


SHARING = {
    "tests/conftest.py": """
        import pytest

        @pytest.fixture
        def inner(tmp_path):
            return tmp_path

        @pytest.fixture
        def outer(inner):
            return inner

        @pytest.fixture
        def apart():
            return 1
    """
}


def test_fixtures_of_conftest_files_are_followed(tmp_path: Path) -> None:
    put(tmp_path, {**SHARING})
    [row] = find(tmp_path, MADE.replace("monkeypatch", "outer"), **SHARING)
    assert (row.safety, "inner may share tmp_path" in row.message) == ("report", True)
    [row] = find(tmp_path, MADE.replace("monkeypatch", "apart"), **SHARING)
    assert row.safety == "safe"
    automatic = {
        path: text.replace("@pytest.fixture", "@pytest.fixture(autouse=True)") for path, text in SHARING.items()
    }
    [row] = find(tmp_path, MADE, **automatic)
    assert row.safety == "report"


def test_tmp_path_of_the_projects_own_is_reported(tmp_path: Path) -> None:
    own = "import pytest\n\n@pytest.fixture\ndef tmp_path():\n    return 'x'\n"
    [row] = find(tmp_path, MADE, **{"tests/conftest.py": own})
    assert (row.safety, "of this project's own" in row.message) == ("report", True)


def test_last_parameter_takes_its_comma_along(tmp_path: Path) -> None:
    text = MADE.replace("(tmp_path, monkeypatch)", "(\n        monkeypatch,\n        tmp_path,\n    )")
    assert "def test_it(\n    monkeypatch,\n):" in rewrite(tmp_path, text)
    put(tmp_path, {"tests/test_it.py": MADE.replace("(tmp_path, monkeypatch)", "(monkeypatch, tmp_path)")})
    write(tmp_path)
    assert "def test_it(monkeypatch):" in (tmp_path / "tests/test_it.py").read_text()
