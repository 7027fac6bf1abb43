"""The directories that trees stand in."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common_tasks.fs.directory import Directory, open_on_same_mount
from common_tasks.fs.places import Parents, Place
from common_tasks.fs.walk import open_directory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system has no /proc")
NAMES = ("a", "b")
DEPTH = 6


@pytest.fixture(scope="module")
def tops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Directory]]:
    """Two trees with all names at each level, as deep as DEPTH."""
    tops = [tmp_path_factory.mktemp("tree") for _ in range(2)]
    for top in tops:
        level = [top]
        for _ in range(DEPTH):
            level = [folder / name for folder in level for name in NAMES]
            for folder in level:
                folder.mkdir()
    opened = [Directory.at(top) for top in tops]
    yield opened
    for directory in opened:
        directory.close()


PLACES = st.lists(
    st.tuples(st.integers(0, 1), st.lists(st.sampled_from([*NAMES, "gone"]), max_size=DEPTH)), min_size=1, max_size=8
)


@given(places=PLACES)
def test_each_place_stands_in_the_directory_that_its_names_lead_to(
    tops: list[Directory], places: list[tuple[int, list[str]]]
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with Parents(open_on_same_mount) as parents:
        for number, above in places:
            top = tops[number]
            place = Place(top, (*above, "tree"))
            wanted = Path(f"/proc/self/fd/{top.fd}", *above)
            if "gone" in above:
                with pytest.raises(FileNotFoundError):
                    parents.open(place)
            else:
                assert parents.open(place).key() == (wanted.stat().st_dev, wanted.stat().st_ino)
                assert parents.position(place, open_directory).directory.key() == parents.open(place).key()
            assert len(os.listdir("/proc/self/fd")) - before <= 4
    assert len(os.listdir("/proc/self/fd")) == before
