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
                shutil.rmtree(tmp)
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
    "made in the try": (
        """
        def test_clone():
            try:
                tmp = tempfile.mkdtemp()
                os.listdir(tmp)
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("clone") as tmp:
                os.listdir(tmp)
        """,
    ),
    "one in the try of another": (
        """
        def test_clone():
            one = tempfile.mkdtemp()
            try:
                two = tempfile.mkdtemp()
                try:
                    os.rename(one, two)
                finally:
                    shutil.rmtree(two)
            finally:
                shutil.rmtree(one)
        """,
        """
        def test_clone():
            with temp_working_dir("one") as one, temp_working_dir("two") as two:
                os.rename(one, two)
        """,
    ),
    "finally of what is not used": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()
            try:
                clone()
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("clone"):
                clone()
        """,
    ),
    "finally after a function that returns": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()

            def path(name):
                return os.path.join(tmp, name)

            try:
                os.listdir(path("x"))
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("clone") as tmp:
                def path(name):
                    return os.path.join(tmp, name)

                os.listdir(path("x"))
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
    "tearDown of what is resolved": (
        """
        class TestClone(unittest.TestCase):
            def setUp(self):
                self.one = os.path.realpath(tempfile.mkdtemp())
                self.two = Path(tempfile.mkdtemp()).resolve()

            def tearDown(self):
                shutil.rmtree(self.one)
                shutil.rmtree(self.two)

            def test_it(self):
                self.assertNotEqual(self.one, self.two)
        """,
        """
        class TestClone(unittest.TestCase):
            def setUp(self):
                self.one = os.path.realpath(self.enterContext(temp_working_dir("one")))
                self.two = self.enterContext(temp_working_dir("two")).resolve()

            def test_it(self):
                self.assertNotEqual(self.one, self.two)
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
    "finally after other statements": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()
            file = os.path.join(tmp, "x")
            try:
                os.listdir(file)  # now
            finally:
                # gone at last
                shutil.rmtree(tmp, ignore_errors=False)
            print(os.path.join(tmp, "y"))
        """,
        """
        def test_clone():
            with temp_working_dir("clone") as tmp:
                file = os.path.join(tmp, "x")
                os.listdir(file)  # now
                # gone at last
            print(os.path.join(tmp, "y"))
        """,
    ),
    "finally with handlers": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()
            try:
                os.listdir(tmp)
            except OSError:
                print(tmp)
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("clone") as tmp:
                try:
                    os.listdir(tmp)
                except OSError:
                    print(tmp)
        """,
    ),
    "finally of two": (
        """
        def test_clone():
            one = tempfile.mkdtemp()
            two = tempfile.mkdtemp()
            try:
                os.listdir(one)
                os.listdir(two)
            finally:
                shutil.rmtree(one)
                shutil.rmtree(two)
        """,
        """
        def test_clone():
            with temp_working_dir("one") as one, temp_working_dir("two") as two:
                os.listdir(one)
                os.listdir(two)
        """,
    ),
    "finally of two with long names": (
        """
        def test_clone():
            source_of_the_backup = tempfile.mkdtemp()
            target_of_the_backup = tempfile.mkdtemp()
            try:
                os.rename(source_of_the_backup, target_of_the_backup)
            finally:
                shutil.rmtree(source_of_the_backup)
                shutil.rmtree(target_of_the_backup)
        """,
        """
        def test_clone():
            with (
                temp_working_dir("source_of_the_backup") as source_of_the_backup,
                temp_working_dir("target_of_the_backup") as target_of_the_backup,
            ):
                os.rename(source_of_the_backup, target_of_the_backup)
        """,
    ),
    "finally of two with a comment between": (
        """
        def test_clone():
            one = tempfile.mkdtemp()
            # the target
            two = tempfile.mkdtemp()
            try:
                os.rename(one, two)
            finally:
                shutil.rmtree(one)
                shutil.rmtree(two)
        """,
        """
        def test_clone():
            with temp_working_dir("one") as one:
                # the target
                with temp_working_dir("two") as two:
                    os.rename(one, two)
        """,
    ),
    "path of its own name": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()
            try:
                source = Path(tmp)
                (source / "x").touch()
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("source") as source:
                (source / "x").touch()
        """,
    ),
    "path of a name that lives on": (
        """
        def test_clone():
            tmp = tempfile.mkdtemp()
            try:
                if os.listdir(tmp):
                    source = Path(tmp)
            finally:
                shutil.rmtree(tmp)
        """,
        """
        def test_clone():
            with temp_working_dir("clone") as tmp:
                if os.listdir(tmp):
                    source = tmp
        """,
    ),
    "addCleanup of what is text": (
        """
        class TestClone(unittest.TestCase):
            def test_it(self):
                target = tempfile.mkdtemp(prefix="clone-")
                self.addCleanup(lambda: shutil.rmtree(target))
                Repo.clone(target)
        """,
        """
        class TestClone(unittest.TestCase):
            def test_it(self):
                target = str(self.enterContext(temp_working_dir("clone")))
                Repo.clone(target)
        """,
    ),
    "addCleanup of what gets a path of its own": (
        """
        class TestClone(unittest.TestCase):
            def test_it(self):
                d = tempfile.mkdtemp()
                self.addCleanup(shutil.rmtree, d)
                target = Path(d)
                (target / "x").touch()
        """,
        """
        class TestClone(unittest.TestCase):
            def test_it(self):
                target = self.enterContext(temp_working_dir("target"))
                (target / "x").touch()
        """,
    ),
    "tearDown of several": (
        """
        class TestClone(unittest.TestCase):
            def setUp(self):
                super().setUp()
                self.one = tempfile.mkdtemp()
                self.two = tempfile.mkdtemp()
                os.mkdir(os.path.join(self.one, "x"))

            def tearDown(self):  # noqa: N802
                if os.path.exists(self.one):
                    shutil.rmtree(self.one)
                shutil.rmtree(self.two)
                super().tearDown()

            def test_it(self):
                os.listdir(Path(self.two) / "x")
        """,
        """
        class TestClone(unittest.TestCase):
            def setUp(self):
                super().setUp()
                self.one = str(self.enterContext(temp_working_dir("one")))
                self.two = str(self.enterContext(temp_working_dir("two")))
                os.mkdir(os.path.join(self.one, "x"))

            def test_it(self):
                os.listdir(Path(self.two) / "x")
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
    "if something fails before line 9": "d = tempfile.mkdtemp()\n    print(os.listdir(d))\n    shutil.rmtree(d)",
    "may look for the directory": (
        "d = tempfile.mkdtemp()\n    try:\n        pass\n    finally:\n        shutil.rmtree(d)\n        print(os.listdir(d))"
    ),
}


