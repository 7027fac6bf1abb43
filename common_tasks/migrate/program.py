"""A parsed file, with the repository around it: what each rule is given."""

import ast
from pathlib import Path
from typing import NamedTuple

from .finding import Finding
from .kinds import is_test
from .names import Module
from .repository import Repository


class Program(NamedTuple):
    """A parsed file. `helpers`: dotted names of legacy helpers."""

    file: Path
    module: Module
    repository: Repository
    helpers: frozenset[str] = frozenset()

    @property
    def path(self) -> Path:
        """The path, relative to the monorepo's root."""
        return self.file.relative_to(self.repository.root)

    @property
    def is_test(self) -> bool:
        """Whether the file holds tests, or helps them."""
        return is_test(self.path)

    def report(self, node: ast.stmt | ast.expr, code: str, message: str) -> Finding:
        """Return the finding for a node, as one that is only reported."""
        line, column = self.module.place(node)
        return Finding(self.file, line, column, code, message, last_line=node.end_lineno or line)
