"""Chooses the name of a new directory by the code around it, as its author might have done."""

import ast
import re

from .names import Function, Module

_LONGEST = 30
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# What a name holds that says no more than that it is about a temporary directory.
_SAYS_NOTHING = re.compile(
    "an?|base|d|dir|directory|dirname|dirs|dn|f|fixture|folder|name|path|root|setup|t|td|tdir|temp|tempdir|temporary|"
    "test|testcase|tests|tmp|tmpdir|tmpdirname|tmppath|work|workdir|workspace"
)
_GENERIC = re.compile(
    "call|cls|conftest|context|decorator|func|helpers?|init|inner|main|mktmp|run|setUp|setUpClass|asyncSetUp|setup_(?:method|class)|utils?|wrapper"
)


def name_directory(module: Module, node: ast.AST, target: str | None, stem: str) -> str:
    """Return a name for the directory made at `node`, which the code calls `target`; empty where nothing says more.

    `stem`: the file's name.
    """
    around = [parent.name for parent in module.above(node) if isinstance(parent, Function | ast.ClassDef)]
    for candidate in (target or "", *around, stem):
        if name := _meaning(candidate):
            return name
    return ""


def call_of(maker: str, name: str) -> str:
    """Return the call of an engine's function that makes a directory of this name."""
    return f'{maker}("{name}")' if name else f"{maker}()"


def _meaning(text: str) -> str:
    """Return what a name says beyond that it is a test or a directory; empty where that is nothing."""
    if _GENERIC.fullmatch(text):
        return ""
    words = [word.lower() for part in text.split("_") for word in _WORD.split(part) if word]
    while words and _SAYS_NOTHING.fullmatch(words[0]):
        words = words[1:]
    while words and _SAYS_NOTHING.fullmatch(words[-1]):
        words = words[:-1]
    kept: list[str] = []
    for word in words:
        if kept and len("_".join([*kept, word])) > _LONGEST:
            break
        kept.append(word)
    name = "_".join(kept)
    return name if _PLAIN.fullmatch(name) and len(name) > 1 and not _GENERIC.fullmatch(name) else ""
