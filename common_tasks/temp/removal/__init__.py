"""Carries a plan out: `run` says in which order, `move` is one entry's way, `verify` sees that it is as planned."""

from .run import carry_out as carry_out
