from pathlib import Path

import pytest

from .helpers import TEST, find, found, plain, put, rewrite, safety, unchanged

FIXTURE = """
    import tempfile
    from pathlib import Path

    import pytest


    @pytest.fixture
    def temp_dirs():
        with tempfile.TemporaryDirectory() as temp_dir:
            temp_path = Path(temp_dir)
            source = temp_path / "source"
            target = temp_path / "target"
            source.mkdir()
            target.mkdir()
            yield source, target
"""


def test_directories_made_first_of_all_become_those_of_the_helper(tmp_path: Path) -> None:
    assert rewrite(tmp_path, FIXTURE) == plain(
        """
        import pytest
        from common.temp import pytest_temp_dirs


        @pytest.fixture
        def temp_dirs():
            with pytest_temp_dirs(2, ["source", "target"]) as (source, target):
                yield source, target
        """
    )


# Each body of `with TemporaryDirectory() as d:` takes a path wherever it uses the name.
SAFE = {
    "Path": "Path(d).joinpath('x').touch()",
    "os.path": "open(os.path.join(d, 'x'), 'w').close()",
    "os": "os.listdir(d)",
    "shutil": "shutil.rmtree(d)",
    "value of copytree unused": "shutil.copytree('a', d)",
    "f-string": "print(f'{d}/x')",
    "f-string with !s": "print(f'{d!s}/x')",
    "str": "print(str(d))",
    "cwd": "subprocess.run(['ls'], cwd=d)",
    "comprehension": "print([os.path.join(d, x) for x in 'ab'])",
    "lambda": "f = lambda: os.listdir(d)",
    "generator": "f = (os.path.join(d, x) for x in 'ab')",
    "not used": "pass",
}
DOUBTFUL = {
    "argument": "check(d)",
    "list": "run(['ls', d])",
    "comparison": "assert d == x",
    "environment": "os.environ['HOME'] = d",
    "sys.argv": "sys.argv[1:] = [d]",
    "method of str": "d.encode()",
    "concatenation": "print(d + '/x')",
    "format": "print('%s' % d)",
    "str.format": "print('{:>9}'.format(d))",
    "setdefault": "os.environ.setdefault('HOME', d)",
    "default of getenv": "x = os.getenv('HOME', d)",
    "value of copytree": "x = shutil.copytree('a', d)",
    "another Path": "mine.Path(d)",
}
STAYS_TEXT = {
    "often needed as text": "check(d)\n            check(d)\n            check(d)",
    "f-string with !r": "print(f'{d!r}')",
    "f-string with a width": "print(f'{d:>9}')",
    "f-string that names it": "print(f'{d=}')",
    "given another value": "d = d + '/x'",
    "extended": "d += '/x'",
    "deleted": "del d",
}
BLOCK = """
    import os, shutil, subprocess, sys
    from pathlib import Path
    from tempfile import TemporaryDirectory
    import mine


    def test_it():
        with TemporaryDirectory() as d:
            {}
"""


@pytest.mark.parametrize("body", SAFE.values(), ids=list(SAFE))
def test_name_that_is_used_as_a_path_may_be_a_path(tmp_path: Path, body: str) -> None:
    after = rewrite(tmp_path, BLOCK.replace("{}", body))
    assert '    with temp_working_dir("it") as d:\n' in after
    assert "Path(d)" not in after
    assert "TemporaryDirectory" not in after


@pytest.mark.parametrize("body", DOUBTFUL.values(), ids=list(DOUBTFUL))
def test_name_that_may_be_needed_as_text_is_written_as_text(tmp_path: Path, body: str) -> None:
    after = rewrite(tmp_path, BLOCK.replace("{}", body))
    assert "with temp_working_dir" in after
    assert "str(d)" in after


