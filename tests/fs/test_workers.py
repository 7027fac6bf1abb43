import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.fs import usage
from common_tasks.fs import workers as pool
from common_tasks.fs.directory import Directory
from common_tasks.fs.places import Place
from common_tasks.fs.workers import Workers
from common_tasks.temp import inventory, layout, removal, retention

from ..helpers import OLD, eventually, find_artifacts, make_entry, python, take, trash_is_empty
from .test_usage import TREES, build


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process fork though the test runner has threads."""
    monkeypatch.setattr(pool, "can_fork", lambda: True)


@pytest.mark.usefixtures("forking")
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("pieces", [0, 1, 2, 256])
def test_work_is_done_once_each_and_answered_in_order(pieces: int, workers: int) -> None:
    assert pool.divide(pieces, lambda piece: piece * piece, workers) == [piece * piece for piece in range(pieces)]


@pytest.mark.usefixtures("forking")
def test_every_worker_takes_its_share(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()

    def wait_for_all(_: int) -> int:
        (begun / str(os.getpid())).touch()
        assert eventually(lambda: len(os.listdir(begun)) == 3)  # so nobody can be done before all have begun
        return os.getpid()

    pids = pool.divide(20, wait_for_all, 3)
    assert len(set(pids)) == 3
    assert os.getpid() in pids


@pytest.mark.usefixtures("forking")
@pytest.mark.parametrize("end", ["kill", "raise", "exit", "garbage"])
def test_work_of_a_worker_that_dies_is_done_again(end: str) -> None:
    parent = os.getpid()

    def work(piece: int) -> int:
        time.sleep(0.002)
        if os.getpid() != parent and piece > 4:
            if end == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if end == "exit":
                os._exit(3)
            if end == "raise":
                raise RuntimeError
        return piece

    assert pool.divide(50, work, 3) == list(range(50))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.usefixtures("forking")
def test_exception_here_ends_the_workers() -> None:
    parent = os.getpid()

    def work(_: int) -> None:
        if os.getpid() == parent:
            raise KeyboardInterrupt
        time.sleep(600)

    before = sorted(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt):
        pool.divide(4, work, 3)
    assert sorted(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.usefixtures("forking")
def test_work_is_done_here_where_no_process_can_be_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    before = sorted(os.listdir("/proc/self/fd"))
    assert pool.divide(20, lambda piece: piece, 3) == list(range(20))
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_nothing_is_forked_beside_another_thread() -> None:
    done = python("""
import threading
from common_tasks.fs import workers
print(workers.can_fork())
gate = threading.Event()
threading.Thread(target=gate.wait).start()
print(workers.can_fork())
gate.set()
""")
    assert done.stdout == "True\nFalse\n"
    assert threading.active_count() > 0


def without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process fork though the test runner has threads, and let small trees be worth it."""
    monkeypatch.setattr(pool, "can_fork", lambda: True)
    monkeypatch.setattr(pool, "WORTH_FORKING", 1)


def test_small_trees_start_no_worker(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "can_fork", lambda: True)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    for number in range(20):
        make_entry(project / f".tmp/debug/e{number}_{OLD}")
    found = take(project, workers=Workers(4))
    removal.carry_out(retention.make_plan(found, retention.Policy(), 0), workers=Workers(4))
    assert take(project) == ()


@given(trees=st.lists(TREES, min_size=1, max_size=6), linked=st.booleans())
def test_scan_by_several_workers_gives_the_same_answer(trees: list[object], *, linked: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        without_threads(monkeypatch)
        for number, tree in enumerate(trees):
            build(Path(folder, str(number)), tree)
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        if linked and files:
            os.link(files[0], Path(folder, "linked"))
        with Directory.at(folder) as directory:
            places = [Place(directory, (name,)) for name in sorted(directory.names())]
            assert usage.measure(places, workers=Workers(3)) == usage.measure(places)


def test_removal_by_several_workers_removes_the_same(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_threads(monkeypatch)
    for shape in ("one/two/three", "a", "b/c"):
        for number in range(5):
            make_entry(project / f".tmp/debug/e{number}_{OLD}" / shape)
    (project / f".tmp/debug/e0_{OLD}/b").chmod(0o555)
    (project / f".tmp/debug/e0_{OLD}/link").symlink_to(project)
    decided = retention.make_plan(take(project), retention.Policy(), 0)
    outcome = removal.carry_out(decided, Workers(3))
    assert len(outcome.removed) == 5
    assert trash_is_empty(project)
    assert (project / "pyproject.toml").exists()


def test_one_great_entry_is_shared_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_threads(monkeypatch)
    pieces: list[int] = []
    real = pool.divide

    def divide(number: int, *rest: object) -> list[object]:
        pieces.append(number)
        return real(number, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "divide", divide)
    for number in range(60):
        make_entry(project / f".tmp/great/d{number}")
    found = inventory.scan([layout.find_project()], workers=Workers(2))
    removal.carry_out(retention.make_plan(found, retention.Policy(), 0), workers=Workers(2))
    assert min(filter(None, pieces)) > 40
    assert take(project) == ()


def test_artifacts_are_found_by_several_workers_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "can_fork", lambda: True)
    for number in range(400):
        (project / f"src/p{number % 20}/m{number}/__pycache__").mkdir(parents=True)
    found = find_artifacts(project, workers=Workers(3))
    assert len(found) == 400
    assert found == find_artifacts(project)


def test_ctrl_c_ends_workers_too(project: Path) -> None:
    for number in range(60):
        make_entry(project / f".tmp/debug/e{number}_{OLD}", files=2, content=b"")
    slow = "import os, time\nfrom common_tasks.fs import usage\n"
    slow += "real = usage.Tally.read\n"
    slow += "def read(*args): time.sleep(0.2); return real(*args)\nusage.Tally.read = read\n"
    code = slow + "from common_tasks.temp import inventory, layout\nfrom common_tasks.fs import workers\n"
    code += "workers.WORTH_FORKING = 1\nprint(flush=True)\n"
    code += "inventory.scan([layout.find_project()], workers=workers.Workers(3))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as p:
        assert p.stdout
        p.stdout.readline()
        told = Path(f"/proc/{p.pid}/task/{p.pid}/children")
        assert eventually(lambda: len(told.read_text().split()) >= 2)
        children = told.read_text().split()
        p.send_signal(signal.SIGINT)
        p.wait(60)
    assert not any(Path(f"/proc/{child}").exists() for child in children)
