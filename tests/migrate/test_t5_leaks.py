from pathlib import Path

import pytest

from .helpers import find, unchanged

HEAD = "import os, shutil, tempfile\nfrom pathlib import Path\n\n"
# What a program does with what it got, and how the report says so.
CLEAN_UPS = {
    "def f():\n    d = tempfile.mkdtemp()\n    use(d)\n": "nothing here removes it",
    "def f():\n    use(tempfile.mkdtemp())\n": "nothing here removes it",
    "def f():\n    d = tempfile.mkdtemp()\n    try:\n        use(d)\n"
    "    finally:\n        shutil.rmtree(d)\n": "finally",
    "def f():\n    d = tempfile.mkdtemp()\n    use(d)\n    shutil.rmtree(d)\n": "not where something fails before",
    "def f():\n    d = tempfile.mkdtemp()\n    self.addCleanup(shutil.rmtree, d)\n": "addCleanup",
    "class C:\n    def setUp(self):\n        self.d = tempfile.mkdtemp()\n\n"
    "    def tearDown(self):\n        shutil.rmtree(self.d)\n": "tearDown",
    "def f():\n    d = tempfile.mkdtemp()\n\ndef g(d):\n    shutil.rmtree(d)\n": "nothing here removes it",
    "def f():\n    with tempfile.NamedTemporaryFile(delete=False) as file:\n        path = file.name\n"
    "    os.unlink(path)\n": "not where something fails before",
    "def f():\n    with tempfile.NamedTemporaryFile(delete=False) as file:\n        pass\n"
    "    os.unlink(file.name)\n": "not where something fails before",
    "def f():\n    file = tempfile.NamedTemporaryFile(delete=False)\n": "nothing here removes it",
    "def f():\n    fd, path = tempfile.mkstemp()\n": "nothing here removes it",
}


@pytest.mark.parametrize(("text", "told"), CLEAN_UPS.items())
def test_what_stays_is_reported_with_what_removes_it(tmp_path: Path, text: str, told: str) -> None:
    [row] = find(tmp_path, HEAD + text)
    assert (row.code, row.safety) == ("T5", "report")
    assert told in row.message
    assert unchanged(tmp_path, HEAD + text, unsafe=True)


def test_file_that_removes_itself_is_none(tmp_path: Path) -> None:
    assert find(tmp_path, f"{HEAD}with tempfile.NamedTemporaryFile() as file:\n    pass\n") == []
