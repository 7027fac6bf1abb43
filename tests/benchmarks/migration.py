"""`python -m tests.benchmarks.migration SOURCES WORK`: temp-migrate tried on public projects.

SOURCES holds a git checkout (or bare repository) a project, by the project's name. Each is cloned into WORK, gets an
environment of its own, and runs its tests twice: as it is, and after `temp-migrate --write`. The table says how
many sites were found, rewritten and reported, and names each test that fails only afterwards. Started by root, the
tests run as an ordinary user.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
USER = 65534
MIGRATE = "from invoke import Program; from common_tasks import ns; Program(namespace=ns, name='common-tasks').run()"
ANY_FILE = ("-o", "python_files=[a-zA-Z]*.py")


class Project(NamedTuple):
    """A public project: what its tests need, and where they are."""

    name: str
    needs: tuple[str, ...]
    tests: tuple[str, ...]


PROJECTS = (
    Project("usort", (".", "volatile"), (*ANY_FILE, "usort/tests")),
    Project("ufmt", (".[lsp,ruff]",), (*ANY_FILE, "ufmt/tests")),
    Project("Fixit", (".[lsp,pretty]",), (*ANY_FILE, "src/fixit/tests")),
    Project("flit", ("./flit_core", ".", "testpath", "responses", "tomli"), ("tests", "flit_core/tests_core")),
    Project("pyclean", (".", "cli-test-helpers"), ("tests",)),
    Project("black", (".[d,jupyter]", "pytest<9", "parameterized", "pytest-xdist"), ("-n", "2", "tests")),
    Project(
        "poetry-core",
        (".", "build", "pytest-mock", "setuptools", "tomli-w", "virtualenv", "trove-classifiers"),
        ("tests",),
    ),
    Project("mackup", (".",), ("tests",)),
    Project("papermill", (".[test]", "ipykernel", "moto", "nose", "attrs", "boto3"), ("papermill/tests",)),
    Project("autoflake", (".",), ("test_autoflake.py",)),
    Project("click", (".",), ("tests",)),
    Project("watchdog", (".[watchmedo]", "pytest-timeout", "pytest-cov", "flaky"), ("tests",)),
)


class Result(NamedTuple):
    """What the try on one project gave; `blocks` are the `with TemporaryDirectory` sites."""

    name: str
    found: int
    blocks: int
    blocks_rewritten: int
    rewritten: int
    reported: int
    tests: int
    newly: tuple[str, ...]


def main(words: Sequence[str] | None = None) -> int:
    """Try each project; the exit code is 1 where a test fails only after the migration."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.migration", description=__doc__)
    parser.add_argument("sources", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", action="append", help="the one project to try; may be given several times")
    parser.add_argument("--python", default=sys.executable, help="the Python that environments are made of")
    parser.add_argument("--unsafe", action="store_true", help="also rewrite what is doubtful")
    options = parser.parse_args(words)
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    chosen = [project for project in PROJECTS if not options.only or project.name in options.only]
    results = [_try(project, options, work) for project in chosen if (options.sources / project.name).exists()]
    _show(results)
    return int(any(result.newly for result in results))


def _try(project: Project, options: argparse.Namespace, work: Path) -> Result:
    home = work / project.name
    home.mkdir(exist_ok=True)
    checkout, python = _prepare(project, options, home)
    before = _test(project, checkout, python, home, "before")
    document = _migrate(checkout, python, home, unsafe=options.unsafe)
    after = _test(project, checkout, python, home, "after")
    newly = [test for test, state in after.items() if state == "failed" and before.get(test) != "failed"]
    newly += [f"{test} (gone)" for test in before if test not in after]
    result = _count(project.name, document, len(before), tuple(sorted(newly)))
    print(result, flush=True)
    return result


def _prepare(project: Project, options: argparse.Namespace, home: Path) -> tuple[Path, Path]:
    checkout, python = home / "src", home / "venv/bin/python"
    if checkout.exists():
        shutil.rmtree(checkout)
    _run(["git", "clone", "-q", options.sources / project.name, checkout], home)
    if not python.exists():
        _run([options.python, "-m", "venv", home / "venv"], home)
    os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"] = "99.0.0"  # a clone need not hold the tags
    # Twice: a newer pip knows more, and what a project asks for may shut out a version of ours.
    needs = [f"-e{need}" if need.startswith(".") else need for need in project.needs]
    _run([python, "-m", "pip", "install", "-q", "pytest", *needs], checkout)
    _run([python, "-m", "pip", "install", "-q", f"{ROOT}[migrate]"], checkout)
    if os.geteuid() == 0:
        _run(["chown", "-R", f"{USER}:{USER}", home], home)
    return checkout, python


def _run(command: Sequence[object], folder: Path) -> None:
    subprocess.run([str(word) for word in command], cwd=folder, check=True)


def _as_user(command: Sequence[object], folder: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command as an ordinary user, whose home and temporary folder are in `home`."""
    (home / "tmp").mkdir(exist_ok=True)
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
    if become:
        os.chown(home / "tmp", USER, USER)
    keep = {"PATH": f"{home / 'venv/bin'}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    environment = {**keep, "HOME": str(home), "TMPDIR": str(home / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [*become, *(str(word) for word in command)]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _test(project: Project, checkout: Path, python: Path, home: Path, label: str) -> dict[str, str]:
    """Run the tests; return the state of each by its name."""
    report = home / f"{label}.xml"
    report.unlink(missing_ok=True)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *project.tests]
    done = _as_user(command, checkout, home)
    (home / f"{label}.log").write_text(done.stdout + done.stderr)
    if not report.exists():
        raise SystemExit(f"{project.name}: no tests ran; see {home / label}.log")
    states = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        state = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        states[f"{case.get('classname')}::{case.get('name')}"] = state
    return states


def _migrate(checkout: Path, python: Path, home: Path, *, unsafe: bool) -> "dict[str, list[dict[str, object]]]":
    words = ["temp-migrate", "--write", "--json", *(["--unsafe"] if unsafe else [])]
    done = _as_user([python, "-c", MIGRATE, *words], checkout, home)
    if done.returncode:
        raise SystemExit(f"temp-migrate failed in {checkout}: {done.stderr}")
    document: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return document


def _count(name: str, document: "dict[str, list[dict[str, object]]]", tests: int, newly: tuple[str, ...]) -> Result:
    rows = [row for row in document["findings"] if row["code"] != "T6"]
    blocks = [
        row for row in rows if row["code"] in ("T2", "T4") and "not in a with statement" not in str(row["message"])
    ]
    blocks = [row for row in blocks if "TemporaryDirectory" in str(row["message"])]
    fixed = [row for row in rows if row["fixed"]]
    return Result(
        name,
        len(rows),
        len(blocks),
        sum(bool(row["fixed"]) for row in blocks),
        len(fixed),
        len(rows) - len(fixed),
        tests,
        newly,
    )


def _show(results: Sequence[Result]) -> None:
    print("| project | sites | rewritten | reported | with TemporaryDirectory | rewritten | tests | newly failing |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for r in results:
        cells = (r.name, r.found, r.rewritten, r.reported, r.blocks, r.blocks_rewritten, r.tests, len(r.newly))
        print("| " + " | ".join(map(str, cells)) + " |")
    totals = [sum(column) for column in zip(*(r[1:7] for r in results), strict=True)] if results else [0] * 6
    found, blocks, done, rewritten, reported, tests = totals
    newly = sum(len(r.newly) for r in results)
    print(f"| all | {found} | {rewritten} | {reported} | {blocks} | {done} | {tests} | {newly} |")


if __name__ == "__main__":
    sys.exit(main())
