"""Finds the legacy uses that the migration guide names, and rewrites what is provably safe.

The standard library's `ast` reads and judges: it is many times faster than a concrete tree. LibCST, from the
extra `migrate`, writes: it keeps every comment, blank and bracket that a rewrite does not concern.
"""
