import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.project.patterns import ARTIFACTS, Patterns

from ..helpers import git


@pytest.mark.parametrize(
    ("pattern", "path", "directory", "meant"),
    [
        ("__pycache__/", "a/b/__pycache__", True, True),
        ("__pycache__/", "a/b/__pycache__", False, False),
        ("*.pyc", "a/b/c.pyc", False, True),
        ("*.pyc", "a/b/c.py", False, False),
        ("/build/", "build", True, True),
        ("/build/", "src/build", True, False),
        ("/build", "build", False, True),
        ("build", "src/build", True, True),
        ("src/*.egg-info/", "src/x.egg-info", True, True),
        ("src/*.egg-info/", "src/a/x.egg-info", True, False),
        ("src/*.egg-info/", "a/src/x.egg-info", True, False),
        ("/.coverage.*", ".coverage.host.1", False, True),
        ("/.coverage.*", ".coveragerc", False, False),
        ("docs/_build", "docs/_build", True, True),
        ("[ab]", "x/a", False, True),
        ("[!ab]", "x/a", False, False),
        ("[^ab]", "x/c", False, True),
        ("**/dist/", "a/b/dist", True, True),
        ("**/dist/", "dist", True, True),
        ("**/a/b", "x/y/a/b", False, True),
        ("a/**/b", "a/b", False, True),
        ("a/**/b", "a/x/y/b", False, True),
        ("a/**/b", "x/a/b", False, False),
        ("dist  ", "dist", True, True),
        (r"x\ ", "x ", False, True),
        (r"\!x", "!x", False, True),
        (r"\#x", "#x", False, True),
        (r"a\*", "a*", False, True),
        (r"a\*", "ab", False, False),
    ],
)
def test_patterns_are_those_of_a_gitignore(pattern: str, path: str, *, directory: bool, meant: bool) -> None:
    *folder, name = path.split("/")
    assert Patterns([pattern]).match(folder, name, directory=directory) is meant


def test_star_of_one_pattern_stops_at_a_slash_however_deep_another_goes() -> None:
    assert not Patterns(["src/*.x", "/a/b/c/d"]).match(("src", "a"), "y.x", directory=False)


@pytest.mark.parametrize("bad", ["", " ", "/", "a//b", "../x", "a/../b", ".", "//", "[[:alpha:]]", "[z-a]"])
def test_what_is_no_pattern_is_refused_by_name(bad: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern") as refusal:
        Patterns([bad])
    assert repr(bad) in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("bad", "advice"), [("!dist", "clean.keep"), ("# x", "comment")])
def test_what_means_something_else_in_a_gitignore_is_refused_with_what_to_do(bad: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as refusal:
        Patterns([bad])
    assert repr("\\" + bad) in str(refusal.value)


def test_three_dots_stand_for_the_built_in_ones() -> None:
    patterns = Patterns(["...", "/out/"])
    assert patterns.match((), "out", directory=True)
    for pattern in ARTIFACTS:
        *folder, name = pattern.strip("/").split("/")
        assert patterns.match(folder, name, directory=True)


def test_no_patterns_mean_nothing() -> None:
    assert not Patterns([]).match((), "build", directory=True)


@pytest.mark.parametrize(
    ("pattern", "folder", "may"),
    [
        ("/build/reports/", ("build",), True),
        ("/build/reports/", ("dist",), False),
        ("/build/", ("build",), False),
        ("b*/x/y", ("build", "x"), True),
        ("a/**/b", ("a", "x", "y"), True),
        ("reports", ("dist",), True),
    ],
)
def test_what_may_be_meant_below_a_folder(pattern: str, folder: tuple[str, ...], *, may: bool) -> None:
    assert Patterns([pattern]).may_match_below(folder) is may


NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
WILD = st.text("ab.*?", min_size=1, max_size=3).filter(lambda name: name.strip(".") and "**" not in name)


@given(
    st.lists(WILD | st.just("**"), min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
    st.lists(NAMES, min_size=1, max_size=3),
)
def test_git_and_we_mean_the_same(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], slash: str, path: list[str]
) -> None:
    pattern = slash + "/".join(parts)
    root = tmp_path_factory.getbasetemp() / "git"
    if not root.exists():
        root.mkdir()
        git(root, "init", "-q")
    said = ignored_by_git(root, pattern, path)
    patterns = Patterns([pattern])
    # git ignores what is in an ignored folder, too.
    ours = any(patterns.match(path[:depth], path[depth], directory=depth + 1 < len(path)) for depth in range(len(path)))
    assert ours is said


def ignored_by_git(root: Path, pattern: str, path: list[str]) -> bool:
    words = ["git", "-c", f"core.excludesFile={root}/excluded", "check-ignore", "-q", "--no-index", "/".join(path)]
    (root / "excluded").write_text(pattern + "\n")
    return subprocess.run(words, cwd=root, check=False).returncode == 0
