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


OUTLIVED = (
    "os.chdir(source)",
    "monkeypatch.chdir(source)",
    "request.addfinalizer(x)",
    "TestIt.made = source",
    "MADE['it'] = source",
    "MADE.append(source)",
    "Thread(target=run, args=(source,)).start()",
    "check(source.parent.name)",
)


@pytest.mark.parametrize("line", OUTLIVED)
def test_directory_that_may_be_needed_after_the_test_is_unsafe(tmp_path: Path, line: str) -> None:
    assert safety(tmp_path, "MADE = []\n\n" + plain(MADE).replace("copy(source, target)", line)) == [("T3", "unsafe")]


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


IN_TMP = """
    import pytest

    class Base:
        @pytest.fixture(autouse=True)
        def in_tmp(self, tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
"""
# Where a fixture may come from that runs for every test, and what the test imports.
ELSEWHERE = {
    "tests/plugin.py": ("", "report"),
    "base.py": ("from base import Base\n", "report"),
    "tests/test_base.py": ("from .test_base import *\n", "report"),
    "tests/test_other.py": ("", "safe"),
    "tests/other/conftest.py": ("", "safe"),
}


@pytest.mark.parametrize("path", ELSEWHERE)
def test_fixture_for_every_test_may_come_from_a_plugin_or_a_base_class(tmp_path: Path, path: str) -> None:
    head, safe = ELSEWHERE[path]
    [row] = find(tmp_path, head + plain(MADE), **{path: IN_TMP})
    assert row.safety == safe


def test_fixtures_of_the_settings_are_not_known(tmp_path: Path) -> None:
    [row] = find(tmp_path, MADE, **{"pytest.ini": "[pytest]\nusefixtures = in_tmp\n"})
    assert (row.safety, "pytest.ini line 2" in row.message) == ("report", True)


def test_test_that_deals_with_modes_keeps_its_directories(tmp_path: Path) -> None:
    assert safety(tmp_path, MADE.replace("target.exists()", "target.stat().st_mode & 0o755")) == []


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
