"""Work divided between this process and forked workers.

Threads would wait for each other at every file, because Python code runs between any two system calls. Each process
takes its next piece of work from the same pipe, so none is idle while there is some left.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any, NamedTuple, TypeVar

from .values import Progress, no_progress

MOST_PIECES = 256  # a piece is a byte in a pipe, and all of them fit into its buffer
WORTH_FORKING = 2000  # files: some 20 ms of looking, several times what a fork takes
ENOUGH_BRANCHES = 48  # to be shared out evenly
DEEP = 8  # levels: below that, a branch is walked as one

Result = TypeVar("Result")


class Workers(NamedTuple):
    """How many processes may share work that is big enough, this one included, and what to call as it progresses.

    `progress` is called with the number of files dealt with since the last call.
    """

    processes: int = 1
    progress: Progress = no_progress

    def worth(self, number: int) -> int:
        """Return how many processes to use for work on so many files, or entries."""
        return self.processes if number >= WORTH_FORKING else 1


ALONE = Workers()


def can_fork() -> bool:
    """Tell whether workers may be forked: on Linux, if there is no other thread that could hold a lock."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def part(piece: int, pieces: int, count: int) -> range:
    """Return which of `count` things belong to a piece: neighbours stay together."""
    return range(count * piece // pieces, count * (piece + 1) // pieces)


def divide(pieces: int, work: Callable[[int], Result], workers: int) -> list[Result]:
    """Return `[work(0), … work(pieces - 1)]`, done by this process and by `workers` - 1 forked ones.

    There are at most MOST_PIECES. What `work` returns is pickled on its way. If a worker dies, or `work` raises
    in it, this process repeats the pieces that it had taken, so doing a piece twice must do no harm. On any
    exception here, Ctrl-C included, the workers end at once; if this process is killed, each ends after its piece.
    If forking is not safe or not possible, none is forked.
    """
    if workers < 2 or pieces < 2 or not can_fork():
        return [work(piece) for piece in range(pieces)]
    queue = _filled_pipe(bytes(range(pieces)))
    forked: list[tuple[int, int]] = []
    try:
        for _ in range(min(workers, pieces) - 1):
            # Ctrl-C between the fork and the append would leave a process behind. If a fork fails, fewer workers do it.
            with contextlib.suppress(OSError), _interrupts_blocked():
                forked.append(_fork(queue, work))
        results = {piece: work(piece) for piece in _take(queue)}
        for _, answers in forked:
            results |= _read(answers)
    finally:
        os.close(queue)
        for pid, answers in forked:
            os.close(answers)
            _end(pid)
    return [results[piece] if piece in results else work(piece) for piece in range(pieces)]


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _filled_pipe(content: bytes) -> int:
    reader, writer = os.pipe()
    os.write(writer, content)
    os.close(writer)
    return reader


def _take(queue: int) -> Iterator[int]:
    """Take one piece after the other from the queue until it is empty."""
    while piece := os.read(queue, 1):
        yield piece[0]


def _fork(queue: int, work: Callable[[int], Any]) -> tuple[int, int]:
    parent = os.getpid()
    reader, writer = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid:
        os.close(writer)
        return pid, reader
    import pickle

    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        answer = pickle.dumps(
            {piece: work(piece) for piece in takewhile(lambda _: os.getppid() == parent, _take(queue))}
        )
        with open(writer, "wb") as answers:
            answers.write(answer)
    finally:
        os._exit(0)  # nothing that the parent has begun may be finished here


def _read(answers: int) -> dict[int, Any]:
    import pickle

    with open(answers, "rb", closefd=False) as file:
        answer = file.read()
    # If the answer is cut short or missing, the worker died.
    with contextlib.suppress(EOFError, pickle.UnpicklingError):
        return dict(pickle.loads(answer))  # noqa: S301  (from a process of our own, by a pipe of our own)
    return {}


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # the program lets the system reap its children
        os.waitpid(pid, 0)
