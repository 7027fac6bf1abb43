"""What tests leave in the temporary directory is found, named after its owner, and removed."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Suite

LEAKS = """
import unittest
made_at_import = tempfile.mkdtemp()

def leave(name="tmp", size=0):
    pathlib.Path(tempfile.mkdtemp(prefix=name), "file").write_bytes(b"x" * size)

def setup_module(): leave()

@pytest.fixture
def of_test(): leave()

@pytest.fixture(scope="session")
def of_session():
    yield
    leave()

class TestClass:
    @classmethod
    def setup_class(cls): leave()
    def setup_method(self): leave()
    def test_method(self): pass

class TestOld(unittest.TestCase):
    @classmethod
    def setUpClass(cls): leave()
    def setUp(self): leave()
    def test_old(self): pass

def test_fixtures(of_test, of_session): pass
def test_call(): leave(size=50_000); tempfile.mkstemp()
@pytest.mark.parametrize("n", range(3))
def test_parameters(n): leave()
@pytest.mark.parametrize("n", range(3))
def test_one_parameter(n): n != 1 or leave()
def test_program(): os.system("mktemp -d -p $TMPDIR > /dev/null; mktemp > /dev/null")
def test_clean(tmp_path): (tmp_path / "file").touch(); tempfile.TemporaryDirectory().cleanup()
"""
CONFTEST = "tempfile.mkdtemp()\ndef pytest_configure(): tempfile.mkdtemp()\n"

SHARED = ("setup_module", "setup_class", "setUpClass")
OWNERS = {
    "import of conftest.py": 1,
    "import of test_it.py": 1,
    "setup_module of test_it.py": 1,
    "setup_class of test_it.py::TestClass": 1,
    "setup_method of test_it.py::TestClass": 1,
    "setUpClass of test_it.py::TestOld": 1,
    "test_it.py::TestOld::test_old": 1,
    "fixture of_test (function) of test_it.py": 1,
    "fixture of_session (session) of test_it.py": 1,
    "test_it.py::test_call": 2,
    "test_it.py::test_parameters (with 3 parameters)": 3,
    "test_it.py::test_one_parameter[1]": 1,
    "test_it.py::test_program": 2,
    "the start of the run": 1,
}


def test_each_leak_is_counted_for_the_narrowest_that_ran(both: Suite) -> None:
    both.write(CONFTEST, "conftest.py")
    both.write(LEAKS)
    done = both.run("--temp-leaks=report", "-v", "-o", "temp_leaks_ignore=")
    assert done.code == 0
    shown = done.owners
    assert f"left in the temporary directory: {sum(shown.values())} names" in done.out
    assert set(shown) == set(OWNERS)
    # Fixtures of a module or class are set up by each worker that has tests of it.
    most = {owner: names + bool(both.workers and owner.startswith(SHARED)) for owner, names in OWNERS.items()}
    assert all(OWNERS[owner] <= names <= most[owner] for owner, names in shown.items())
    assert next(iter(shown)) == "test_it.py::test_parameters (with 3 parameters)"
    assert re.search(r" 2 +5\d\.\d kB  test_it.py::test_call", done.out)
    assert both.left() == []


def test_without_a_leak_nothing_is_said(suite: Suite) -> None:
    suite.write("def test_it(tmp_path): (tmp_path / 'x').touch(); tempfile.TemporaryDirectory().cleanup()")
    for mode in ("contain", "report", "fail"):
        done = suite.run(f"--temp-leaks={mode}")
        assert done.code == 0
        assert done.out.rstrip().splitlines()[-1].endswith("s =" + "=" * 29) or "passed in" in done.out.splitlines()[-1]
        assert "temp" not in done.out.partition("passed in")[2]
    said = suite.run("--temp-leaks=report", "-v").out.splitlines()[-1]
    assert re.fullmatch(rf"temp-leaks: none in {suite.system}/t_[a-z2-7]{{10}}/m", said)
    assert suite.left() == []


@pytest.mark.slow
def test_contain_says_one_line(suite: Suite) -> None:
    suite.write(LEAKS)
    done = suite.run("--temp-leaks=contain")
    assert done.code == 0
    [line] = done.out.partition("passed in")[2].splitlines()[1:]
    assert re.match(r"temp-leaks: 1[678] names, " if suite.workers else "temp-leaks: 16 names, ", line)
    assert suite.left() == []


@pytest.mark.slow
def test_fail_exits_with_1_and_keeps_what_was_left(both: Suite) -> None:
    both.write(
        "def test_it(): pathlib.Path(tempfile.mkdtemp(prefix='left'), 'x').touch()\n"
        "def test_file(): tempfile.mkstemp(prefix='also')\n"
    )
    done = both.run("--temp-leaks=fail")
    assert done.code == 1
    assert done.outcomes == {"passed": 2}
    assert set(done.owners) == {"test_it.py::test_it", "test_it.py::test_file"}
    [kept] = both.kept()
    assert f"kept: {kept}" in done.out
    assert len(list(kept.glob("**/left*/x"))) == 1
    assert len(list(kept.glob("**/also*"))) == 1
    assert both.left() == []
    assert both.run("--temp-leaks=fail", "--temp-dirs-keep=none").code == 1
    assert both.kept() == [kept]


@pytest.mark.slow
def test_fail_passes_a_clean_suite_and_leaves_other_exit_statuses(serial: Suite) -> None:
    serial.write("def test_it(): pass")
    assert serial.run("--temp-leaks=fail").code == 0
    serial.write("tempfile.mkdtemp()\ndef test_it(): pytest.exit('enough', returncode=7)")
    assert serial.run("--temp-leaks=fail").code == 7
    serial.write("tempfile.mkdtemp()")
    assert serial.run("--temp-leaks=fail").code == 1
    assert serial.left() == []


@pytest.mark.slow
def test_only_the_end_state_counts(suite: Suite) -> None:
    suite.write("""
