"""What a failed test made is kept where it was made; what a passing test made is gone."""

import pytest

from .conftest import AS_ORDINARY, SIGINT, Suite, make_older

FORMS = """
from common.temp import pytest_temp_dirs

@pytest.fixture
def dirs():
    with pytest_temp_dirs(2, ["source", "target"]) as dirs:
        yield dirs

class TestGuide:
    @pytest.fixture
    def temp_dirs(self):
        with pytest_temp_dirs(3, ["source", "target", "backup"]) as dirs:
            yield dirs

    def test_class(self, temp_dirs):
        source, target, backup = temp_dirs
        (backup / "left").touch()
        assert FINE

def test_in_test():
    with pytest_temp_dirs(2) as (source, target):
        (source / "left").touch()
        assert FINE

def test_in_fixture(dirs):
    (dirs[1] / "left").touch()
    assert FINE

def test_plugin_fixture(temp_dirs):
    source, target = temp_dirs("source", "target")
    first, second, third = temp_dirs(3)
    (target / "left").touch()
    assert (third.name, target.parent != third.parent) == ("working", True)
    assert FINE

def test_persistent(persistent_temp_dir):
    assert persistent_temp_dir.parent.parts[-2:] == (".tmp", "test")
    (persistent_temp_dir / "left").touch()
    assert FINE
"""


def test_directories_of_failed_tests_stay_and_are_named_in_report_and_summary(both: Suite) -> None:
    suite = both
    suite.write(FORMS.replace("FINE", "0"))
    done = suite.run()
    assert done.outcomes == {"failed": 5}
    names = ["test_class", "test_in_fixture", "test_in_test", "test_persistent"] + ["test_plugin_fixture"] * 2
    assert [path.name.rpartition("_")[0] for path in suite.kept()] == names
    assert len(list(suite.root.glob(".tmp/test/*/**/left"))) == 5
    report, _, summary = done.out.partition("temporary directories kept")
    for path in suite.kept():
        assert str(path) in report
        assert str(path) in summary
    assert list(suite.system.glob("pytest_*")) == []


def test_passing_tests_leave_nothing(suite: Suite) -> None:
    suite.write(FORMS.replace("FINE", "1"))
    done = suite.run()
    assert done.outcomes == {"passed": 5}
    assert suite.kept() == []
    assert "temporary directories" not in done.out


@pytest.mark.parametrize(("fine", "outcome"), [("0", "failed"), ("1", "passed")])
def test_with_none_nothing_stays(serial: Suite, fine: str, outcome: str) -> None:
    serial.write(FORMS.replace("FINE", fine))
    done = serial.run("--temp-dirs-keep=none")
    assert done.outcomes == {outcome: 5}
    assert serial.kept() == []
    assert ".tmp/test" not in done.out.partition("summary info")[2]
    assert list(serial.system.glob("pytest_*")) == []


