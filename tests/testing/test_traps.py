"""What suites do to a plugin that watches them, one test each."""

import signal
from pathlib import Path

import pytest

from ..helpers import inv, inv_json
from .conftest import AS_ORDINARY, SIGINT, SIGKILL, Suite

LEAVES = "\ndef test_after(): tempfile.mkdtemp()\n"

pytestmark = pytest.mark.slow  # each runs several programs


def test_a_session_fixture_may_choose_a_directory_of_its_own(suite: Suite) -> None:
    suite.write("""
@pytest.fixture(scope="session", autouse=True)
def own(tmp_path_factory):
    own = str(tmp_path_factory.mktemp("own"))
    before = os.environ["TMPDIR"], tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = own
    yield own
    os.environ["TMPDIR"], tempfile.tempdir = before

def test_one(own): assert tempfile.gettempdir() == os.environ["TMPDIR"] == own
def test_two(own): assert tempfile.gettempdir() == os.environ["TMPDIR"] == own; tempfile.mkdtemp()
""")
    done = suite.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 2}
    assert "temp-leaks" not in done.out
    assert suite.left() == []


@pytest.mark.parametrize(
    "act",
    [
        "del os.environ['TMPDIR']",
        "os.environ.clear()",
        "tempfile.tempdir = os.path.dirname(os.path.dirname(tempfile.tempdir))",
    ],
)
def test_a_test_that_resets_the_directory_is_named(serial: Suite, act: str) -> None:
    serial.write(f"""
def test_before(): pass
def test_resets(): {act}
def test_after(): pass
""")
    done = serial.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 3}
    assert "temp-leaks: uncontained: TMPDIR or tempfile.tempdir was reset, since test_it.py::test_resets\n" in done.out


def test_what_a_test_puts_back_itself_is_no_matter(suite: Suite) -> None:
    suite.write("""
def test_patches(monkeypatch): monkeypatch.delenv("TMPDIR"); monkeypatch.setattr(tempfile, "tempdir", None)
def test_resets_python(): tempfile.tempdir = None; tempfile.mkdtemp()
""")
    done = suite.run("--temp-leaks=report")
    assert done.owners == {"test_it.py::test_resets_python": 1}
    assert "uncontained" not in done.out
    assert suite.left() == []


def test_tests_may_mock_what_the_plugin_looks_with(suite: Suite) -> None:
    suite.write(
        """
from unittest import mock
import time

@pytest.fixture
def mocks():
    names = dict.fromkeys(("scandir", "listdir", "getpid", "mkdir"), mock.DEFAULT)
    with mock.patch.multiple("os", **names) as mocked, mock.patch("time.time_ns") as clock:
        yield [*mocked.values(), clock]

def test_mocks(mocks): pass
def test_called(mocks): assert [each.call_count for each in mocks] == [0] * 5
"""
        + LEAVES
    )
    done = suite.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 3}, done.out
    assert done.owners == {"test_it.py::test_after": 1}
    assert suite.left() == []


def test_a_fork_that_runs_the_closing_hooks_again_changes_nothing(serial: Suite) -> None:
    serial.write(
        """
def test_forks():
    tempfile.mkdtemp()
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] in (0, 256)
        assert os.path.isdir(tempfile.gettempdir())
"""
        + LEAVES
    )
    done = serial.run("--temp-leaks=report")
    # The child goes on as a second pytest: both print, the parent alone looks and removes.
    assert done.out.count("left in the temporary directory") == 1
    assert done.owners == {"test_it.py::test_after": 2, "test_it.py::test_forks": 1} or done.owners == {
        "test_it.py::test_after": 1,
        "test_it.py::test_forks": 2,
    }
    assert serial.left() == []


def orphans(suite: Suite) -> list[str]:
    (suite.root / "tasks.py").write_text("from common_tasks import ns\n")
    return [row["state"] for row in inv_json(suite.root, "temp-status")["entries"]]


@pytest.mark.parametrize("act", ["os._exit(3)", "os.kill(os.getpid(), 9)"])
def test_a_run_that_ends_at_once_leaves_an_orphan_that_a_clean_removes(serial: Suite, act: str) -> None:
    serial.write(f"def test_it(): tempfile.mkdtemp(); {act}")
    assert serial.run("--temp-leaks=report").code in (3, -signal.SIGKILL)
    assert len(serial.left()) == 1
    assert orphans(serial) == ["orphaned"]
    inv(serial.root, "temp-clean")
    assert serial.left() == []


