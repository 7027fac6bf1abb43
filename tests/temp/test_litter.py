"""A temporary location that real programs have filled: what is dead goes, and everything else stays."""

import json
import os
from collections.abc import Iterator

import pytest

from ..benchmarks.cleaners import cleaners, run
from ..benchmarks.litter import EITHER, GOES, STAYS, Litter

OURS = cleaners()[0]


@pytest.fixture(scope="module")
def litter() -> Iterator[Litter]:
    with Litter(runs=6) as filled:
        yield filled


@pytest.mark.slow
@pytest.mark.parametrize("runs_on", [True, False], ids=["programs run", "programs are killed"])
def test_what_is_dead_goes_and_what_is_used_or_not_ours_stays(litter: Litter, *, runs_on: bool) -> None:
    if not runs_on:
        litter.end()
    planned = json.loads(run(OURS, litter, "--json", "--dry-run").stdout)
    assert {state for states in litter.states().values() for state in states} <= {STAYS, GOES if not runs_on else STAYS}
    done = json.loads(run(OURS, litter, "--json").stdout)
    for part in ("removed", "kept", "failed"):
        assert [each["path"] for each in done[part]] == [each["path"] for each in planned[part]]
    assert not done["failed"]
    wrong = [(thing, thing.state()) for thing in litter.things if thing.fate not in (EITHER, thing.state())]
    assert not wrong
    named = {each["path"].partition("/")[0] for part in ("removed", "kept") for each in done[part]}
    others = {thing.path.name for thing in litter.things if thing.kind in ("other programs", "another user")}
    assert len(others) > 10 + (os.geteuid() == 0)
    assert not named & others
