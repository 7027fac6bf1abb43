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
    assert safety(tmp_path, text) == [("T3", "report")]
    after = rewrite(tmp_path, text.replace('a = tmp_path / "a"; ', ""))
    assert after == plain(
        '''
        from common.temp import pytest_temp_dirs
        async def test_it(self):
            "It copies."
            text = """
        a
            b"""
            await check()
            with pytest_temp_dirs(1, ["b"]) as (b,):
                b.write(text, """
        c""")
        '''
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("copy(source, target)", "copy(source, tmp_path)"),
        ("copy(source, target)", "tmp_path = str(tmp_path)"),
        ("target.mkdir()\n", "pass\n"),
        ("source.mkdir()", "source.mkdir(mode=0o700)"),
        ('"target"', '".target"'),
        ('"target"', '"a/b"'),
        ('"target"', '"source"'),
        ("def test_it", "def helper"),
        ("monkeypatch):", "tmpdir):"),
        ("monkeypatch):", "somebody):"),
        ("monkeypatch):", "monkeypatch=None):"),
        ("pytest.mark.slow", "pytest.mark.usefixtures('tmpdir')"),
        ("pytest.mark.slow", "pytest.mark.parametrize('tmp_path', ['x'])"),
        ("import pytest", "import pytest\n    pytestmark = pytest.mark.usefixtures('pytester')"),
        ("assert target.exists()", "assert test_it"),
    ],
)
def test_whatever_may_share_the_directory_or_need_its_parent_is_reported(tmp_path: Path, old: str, new: str) -> None:
    assert safety(tmp_path, MADE.replace(old, new)) == [("T3", "report")]


def test_only_what_makes_directories_is_found(tmp_path: Path) -> None:
    assert safety(tmp_path, "def test_it(tmp_path):\n    (tmp_path / 'x').write_text('')\n") == []
    assert safety(tmp_path, "def test_it(tmp_path):\n    (tmp_path / 'x').mkdir()\n    run(tmp_path)\n") == [
        ("T3", "report")
    ]


FIXTURE = """
    import pytest


    @pytest.fixture
    def folder(tmp_path):
        made = tmp_path / "made"
        made.mkdir()
        return made


    def test_it(folder):
        assert folder.exists()
"""


def test_fixture_that_returns_yields_instead(tmp_path: Path) -> None:
    after = rewrite(tmp_path, FIXTURE)
    assert "def folder():\n" in after
    assert '    with pytest_temp_dirs(1, ["made"]) as (made,):\n        yield made\n' in after


def test_fixture_that_yields_keeps_doing_so(tmp_path: Path) -> None:
    assert rewrite(tmp_path, FIXTURE) == rewrite(tmp_path, FIXTURE.replace("return made", "yield made"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("test_it(folder)", "test_it(folder, tmp_path)"),
        ("test_it(folder)", "test_it(folder, tmpdir)"),
        ("return made", "if made:\n            return made\n        return None"),
        ("def folder(tmp_path)", "def folder(tmp_path, unknown)"),
        ("@pytest.fixture", "@pytest.fixture(scope='module')"),
        ("def folder(tmp_path):", "def folder(tmp_path) -> Path:"),
    ],
)
def test_fixture_whose_directory_others_get_or_that_ends_early_is_reported(tmp_path: Path, old: str, new: str) -> None:
    assert safety(tmp_path, FIXTURE.replace(old, new)) == [("T3", "report")]


def test_fixture_of_a_conftest_is_reported(tmp_path: Path) -> None:
    assert safety(tmp_path, FIXTURE, "tests/conftest.py") == [("T3", "report")]


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
    assert (row.safety, "outer shares it" in row.message) == ("report", True)
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
