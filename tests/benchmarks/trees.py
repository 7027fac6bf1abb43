"""Trees to measure on, made on the spot."""

import os
import subprocess
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


def small_entries(root: Path, number: int) -> Path:
    """Make a project of so many entries, each a folder with one file."""
    project(root, 0, 0, 0)
    for entry in range(number):
        path = root / f".tmp/debug/e{entry}_{STAMP}"
        path.mkdir(parents=True)
        fill(path, 1)
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


def repository(root: Path, folders: int) -> Path:
    """Make `sources`, tracked by git except for what is compiled."""
    sources(root, folders)
    (root / ".gitignore").write_text("__pycache__\n.tmp\n")
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def monorepo(root: Path, projects: int, entries: int, files: int, folders: int) -> Path:
    """Make a git repository of projects that share so many entries, files in these, and folders of sources.

    The sources are tracked; what is compiled, built and temporary is ignored.
    """
    project(root, 0, 0, 0)
    (root / ".gitignore").write_text("__pycache__\nbuild\n.tmp\n")
    for number in range(projects):
        path = root / f"packages/p{number}"
        path.mkdir(parents=True)
        (path / "pyproject.toml").touch()
        for entry in range(entries // projects + (number < entries % projects)):
            for half in range(2):
                below = path / f".tmp/debug/e{entry}_{STAMP}/d{half}"
                below.mkdir(parents=True)
                fill(below, files // entries // 2)
        for folder in range(folders // projects * 9 // 10):
            below = path / f"src/q{folder // 20}/m{folder % 20}"
            below.mkdir(parents=True)
            fill(below, 3)
            if folder % 10 == 0:
                (below / "__pycache__").mkdir()
                fill(below / "__pycache__", 3)
        (path / "build").mkdir()
        fill(path / "build", 3)
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root
