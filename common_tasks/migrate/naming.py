"""Chooses a name for a new directory from the code around it, as its author might have done."""

import ast
import re

from .names import Function
from .repository import Program

ONE, SEVERAL = "temp_working_dir", "pytest_temp_dirs"
_LONGEST = 30
_FEW = 3  # words that are kept of a name that is too long
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Words in a name that say no more than that it is about a test or a temporary directory.
_SAYS_NOTHING = re.compile(
    "an?|base|case|cwd|d|dir|directory|dirname|dirs|dn|f|fixture|folder|here|name|path|root|setup|t|td|tdir|temp|tempdir|"
    "temporary|test|testcase|tests|tmp|tmpdir|tmpdirname|tmppath|wd|work|workdir|workspace"
)
_GENERIC = re.compile(
    "call|cls|conftest|context|decorator|func|helpers?|init|inner|main|mktmp|run|setUp|setUpClass|support|asyncSetUp|setup_(?:method|class)|utils?|wrapper"
)


def maker(program: Program, call: ast.Call, target: str) -> str:
    """Return the call of `temp_working_dir` that replaces a tempfile call, given to `target` (or nothing)."""
    name = given_prefix(call) or _name(program, call, target)
    return f'{ONE}("{name}")' if name else f"{ONE}()"


def given_prefix(call: ast.Call) -> str | None:
    """Return the name that a tempfile call gives its directory by `prefix=`; None if it gives none."""
    for keyword in call.keywords:
        if keyword.arg == "prefix" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
            return keyword.value.value.rstrip("-_. ")
    return None


def _name(program: Program, call: ast.Call, target: str) -> str:
    """Return a name from what the code calls the directory, else from what it is in; empty if neither says anything.

    If a name is too long, a shorter one further out is taken; it is cut only if there is none.
    """
    around = [each.name for each in program.module.above(call) if isinstance(each, Function | ast.ClassDef)]
    candidates = [target, *around, program.path.stem]
    meanings = [words for candidate in candidates if (words := _meaning(candidate))]
    short = (words for words in meanings if len("_".join(words)) <= _LONGEST)
    return "_".join(next(short, meanings[0][:_FEW] if meanings else []))


def _meaning(text: str) -> list[str]:
    """Return the words of a name that say more than that it is a test or a directory."""
    words = [word.lower() for part in text.split("_") for word in _WORD.split(part) if word]
    saying = [at for at, word in enumerate(words) if not _SAYS_NOTHING.fullmatch(word)]
    words = words[saying[0] : saying[-1] + 1] if saying else []
    name = "_".join(words)
    says_something = not (_GENERIC.fullmatch(text) or _GENERIC.fullmatch(name))
    return words if says_something and _PLAIN.fullmatch(name) and len(name) > 1 else []
