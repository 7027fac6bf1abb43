"""Carries a plan out: `run` says in which order, `move` moves one entry, `verify` checks that it is as planned."""

from .run import carry_out as carry_out