@pytest.mark.parametrize("reason", UNSAFE)
def test_removal_that_is_not_proved_is_unsafe_with_the_reason(tmp_path: Path, reason: str) -> None:
    [row] = find(tmp_path, f"{HEAD}def test_it():\n    {UNSAFE[reason]}\n")
    assert (row.safety, reason in row.message) == ("unsafe", True)


def case(bases: str, *, set_up: str = "", tear_down: str = "", test: str = "pass") -> str:
    """Return a class whose set-up and tear-down make and remove `self.folder`, unless they are given."""
    set_up = set_up or "self.folder = tempfile.mkdtemp()"
    tear_down = tear_down or "shutil.rmtree(self.folder)"
    methods = {"setUp": set_up, "tearDown": tear_down, "test_it": test}
    return f"class Clone({bases}):\n" + "\n".join(
        f"    def {name}(self):\n        {body}\n" for name, body in methods.items()
    )


HIDING = (
    "shutil.rmtree(self.folder, ignore_errors=True)",
    "shutil.rmtree(self.folder, True)",
    "shutil.rmtree(self.folder, onerror=print)",
    "try:\n            shutil.rmtree(self.folder)\n        except OSError:\n            pass",
)


@pytest.mark.parametrize("removal", HIDING)
def test_removal_that_hides_errors_is_unsafe(tmp_path: Path, removal: str) -> None:
    [row] = find(tmp_path, HEAD + case("unittest.TestCase", tear_down=removal))
    assert (row.safety, "ignores what cannot be removed" in row.message) == ("unsafe", True)


BASES = {
    "from tests.base import Case\n": "Case",
    "from .base import Case\n": "Case",
    "from tests import base\n": "base.Case",
    "from . import Case\n": "Case",
    "from tests import unittest as own\n": "own.TestCase",
}


@pytest.mark.parametrize("line", BASES)
def test_test_case_may_come_from_another_file(tmp_path: Path, line: str) -> None:
    others = {
        "tests/__init__.py": "import unittest\nfrom .base import Case\n",
        "tests/base.py": "import unittest\n\n\nclass Root(unittest.TestCase):\n    pass\n\n\nclass Case(Root):\n    pass\n",
    }
    [row] = find(tmp_path, HEAD + line + case(BASES[line]), **others)
    assert row.safety == "safe"