@pytest.mark.parametrize("how", ["option", "ini", "variable"])
def test_with_all_everything_stays(serial: Suite, how: str) -> None:
    serial.write(FORMS.replace("FINE", "1"))
    if how == "ini":
        (serial.root / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntemp_dirs_keep = "all"\n')
    words = ["--temp-dirs-keep=all"] if how == "option" else []
    done = serial.run(*words, environment={"PYTEST_KEEP_TEMPS": "1" if how == "variable" else ""})
    assert len(serial.kept()) == 6
    assert all(str(path) in done.out for path in serial.kept())


def test_the_option_wins_over_the_variable(serial: Suite) -> None:
    serial.write(FORMS.replace("FINE", "1"))
    serial.run("--temp-dirs-keep=failed", environment={"PYTEST_KEEP_TEMPS": "1"})
    assert serial.kept() == []


PHASES = """
from common.temp import pytest_temp_dirs

@pytest.fixture
def fails_before():
    with pytest_temp_dirs(1) as (source,):
        (source / "before").touch()
        assert 0
        yield

@pytest.fixture
def fails_after():
    with pytest_temp_dirs(1) as (source,):
        yield
        (source / "after").touch()
        assert 0

@pytest.fixture
def makes_in_teardown():
    yield
    with pytest_temp_dirs(1) as (source,):
        (source / "late").touch()

def test_setup(temp_dirs, fails_before): pass
def test_teardown(temp_dirs, fails_after): temp_dirs(1)
def test_call(makes_in_teardown): assert 0
"""


def test_a_failure_in_setup_or_teardown_keeps_as_one_in_the_call_does(suite: Suite) -> None:
    suite.write(PHASES)
    done = suite.run()
    assert done.outcomes == {"failed": 1, "passed": 1, "errors": 2}
    assert {path.name for path in suite.root.glob(".tmp/test/*/source/*")} == {"before", "after", "late"}
    assert len(suite.kept()) == 4
    assert all(str(path) in done.out.partition("temporary directories kept")[2] for path in suite.kept())


@pytest.mark.slow
def test_a_skip_inside_a_fixture_breaks_nothing_and_keeps_nothing(suite: Suite) -> None:
    suite.write("""
from common.temp import pytest_temp_dirs

@pytest.fixture
def skips():
    with pytest_temp_dirs(1):
        pytest.skip("not today")
        yield

@pytest.fixture(scope="module")
def skips_all(): pytest.skip("no")

def test_a(temp_dirs, skips): pass
def test_b(temp_dirs, skips): pass
def test_c(temp_dirs, skips_all): pass
def test_d(temp_dirs): temp_dirs(2)
""")
    done = suite.run()
    assert done.outcomes == {"passed": 1, "skipped": 3}
    assert suite.kept() == []


SCOPES = """
from common.temp import pytest_temp_dirs

def lend(name):
    with pytest_temp_dirs(1, [name]) as (folder,):
        (folder / "made").touch()
        yield folder

@pytest.fixture(scope="session")
def of_session(): yield from lend("of_session")
@pytest.fixture(scope="module")
def of_module(): yield from lend("of_module")
@pytest.fixture(scope="class")
def of_class(): yield from lend("of_class")
@pytest.fixture(scope="session")
def dynamic(): yield from lend("dynamic")
@pytest.fixture(scope="session")
def indifferent(): yield from lend("indifferent")

@pytest.mark.xdist_group("one")
class TestAll:
    def test_first(self, of_session, of_module, of_class): assert FINE
    def test_second(self, of_session, of_module, of_class):
        assert of_session.is_dir() and of_module.is_dir() and of_class.is_dir()
    def test_dynamic(self, request): request.getfixturevalue("dynamic"); assert FINE
    def test_other(self, indifferent): pass
"""


@pytest.mark.slow
def test_a_wider_fixture_keeps_for_the_tests_that_used_it(suite: Suite) -> None:
    suite.write(SCOPES.replace("FINE", "0"))
    done = suite.run(*(["--dist", "loadgroup"] if suite.workers else []))
    assert done.outcomes == {"failed": 2, "passed": 2}
    made = {path.parent.name: path.parents[1] for path in suite.root.glob(".tmp/test/*/*/made")}
    assert set(made) == {"of_session", "of_module", "of_class", "dynamic"}
    assert made["of_class"].name.startswith("TestAll_")
    assert made["of_module"].name.startswith("test_it_")
    assert made["of_session"].name.startswith("session_")
    assert all(str(path) in done.out.partition("temporary directories kept")[2] for path in made.values())


@pytest.mark.slow
def test_a_wider_fixture_of_passing_tests_leaves_nothing(suite: Suite) -> None:
    suite.write(SCOPES.replace("FINE", "1"))
    done = suite.run(*(["--dist", "loadgroup"] if suite.workers else []))
    assert done.outcomes == {"passed": 4}
    assert suite.kept() == []


@pytest.mark.slow
def test_an_expected_failure_is_none(suite: Suite) -> None:
    suite.write("""
@pytest.mark.xfail
def test_expected(temp_dirs): temp_dirs(1); assert 0
@pytest.mark.xfail
def test_imperative(temp_dirs): temp_dirs(1); pytest.xfail("known")
@pytest.mark.xfail(strict=True)
def test_unexpectedly_fine(temp_dirs): temp_dirs(1)
@pytest.mark.xfail
def test_fine(temp_dirs): temp_dirs(1)
""")
    assert suite.run().outcomes == {"failed": 1, "xfailed": 2, "xpassed": 1}
    assert [path.name.rpartition("_")[0] for path in suite.kept()] == ["test_unexpectedly_fine"]


HOSTILE = ["../../up", "a/b", "", "\\0nul", "new\\nline", ".hidden", "ünïcode", "\\udcff", "x" * 300]
HOSTILE += ["[red]bold", "-rf *", "a::b"]


@pytest.mark.slow
def test_parameters_of_any_kind_and_number_name_a_directory(suite: Suite) -> None:
    suite.write(
        f"""
values = {HOSTILE!r} + list(range(300))

@pytest.mark.parametrize("value", values, ids=str)
def test_it(value, temp_dirs): temp_dirs(1); assert value != 7 and not isinstance(value, str)

@pytest.mark.parametrize("value", ["a/b"])
def test_passes(value, temp_dirs): temp_dirs(1)
""".replace("\\\\", "\\")
    )
    done = suite.run("--tb=no")
    assert done.outcomes == {"failed": len(HOSTILE) + 1, "passed": 300}
    assert len(suite.kept()) == len(HOSTILE) + 1
    assert {path.name for path in suite.root.iterdir()} <= {".tmp", "pyproject.toml", "test_it.py", "__pycache__"}
    assert len({path.name.rpartition("_")[0] for path in suite.kept()}) == len(HOSTILE) + 1
    assert all(path.name.startswith("test_it") and path.name.isascii() for path in suite.kept())


@pytest.mark.slow
def test_with_x_the_rest_is_settled_at_the_end(suite: Suite) -> None:
    suite.write(SCOPES.replace("FINE", "0"))
    done = suite.run("-x", *(["--dist", "loadgroup"] if suite.workers else []))
    assert done.outcomes["failed"] == 1
    made = {path.parent.name: path.parents[1] for path in suite.root.glob(".tmp/test/*/*/made")}
    assert set(made) - {"dynamic"} == {"of_session", "of_module", "of_class"}
    assert all(str(path) in done.out for path in made.values())


WAITS = """
import time

def test_done(temp_dirs): temp_dirs(1)

def test_waits(temp_dirs):
    (temp_dirs(1)[0] / "evidence").touch()
    pathlib.Path("ready").touch()
    time.sleep(60)
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_the_interrupted_test_made(suite: Suite) -> None:
    suite.write(WAITS)
    done = suite.interrupt(SIGINT)
    assert done.code == 2
    assert [path.name for path in suite.root.glob(".tmp/test/test_waits_*/source/*")] == ["evidence"]
    if not suite.workers:  # xdist ends its workers without hearing from them
        [kept] = suite.kept()
        assert str(kept) in done.out


@pytest.mark.slow
def test_coroutines_are_tests_as_others_are(suite: Suite) -> None:
    pytest.importorskip("anyio")
    suite.load("anyio")
    suite.write("""
from common.temp import pytest_temp_dirs
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend(): return "asyncio"

@pytest.fixture
async def dirs():
    with pytest_temp_dirs(1) as dirs:
        yield dirs

async def test_fixture(dirs): assert 0
async def test_body():
    with pytest_temp_dirs(1): assert 0
async def test_passes(dirs):
    with pytest_temp_dirs(1): pass
""")
    assert suite.run().outcomes == {"failed": 2, "passed": 1}
    assert [path.name.rpartition("_")[0] for path in suite.kept()] == ["test_body", "test_fixture"]


@pytest.mark.slow
def test_unittest_cases_are_tests_as_others_are(suite: Suite) -> None:
    suite.write("""
import unittest
from common.temp import pytest_temp_dirs

class TestOld(unittest.TestCase):
    @classmethod
    def setUpClass(cls): cls.shared = cls.enterClassContext(pytest_temp_dirs(1, ["shared"]))
    def setUp(self): self.dirs = self.enterContext(pytest_temp_dirs(1, ["own"]))
    def test_fails(self): self.assertTrue(self.dirs[0].is_dir()); self.fail()
    def test_passes(self): self.assertTrue(self.shared[0].is_dir())

class TestFine(unittest.TestCase):
    def setUp(self): self.dirs = self.enterContext(pytest_temp_dirs(1))
    def test_passes(self): pass
""")
    assert suite.run(*(["--dist", "loadscope"] if suite.workers else [])).outcomes == {"failed": 1, "passed": 2}
    assert [path.name.rpartition("_")[0] for path in suite.kept()] == ["TestOld", "test_fails"]


@pytest.mark.slow
def test_the_newest_three_of_a_test_stay(suite: Suite) -> None:
    suite.write("def test_old(temp_dirs): temp_dirs(1); assert 0\ndef test_other(temp_dirs): temp_dirs(1); assert 0\n")
    older = make_older(suite.root, "test_old", 5)
    [elder] = make_older(suite.root, "test_elder", 1)
    (older[0] / ".keep").touch()
    suite.run()
    old = [path for path in suite.kept() if path.name.startswith("test_old_")]
    assert set(old) >= {older[0], *older[3:]}
    assert len(old) == 4
    suite.run()
    assert len([path for path in suite.kept() if path.name.startswith("test_old_")]) == 4
    assert len([path for path in suite.kept() if path.name.startswith("test_other_")]) == 2
    assert elder.is_dir()


@pytest.mark.slow
def test_tests_of_one_name_do_not_push_one_another_out(serial: Suite) -> None:
    for number in range(5):
        serial.write("def test_sync(temp_dirs): temp_dirs(1); assert 0\n", f"test_{number}.py")
    for _ in range(2):
        serial.run("--import-mode=importlib")
    ids = [(path / ".test-id").read_text() for path in serial.kept()]
    assert sorted(ids) == sorted([f"test_{number}.py::test_sync" for number in range(5)] * 2)


@pytest.mark.slow
def test_all_that_one_run_kept_stays_however_much(serial: Suite) -> None:
    serial.write("def test_it(temp_dirs): [temp_dirs(1) for _ in range(5)]; assert 0\n")
    serial.run()
    assert len(serial.kept()) == 5
    serial.run()
    assert len(serial.kept()) == 5


@pytest.mark.slow
def test_it_is_the_projects_base_wherever_a_test_changes_to(serial: Suite) -> None:
    serial.write("""
def test_it(tmp_path, monkeypatch, temp_dirs):
    monkeypatch.chdir(tmp_path)
    temp_dirs(1)
    assert not list(tmp_path.iterdir())
    assert 0
""")
    serial.run()
    assert len(serial.kept()) == 1


@pytest.mark.slow
def test_a_forked_child_settles_nothing(serial: Suite) -> None:
    serial.write("""
from common.temp import pytest_temp_dirs

def test_forks(temp_dirs):
    [source] = temp_dirs(1)
    child = os.fork()
    if child == 0:
        with pytest_temp_dirs(1):
            return  # runs pytest's closing hooks once more
    os.waitpid(child, 0)
    assert source.is_dir()

def test_after(): pass
""")
    done = serial.run()
    assert "failed" not in done.out
    assert serial.kept() == []


@pytest.mark.slow
def test_temp_dirs_says_what_it_takes(serial: Suite) -> None:
    serial.write("""
def test_it(temp_dirs):
    for words in (), ("a", 2), (None,):
        with pytest.raises(ValueError, match="takes names, or how many"): temp_dirs(*words)
""")
    assert serial.run().outcomes == {"passed": 1}


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--temp-dirs-keep=some", "--temp-leaks=yes"])
def test_a_bad_value_is_a_usage_error_that_names_the_option(serial: Suite, option: str) -> None:
    done = serial.run(option)
    assert done.code == 4
    assert option.partition("=")[0] in done.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["temp_dirs_keep", "temp_leaks"])
def test_a_bad_ini_value_is_one_too(serial: Suite, name: str) -> None:
    serial.write("def test_it(): pass")
    (serial.root / "pyproject.toml").write_text(f'[tool.pytest.ini_options]\n{name} = "some"\n')
    done = serial.run()
    assert done.code == 4
    assert f"{name} takes" in done.err


def test_a_block_of_a_test_s_own_body_ends_there_and_then(serial: Suite) -> None:
    serial.write("""
from common.temp import pytest_temp_dirs
def test_it():
    for _ in range(300):
        with pytest_temp_dirs(2) as (source, target): (source / "file").touch()
        assert not source.parent.exists()
        assert os.listdir(source.parent.parent) == []
    assert 0
""")
    done = serial.run()
    assert done.outcomes == {"failed": 1}, done.out
    assert serial.kept() == []


def test_the_path_is_free_when_any_block_has_ended(serial: Suite) -> None:
    serial.write("""
from common.temp import pytest_temp_dirs
paths = []

@pytest.fixture
def looks():
    yield
    assert not any(path.exists() for path in paths)

@pytest.fixture
def lends(looks):
    with pytest_temp_dirs(1) as (source,):
        paths.append(source.parent)
        yield

def test_it(lends):
    with pytest.raises(ValueError), pytest_temp_dirs(1) as (source,):
        paths.append(source.parent)
        raise ValueError
    assert not source.exists()
    assert 0
""")
    assert serial.run().outcomes == {"failed": 1}
    assert len(serial.kept()) == 2
    assert serial.left() == []


def test_an_attempt_that_passed_counts_as_passed(serial: Suite) -> None:
    serial.write(
        """
def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol
    for _ in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports: item.ihook.pytest_runtest_logreport(report=report)
    return True
""",
        "conftest.py",
    )
    serial.write("""
attempts = []
def test_flaky(temp_dirs):
    attempts.append(1)
    (temp_dirs(1)[0] / str(len(attempts))).touch()
    assert len(attempts) > 1
""")
    assert serial.run().outcomes == {"passed": 1}
    assert [path.name for path in serial.root.glob(".tmp/test/*/source/*")] == ["1"]


READ_ONLY = """
from common.temp import pytest_temp_dirs
def test_passes(temp_dirs, persistent_temp_dir): temp_dirs(1)
def test_fails(temp_dirs): (temp_dirs(1)[0] / "evidence").touch(); assert 0
def test_persistent(persistent_temp_dir): (persistent_temp_dir / "evidence").touch(); assert 0
def test_block():
    with pytest_temp_dirs(1) as (source,): (source / "evidence").touch(); assert 0
"""


@pytest.mark.parametrize("leaks", ["off", "fail"])
def test_in_a_read_only_checkout_it_stays_in_the_system_s_place_and_is_named(serial: Suite, leaks: str) -> None:
    serial.write(READ_ONLY)
    (serial.root / ".tmp").touch()  # where root, too, can make no directory
    done = serial.run(f"--temp-leaks={leaks}", "-W", "error")
    assert done.outcomes == {"passed": 1, "failed": 3}, done.out
    left = [serial.system / name for name in serial.left()]
    assert len(left) == 3
    assert all(done.out.count(f"{folder}\n") == 1 and f"{folder}  test_it.py::test_" in done.out for folder in left)
    assert len([path for folder in left for path in folder.rglob("evidence")]) == 3
    assert "not moved to the project: " in done.out


def test_a_umask_that_a_test_leaves_does_not_matter(serial: Suite) -> None:
    serial.write("def test_it(temp_dirs): temp_dirs(1); os.umask(0o777); assert 0\n")
    done = serial.run(prefix=AS_ORDINARY)
    [kept] = serial.kept()
    assert f"{kept}\n" in done.out
    assert all(path.stat().st_mode & 0o700 == 0o700 for path in (kept, kept.parent, kept.parents[1]))


def test_a_test_finds_no_project_above_its_directory_and_a_socket_fits(serial: Suite) -> None:
    serial.write("""
import socket
def test_it(temp_dirs):
    [source] = temp_dirs(1)
    top = source.parent
    assert [oct(path.stat().st_mode & 0o777) for path in (source, top)] == ["0o700", "0o700"]
    assert len(str(source)) - len(str(top.parent)) <= len("/t_") + 10 + len("/source")
    with socket.socket(socket.AF_UNIX) as server: server.bind(str(source / "s"))
    assert not any((path / "pyproject.toml").exists() for path in source.parents)
""")
    assert serial.run().outcomes == {"passed": 1}


def test_what_a_test_removed_itself_is_no_fault(serial: Suite) -> None:
    serial.write("def test_it(temp_dirs): shutil.rmtree(temp_dirs(1)[0].parent); assert 0\n")
    done = serial.run()
    assert "temporary directories kept" not in done.out
    assert serial.kept() == []


def test_what_the_set_up_of_a_unittest_holds_is_kept_when_a_part_fails(serial: Suite) -> None:
    serial.write("""
import unittest
from common.temp import pytest_temp_dirs
class TestParts(unittest.TestCase):
    def setUp(self): [self.source] = self.enterContext(pytest_temp_dirs(1))
    def test_fails(self): (self.source / "fails").touch(); self.fail()
    def test_passes(self): (self.source / "passes").touch()
    def test_skips(self): self.skipTest("no")
""")
    assert serial.run().outcomes == {"failed": 1, "passed": 1, "skipped": 1}
    assert [path.name for path in serial.root.glob(".tmp/test/*/source/*")] == ["fails"]
    assert serial.left() == []


SUBTESTS = """
import unittest
from common.temp import pytest_temp_dirs
class TestParts(unittest.TestCase):
    def test_it(self):
        for number in range(3):
            with self.subTest(number=number), pytest_temp_dirs(1) as (source,):
                (source / str(number)).touch()
                assert number != 1
"""


def test_a_failed_part_of_a_test_is_a_failure(serial: Suite) -> None:
    serial.write(SUBTESTS)
    assert serial.run().code == 1
    assert [path.name for path in serial.root.glob(".tmp/test/*/source/*")] == ["1"]


@pytest.mark.slow
def test_pyfakefs_and_the_fixtures_work_together(suite: Suite) -> None:
    pytest.importorskip("pyfakefs")
    suite.load("fakefs")
    suite.write("""
from common.temp import pytest_temp_dirs

def use(source):
    with open(source / "file", "w") as file: file.write("x")
    assert os.path.exists(source / "file")

def test_first(fs, temp_dirs): use(temp_dirs(1)[0])
def test_second(temp_dirs, fs): use(temp_dirs(1)[0])
def test_block(fs):
    with pytest_temp_dirs(1) as (source,): use(source)
    assert not source.exists()
def test_persistent(fs, persistent_temp_dir): use(persistent_temp_dir)
def test_after(temp_dirs): use(temp_dirs(1)[0])
""")
    done = suite.run()
    assert done.outcomes == {"passed": 5}, done.out
    assert suite.left() == []
    assert suite.kept() == []