@pytest.mark.parametrize("body", STAYS_TEXT.values(), ids=list(STAYS_TEXT))
def test_name_that_cannot_be_a_path_everywhere_stays_text(tmp_path: Path, body: str) -> None:
    text = plain(BLOCK.replace("{}", body))
    after = rewrite(tmp_path, text)
    assert after.endswith(text.partition("as d:\n")[2])
    assert 'with temp_working_dir("it") as path:\n        d = str(path)\n' in after


def test_name_of_the_path_is_not_one_that_the_program_has(tmp_path: Path) -> None:
    text = BLOCK.replace("{}", "path = d_path = d\n            del d")
    assert 'with temp_working_dir("it") as path_of_d:\n        d = str(path_of_d)\n' in rewrite(tmp_path, text)


def test_name_that_the_statement_itself_uses_cannot_stay_text(tmp_path: Path) -> None:
    text = BLOCK.replace("as d:", "as d, open(d + '/x'):").replace("{}", "del d")
    assert safety(tmp_path, text) == [("T2", "report")]
    assert unchanged(tmp_path, text, unsafe=True)


def test_name_may_be_used_as_a_path_after_the_block(tmp_path: Path) -> None:
    after = rewrite(tmp_path, BLOCK.replace("{}", "pass") + "        assert not os.path.exists(d)\n")
    assert after.endswith("    assert not os.path.exists(d)\n")


def test_path_of_the_directory_becomes_its_name(tmp_path: Path) -> None:
    body = "path = Path(d)\n            (path / 'x').touch()\n            check(d)\n        print(path)"
    after = rewrite(tmp_path, BLOCK.replace("{}", body))
    new = "    with temp_working_dir(\"it\") as path:\n        (path / 'x').touch()\n        check(str(path))\n    print(path)\n"
    assert after.endswith(new)


def test_name_is_that_of_the_code_around(tmp_path: Path) -> None:
    text = BLOCK.replace("test_it", "test_clone").replace("{}", "pass")
    assert 'temp_working_dir("clone") as d' in rewrite(tmp_path, text)
    assert 'temp_working_dir("repo") as repo_dir' in rewrite(tmp_path, text.replace("as d:", "as repo_dir:"))
    assert "temp_working_dir() as d" in rewrite(tmp_path, text.replace("test_clone", "main"), "tests/conftest.py")


def test_name_that_becomes_a_path_at_once_is_one_from_the_start(tmp_path: Path) -> None:
    after = rewrite(tmp_path, BLOCK.replace("{}", "d = Path(d)  # a path\n            check(d)"))
    assert after.endswith('    with temp_working_dir("it") as d:\n        # a path\n        check(d)\n')


# Uses of a single directory in the temporary one, by whether only its place counts.
ONE_FOLDER = {
    "(work / 'x').touch()": True,
    "os.listdir(work)": True,
    "open(os.path.join(work, 'a', 'b'))": True,
    "(work / '../x').touch()": False,
    "open(os.path.join(work, os.pardir, 'x'))": False,
    "(work / name).touch()": False,
    "os.chdir(work)": False,
    "print(work.stat().st_mode)": False,
    "print((work / 'x').parent.name)": False,
    "os.umask(0o22)": False,
}


@pytest.mark.parametrize(("line", "only_place"), ONE_FOLDER.items())
def test_directory_in_the_temporary_one_takes_its_place_if_nothing_else_counts(
    tmp_path: Path, line: str, *, only_place: bool
) -> None:
    after = rewrite(
        tmp_path, BLOCK.replace("{}", f"work = Path(d) / 'work'\n            work.mkdir()\n            {line}")
    )
    assert ('with temp_working_dir("work") as work:' in after) is only_place
    assert ("work.mkdir()" in after) is not only_place


@pytest.mark.parametrize("user", ["from scripts.build import d", "import scripts.build as b\nb.d.upper()"])
def test_name_of_a_file_that_another_one_uses_makes_it_unsafe(tmp_path: Path, user: str) -> None:
    text = BLOCK.partition("def test_it")[0] + "with TemporaryDirectory() as d:\n        print(os.listdir(d))\n"
    put(tmp_path, {"scripts/build.py": text, "scripts/user.py": user})
    [row] = found(tmp_path, "scripts/build.py")
    assert (row.safety, "user.py uses d of this file" in row.message) == ("unsafe", True)


