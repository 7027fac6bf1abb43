"""Programs of many shapes: what is rewritten parses, keeps its comments, is settled, and behaves the same."""

import ast
import contextlib
import io
import os
import re
import tempfile
from collections import Counter
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common_tasks.migrate import source
from common_tasks.temp import temp_working_dir

from ..helpers import examples
from .helpers import is_settled, put, write

pytestmark = pytest.mark.usefixtures("project")

IMPORTS = {
    "import tempfile": "tempfile.TemporaryDirectory",
    "import tempfile as tf": "tf.TemporaryDirectory",
    "from tempfile import TemporaryDirectory": "TemporaryDirectory",
    "from tempfile import (\n    TemporaryDirectory as TD,  # kept\n    gettempdir,\n)": "TD",
    "import os; import tempfile": "tempfile.TemporaryDirectory",
    "try:\n    import tempfile\nexcept ImportError:\n    tempfile = None": "tempfile.TemporaryDirectory",
}
HEADS = ["", '"""Doc."""\n', "#!/usr/bin/env python\n# Head.\n\n", "from __future__ import annotations\n", "# Alone.\n"]
ARGUMENTS = ["", "", "", "prefix='demo_'", "prefix='x-'", "suffix='y'", "ignore_cleanup_errors=True", "None"]
# Statements that use the name D of the directory; each says what it sees by `see`.
USES = [
    "see(Path(D).is_dir())",
    "see(os.path.basename(os.path.join(D, 'x')))",
    "see(os.listdir(D))",
    "see(f'{D}/x'.endswith('/x'))",
    "see(str(D) == os.path.abspath(D))",
    "see(isinstance(D, str))",
    "see(D + '/x')",
    "see(len(D.encode()) > 1)",
    "see(D in {D: 1})",
    "see(f'{D!r}'[0])",
    "see([os.path.isdir(D) for _ in 'ab'])",
    "see((lambda: os.path.exists(D))())",
    "Path(D, 'file').write_text('x')",
    "open(os.path.join(D, 'other'), 'w').close()",
    "shutil.rmtree(D)",
    "made = Path(D) / 'made'; made.mkdir(); see(made.name)",
    "D = Path(D)\nsee(D.name == D.name)",
    "D = D + ''",
    'text = """\nfirst\n  second"""; see(text)',
    "if os.path.isdir(D):\n    see('there')  # inside\nelse:\n    see('gone')",
    "for n in range(2):\n    # loop\n    Path(D, str(n)).touch()",
    "see('nothing')",
    "pass",
]
FOLDERS = [
    "base = Path(D)\na = base / 'a'\nb = base / 'b'\na.mkdir()\nb.mkdir()\nsee(sorted(os.listdir(a.parent)))",
    "a = Path(D) / 'a'  # first\na.mkdir()\n# then\nsee(a.name, list(a.iterdir()))",
    "a = Path(D) / 'a'\na.mkdir(exist_ok=True)\nsee(a.parent == Path(D))",
]
COMMENTS = ["", "", "# above\n", "\n# apart\n\n"]
ITEMS = ["{}", "{}", "{}", "{}, open(os.devnull) as null", "({},)", "open(os.devnull) as null, {}", "{}, chdir(D)"]
TARGETS = [" as D", " as D", " as D", ""]


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """One `with` statement about a directory, and now and then something after it."""
    call = f"CALL({draw(st.sampled_from(ARGUMENTS))}){draw(st.sampled_from(TARGETS))}"
    items = draw(st.sampled_from(ITEMS)).format(call)
    named = " as D" in call
    pool = USES if named else [use for use in USES if "D" not in use]
    body = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4))
    if named and draw(st.booleans()):
        body.insert(0, draw(st.sampled_from(FOLDERS)))
    lines = "\n".join(draw(st.sampled_from(COMMENTS)) + statement for statement in body)
    after = draw(st.sampled_from(["", "", "\nsee(os.path.exists(D))" if named else "", "  # the end\nsee('after')"]))
    items = items if named else items.replace(", chdir(D)", "")
    return f"with {items}:\n{_indented(lines)}{after}"


@st.composite
def programs(draw: st.DrawFn) -> str:
    imported, name = draw(st.sampled_from(list(IMPORTS.items())))
    blocks_ = draw(st.lists(blocks(), min_size=1, max_size=3))
    names = draw(st.lists(st.sampled_from(["d", "e"]), min_size=len(blocks_), max_size=len(blocks_)))
    chosen = [_filled(block, name, variable) for block, variable in zip(blocks_, names, strict=True)]
    body = draw(st.sampled_from(["\n", "\n\n# between\n"])).join(chosen)
    function = f"def run():\n{_indented(body)}\n"
    if draw(st.booleans()):
        function = f"class Case:\n    @staticmethod\n{_indented(function)}\n\nrun = Case.run\n"
    rest = "import os\nimport shutil\nfrom contextlib import chdir\nfrom pathlib import Path\n"
    return f"{draw(st.sampled_from(HEADS))}{imported}\n{rest}\n\n{function}"


