"""Names, ages and sizes in words."""

import pytest

from common_tasks.report.text import age, shorten, shown, size, width

from .conftest import On, entry, status_of


@pytest.mark.parametrize(
    ("raw", "escaped"),
    [
        ("plain", "plain"),
        ("a\x1b[31m\n\t", r"a\x1b[31m\x0a\x09"),
        ("\x7f\x85\u202e\u2028", r"\x7f\x85\u202e\u2028"),
        ("\udcff\udc80", r"\xff\x80"),
        ("\U000e0001", r"\U000e0001"),
        ("é日本", "é日本"),
    ],
)
def test_what_is_no_plain_character_is_shown_escaped(raw: str, escaped: str) -> None:
    assert shown(raw, "utf-8") == escaped
    assert shown(raw, "ascii").isascii()


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (-5, "0 s"),
        (0.01, "36 s"),
        (0.5, "30 min"),
        (1, "1 hour"),
        (25, "1 day"),
        (24 * 364, "364 days"),
        (9000, "1 year"),
    ],
)
def test_ages_are_short(hours: float, said: str) -> None:
    assert age(hours * 3600) == said


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 B"), (1023, "1023 B"), (4096, "4.0 KiB"), (120_000, "117 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_sizes_are_short(number: int, said: str) -> None:
    assert size(number) == said


def test_wide_characters_count_twice(on: On) -> None:
    wide = entry("debug/日本_1", 4096, 1)
    narrow = entry("debug/abcd_1", 4096, 1)
    assert (width("日本"), shorten("日本語", 4)) == (4, "日…")
    lines = on(80, lambda: status_of([wide, narrow])).splitlines()
    assert len({width(line.partition("4.0 KiB")[0]) for line in lines if "4.0 KiB" in line and "○" in line}) == 1
