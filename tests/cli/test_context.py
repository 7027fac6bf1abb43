"""How a task ends."""

import time

import pytest
from invoke.exceptions import Exit

from common_tasks.cli.context import refusals


class Finalized:
    def __del__(self) -> None:
        raise KeyboardInterrupt  # Python reports it and goes on


def test_ctrl_c_ends_a_task_also_where_python_would_ignore_it() -> None:
    with pytest.raises(Exit) as ended, refusals():
        Finalized()
        time.sleep(60)
    assert ended.value.code == 130
