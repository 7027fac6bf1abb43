"""What importing costs, and which names lead where."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import common_tasks

from ..helpers import fresh_python

NAMESPACE = Path(common_tasks.__file__).parent / "namespace"

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
    done = fresh_python(f"import sys\n{code}\nprint(*sys.modules)", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_engine_loads_the_standard_library_only_and_little_of_it(tmp_path: Path) -> None:
    modules = loaded_by("import common_tasks.temp", tmp_path)
    assert not modules & HEAVY
    bare = loaded_by("import pathlib, contextlib, threading, typing", tmp_path)
    ours = {"common_tasks", "common"}
    extra = {name for name in modules - bare if name.partition(".")[0] not in ours and not name.startswith("_")}
    assert extra <= {"atexit", "fcntl", "warnings", "time", "collections.abc"}


@pytest.mark.parametrize("name", ["common_tasks.temp", "common.temp"])
def test_system_that_is_not_posix_is_refused_in_one_line_that_names_wsl(tmp_path: Path, name: str) -> None:
    done = fresh_python(
        f"import os, pathlib, importlib; os.name = 'nt'\nimportlib.import_module({name!r})", cwd=tmp_path
    )
    assert done.stderr.splitlines()[-1].startswith("ImportError: common-tasks needs a POSIX system")
    assert "WSL" in done.stderr.splitlines()[-1]


def test_making_a_directory_loads_no_more(project: Path) -> None:
    code = "from common_tasks.temp import *; get_debug_temp_dir(); get_cache_temp_dir()"
    assert not loaded_by(code, project) & HEAVY


def test_engine_is_standard_library_in_full(project: Path) -> None:
    package = Path(common_tasks.__file__).parent
    files = [path for room in ("fs", "project", "temp") for path in (package / room).rglob("*.py")]
    every = [".".join(("common_tasks", *path.relative_to(package).with_suffix("").parts)) for path in files]
    assert {"common_tasks.temp.removal.run", "common_tasks.fs.deletion"} <= set(every)
    modules = loaded_by("import " + ", ".join(every), project)
    foreign = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"common_tasks"}
    # What an editable install, or a tool of the developer's, loads at every start.
    at_start = {name.partition(".")[0] for name in loaded_by("", project)}
    assert foreign - at_start <= {"__main__"}


@pytest.mark.parametrize(("flags", "cached"), [([], {"options", "members", "status"}), (["-B"], set())])
def test_bytecode_is_cached_by_the_tasks_too_unless_python_is_told_not_to(
    tmp_path: Path, project: Path, flags: list[str], cached: set[str]
) -> None:
    package = tmp_path / "copy" / "common_tasks"
    shutil.copytree(Path(common_tasks.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "tasks.py").write_text("from common_tasks import ns\n")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, *flags, "-m", "invoke", "temp-status"]
    subprocess.run(command, cwd=project, env={**kept, "PYTHONPATH": str(package.parent)}, check=True)
    compiled = {path.name.partition(".")[0] for path in package.rglob("*.pyc")}
    assert compiled & {"options", "members", "status"} == cached


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
        common_tasks.nothing  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError):
        exec("from common_tasks import nothing", {})


def test_common_temp_is_the_same_module(project: Path) -> None:
    code = "import common.temp, common_tasks.temp; from common.temp import TempManager\n"
    code += "assert common.temp is common_tasks.temp; assert TempManager is common_tasks.temp.TempManager"
    assert fresh_python(code, cwd=project).returncode == 0


def test_projects_own_common_package_wins(project: Path) -> None:
    (project / "common").mkdir()
    (project / "common/__init__.py").write_text("OWN = True\n")
    (project / "common/temp.py").write_text("OWN = True\n")
    assert (
        fresh_python("import common, common.temp; print(common.OWN, common.temp.OWN)", cwd=project).stdout
        == "True True\n"
    )


def test_projects_own_portion_of_the_namespace_goes_beside_ours(project: Path) -> None:
    (project / "common").mkdir()
    (project / "common/tools.py").write_text("OWN = True\n")
    code = "import common.tools, common.temp; print(common.tools.OWN, common.temp.TempManager.__name__)"
    assert fresh_python(code, cwd=project).stdout == "True TempManager\n"


# Where the folder of ours stands on the path, beside the project's: what an installation and a project do to it.
ORDERS = {
    "ours first": "sys.path.insert(0, ours); sys.path.append(theirs)",
    "theirs first": "sys.path[:0] = theirs, ours",
}
OWN_FORMS = {
    "module": "common/temp.py",
    "package": "common/temp/__init__.py",
    "folder of modules": "common/temp/own.py",
}


@pytest.mark.parametrize("form", OWN_FORMS)
@pytest.mark.parametrize("order", ORDERS)
def test_projects_own_common_temp_wins_in_every_order_of_the_path(tmp_path: Path, order: str, form: str) -> None:
    own = tmp_path / "src" / OWN_FORMS[form]
    own.parent.mkdir(parents=True)
    own.write_text("OWN = True\n")
    name = "common.temp.own" if form == "folder of modules" else "common.temp"
    code = f"import sys; ours, theirs = {str(NAMESPACE)!r}, {str(tmp_path / 'src')!r}; {ORDERS[order]}\n"
    code += f"import {name}; print({name}.OWN, 'common_tasks.temp' in sys.modules)"
    done = fresh_python(code, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_fault_in_the_projects_own_common_temp_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common/temp.py").write_text("import missing\n")
    code = f"import sys; sys.path.insert(0, {str(NAMESPACE)!r})\nimport common.temp"
    assert fresh_python(code, cwd=tmp_path).stderr.endswith("ModuleNotFoundError: No module named 'missing'\n")


def test_two_copies_of_ours_on_the_path_are_no_projects_own(tmp_path: Path) -> None:
    shutil.copytree(NAMESPACE.parent, tmp_path / "common_tasks")
    code = (
        f"import sys; sys.path.append({str(tmp_path / 'common_tasks/namespace')!r}); import common.temp, common_tasks\n"
    )
    done = fresh_python(code + "assert common.temp is common_tasks.temp", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_folder_of_data_called_common_temp_is_no_module(tmp_path: Path) -> None:
    (tmp_path / "common/temp").mkdir(parents=True)
    (tmp_path / "common/temp/data.csv").touch()
    assert fresh_python("import common.temp; common.temp.TempManager", cwd=tmp_path).returncode == 0


LEGACY = "from common.temp import TempManager\nget_temp_dir = TempManager.create_persistent_dir\n"


@pytest.mark.parametrize("text", ["OLD = True\n", LEGACY], ids=["old helper", "helper that uses the new one"])
@pytest.mark.parametrize("first", ["common_tasks", "common.temp"])
def test_common_temp_works_beside_a_legacy_common_tasks(project: Path, text: str, first: str) -> None:
    (project / "common_tasks.py").write_text(text)
    code = f"import {first}, common_tasks, common.temp\n"
    code += "with common.temp.temp_working_dir(): print(common.temp.get_debug_temp_dir('x'), common_tasks.__file__)"
    done = fresh_python(code, cwd=project)
    assert done.stderr == ""
    made, legacy = done.stdout.split()
    assert Path(made).parent == project / ".tmp/debug"
    assert legacy == str(project / "common_tasks.py")


def test_common_temp_runs_no_legacy_common_tasks(project: Path) -> None:
    (project / "common_tasks.py").write_text("raise SystemExit('was run')\n")
    done = fresh_python("from common.temp import TempManager", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")


def test_common_temp_works_beside_a_legacy_package(project: Path) -> None:
    (project / "common_tasks").mkdir()
    (project / "common_tasks/__init__.py").touch()
    (project / "common_tasks/temp.py").touch()
    assert fresh_python("from common.temp import TempManager", cwd=project).returncode == 0


def test_error_of_a_module_in_the_way_names_its_file(project: Path) -> None:
    (project / "common_tasks.py").touch()
    done = fresh_python("from common_tasks import ns", cwd=project)
    assert str(project / "common_tasks.py") in done.stderr.splitlines()[-1]


def test_common_temp_costs_no_more_than_the_engine(tmp_path: Path) -> None:
    engine = loaded_by("import common_tasks.temp", tmp_path)
    assert loaded_by("import common.temp", tmp_path) - engine <= {"common", "common.temp"}
