"""Who made an entry: told by real programs, and lost without harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common_tasks.temp import TempManager, get_cache_temp_dir, get_debug_temp_dir, maker

from ..helpers import make_entry, take

MAKES = "from common_tasks.temp import get_debug_temp_dir as d; print(d('made'))"


@pytest.fixture(autouse=True)
def _with_attributes(project: Path) -> None:
    try:
        os.setxattr(project, maker.ATTRIBUTE, b"x")
    except (AttributeError, OSError):
        pytest.skip("no extended attributes here")


def run(*words: str, cwd: Path) -> str:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


def makers(root: Path) -> dict[str, str | None]:
    return {each.path.name: each.made_by for each in maker.with_makers(take(root, orphans=False))}


def test_script_is_named_relative_to_its_project(project: Path) -> None:
    (project / "scripts").mkdir()
    (project / "scripts" / "report.py").write_text(MAKES)
    for words in (["scripts/report.py"], ["-m", "scripts.report"], [str(project / "scripts" / "report.py")]):
        made = Path(run(*words, cwd=project))
        assert makers(project)[made.name] == "scripts/report.py"
    made = Path(run("report.py", cwd=project / "scripts"))
    assert makers(project)[made.name] == "scripts/report.py"


def test_code_without_a_file_and_programs_from_elsewhere_have_a_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(MAKES)
    for words, called in ((["-c", MAKES], "python"), (["../tool.py"], "tool.py")):
        made = Path(run(*words, cwd=project))
        assert makers(project)[made.name] == called


def test_test_is_named_by_its_id(project: Path, request: pytest.FixtureRequest) -> None:
    for made in (get_debug_temp_dir("a"), get_cache_temp_dir("b"), TempManager.create_persistent_file("c").parent):
        assert makers(project)[made.name] == request.node.nodeid


def test_cache_keeps_the_name_of_who_made_it(project: Path) -> None:
    made = Path(run("-c", MAKES.replace("debug", "cache"), cwd=project))
    assert get_cache_temp_dir("made") == made
    assert makers(project)[made.name] == "python"


def test_left_directory_in_the_system_location_names_its_program_by_its_absolute_path(project: Path) -> None:
    code = "import os\nfrom common_tasks.temp import temp_working_dir as w\nwith w('x') as d:\n print(d)\n os._exit(0)"
    (project / "leave.py").write_text(code.replace("print(d)", "print(d, flush=True)"))
    left = run("leave.py", cwd=project)
    [orphan] = [each for each in maker.with_makers(take(project)) if not each.base]
    assert (str(orphan.path), orphan.made_by) == (left, str(project / "leave.py"))


def test_copy_without_attributes_and_hand_made_folders_name_nobody(project: Path) -> None:
    made = get_debug_temp_dir("x")
    shutil.copytree(made, made.with_name("copy_1600000000"), copy_function=shutil.copyfile)
    os.removexattr(made.with_name("copy_1600000000"), maker.ATTRIBUTE)
    hand_made = make_entry(project / ".tmp" / "mine")
    os.setxattr(hand_made, maker.ATTRIBUTE, b"somebody")
    found = makers(project)
    assert found["copy_1600000000"] is None
    assert found["mine"] is None


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("value", [b"", b"x" * 4000, b"\xff\n\x1b[31m"])
def test_any_value_can_be_read(value: bytes) -> None:
    made = get_debug_temp_dir("x")
    os.setxattr(made, maker.ATTRIBUTE, value)
    assert (maker.read(str(made)) or "") == os.fsdecode(value[:255])


def test_directory_that_cannot_be_signed_is_made_all_the_same(project: Path) -> None:
    made = get_debug_temp_dir("x")
    maker.sign(str(made / "absent"), str(project))
    assert maker.read(str(made / "absent")) is None