def test_class_that_is_not_known_to_be_a_test_case_is_unsafe(tmp_path: Path) -> None:
    [row] = find(tmp_path, f"{HEAD}from elsewhere import Case\n\n\n{case('Case')}")
    assert (row.safety, "cannot tell that Clone derives from unittest.TestCase" in row.message) == ("unsafe", True)


def test_class_without_bases_is_unsafe(tmp_path: Path) -> None:
    [row] = find(tmp_path, HEAD + case("").replace("Clone()", "Clone"))
    assert (row.safety, "cannot tell that Clone derives" in row.message) == ("unsafe", True)


REMOVERS = {
    "def delete(path):\n    shutil.rmtree(path)\n": "safe",
    'def delete(path):\n    """Delete."""\n    if os.path.exists(path):\n        shutil.rmtree(path)\n': "safe",
    "delete = shutil.rmtree\n": "safe",
    "if os.name == 'nt':\n    delete = print\nelse:\n    delete = shutil.rmtree\n": "safe",
    "def delete(path):\n    shutil.rmtree(path, ignore_errors=True)\n": "unsafe",
    "def delete(path):\n    print(path)\n    shutil.rmtree(path)\n": None,
    "def delete(path):\n    delete(path)\n": None,
}


@pytest.mark.parametrize(("remover", "safety"), REMOVERS.items())
def test_function_of_another_file_removes_if_that_is_all_that_it_does(
    tmp_path: Path, remover: str, safety: str | None
) -> None:
    text = case("unittest.TestCase", tear_down="delete(self.folder)")
    rows = find(tmp_path, f"{HEAD}from tests.util import delete\n\n\n{text}", **{"tests/util.py": HEAD + remover})
    assert [row.safety for row in rows] == ([safety] if safety else [])


# A class that derives from the one that makes and removes the directory, by what it does with that.
CHILDREN = {
    "def test_more(self):\n        os.listdir(self.folder)": "safe",
    "def tearDown(self):\n        shutil.rmtree(self.folder)": "unsafe",
    "def setUp(self):\n        self.folder = '/x'": "unsafe",
    "def test_again(self):\n        self.tearDown()": "unsafe",
    "def test_again(self):\n        self.doCleanups()": "unsafe",
}


@pytest.mark.parametrize("here", [True, False], ids=["in the same file", "in another file"])
@pytest.mark.parametrize(("child", "safety"), CHILDREN.items())
def test_directory_that_a_parent_makes_is_unsafe_if_a_child_sets_or_removes_it(
    tmp_path: Path, child: str, safety: str, *, here: bool
) -> None:
    parent, text = case("unittest.TestCase"), f"\n\nclass Child(Clone):\n    {child}\n"
    others = {} if here else {"tests/test_child.py": f"{HEAD}from tests.test_it import Clone\n{text}"}
    [row] = find(tmp_path, HEAD + parent + (text if here else ""), **others)
    assert row.safety == safety
    assert ("sets or removes folder, too" in row.message) is (safety == "unsafe")


def test_attribute_that_another_file_may_need_as_text_stays_text(tmp_path: Path) -> None:
    put(tmp_path, {"tests/test_child.py": "from tests.test_it import Clone\n\n\nclass Child(Clone):\n    pass\n"})
    after = rewrite(tmp_path, HEAD + case("unittest.TestCase"))
    assert 'self.folder = str(self.enterContext(temp_working_dir("clone")))' in after


def test_what_a_tear_down_looks_for_after_the_removal_makes_it_unsafe(tmp_path: Path) -> None:
    made = "self.folder = tempfile.mkdtemp()\n        self.file = os.path.join(self.folder, 'x')"
    gone = "shutil.rmtree(self.folder)\n        self.assertFalse(os.path.exists(self.file))"
    [row] = find(tmp_path, HEAD + case("unittest.TestCase", set_up=made, tear_down=gone))
    assert (row.safety, "may look for the directory, which is removed after it" in row.message) == ("unsafe", True)


# The class above, by what is left of the tear-down.
EMPTIED = {
    "class Case(unittest.TestCase):\n    pass\n\n\n": None,
    "class Case(unittest.TestCase):\n    def tearDown(self):\n        self.fail()\n\n\n": "pass",
    "class Case(unittest.TestCase, Unknown):\n    pass\n\n\n": "pass",
}


def test_emptied_tear_down_stays_where_one_of_a_class_beside_it_would_take_its_place(tmp_path: Path) -> None:
    beside = "class Other(unittest.TestCase):\n    def tearDown(self):\n        self.fail()\n\n\n"
    below = "\n\nclass Both(Clone, Other):\n    pass\n"
    after = rewrite(tmp_path, HEAD + beside + case("unittest.TestCase") + below)
    assert "def tearDown(self):\n        pass\n\n    def test_it" in after


