"""What importing costs, and which names lead where."""

import sys
from pathlib import Path

import pytest

import common_tasks

from .helpers import python

HEAVY = {
    "invoke",
    "rich",
    "humanize",
    "tempfile",
    "subprocess",
    "dataclasses",
    "shutil",
    "json",
    "hashlib",
    "typing_extensions",
}


def loaded_by(code: str, cwd: Path) -> set[str]:
    done = python(f"import sys\n{code}\nprint(*sys.modules)", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_engine_loads_the_standard_library_only_and_little_of_it(tmp_path: Path) -> None:
    modules = loaded_by("import common_tasks.temp", tmp_path)
    assert not modules & HEAVY
    bare = loaded_by("import pathlib, contextlib, threading, typing", tmp_path)
    ours = {"common_tasks", "common"}
    extra = {name for name in modules - bare if name.partition(".")[0] not in ours and not name.startswith("_")}
    assert extra <= {"atexit", "fcntl", "warnings", "time", "collections.abc"}


def test_making_a_directory_loads_no_more(project: Path) -> None:
    code = "from common_tasks.temp import *; get_debug_temp_dir(); get_cache_temp_dir()"
    assert not loaded_by(code, project) & HEAVY


def test_engine_is_standard_library_in_full(project: Path) -> None:
    package = Path(common_tasks.__file__).parent
    every = [f"common_tasks.{path.parent.name}.{path.stem}" for path in package.glob("t*/*.py")]
    assert {"common_tasks.temp.removal", "common_tasks.tree.deletion"} <= set(every)
    modules = loaded_by("import " + ", ".join(every), project)
    foreign = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"common_tasks"}
    # What an editable install, or a tool of the developer's, loads at every start.
    at_start = {name.partition(".")[0] for name in loaded_by("", project)}
    assert foreign - at_start <= {"__main__"}


def test_listing_tasks_loads_neither_engine_nor_drawing(project: Path) -> None:
    modules = loaded_by("from common_tasks import ns", project)
    assert "invoke" in modules
    assert not modules & {"rich", "humanize", "common_tasks.temp", "common_tasks.report"}


def test_star_import_brings_the_tasks_and_helpers_but_not_ns() -> None:
    space: dict[str, object] = {}
    exec("from common_tasks import *", space)
    assert set(common_tasks.__all__) <= set(space)
    assert "ns" not in space
    assert common_tasks.__all__ == sorted(common_tasks.__all__)
    assert "ns" in dir(common_tasks)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        common_tasks.nothing  # noqa: B018
    with pytest.raises(ImportError):
        exec("from common_tasks import nothing", {})


def test_common_temp_is_the_same_module(project: Path) -> None:
    code = "import common.temp, common_tasks.temp; from common.temp import TempManager\n"
    code += "assert common.temp is common_tasks.temp; assert TempManager is common_tasks.temp.TempManager"
    assert python(code, cwd=project).returncode == 0


def test_projects_own_common_package_wins(project: Path) -> None:
    (project / "common").mkdir()
    (project / "common/__init__.py").write_text("OWN = True\n")
    (project / "common/temp.py").write_text("OWN = True\n")
    assert python("import common, common.temp; print(common.OWN, common.temp.OWN)", cwd=project).stdout == "True True\n"


def test_projects_own_portion_of_the_namespace_goes_beside_ours(project: Path) -> None:
    (project / "common").mkdir()
    (project / "common/tools.py").write_text("OWN = True\n")
    code = "import common.tools, common.temp; print(common.tools.OWN, common.temp.TempManager.__name__)"
    assert python(code, cwd=project).stdout == "True TempManager\n"
