"""What the plugin's README says is so: its blocks are run as printed."""

import re
import tomllib
from pathlib import Path

import common_tasks.testing

from .conftest import Suite

README = (Path(common_tasks.testing.__file__).parent / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)

FAILS = """

def test_sync(temp_dirs):
    source, target = temp_dirs("source", "target"); (target / "a.txt").write_text("old")
    assert (target / "a.txt").read_text() == "new"
"""
LEAKS = """
made = tempfile.mkdtemp()

@pytest.fixture
def invoice():
    pathlib.Path(tempfile.mkdtemp(prefix="invoice_"), "scan").write_bytes(b"x" * 32768)

@pytest.mark.parametrize("number", range(3))
def test_export(invoice, number): pass

def test_sort(): os.system("mktemp > /dev/null; mktemp -d > /dev/null")
"""


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def masked(text: str, root: Path) -> list[str]:
    """Leave out what differs from run to run: where it stands, times, sizes and random names."""
    lines = text.replace(str(root), "/home/me/shop").strip().splitlines()
    for pattern, new in ((r"'(invoice_|tmp\.?)\w+'", r"'\1'"), (r"\d+(\.\d+)?", "0"), (r"=+|\s+", " ")):
        lines = [re.sub(pattern, new, line).rstrip() for line in lines]
    return lines


def test_its_tests_pass(serial: Suite) -> None:
    [code] = blocks("python")
    (serial.root / "test_it.py").write_text(code)
    done = serial.run("-W", "error")
    assert done.outcomes == {"passed": 3}, done.out
    assert serial.left() == []


def test_a_failed_test_is_reported_as_printed(serial: Suite) -> None:
    (serial.root / "test_sync.py").write_text(FAILS)
    done = serial.run("-q", "--tb=short")
    shown = blocks("console")[0].partition("\n")[2]
    assert masked(done.out, serial.root) == masked(shown, serial.root)


def test_leaks_are_reported_as_printed(serial: Suite) -> None:
    serial.write(LEAKS, "test_export.py")
    [settings] = blocks("toml")
    (serial.root / "pyproject.toml").write_text(settings)
    done = serial.run("-q")
    shown = blocks("console")[1].partition("\n")[2]
    assert masked(done.out, serial.root) == masked(shown, serial.root)


def test_its_settings_and_options_exist(serial: Suite) -> None:
    [settings] = blocks("toml")
    assert set(tomllib.loads(settings)["tool"]["pytest"]["ini_options"]) == {"temp_leaks", "temp_leaks_ignore"}
    shown = serial.run("--help").out
    for option, choices in (("temp-dirs-keep", "none,failed,all"), ("temp-leaks", "off,contain,report,fail")):
        assert f"--{option}={{{choices}}}" in shown
        assert f"`--{option}=`, ini `{option.replace('-', '_')}`" in README
        for choice in choices.split(","):
            assert re.search(rf"^\| `{choice}`", README, re.MULTILINE), choice
