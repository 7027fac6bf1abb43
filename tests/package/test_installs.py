"""Real installations, beside projects that have a `common.temp` of their own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]


class Environment:
    """A virtual environment of nothing but what is put into it; neither needs dependencies here."""

    def __init__(self, folder: Path) -> None:
        self._python = folder / "bin/python"
        run(sys.executable, "-m", "venv", "--without-pip", folder)

    def install(self, *words: str | Path) -> None:
        pip = (sys.executable, "-m", "pip", "--python", self._python, "--disable-pip-version-check")
        run(*pip, "install", "--quiet", "--no-deps", *words)

    def python(self, code: str, folder: Path, **variables: str) -> str:
        return run(self._python, "-c", code, cwd=folder, env={**os.environ, **variables})


def run(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


SETTINGS = """
[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"
[project]
name = "zz-theirs"
version = "1"
"""
# A layout for which setuptools makes a finder in place of a line in a .pth file.
MAPPED = SETTINGS + '[tool.setuptools]\npackages = ["common.temp"]\npackage-dir = {"common.temp" = "lib"}\n'
ASK = "import common.temp; print(common.temp.OWN)"


def make_theirs(root: Path, module: str, settings: str = SETTINGS) -> Path:
    path = root / module
    path.parent.mkdir(parents=True)
    path.write_text("OWN = 'theirs'\n")
    (root / "pyproject.toml").write_text(settings)
    return root


def install_before(env: Environment, ours: list[str], theirs: list[str | Path]) -> None:
    env.install(*theirs)
    env.install(*ours, REPOSITORY)


def install_after(env: Environment, ours: list[str], theirs: list[str | Path]) -> None:
    env.install(*ours, REPOSITORY)
    env.install(*theirs)


@pytest.mark.parametrize("install", [install_before, install_after])
@pytest.mark.parametrize("ours", [[], ["--editable"]], ids=["ours wheel", "ours editable"])
@pytest.mark.parametrize("theirs", [[], ["--editable"]], ids=["wheel", "editable"])
@pytest.mark.parametrize("module", ["src/common/temp.py", "src/common/temp/__init__.py"])
def test_installed_common_temp_of_a_project_wins(
    tmp_path: Path, install: Callable[..., None], ours: list[str], theirs: list[str | Path], module: str
) -> None:
    env = Environment(tmp_path / "venv")
    install(env, ours, [*theirs, make_theirs(tmp_path / "theirs", module)])
    assert env.python(ASK, tmp_path) == "theirs\n"
    code = "import common_tasks.temp; print(common_tasks.temp.TempManager.__name__)"
    assert env.python(code, tmp_path) == "TempManager\n"


@pytest.mark.parametrize("ours", [[], ["--editable"]], ids=["ours wheel", "ours editable"])
def test_common_temp_of_a_project_that_is_not_installed_or_found_by_a_hook_wins(
    tmp_path: Path, ours: list[str]
) -> None:
    env = Environment(tmp_path / "venv")
    env.install(*ours, REPOSITORY)
    both = "import common.temp, common_tasks.temp as engine; print(common.temp is engine)"
    assert env.python(both, tmp_path) == "True\n"

    source = make_theirs(tmp_path / "theirs", "src/common/temp.py") / "src"
    assert env.python(ASK, source) == "theirs\n"
    assert env.python(ASK, tmp_path, PYTHONPATH=str(source)) == "theirs\n"
    assert env.python(f"import sys; sys.path.append({str(source)!r}); {ASK}", tmp_path) == "theirs\n"

    env.install("--editable", make_theirs(tmp_path / "mapped", "lib/__init__.py", MAPPED))
    assert env.python(ASK, tmp_path) == "theirs\n"


def test_editable_install_hides_nobodys_folder_of_tests(tmp_path: Path) -> None:
    env = Environment(tmp_path / "venv")
    env.install("--editable", REPOSITORY)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/helpers.py").write_text("OWN = 'theirs'\n")
    assert env.python("import tests.helpers; print(tests.helpers.OWN)", tmp_path) == "theirs\n"


def test_wheel_made_of_a_source_distribution_is_the_same(tmp_path: Path) -> None:
    env = Environment(tmp_path / "venv")
    env.install("hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers")
    build = "from hatchling import build; print(build.build_{}({!r}))"
    archive = env.python(build.format("sdist", str(tmp_path)), REPOSITORY).strip()
    run("tar", "xf", tmp_path / archive, "-C", tmp_path)
    source = tmp_path / archive.removesuffix(".tar.gz")
    for target, folder in (("direct", REPOSITORY), ("again", source)):
        env.python(build.format("wheel", str(tmp_path / target)), folder)
    [direct], [again] = (tmp_path / "direct").iterdir(), (tmp_path / "again").iterdir()
    assert direct.read_bytes() == again.read_bytes()