import atexit, gc
made = []

@pytest.fixture(scope="session", autouse=True)
def tidies():
    yield
    for path in made: shutil.rmtree(path)

def pytest_unconfigure(): pass
def test_leaves(): made.append(tempfile.mkdtemp())
def test_cycle():
    cycle = [tempfile.TemporaryDirectory()]
    cycle.append(cycle)
""")
    suite.write(
        """
made = tempfile.mkdtemp()
def pytest_unconfigure(): shutil.rmtree(made)
""",
        "conftest.py",
    )
    done = suite.run("--temp-leaks=fail")
    assert (done.code, done.owners) == (0, {}), done.out
    assert suite.left() == []


PENDING = """
import atexit, functools, multiprocessing.util, weakref
directory = tempfile.TemporaryDirectory()
file = tempfile.NamedTemporaryFile()
atexit.register(shutil.rmtree, tempfile.mkdtemp())

def forget():
    path = tempfile.mkdtemp()
    atexit.register(lambda: shutil.rmtree(path))

class Holder:
    def __init__(self): self.path = pathlib.Path(tempfile.mkdtemp())
    def remove(self): shutil.rmtree(self.path)

forget()
holder = Holder()
atexit.register(holder.remove)
atexit.register(functools.partial(shutil.rmtree, tempfile.mkdtemp()))
listed = [tempfile.mkdtemp()]

@atexit.register
def remove_all():
    for path in listed: shutil.rmtree(path)

weakref.finalize(holder, shutil.rmtree, tempfile.mkdtemp())
multiprocessing.util.get_temp_dir()
multiprocessing.util.Finalize(None, shutil.rmtree, (tempfile.mkdtemp(),), exitpriority=1)

def test_it(): assert len(os.listdir(os.environ["TMPDIR"])) == 10
"""


@pytest.mark.slow
def test_what_will_still_be_removed_at_exit_is_no_leak(suite: Suite) -> None:
    suite.write(PENDING)
    done = suite.run("--temp-leaks=fail")
    assert (done.code, done.owners) == (0, {}), done.out
    assert done.err == ""
    assert suite.left() == []


@pytest.mark.slow
def test_a_callback_that_was_unregistered_removes_nothing(serial: Suite) -> None:
    serial.write("""
import atexit
path = tempfile.mkdtemp()
def remove(): shutil.rmtree(path)
def test_it():
    atexit.register(remove)
    atexit.unregister(remove)
    keeps = tempfile.mkdtemp()
    atexit.register(print, "bye")
""")
    assert serial.run("--temp-leaks=report").owners == {"import of test_it.py": 1, "test_it.py::test_it": 1}


@pytest.mark.slow
def test_joblib_tidies_up_at_exit(suite: Suite) -> None:
    pytest.importorskip("joblib")
    suite.write("""
