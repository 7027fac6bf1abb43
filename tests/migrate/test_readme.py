"""The examples of the room's README are what is written."""

import re
from pathlib import Path

import pytest

import common_tasks.migrate

from .helpers import rewrite

README = Path(common_tasks.migrate.__file__).with_name("README.md").read_text()
EXAMPLES = re.findall(r"```diff\n(.*?)```", README, re.DOTALL)
HEAD = "import os\nimport shutil\nimport tempfile\nfrom pathlib import Path\n\n\n"


def side(example: str, mark: str) -> str:
    return "".join(f"{line[1:]}\n" for line in example.splitlines() if line[0] in (" ", mark))


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_becomes_what_the_readme_says(tmp_path: Path, example: str) -> None:
    assert rewrite(tmp_path, HEAD + side(example, "-")).endswith(f"\n\n\n{side(example, '+')}")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3