def test_a_killed_run_with_workers_leaves_one_orphan(two_workers: Suite) -> None:
    two_workers.write("import time\ndef test_it(): tempfile.mkdtemp(); pathlib.Path('ready').touch(); time.sleep(60)")
    two_workers.interrupt(SIGKILL, "--temp-leaks=report")
    assert len(two_workers.left()) == 1
    assert orphans(two_workers) == ["orphaned"]
    inv(two_workers.root, "temp-clean")
    assert two_workers.left() == []


def test_a_worker_that_ends_at_once_is_told_and_the_rest_is_found(two_workers: Suite) -> None:
    two_workers.write("def test_dies(): tempfile.mkdtemp(); os._exit(3)\ndef test_lives(): tempfile.mkdtemp()\n")
    done = two_workers.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 1, "failed": 1}
    assert done.owners["test_it.py::test_lives"] == 1
    assert done.owners["test_it.py::test_dies"] == 1
    assert "ended early: the list is incomplete for its tests" in done.out
    assert two_workers.left() == []


def test_ctrl_c_ends_in_an_incomplete_list(suite: Suite) -> None:
    suite.write("import time\ndef test_it(): tempfile.mkdtemp(); pathlib.Path('ready').touch(); time.sleep(60)")
    done = suite.interrupt(SIGINT, "--temp-leaks=report")
    assert done.code == 2
    assert "left in the temporary directory: 1 name," in done.out
    assert "interrupted, so this list is incomplete" in done.out
    assert suite.left() == []


def test_what_every_worker_imports_counts_once(two_workers: Suite) -> None:
    two_workers.write("tempfile.mkdtemp()", "conftest.py")
    two_workers.write("tempfile.mkdtemp()\ndef test_a(): pass\ndef test_b(): tempfile.mkdtemp()\n")
    done = two_workers.run("--temp-leaks=report")
    assert done.owners == {"import of conftest.py": 1, "import of test_it.py": 1, "test_it.py::test_b": 1}
    assert "import of conftest.py (in each of 3 processes)" in done.out
    assert "left in the temporary directory: 3 names" in done.out


def test_each_worker_has_a_directory_of_its_own(two_workers: Suite) -> None:
    two_workers.write("""
@pytest.mark.parametrize("n", range(8))
def test_it(n):
    with open("seen", "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + " " + tempfile.gettempdir() + "\\n")
""")
    two_workers.run("--temp-leaks=report")
    rows = {tuple(row.split()) for row in (two_workers.root / "seen").read_text().splitlines()}
    assert {(worker, Path(folder).name) for worker, folder in rows} == {("gw0", "0"), ("gw1", "1")}
    assert len({Path(folder).parent for _, folder in rows}) == 1


def test_children_that_import_the_module_again_are_contained(suite: Suite) -> None:
    suite.write("""
import multiprocessing
made = tempfile.mkdtemp()

def work(n): return n + 1

@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_it(method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.map(work, [1, 2]) == [2, 3]
""")
    done = suite.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 3}, done.out
    assert done.owners["import of test_it.py"] == 1
    assert sum(done.owners.values()) >= 3  # a child that imports the module leaves one, too
    assert suite.left() == []


def test_loky_children_are_contained(suite: Suite) -> None:
    pytest.importorskip("joblib")
    suite.write("""
import joblib
made = tempfile.mkdtemp()
def work(n): return n + 1
def test_it(): assert joblib.Parallel(n_jobs=2)(joblib.delayed(work)(n) for n in range(4)) == [1, 2, 3, 4]
""")
    done = suite.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 1}, done.out
    assert "import of test_it.py" in done.owners
    assert suite.left() == []


def test_inner_runs_are_contained_by_the_outer_one(suite: Suite) -> None:
    suite.write("""
pytest_plugins = ["pytester"]

@pytest.mark.parametrize("mode", ["off", "report"])
@pytest.mark.parametrize("how", ["inprocess", "subprocess"])
def test_it(pytester, how, mode):
    before = os.environ["TMPDIR"], tempfile.tempdir
    pytester.makepyfile(test_inner="import tempfile\\ndef test_it(): print(tempfile.mkdtemp())")
    result = getattr(pytester, "runpytest_" + how)("-s", f"--temp-leaks={mode}")
    result.assert_outcomes(passed=1)
    assert before[0] in str(result.outlines)
    assert ("left in the temporary directory: 1 name," in str(result.outlines)) == (mode == "report")
    assert (os.environ["TMPDIR"], tempfile.tempdir) == before
    assert os.path.isdir(before[0])
""")
    done = suite.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 4}, done.out
    assert done.owners == {"test_it.py::test_it (with 2 parameters)": 2}
    assert suite.left() == []


