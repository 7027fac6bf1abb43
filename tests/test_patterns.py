import pytest

from common_tasks.patterns import ARTIFACTS, Patterns


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
    ],
)
def test_patterns_are_those_of_a_gitignore(pattern: str, path: str, directory: bool, meant: bool) -> None:
    *folder, name = path.split("/")
    assert Patterns([pattern]).match(folder, name, directory=directory) is meant


@pytest.mark.parametrize("bad", ["", "/", "a//b", "../x", "a/../b", ".", "**/x", "//"])
def test_what_is_no_pattern_is_refused_by_name(bad: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        Patterns([bad])


def test_three_dots_stand_for_the_built_in_ones() -> None:
    patterns = Patterns(["...", "/out/"])
    assert patterns.match((), "out", directory=True)
    for pattern in ARTIFACTS:
        *folder, name = pattern.strip("/").split("/")
        assert patterns.match(folder, name, directory=True)


def test_no_patterns_mean_nothing() -> None:
    assert not Patterns([]).match((), "build", directory=True)
