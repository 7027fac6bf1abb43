import os
import stat
from pathlib import Path

import pytest

from common_tasks.migrate import write as writing
from common_tasks.migrate.finding import Change

from .helpers import audited, put, write

BLOCK = (
    "import tempfile\n\n\ndef test_it():\n    with tempfile.TemporaryDirectory() as d:\n        print(str(d), 'é')\n"
)
REWRITTEN = BLOCK.replace("import tempfile", "from common.temp import temp_working_dir").replace(
    "tempfile.TemporaryDirectory() as d", 'temp_working_dir("it") as d'
)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("", "utf-8"),
        ("\ufeff", "utf-8"),
        ("# -*- coding: latin-1 -*-\n", "latin-1"),
        ("#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n", "cp1252"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_encoding_byte_order_mark_and_line_ends_stay(
    tmp_path: Path, head: str, encoding: str, end: str, last: str
) -> None:
    put(tmp_path, {})
    path = tmp_path / "test_it.py"

    def encoded(text: str) -> bytes:
        return (head + text.rstrip("\n") + last).replace("\n", end).encode(encoding)

    path.write_bytes(encoded(BLOCK))
    write(tmp_path)
    assert path.read_bytes() == encoded(REWRITTEN)


def test_mode_stays(tmp_path: Path) -> None:
    put(tmp_path, {"test_it.py": BLOCK})
    (tmp_path / "test_it.py").chmod(0o751)
    write(tmp_path)
    assert stat.S_IMODE((tmp_path / "test_it.py").stat().st_mode) == 0o751
    assert (tmp_path / "test_it.py").read_text() == REWRITTEN


def test_file_that_changed_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "folder/a.py"
    path.parent.mkdir()
    path.write_bytes(b"new")
    for before in (b"old", None):
        assert "a.py" in writing.write([Change(path, before, b"newer")])[path]
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["a.py"]


def test_group_is_written_whole_or_put_back(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_bytes(b"1")
    two.write_bytes(b"changed meanwhile")
    failed = writing.write([Change(one, b"1", b"2", group="g"), Change(two, b"1", b"2", group="g")])
    assert set(failed) == {one, two}
    assert (one.read_bytes(), two.read_bytes()) == (b"1", b"changed meanwhile")


def test_what_is_not_plainly_this_users_own_is_left_and_the_rest_written(tmp_path: Path) -> None:
    put(tmp_path, {"test_a.py": BLOCK, "test_b.py": BLOCK, "shared.py": BLOCK})
    os.link(tmp_path / "test_a.py", tmp_path / "other")
    (tmp_path / "test_c.py").symlink_to("shared.py")
    left = writing.find_unwritable(sorted(tmp_path.glob("test_*.py")), tmp_path, force=True)
    assert {path.name for path in left} == {"test_a.py", "test_c.py"}


def test_extended_attributes_stay(tmp_path: Path) -> None:
    put(tmp_path, {"test_it.py": BLOCK})
    os.setxattr(tmp_path / "test_it.py", "user.k", b"v")
    write(tmp_path)
    assert (tmp_path / "test_it.py").read_text() == REWRITTEN
    assert os.getxattr(tmp_path / "test_it.py", "user.k") == b"v"


@pytest.mark.parametrize(
    "data",
    [
        BLOCK.encode("latin-1"),
        b"# coding: nothing\nimport tempfile\ntempfile.mkdtemp()\n",
        b"import tempfile\ntempfile.mkdtemp(\n",
        b"import tempfile\0\ntempfile.mkdtemp()\n",
    ],
    ids=["no utf-8", "no encoding", "no program", "a zero byte"],
)
def test_file_that_cannot_be_read_is_reported_and_stays(tmp_path: Path, data: bytes) -> None:
    put(tmp_path, {"test_b.py": BLOCK})
    (tmp_path / "test_a.py").write_bytes(data)
    [row] = [row for row in audited(tmp_path).rows if row.path.name == "test_a.py"]
    assert (row.safety, row.message.startswith("not looked through")) == ("report", True)
    write(tmp_path, unsafe=True)
    assert (tmp_path / "test_a.py").read_bytes() == data
    assert (tmp_path / "test_b.py").read_text() == REWRITTEN


def test_file_that_is_no_program_is_silenced_at_its_head(tmp_path: Path) -> None:
    put(tmp_path, {"template.py": "# A template.\n# temp-migrate: skip\n{% raw %} tempfile.mkdtemp()\n"})
    assert list(audited(tmp_path).rows) == []


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text(BLOCK)
    put(tmp_path / "project", {})
    (tmp_path / "project/test_it.py").symlink_to(outside)
    assert list(audited(tmp_path / "project").rows) == []


@pytest.mark.parametrize(
    "text",
    [
        BLOCK.replace("as d:", "as d:  # temp-migrate: skip"),
        BLOCK.replace(
            "with tempfile.TemporaryDirectory() as d",
            "with (  # temp-migrate: skip\n        tempfile.TemporaryDirectory() as d\n    )",
        ),
        "# temp-migrate: skip\n" + BLOCK,
        '"""Doc."""\n# temp-migrate: skip (the next release does it)\n' + BLOCK,
    ],
)
def test_comment_silences_a_line_or_a_file(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"test_it.py": text})
    assert list(audited(tmp_path).rows) == []


@pytest.mark.parametrize(
    "text",
    [
        BLOCK + "# temp-migrate: skip\n",
        '"""# temp-migrate: skip"""\n' + BLOCK,
        BLOCK.replace("'é'", "'# temp-migrate: skip'"),
    ],
)
def test_comment_elsewhere_silences_nothing(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"test_it.py": text})
    assert len(list(audited(tmp_path).rows)) == 1