def test_a_test_may_remove_the_temporary_directory_itself(suite: Suite) -> None:
    suite.write("""
def test_removes(): shutil.rmtree(tempfile.gettempdir())
def test_needs(): tempfile.mkdtemp()
def test_needs_too(): tempfile.mkdtemp()
""")
    done = suite.run("--temp-leaks=report", *(["--dist", "loadfile"] if suite.workers else []))
    assert done.outcomes == {"passed": 3}
    assert done.owners == {"test_it.py::test_needs": 1, "test_it.py::test_needs_too": 1}
    assert "temp-leaks: test_it.py::test_removes removed the temporary directory itself: it was made again" in done.out
    assert suite.left() == []


def test_read_only_folders_inside_go_too(suite: Suite) -> None:
    suite.write("""
def test_it():
    made = pathlib.Path(tempfile.mkdtemp())
    (made / "inner").mkdir()
    (made / "inner" / "file").touch()
    (made / "inner").chmod(0o500)
    made.chmod(0o500)
""")
    suite.run("--temp-leaks=report", prefix=AS_ORDINARY)
    assert suite.left() == []
    assert suite.run("--temp-leaks=fail", prefix=AS_ORDINARY).code == 1
    assert suite.left() == []
    assert len(list(suite.root.glob(".tmp/test/temp-leaks_*/**/inner/file"))) == 1


def test_pyfakefs_fakes_its_own_tests_only(suite: Suite) -> None:
    pytest.importorskip("pyfakefs")
    suite.load("fakefs")
    suite.write(
        """
def test_before(): tempfile.mkdtemp()
def test_fake(fs):
    fs.create_file("/nowhere/file")
    assert os.path.exists("/nowhere/file")
    tempfile.mkdtemp()
"""
        + LEAVES
    )
    done = suite.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 3}, done.out
    assert done.owners == {"test_it.py::test_before": 1, "test_it.py::test_after": 1}
    assert suite.left() == []


def test_what_is_not_contained_is_said(serial: Suite) -> None:
    (serial.root / "early.py").write_text("import tempfile\ntempfile.mkdtemp(prefix='early')\n")
    serial.write("""
import subprocess
system = os.path.dirname(os.path.dirname(tempfile.gettempdir()))
def test_elsewhere(): tempfile.mkdtemp(prefix="elsewhere", dir=system)
def test_contained(): tempfile.mkdtemp()
""")
    done = serial.run("--temp-leaks=report", "-p", "early")
    assert done.owners == {"test_it.py::test_contained": 1}
    assert [name[:5] for name in serial.left()] == ["early", "elsew"]
    assert 'what was made with dir="/tmp", by a program with an emptied environment' in done.out
    assert "by a module loaded with -p" in done.out


def test_names_of_any_bytes_are_counted(suite: Suite) -> None:
    suite.write("""
def test_it():
    for name in (b"\\xff\\xfe", "new\\nline".encode(), b"[bold]", "\\u202eevil".encode()):
        os.mkdir(os.path.join(os.fsencode(tempfile.gettempdir()), name))
""")
    done = suite.run("--temp-leaks=report")
    assert done.owners == {"test_it.py::test_it": 4}
    assert suite.left() == []


def test_thousands_of_names_do_not_slow_down_what_follows(serial: Suite) -> None:
    serial.write("""
@pytest.fixture(autouse=True)
def innocent(): yield

@pytest.mark.parametrize("n", range(300))
def test_it(n):
    for k in range(10): pathlib.Path(tempfile.gettempdir(), f"{n}-{k}").touch()

@pytest.mark.temp_leaks("accepted*")
def test_marked(): tempfile.mkdtemp(prefix="accepted")
""")
    done = serial.run("--temp-leaks=report", "-v")
    assert "left in the temporary directory: 3000 names" in done.out
    assert sum(done.owners.values()) == 3000
    assert max(number for owner, number in done.owners.items() if owner.startswith("test_it.py::test_it")) >= 2000
    assert all(owner.startswith(("test_it.py::test_it", "about test_it.py::test_it")) for owner in done.owners)
    assert serial.left() == []
