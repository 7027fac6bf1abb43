"""The invoke tasks and `ns`: each task parses, calls, renders and exits."""

from invoke.collection import Collection

from .bytecode import cached_bytecode

with cached_bytecode():
    from .migration import temp_migrate
    from .temp import clean, temp_clean, temp_status

__all__ = ["clean", "ns", "temp_clean", "temp_migrate", "temp_status"]

ns = Collection(temp_status, temp_clean, clean, temp_migrate)