def test_block_in_a_program_that_forks_is_unsafe(tmp_path: Path) -> None:
    [row] = find(tmp_path, BLOCK.replace("{}", "os.fork() or sys.exit()"))
    assert (row.safety, "line 9 forks" in row.message) == ("unsafe", True)


@pytest.mark.parametrize(
    ("argument", "line"),
    [
        ("", "assert os.path.basename(d).startswith('tmp')"),
        ("", "glob.glob(os.path.join('/tmp', 'tmp*'))"),
        ("prefix='job-'", "assert re.match('.*/job-', d)"),
    ],
)
def test_directory_whose_name_is_looked_for_is_unsafe(tmp_path: Path, argument: str, line: str) -> None:
    text = BLOCK.replace("TemporaryDirectory()", f"TemporaryDirectory({argument})").replace("{}", line)
    [row] = find(tmp_path, text)
    assert (row.safety, "line 9 looks for names that begin with" in row.message) == ("unsafe", True)


def test_directory_whose_prefix_another_file_lists_is_unsafe(tmp_path: Path) -> None:
    text = BLOCK.replace("TemporaryDirectory()", "TemporaryDirectory(prefix='job-')").replace("{}", "os.listdir(d)")
    [row] = find(tmp_path, text, **{"clean.sh": "#!/bin/sh\nrm -rf /tmp/job-*\n"})
    assert (row.safety, "clean.sh line 2 names it: job-*" in row.message) == ("unsafe", True)


# A directory that is there until a stack or a test case ends: before and after.
ENTERED = {
    "d = stack.enter_context(TemporaryDirectory())\n        os.listdir(d)": (
        'd = stack.enter_context(temp_working_dir("it"))\n        os.listdir(d)'
    ),
    "d = Path(stack.enter_context(TemporaryDirectory()))\n        check(d)": (
        'd = stack.enter_context(temp_working_dir("it"))\n        check(d)'
    ),
    "d = self.enterContext(TemporaryDirectory())\n        check(d)": (
        'd = str(self.enterContext(temp_working_dir("it")))\n        check(d)'
    ),
    "self.d = self.enterContext(TemporaryDirectory())": 'self.d = str(self.enterContext(temp_working_dir("it")))',
    "check(stack.enter_context(TemporaryDirectory()))": 'check(str(stack.enter_context(temp_working_dir("it"))))',
    "stack.enter_context(TemporaryDirectory())": 'stack.enter_context(temp_working_dir("it"))',
}


@pytest.mark.parametrize(("before", "after"), ENTERED.items())
def test_directory_of_a_stack_or_a_test_case_is_rewritten(tmp_path: Path, before: str, after: str) -> None:
    head = BLOCK.partition("def test_it")[0]
    written = rewrite(tmp_path, f"{head}def test_it():\n        {before}\n")
    assert written.endswith(f"def test_it():\n    {after.replace(' ' * 8, ' ' * 4)}\n")


def test_each_block_of_a_name_is_judged_by_itself(tmp_path: Path) -> None:
    text = (
        BLOCK.replace("{}", "os.listdir(d)") + "        with TemporaryDirectory(dir='x') as d:\n            check(d)\n"
    )
    assert safety(tmp_path, text) == [("T2", "safe"), ("T2", "report")]


@pytest.mark.parametrize(
    "arguments", ["dir='x'", "suffix='x'", "delete=False", "ignore_cleanup_errors=True", "'x'", "**options", "prefix=x"]
)
def test_argument_that_carries_meaning_is_reported(tmp_path: Path, arguments: str) -> None:
    text = BLOCK.replace("{}", "pass").replace("TemporaryDirectory()", f"TemporaryDirectory({arguments})")
    assert safety(tmp_path, text) == [("T2", "report")]


