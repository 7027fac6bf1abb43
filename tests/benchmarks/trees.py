"""Trees to measure on, made on the spot."""

import os
from pathlib import Path

STAMP = 1_696_348_800


def project(root: Path, entries: int, folders: int, files: int) -> Path:
    """Make a project of `entries` entries, each of `folders` folders of `files` empty files."""
    root.mkdir(parents=True)
    (root / "pyproject.toml").touch()
    (root / "tasks.py").write_text("from common_tasks import ns\n")
    for entry in range(entries):
        for folder in range(folders):
            path = root / f".tmp/debug/e{entry}_{STAMP}/d{folder // 10}/d{folder}"
            path.mkdir(parents=True)
            fill(path, files)
    return root


def fill(path: Path, files: int) -> None:
    """Make so many empty files in a folder."""
    fd = os.open(path, os.O_RDONLY)
    for number in range(files):
        os.close(os.open(f"f{number}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def chain(root: Path, levels: int) -> Path:
    """Make a project of one entry, so many levels deep, with a file on each."""
    project(root, 0, 0, 0)
    (root / f".tmp/debug/deep_{STAMP}").mkdir(parents=True)
    fd = os.open(root / f".tmp/debug/deep_{STAMP}", os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    return root


def sources(root: Path, folders: int) -> Path:
    """Make a source tree of about so many folders: packages with modules, every tenth with compiled ones."""
    project(root, 0, 0, 0)
    for number in range(folders):
        path = root / f"src/p{number // 500}/q{number // 20 % 25}/m{number % 20}"
        path.mkdir(parents=True, exist_ok=True)
        fill(path, 3)
        if number % 10 == 0:
            (path / "__pycache__").mkdir()
    return root
