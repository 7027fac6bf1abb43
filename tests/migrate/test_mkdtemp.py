from pathlib import Path

import pytest

from .helpers import TEST, audited, find, plain, put, rewrite

HEAD = "import os, shutil, tempfile, unittest\nfrom pathlib import Path\nimport pytest\n\n\n"
# Before and after; what is removed is proved to be removed.
PAIRS = {
    "finally": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()
            try:
                os.listdir(Path(tmp) / "x")
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("clone") as tmp:
                os.listdir(tmp / "x")
        """,
    ),
    "finally that does more": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp(prefix="x_")
            try:
                os.chdir(tmp)
            finally:
                os.chdir("/")  # back
                shutil.rmtree(tmp, ignore_errors=True)
        """,
        """
        def test_clone():
            with temp_working_dir("x") as tmp:
                try:
                    os.chdir(tmp)
                finally:
                    os.chdir("/")  # back
        """,
    ),
    "addCleanup": (
        """
        class TestClone(unittest.TestCase):
            def test_it(self):
                d = tempfile.mkdtemp()
                self.addCleanup(shutil.rmtree, d)
                print(os.path.isdir(d))
        """,
        """
        class TestClone(unittest.TestCase):
            def test_it(self):
                d = self.enterContext(temp_working_dir("it"))
                print(os.path.isdir(d))
        """,
    ),
    "tearDown": (
        """
        class TestClone(unittest.TestCase):
            def setUp(self):
                self.repo_dir = tempfile.mkdtemp()

            def tearDown(self):
                shutil.rmtree(self.repo_dir)

            def test_it(self):
                self.assertTrue(self.repo_dir.startswith("/"))
        """,
        """
        class TestClone(unittest.TestCase):
            def setUp(self):
                self.repo_dir = str(self.enterContext(temp_working_dir("repo")))

            def test_it(self):
                self.assertTrue(self.repo_dir.startswith("/"))
        """,
    ),
    "tearDownClass": (
        """
        class TestClone(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.d = Path(tempfile.mkdtemp())

            @classmethod
            def tearDownClass(cls):
                shutil.rmtree(cls.d)
                print("done")
        """,
        """
        class TestClone(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                cls.d = cls.enterClassContext(temp_working_dir("clone"))

            @classmethod
            def tearDownClass(cls):
                print("done")
        """,
    ),
    "fixture": (
        """
        @pytest.fixture(scope="session")
        def repo():
            d = tempfile.mkdtemp()
            yield d
            shutil.rmtree(d)
        """,
        """
        @pytest.fixture(scope="session")
        def repo():
            with temp_working_dir("repo") as d:
                yield str(d)
        """,
    ),
}


@pytest.mark.parametrize("case", PAIRS)
def test_directory_whose_own_removal_is_proved_is_rewritten(tmp_path: Path, case: str) -> None:
    before, after = map(plain, PAIRS[case])
    written = rewrite(tmp_path, HEAD + before)
    assert written.endswith("\n\n\n" + after.replace("\n\n\n", "\n\n"))


# What is not proved, by the reason that is given.
UNSAFE = {
    "where something fails before line 9": "d = tempfile.mkdtemp()\n    print(os.listdir(d))\n    shutil.rmtree(d)",
    "uses d after its removal": (
        "d = tempfile.mkdtemp()\n    try:\n        pass\n    finally:\n        shutil.rmtree(d)\n        print(os.listdir(d))"
    ),
    "not known to be a TestCase": "d = tempfile.mkdtemp()\n    self.addCleanup(shutil.rmtree, d)",
}


@pytest.mark.parametrize("reason", UNSAFE)
def test_removal_that_is_not_proved_is_unsafe_with_the_reason(tmp_path: Path, reason: str) -> None:
    [row] = find(tmp_path, f"{HEAD}def test_it():\n    {UNSAFE[reason]}\n")
    assert (row.safety, reason in row.message) == ("unsafe", True)


LEAKS = {
    "def f():\n    d = tempfile.mkdtemp()\n    use(d)\n": "nothing in f() removes it",
    "def f():\n    use(tempfile.mkdtemp())\n": "nothing in f() removes it",
    "def f():\n    d = tempfile.mkdtemp()\n\n\ndef g(d):\n    shutil.rmtree(d)\n": "nothing in f() removes it",
    "def f():\n    file = tempfile.NamedTemporaryFile(delete=False)\n": "looked for rmtree",
    "def f():\n    fd, path = tempfile.mkstemp()\n": "nothing in f() removes it",
}


@pytest.mark.parametrize(("text", "told"), LEAKS.items())
def test_what_nothing_removes_is_reported_with_what_was_looked_for(tmp_path: Path, text: str, told: str) -> None:
    [row] = find(tmp_path, HEAD + text)
    assert (row.code, row.safety) == ("T5", "report")
    assert told in row.message


LEFT = (
    "def f():\n    fd, path = tempfile.mkstemp()\n    os.unlink(path)\n",
    "from pkg.util import rmtree\n\n\ndef f():\n    d = tempfile.mkdtemp()\n    rmtree(d)\n",
    "def f(tmp_path):\n    d = tempfile.mkdtemp(dir=tmp_path)\n",
    "def f():\n    d = tempfile.mkdtemp()\n    return d\n",
)


@pytest.mark.parametrize("text", LEFT)
def test_what_others_remove_is_counted_and_not_listed(tmp_path: Path, text: str) -> None:
    put(tmp_path, {TEST: HEAD + text})
    found = audited(tmp_path)
    assert (list(found.rows), sum(found.left.values())) == ([], 1)


def test_file_that_removes_itself_is_none(tmp_path: Path) -> None:
    assert find(tmp_path, f"{HEAD}with tempfile.NamedTemporaryFile() as file:\n    pass\n") == []