@pytest.mark.parametrize(("parent", "left"), EMPTIED.items())
def test_emptied_tear_down_stays_where_another_one_would_take_its_place(
    tmp_path: Path, parent: str, left: str | None
) -> None:
    after = rewrite(tmp_path, HEAD + parent + case("Case"))
    assert after.endswith("def tearDown(self):\n        pass\n\n    def test_it(self):\n        pass\n") is bool(left)
    assert "rmtree" not in after


def test_what_another_object_has_is_not_removed_by_the_tear_down(tmp_path: Path) -> None:
    text = case("unittest.TestCase", set_up="other.folder = tempfile.mkdtemp()")
    assert find(tmp_path, HEAD + text) == []


@pytest.mark.parametrize("removal", ["shutil.rmtree(self.folder)", "self.addCleanup(shutil.rmtree, self.folder)"])
def test_what_a_child_removes_is_no_leak(tmp_path: Path, removal: str) -> None:
    child = (
        f"{HEAD}from tests.test_it import Clone\n\n\nclass Child(Clone):\n    def tearDown(self):\n        {removal}\n"
    )
    put(tmp_path, {TEST: HEAD + case("unittest.TestCase", tear_down="pass"), "tests/test_child.py": child})
    found = audited(tmp_path)
    assert (list(found.rows), dict(found.left)) == ([], {"mkdtemp that other code removes or may remove": 1})


CLEANUP = "self.addCleanup(lambda: self.assertFalse(os.path.exists(self.folder)))"
# What may tell that the directory is removed before or after something else than today.
OTHER_TIMES = {
    "may look for the directory": (
        "def test_it():\n    d = tempfile.mkdtemp()\n    try:\n        pass\n"
        "    finally:\n        shutil.rmtree(d)\n        look()\n"
    ),
    "registers what may look": case("unittest.TestCase", set_up=f"self.folder = tempfile.mkdtemp()\n        {CLEANUP}"),
    "may look for the directory, which is removed after it": case(
        "unittest.TestCase", tear_down="shutil.rmtree(self.folder)\n        look()"
    ),
}


@pytest.mark.parametrize("reason", OTHER_TIMES)
def test_what_may_tell_that_the_removal_comes_at_another_time_makes_it_unsafe(tmp_path: Path, reason: str) -> None:
    [row] = find(tmp_path, HEAD + OTHER_TIMES[reason])
    assert (row.safety, reason in row.message) == ("unsafe", True)


@pytest.mark.parametrize("late", ["os.chdir('/')", "self.other.close()", "super().tearDown()", "self.x = None"])
def test_what_does_not_look_may_come_after_the_removal(tmp_path: Path, late: str) -> None:
    [row] = find(tmp_path, HEAD + case("unittest.TestCase", tear_down=f"shutil.rmtree(self.folder)\n        {late}"))
    assert row.safety == "safe"


LEAKS = {
    "def f():\n    d = tempfile.mkdtemp()\n    use(d)\n": "found nothing in f() that removes it",
    "def f():\n    use(tempfile.mkdtemp())\n": "found nothing in f() that removes it",
    "def f():\n    d = tempfile.mkdtemp()\n\n\ndef g(d):\n    shutil.rmtree(d)\n": "found nothing in f() that removes it",
    "def f():\n    file = tempfile.NamedTemporaryFile(delete=False)\n": "looked for rmtree",
    "def f():\n    fd, path = tempfile.mkstemp()\n": "found nothing in f() that removes it",
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
    "D = None\n\n\ndef f():\n    global D\n    D = tempfile.mkdtemp()\n\n\ndef g():\n    shutil.rmtree(D)\n",
    "D = []\n\n\ndef f():\n    D.append(tempfile.mkdtemp())\n\n\ndef g():\n    list(map(shutil.rmtree, D))\n",
)


@pytest.mark.parametrize("text", LEFT)
def test_what_others_remove_is_counted_and_not_listed(tmp_path: Path, text: str) -> None:
    put(tmp_path, {TEST: HEAD + text})
    found = audited(tmp_path)
    assert (list(found.rows), sum(found.left.values())) == ([], 1)


def test_file_that_removes_itself_is_none(tmp_path: Path) -> None:
    assert find(tmp_path, f"{HEAD}with tempfile.NamedTemporaryFile() as file:\n    pass\n") == []