@pytest.mark.parametrize(
    ("prefix", "name"), [("demo_", "demo"), ("demo-", "demo"), ("demo.", "demo"), ("demo", "demo")]
)
def test_prefix_stays_the_beginning_of_the_name(tmp_path: Path, prefix: str, name: str) -> None:
    text = BLOCK.replace("{}", "pass").replace("TemporaryDirectory()", f"TemporaryDirectory(prefix='{prefix}')")
    assert f'with temp_working_dir("{name}") as d:' in rewrite(tmp_path, text)


@pytest.mark.parametrize("prefix", ["", ".hidden", "a/b", "_"])
def test_prefix_that_no_entry_may_have_is_reported(tmp_path: Path, prefix: str) -> None:
    text = BLOCK.replace("{}", "pass").replace("TemporaryDirectory()", f"TemporaryDirectory(prefix='{prefix}')")
    assert safety(tmp_path, text) == [("T2", "report")]


def several(items: str) -> str:
    return BLOCK.replace("{}", "os.listdir(d)").replace("TemporaryDirectory() as d", items)


def test_several_items_are_rewritten_one_by_one(tmp_path: Path) -> None:
    after = rewrite(tmp_path, several("TemporaryDirectory() as d, open('x') as f, TemporaryDirectory()"))
    assert 'with temp_working_dir("it") as d, open(\'x\') as f, temp_working_dir("it"):' in after
    after = rewrite(tmp_path, several("(TemporaryDirectory() as d, patch(d) as f,)"))
    assert 'with (temp_working_dir("it") as d, patch(str(d)) as f,):' in after


@pytest.mark.parametrize("target", ["self.d", "d[0]"])
def test_target_that_is_no_name_stays_text(tmp_path: Path, target: str) -> None:
    after = rewrite(tmp_path, several(f"TemporaryDirectory() as {target}"))
    assert f" as path:\n        {target} = str(path)\n" in after


def test_global_name_stays_text(tmp_path: Path) -> None:
    text = BLOCK.replace("{}", "pass").replace("def test_it():", "def test_it():\n        global d")
    assert "d = str(path)" in rewrite(tmp_path, text)


def test_path_that_is_taken_apart_and_async_with_are_reported(tmp_path: Path) -> None:
    assert safety(tmp_path, several("TemporaryDirectory() as (d, e)")) == [("T2", "report")]
    text = BLOCK.replace("{}", "pass").replace("with", "async with").replace("def test", "async def test")
    assert safety(tmp_path, text) == [("T2", "report")]


def test_async_test_is_rewritten_like_any_other(tmp_path: Path) -> None:
    text = BLOCK.replace("{}", "await check(Path(d))").replace("def test", "async def test")
    assert '    with temp_working_dir("it") as d:\n        await check(d)\n' in rewrite(tmp_path, text)


def test_call_outside_a_with_statement_is_reported(tmp_path: Path) -> None:
    text = """
        import tempfile, unittest

        class Case(unittest.TestCase):
            def setUp(self):
                self.d = tempfile.TemporaryDirectory()
                self.addCleanup(self.d.cleanup)
    """
    assert safety(tmp_path, text) == [("T2", "report")]


@pytest.mark.parametrize("scope", ["session", "module", "class"])
def test_fixture_of_a_wider_scope_has_one_directory_for_all_tests(tmp_path: Path, scope: str) -> None:
    after = rewrite(tmp_path, FIXTURE.replace("@pytest.fixture", f"@pytest.fixture(scope='{scope}')"))
    assert 'with temp_working_dir("it") as temp_path:' in after
    assert "source.mkdir()" in after


def test_file_that_sets_tempdir_is_reported(tmp_path: Path) -> None:
    text = FIXTURE.replace("import pytest", "import pytest\n    tempfile.tempdir = '/x'")
    assert safety(tmp_path, text) == [("T2", "report")]