import joblib
def test_it():
    with joblib.parallel_config(backend="loky"):
        assert sum(joblib.Parallel(n_jobs=2, max_nbytes=1)(joblib.delayed(len)([n]) for n in range(4))) == 4
""")
    done = suite.run("--temp-leaks=fail")
    assert (done.code, done.owners) == (0, {}), done.out
    assert suite.left() == []


@pytest.mark.slow
def test_accepted_names_are_no_leaks(suite: Suite) -> None:
    suite.write("""
@pytest.mark.temp_leaks("mine*", "also-?*")
def test_marked(): [tempfile.mkdtemp(prefix=p) for p in ("mine", "also-", "other")]
@pytest.mark.temp_leaks
def test_any(): tempfile.mkdtemp(prefix="any")
def test_ini(): [tempfile.mkdtemp(prefix=p) for p in ("cache_", "two words")]
def test_unmarked(): tempfile.mkdtemp(prefix="mine")
""")
    (suite.root / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ntemp_leaks = "report"\ntemp_leaks_ignore = ["cache_*", "two words*"]\n'
        'addopts = "--strict-markers --strict-config"\n'
    )
    done = suite.run()
    assert done.owners == {"test_it.py::test_marked": 1, "test_it.py::test_unmarked": 1}
    assert "'other" in done.out
    assert suite.left() == []


@pytest.mark.slow
def test_the_run_has_a_directory_of_its_own_that_temp_status_shows_as_in_use(both: Suite) -> None:
    both.write("""
import json, subprocess

def test_it():
    mine = tempfile.gettempdir()
    assert mine == os.environ["TMPDIR"] == tempfile.tempdir == os.path.dirname(tempfile.mkdtemp())
    assert os.stat(mine).st_mode & 0o777 == 0o700
    system = os.path.dirname(os.path.dirname(mine))
    assert len(mine) - len(system) <= len("/t_") + 20 + len("/m")
    inv = os.path.join(os.path.dirname(sys.executable), "inv")
    outside = {"capture_output": True, "text": True, "env": {**os.environ, "TMPDIR": system}}
    done = subprocess.run([inv, "temp-status", "--json"], **outside)
    assert json.loads(done.stdout)["entries"] == [], done
    done = subprocess.run([inv, "temp-clean"], **outside)
    assert done.returncode == 0 and os.path.isdir(mine), done

def test_tmp_path_stays_where_it_is(tmp_path):
    system = os.path.dirname(os.path.dirname(tempfile.gettempdir()))
    assert tmp_path.is_relative_to(pathlib.Path(system).resolve() / f"pytest-of-{pathlib.Path.home().owner()}")
