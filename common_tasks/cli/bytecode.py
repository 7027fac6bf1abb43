"""The bytecode of this package is cached as Python does it, even where invoke has turned that off for tasks.

Without that, each run of a task in an editable install would compile the whole package and take twice as long to start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cached_bytecode() -> Iterator[None]:
    """Let what is imported in the block have its bytecode cached, unless Python itself was told not to."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