@pytest.mark.parametrize(
    "line",
    ["with patch('os.rename'):", "with mock.patch.object(os, 'unlink'):", "monkeypatch.setattr(shutil, 'rmtree', x)"],
)
def test_block_where_the_system_is_patched_is_unsafe(tmp_path: Path, line: str) -> None:
    body = f"{line}\n                pass" if line.endswith(":") else line
    assert safety(tmp_path, BLOCK.replace("{}", body)) == [("T2", "unsafe")]
    harmless = "with patch('mine.run'):\n                pass"
    assert safety(tmp_path, BLOCK.replace("{}", harmless)) == [("T2", "safe")]


def test_test_in_a_made_up_file_system_is_reported(tmp_path: Path) -> None:
    assert safety(tmp_path, BLOCK.replace("{}", "pass").replace("test_it()", "test_it(fs)")) == [("T2", "report")]


# What is done by hand before the first use; the directories stay as they are made.
NOT_FOLDERS = {
    "base used later": "a = Path(d) / 'a'\n            a.mkdir()\n            check(Path(d))",
    "not made": "a = Path(d) / 'a'\n            b = Path(d) / 'b'\n            b.mkdir()\n            check(a, b)",
    "mode": "a = Path(d) / 'a'\n            a.mkdir(0o700)\n            check(a)",
    "hidden": "a = Path(d) / '.a'\n            a.mkdir()\n            check(a)",
    "nested": "a = Path(d) / 'a/b'\n            a.mkdir(parents=True)\n            check(a)",
    "not the first": "check()\n            a = Path(d) / 'a'\n            a.mkdir()\n            check(a)",
    "nothing after": "a = Path(d) / 'a'\n            a.mkdir()",
    "one line": "a = Path(d) / 'a'; a.mkdir()\n            check(a)",
    "its name is seen": "a = Path(d) / 'a'\n            a.mkdir()\n            check(a.name)",
}


@pytest.mark.parametrize("body", NOT_FOLDERS.values(), ids=list(NOT_FOLDERS))
def test_other_directories_stay_as_they_are_made(tmp_path: Path, body: str) -> None:
    after = rewrite(tmp_path, BLOCK.replace("{}", body))
    assert 'with temp_working_dir("it") as d:\n' in after
    assert "        " + body.replace("\n            ", "\n        ").replace("Path(d)", "d") in after


def test_comments_of_lines_that_go_stay(tmp_path: Path) -> None:
    body = "# one\n            a = Path(d) / 'a'  # two\n            # three\n            a.mkdir()\n            os.listdir(a)"
    after = rewrite(tmp_path, BLOCK.replace("{}", body))
    kept = "        # one\n        # two\n        # three\n        os.listdir(a)\n"
    assert after.endswith(f'    with temp_working_dir("a") as a:\n{kept}')


def test_script_is_no_test(tmp_path: Path) -> None:
    assert [code for code, _ in safety(tmp_path, FIXTURE, "scripts/build.py")] == ["T4"]


@pytest.mark.parametrize("path", ["tests/helpers.py", "test_it.py", "it_test.py", "conftest.py", "lib/tests/cli.py"])
def test_test_files_are_known_by_their_place_or_name(tmp_path: Path, path: str) -> None:
    assert [code for code, _ in safety(tmp_path, FIXTURE, path)] == ["T2"]


def test_data_of_tests_is_left(tmp_path: Path) -> None:
    assert safety(tmp_path, FIXTURE, "tests/data/sample/cli.py") == [("T2", "report")]


def test_similar_names_of_others_are_left_alone(tmp_path: Path) -> None:
    text = """
        from testpath.tempdir import TemporaryDirectory

        def test_it():
            with TemporaryDirectory() as d:
                pass
    """
    assert safety(tmp_path, text, TEST) == []
