"""Caches the bytecode of this package as Python normally does, even if invoke has turned that off for tasks.

Without that, each run of a task in an editable install would compile the whole package and take twice as long to start.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cached_bytecode() -> Iterator[None]:
    """Cache the bytecode of what is imported in the block, unless Python itself was told not to."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
