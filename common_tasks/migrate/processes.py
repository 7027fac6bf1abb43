"""Work on many files, shared by processes."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..fs.values import Progress

_CHUNK = 32  # files that a worker takes at a time
_FEW = 64  # files for which no worker is worth starting
_Result = TypeVar("_Result")


def share(work: Callable[[Path], _Result], paths: Sequence[Path], progress: Progress, workers: int) -> list[_Result]:
    """Do `work` for each path, in several processes where that is worth it; the results in order."""
    results: list[_Result] = []
    if workers < 2 or len(paths) < _FEW:
        for path in paths:
            results.append(work(path))
            progress(1)
        return results
    method = "fork" if sys.platform == "linux" else "spawn"
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context(method), _ignore_interrupt)
    try:
        for result in pool.map(work, paths, chunksize=_CHUNK):
            results.append(result)
            progress(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
