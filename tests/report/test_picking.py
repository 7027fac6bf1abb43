"""What is shown and asked where the user picks by hand."""

from collections.abc import Sequence

import pytest

from common_tasks import report
from common_tasks.report import View
from common_tasks.temp.entry import Decision, Entry, Plan

from .conftest import NOW, ROOT, On, entry

KEPT = entry("data/reference_1600000000", 252 * 2**10, 500, "kept", "kept: .keep")


def decided(entries: Sequence[Entry], reason: str = "not in use") -> tuple[Decision, ...]:
    return tuple(Decision(entry=each, reason=each.reason or reason) for each in entries)


def sized(*sizes: int) -> list[Entry]:
    return [entry(f"debug/demo_{1_600_000_000 + number}", size, 30) for number, size in enumerate(sizes)]


class Asked:
    """Picks from entries on a terminal of so many columns; `shown` is what could be read there."""

    def __init__(self, on: On, monkeypatch: pytest.MonkeyPatch) -> None:
        self._on = on
        self._patch = monkeypatch
        self.shown = ""

    def __call__(self, columns: int, entries: Sequence[Entry], *answers: str) -> tuple[Decision, ...]:
        pending = iter(answers)
        picked: list[Decision] = []
        self._patch.setattr("builtins.input", lambda _: next(pending))
        plan = Plan(remove=decided(entries), keep=decided([KEPT]))
        self.shown = self._on(columns, lambda: picked.extend(report.pick(ROOT, [plan], NOW, View())))
        return tuple(picked)


@pytest.fixture
def asked(on: On, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(on, monkeypatch)


def test_rows_are_numbered_with_a_total_so_far_the_largest_first(asked: Asked) -> None:
    picked = asked(80, sized(2**20, 4 * 2**20, 2 * 2**20), "1,3")
    assert [row.entry.name for row in picked] == ["demo_1600000001", "demo_1600000000"]
    assert asked.shown == (
        "/home/me/mono\n"
        "Entry                                Size    Total  Files      Age  Why\n"
        "1 .tmp/debug/demo_1600000001      4.0 MiB  4.0 MiB      3    1 day\n"
        "2 .tmp/debug/demo_1600000002      2.0 MiB  6.0 MiB      3    1 day\n"
        "3 .tmp/debug/demo_1600000000      1.0 MiB  7.0 MiB      3    1 day\n"
        "\n"
        "■ .tmp/data/reference_1600000000  252 KiB               3  20 days  kept: .keep\n"
        "\n"
        "Type numbers and ranges such as 1,3-5, or * for all. Enter keeps everything.\n"
        "Picked: 2 entries, 5.0 MiB.\n"
    )


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_numbers_stand_in_one_column_and_nothing_is_wider_than_the_terminal(asked: Asked, columns: int) -> None:
    assert len(asked(columns, sized(*range(4096, 4096 * 13, 4096)), "*")) == 12
    rows = [line for line in asked.shown.splitlines() if "/demo_" in line]
    assert [line[:3] for line in rows] == [f"{number:2} " for number in range(1, 13)]
    assert max(map(len, asked.shown.splitlines())) <= columns


def test_wrong_answer_is_asked_again_and_an_empty_one_picks_nothing(asked: Asked) -> None:
    assert asked(80, sized(4096), "2", "") == ()
    assert "'2' is not a number or range from 1 to 1. Type numbers" in asked.shown
    assert asked.shown.endswith("Nothing was picked: everything stays.\n")