def _filled(block: str, name: str, variable: str) -> str:
    return re.sub(r"\bD\b", variable, block).replace("CALL", name)


def _indented(text: str) -> str:
    inside = False
    lines = []
    for line in text.split("\n"):
        lines.append(line if inside or not line.strip() else "    " + line)
        inside ^= line.count('"""') % 2 == 1
    return "\n".join(lines)


def behaviour(text: str) -> list[str]:
    """Run a program's `run`; return what it saw, and how it ended."""
    seen: list[str] = []
    space: dict[str, object] = {"see": lambda *values: seen.append(repr(values))}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "<program>", "exec", dont_inherit=True), space)
        try:
            space["run"]()  # type: ignore[operator]
        except Exception as error:  # noqa: BLE001  # how a program ends is what it does
            seen.append(type(error).__name__)
    return [_without_paths(row) for row in seen]


def _without_paths(text: str) -> str:
    text = re.sub(re.escape(os.getcwd()) + r"/\.tmp/test/[^/']+/[^/']+", "<d>", text)
    return re.sub(re.escape(tempfile.gettempdir()) + r"/[^/']+", "<d>", text)


PATHS = st.sampled_from(["tests/test_it.py", "scripts/it.py"])


@settings(max_examples=examples(of=2))
@given(text=programs(), unsafe=st.booleans(), path=PATHS)
def test_rewritten_program_behaves_the_same(text: str, path: str, *, unsafe: bool) -> None:
    check_program(text, path, unsafe=unsafe)


@pytest.mark.slow
@settings(max_examples=2000)
@given(text=programs(), unsafe=st.booleans(), path=PATHS)
def test_rewritten_programs_of_any_shape_behave_the_same(text: str, path: str, *, unsafe: bool) -> None:
    check_program(text, path, unsafe=unsafe)


def own_comments(text: str) -> Counter[str]:
    """Return the comments of a program, except notes to linters: an import that stays unused gets one."""
    return Counter(comment for _, comment in source.comments(text) if not source.is_pragma(comment))


def check_program(text: str, path: str, *, unsafe: bool) -> None:
    with temp_working_dir("generated") as root:
        put(root, {})
        (root / path).parent.mkdir()
        (root / path).write_text(text)
        write(root, unsafe=unsafe)
        after = (root / path).read_text()
        assert is_settled(root, unsafe=unsafe)
    ast.parse(after)
    assert own_comments(after) == own_comments(text)
    assert behaviour(after) == behaviour(text)


NAMES = st.sampled_from(["source", "target", "out", "_x", "a b", "data.d"])


@st.composite
def folder_tests(draw: st.DrawFn) -> str:
    """A test that makes directories in tmp_path, and looks at what is beside each of them."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    makes = [
        f"v{number} = tmp_path / '{name}'{draw(st.sampled_from(['', '  # made']))}" for number, name in enumerate(names)
    ]
    makes += [
        f"v{number}.mkdir({draw(st.sampled_from(['', 'parents=True', 'mode=0o700']))})" for number in range(len(names))
    ]
    if draw(st.booleans()):
        makes.sort()
    looks = [f"see(sorted(p.name for p in v{number}.parent.iterdir()))" for number in range(len(names))]
    looks += draw(st.lists(st.sampled_from(["see(tmp_path.is_dir())", "see('x')", "# looks\nsee('y')"]), max_size=2))
    before = draw(st.sampled_from(["", "see('first')\n", '"""Doc."""\n', "# comment\n"]))
    body = before + "\n".join(makes) + draw(st.sampled_from(["\n", "\n\n"])) + "\n".join(looks)
    return f"def test_it(tmp_path):\n{indent(body, '    ')}\n"


@settings(max_examples=examples(of=2))
@given(text=folder_tests())
def test_rewritten_test_sees_the_same_directories(text: str) -> None:
    with temp_working_dir("generated") as root:
        put(root, {"tests/test_it.py": text})
        write(root)
        after = (root / "tests/test_it.py").read_text()
        assert is_settled(root)
        seen = [_behaviour_of_test(program, root / str(number)) for number, program in enumerate((text, after))]
    assert seen[0] == seen[1]
    assert Counter(c for _, c in source.comments(after)) == Counter(c for _, c in source.comments(text))


def _behaviour_of_test(program: str, own: Path) -> list[str]:
    own.mkdir()
    handed = "tmp_path" if "def test_it(tmp_path)" in program else ""
    run = f"def run():\n    from pathlib import Path\n    tmp_path = Path({str(own)!r})\n    test_it({handed})\n"
    return behaviour(f"{program}\n\n{run}")
