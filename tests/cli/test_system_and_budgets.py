"""`--system`, `--by maker` and budgets, as a user types them."""

import json
from pathlib import Path

import pytest

from ..helpers import inv, inv_json, make_entry


def test_system_shows_and_cleans_what_is_older_than_a_day(project: Path, system_temp: Path) -> None:
    make_entry(system_temp / "tmpabcdefgh", hours=30)
    make_entry(system_temp / "tmpyoung___", hours=5)
    make_entry(project / ".tmp" / "mine", hours=100)
    shown = inv_json(project, "temp-status", "--system")
    assert [entry["path"] for entry in shown["entries"]] == ["tmpabcdefgh", "tmpyoung___"]
    assert "inv temp-clean --system would free" in inv(project, "temp-status", "--system").stdout
    assert "tmpabcdefgh" in inv(project, "temp-clean", "--system", "--dry-run").stdout
    assert (system_temp / "tmpabcdefgh").exists()
    done = inv_json(project, "temp-clean", "--system")
    assert [entry["path"] for entry in done["removed"]] == ["tmpabcdefgh"]
    assert [entry["path"] for entry in inv_json(project, "temp-clean", "--system", "--max-age", "2h")["removed"]] == [
        "tmpyoung___"
    ]
    assert (project / ".tmp" / "mine").exists()


@pytest.mark.parametrize(
    "words",
    [["--max-age-hours", "0.5"], ["--max-age", "30m"], ["--force"], ["-a"], ["--keep-free", "1GB"], ["--no-rules"]],
)
def test_system_refuses_what_it_does_not_take(project: Path, system_temp: Path, words: list[str]) -> None:
    make_entry(system_temp / "tmpabcdefgh", hours=30)
    done = inv(project, "temp-clean", "--system", *words, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert (system_temp / "tmpabcdefgh").exists()


def test_setting_names_more_of_the_system_location(project: Path, system_temp: Path) -> None:
    (project / "invoke.yaml").write_text('temp: {system: ["...", "playwright*"]}\n')
    make_entry(system_temp / "playwright-x", hours=30)
    assert [each["path"] for each in inv_json(project, "temp-clean", "--system")["removed"]] == ["playwright-x"]


def test_total_takes_the_oldest_of_all_and_says_what_is_missing(project: Path) -> None:
    for number in range(4):
        make_entry(project / f".tmp/{'ab'[number % 2]}/x_160000000{number}", 1, hours=number, content=b"x" * 90_000)
    done = inv_json(project, "temp-clean", "--max-total", "250kB")
    assert {each["path"] for each in done["removed"]} == {".tmp/a/x_1600000002", ".tmp/b/x_1600000003"}
    assert "unmet" not in done
    (project / ".tmp/a/x_1600000000/.keep").touch()
    assert "max_total 1 kB is not met" in inv(project, "temp-clean", "--max-total", "1kB").stdout
    (project / "invoke.yaml").write_text("temp: {max_total: 1kB}\n")
    assert "max_total 1 kB is not met" in inv(project, "temp-status").stdout


def test_free_disk_loses_nothing_and_a_wrong_size_is_refused(project: Path) -> None:
    make_entry(project / ".tmp/a/x_1600000000", hours=100)
    assert not inv_json(project, "temp-clean", "--keep-free", "1B")["removed"]
    assert "--keep-free takes" in inv(project, "temp-clean", "--keep-free", "lots", code=2).stderr


def test_makers_are_summed_up(project: Path) -> None:
    make_entry(project / ".tmp/a/x_1600000000")
    assert inv(project, "temp-status", "--by", "maker").stdout.splitlines()[-1].split()[:2] == ["unknown", "1"]
    assert json.loads(inv(project, "temp-status", "--by", "maker", "--json").stdout)["makers"][0]["entries"] == 1
    assert "--by takes maker" in inv(project, "temp-status", "--by", "size", code=2).stderr