""")
    (both.root / "tasks.py").write_text("from common_tasks import ns\n")
    done = both.run("--temp-leaks=report")
    assert done.outcomes == {"passed": 2}, done.out
    assert both.left() == []


@pytest.mark.slow
def test_the_list_of_an_interrupted_run_is_incomplete(suite: Suite) -> None:
    suite.write("def test_a(): tempfile.mkdtemp(); assert 0\ndef test_b(): pass\n")
    assert "interrupted, so this list is incomplete" in suite.run("--temp-leaks=report", "-x").out
    assert "incomplete" not in suite.run("--temp-leaks=report").out
    suite.write("def test_a(): pytest.exit('enough')\n")
    done = suite.run("--temp-leaks=report")
    assert "interrupted, so this list is incomplete" in done.out
    assert "temp-leaks: none in " in done.out or suite.workers
    assert suite.left() == []


@pytest.mark.slow
def test_collecting_alone_shows_what_imports_leave(suite: Suite) -> None:
    suite.write(LEAKS)
    done = suite.run("--temp-leaks=report", "--collect-only")
    assert done.owners == {"import of test_it.py": 1}
    assert suite.left() == []


MANY = "".join(f"def test_{n}(): tempfile.mkdtemp()\n" for n in range(33))


def test_ten_owners_are_named_and_all_of_them_on_demand(serial: Suite) -> None:
    serial.write(MANY)
    done = serial.run("--temp-leaks=report")
    assert len(done.owners) == 10
    assert re.search(r"23 more, with 23 names, .*: -v names all", done.out)
    assert len(serial.run("--temp-leaks=report", "-v").owners) == 33


def test_where_leaks_let_the_run_fail_all_owners_are_named_and_listed(suite: Suite) -> None:
    suite.write(MANY)
    done = suite.run("--temp-leaks=fail", "-q")
    assert len(done.owners) == 33
    [kept] = suite.kept()
    assert f"who left what: {kept}/.temp-leaks.txt" in done.out
    listed = (kept / ".temp-leaks.txt").read_text().splitlines()
    assert sorted(line.partition("  ")[2] for line in listed) == sorted(f"test_it.py::test_{n}" for n in range(33))
    assert all((kept / line.split("'")[1]).is_dir() for line in listed)


def test_where_nothing_can_be_kept_the_report_is_said_all_the_same(serial: Suite) -> None:
    serial.write("def test_it(): pathlib.Path(tempfile.mkdtemp(), 'x').touch()\n")
    (serial.root / ".tmp").touch()
    done = serial.run("--temp-leaks=fail")
    assert done.code == 1
    assert done.owners == {"test_it.py::test_it": 1}
    assert "not moved to the project: " in done.out
    [left] = serial.left()
    assert f"kept: {serial.system}/{left}" in done.out
    assert len(list((serial.system / left).glob("tmp*/x"))) == 1


COUNTS = """
@pytest.fixture
def of_test(): tempfile.mkdtemp()
@pytest.fixture(scope="session", autouse=True)
def of_session(): tempfile.mkdtemp()
@pytest.mark.parametrize("n", range(20))
def test_it(of_test, n): pass
"""


def test_only_what_each_process_does_for_itself_counts_once(two_workers: Suite) -> None:
    two_workers.write(COUNTS)
    done = two_workers.run("--temp-leaks=fail")
    assert done.owners == {
        "fixture of_test (function) of test_it.py": 20,
        "fixture of_session (session) of test_it.py": 1,
    }
    assert "left in the temporary directory: 21 names" in done.out
    [kept] = two_workers.kept()
    assert len(list(kept.glob("gw?/tmp*"))) == 22


OUTSIDE = """
import subprocess
outside = {outside!r}
def test_link():
    here = tempfile.gettempdir()
    shutil.rmtree(here)
    os.symlink(outside, here)
def test_after(): tempfile.mkdtemp()
"""
MOUNTS = """
import subprocess
def test_mount(): subprocess.run(["mount", "--bind", {outside!r}, tempfile.mkdtemp()], check=True)
def test_other(): pathlib.Path(tempfile.mkdtemp(), "left").touch()
"""


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Return a folder outside, which is the same afterwards; what is mounted from it is unmounted."""
    folder = tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").touch()
    yield folder
    assert [path.name for path in folder.rglob("*")] == ["sub", "file"]


@pytest.mark.parametrize("mode", ["contain", "report", "fail"])
def test_a_link_in_the_place_of_the_directory_is_not_followed(serial: Suite, outside: Path, mode: str) -> None:
    serial.write(OUTSIDE.format(outside=str(outside)))
    done = serial.run(f"--temp-leaks={mode}")
    assert done.outcomes == {"passed": 2}
    assert serial.left() == []
    if mode != "contain":
        assert done.owners == {"test_it.py::test_after": 1}
        assert "test_it.py::test_link removed the temporary directory itself: it was made again" in done.out


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts")
@pytest.mark.parametrize("mode", ["contain", "report", "fail"])
def test_a_mount_is_not_crossed(serial: Suite, outside: Path, mode: str) -> None:
    serial.write(MOUNTS.format(outside=str(outside)))
    done = serial.run(f"--temp-leaks={mode}")
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    [point] = [place for place in mounted if place.startswith(str(serial.system))]
    try:
        assert done.code == (1 if mode == "fail" else 0)
        assert f"was not removed: a mount point is inside: {point}" in done.out
        if mode == "fail":
            assert f"not kept: {point}: a mount point is inside: {point}" in done.out
            assert len(list(serial.root.glob(".tmp/test/temp-leaks_*/*/left"))) == 1
    finally:
        subprocess.run(["umount", point], check=True)


def test_sockets_of_multiprocessing_fit_where_the_path_is_long(serial: Suite) -> None:
    serial.write("""
import multiprocessing
def test_it():
    with multiprocessing.Manager() as manager: assert len(manager.address) <= 107
""")
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else "/tmp") as short:
        system = Path(short) / ("x" * (59 - len(short)))
        system.mkdir()
        done = serial.run("--temp-leaks=report", environment={"TMPDIR": str(system)})
    assert done.outcomes == {"passed": 1}, done.out
