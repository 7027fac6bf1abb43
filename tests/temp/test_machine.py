"""Any order of making, using, pinning, ageing, killing and cleaning, by several processes, against a model.

The model knows of each entry which files it has, how old it is and who uses it. From that it says what a
clean has to remove and to keep, and why; the disk is compared with it after every step.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from common_tasks.temp import TempManager, get_cache_temp_dir, names, removal

from ..helpers import OLD, examples, make_entry, make_project, plan, said, set_age
from .test_crashes import killed_at

# Two runs of one program: one lives long and makes, uses and cleans, the other only cleans.
OTHER = """
import contextlib, json, sys, time
from common_tasks.temp import TempManager, get_cache_temp_dir, temp_working_dir
from common_tasks.temp import inventory, layout, removal, retention

def clean(limit, force):
    entries = inventory.scan([layout.find_project()])
    plan = retention.make_plan(entries, retention.Policy(max_age=limit, force=force), time.time())
    done = removal.carry_out(plan)
    parts = (plan.remove, plan.keep, done.removed, done.kept, [*plan.fail, *done.failed])
    return [{str(row.entry.path): row.reason for row in rows} for rows in parts]

blocks = contextlib.ExitStack()
acts = {
    "persistent": lambda category: str(TempManager.create_persistent_dir("made", category)),
    "cache": lambda name: str(get_cache_temp_dir(name)),
    "enter": lambda name: str(blocks.enter_context(temp_working_dir(name))),
    "leave": blocks.close,
    "clean": clean,
}
for line in sys.stdin:
    act, *words = json.loads(line)
    print(json.dumps(acts[act](*words)), flush=True)
"""

ME, HELPER, FRESH = "me", "helper", "fresh"
CATEGORIES = ("debug", "uncategorized")
CACHES = ("thumbs", "pages")
HAND_MADE = (
    ".temp/plain",
    f".temp/old_{OLD}",
    ".tmp/plain",
    f".tmp/old_{OLD}",
    f".tmp/debug/old_{OLD}",
    f".tmp/cache/thumbs_{OLD}",
    f".tmp/cache/pages_{OLD}",
)
HOURS = (2, 10, 100)
AGES = (0, *HOURS, *HOURS)  # of what is made by hand
LIMITS = (None, 0.0, 3600.0, 5 * 3600.0, 50 * 3600.0)  # never near an age of HOURS: no clock is waited for

Rows = dict[str, str]  # reasons by path


@dataclass(frozen=True)
class Report:
    """What a clean planned and did, as the process that did it tells."""

    planned: Rows
    spared: Rows
    removed: Rows
    kept: Rows
    failed: Rows


@dataclass(frozen=True)
class Verdict:
    """What the model says of one entry: whether it goes, and how the reason for that begins.

    `back`: it is out of sight, and is put back where it stays.
    """

    goes: bool
    reason: str
    back: bool = False


@dataclass
class Thing:
    """An entry in the model."""

    path: Path
    files: set[str] = field(default_factory=set)
    hours: float = 0
    users: set[str] = field(default_factory=set)
    orphan: bool = False
    inode: int = 0  # by which it is known in the trash

    def whole(self) -> bool:
        return contents(self.path) == self.files


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def inode_of(path: Path) -> int:
    return path.stat().st_ino


def snapshot(*folders: Path) -> dict[str, tuple[int, ...]]:
    """Return all that looking could have changed, but for the time of the last look itself."""
    paths = [path for folder in folders for path in [folder, *folder.rglob("*")]]
    found = {str(path): path.lstat() for path in paths}
    return {path: (s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for path, s in found.items()}


class Other:
    """Another process, which does what it is told and answers."""

    def __init__(self, root: Path) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-W", "error", "-c", OTHER], cwd=root, **pipes)

    def ask(self, *words: object) -> Any:
        assert self.process.stdin
        print(json.dumps(words), file=self.process.stdin, flush=True)
        return json.loads(said(self.process))

    def kill(self) -> None:
        with self.process as process:
            process.kill()


class Machine(RuleBasedStateMachine):
    """Every rule can run at any time: what an earlier kill left behind never decides on what may come next."""

    def __init__(self) -> None:
        super().__init__()
        self._before = Path.cwd()
        # Finding it out makes and unlinks a file, which would count as a step of a clean.
        self.system = Path(tempfile.gettempdir())
        assert str(self.system) == os.environ["TMPDIR"]
        self.home = Path(tempfile.mkdtemp(dir=self.system))
        self.root = make_project(self.home / "project")
        os.chdir(self.root)
        self.things: dict[Path, Thing] = {}
        self.moved: dict[int, Thing] = {}  # what a killed clean took out of sight
        self.given: dict[Path, set[str]] = {}  # who was given what, though it may be gone: a lease names a path
        self.marked: set[Path] = set()  # the categories that the engine made
        self.other: Other | None = None

    def teardown(self) -> None:
        self.end_helper()
        os.chdir(self._before)
        for left in self.system.iterdir():
            shutil.rmtree(left)

    # What the processes do.

    @rule(category=st.sampled_from(CATEGORIES), by=st.sampled_from((ME, HELPER)))
    def create(self, category: str, by: str) -> None:
        self.note_category(category)
        made = TempManager.create_persistent_dir("made", category) if by == ME else self.ask("persistent", category)
        self.add(Thing(Path(made), users={by}))

    def note_category(self, name: str) -> None:
        """Take note that an entry is about to be made in a category."""
        if not (self.root / ".tmp" / name).exists():
            self.marked.add(self.root / ".tmp" / name)

    @rule(name=st.sampled_from(CACHES), by=st.sampled_from((ME, HELPER)))
    def get_cache(self, name: str, by: str) -> None:
        self.note_category("cache")
        found = Path(get_cache_temp_dir(name) if by == ME else self.ask("cache", name))
        newest = self.newest_cache(name)
        if newest is None:
            self.add(Thing(found, users={by}))
            return
        assert found == newest.path
        newest.users.add(by)
        newest.hours = 0

    @rule()
    def enter_block(self) -> None:
        self.add(Thing(Path(self.ask("enter", "work")), users={HELPER}, orphan=True))

    @rule()
    def leave_blocks(self) -> None:
        if self.other:
            self.ask("leave")
        for thing in list(self.things.values()):
            if thing.orphan and HELPER in thing.users:
                del self.things[thing.path]
        for thing in self.moved.values():
            thing.users -= {HELPER} if thing.orphan else set()

    @rule()
    def end_helper(self) -> None:
        if self.other:
            self.other.kill()
        self.other = None
        for thing in (*self.things.values(), *self.moved.values()):
            thing.users.discard(HELPER)
        for users in self.given.values():
            users.discard(HELPER)

    # What people and programs do to entries.

    @initialize(ages=st.permutations(AGES))
    def begin(self, ages: list[float]) -> None:
        self.make_by_hand(ages)

    @rule(ages=st.permutations(AGES))
    def make_by_hand(self, ages: list[float]) -> None:
        for place, hours in zip(HAND_MADE, ages, strict=True):
            path = self.root / place
            if path not in self.things:
                make_entry(path, hours=hours, content=b"")
                self.add(Thing(path, contents(path), hours))

    @rule(pick=st.integers(0, 7), where=st.sampled_from(("file", "sub/file", "sub/deep/file")))
    def use(self, pick: int, where: str) -> None:
        if thing := self.picked(pick):
            (thing.path / where).parent.mkdir(parents=True, exist_ok=True)
            (thing.path / where).write_text("used")
            parts = Path(where).parts
            thing.files |= {"/".join(parts[: number + 1]) for number in range(len(parts))}
            thing.hours = 0

    @rule(pick=st.integers(0, 7), hours=st.sampled_from(HOURS))
    def age(self, pick: int, hours: float) -> None:
        if thing := self.picked(pick):
            set_age(thing.path, hours)
            thing.hours = hours

    @rule(pick=st.integers(0, 7))
    def pin_or_unpin(self, pick: int) -> None:
        if thing := self.picked(pick):
            (self.unpin if names.KEEP in thing.files else self.pin)(thing)

    @rule(category=st.sampled_from((*CATEGORIES, "cache")))
    def pin_or_unpin_category(self, category: str) -> None:
        keep = self.root / ".tmp" / category / names.KEEP
        if keep.exists():
            keep.unlink()
        elif keep.parent.exists():
            keep.touch()

    # Cleaning.

    @rule(limit=st.sampled_from(LIMITS), force=st.booleans())
    def clean(self, limit: float | None, *, force: bool) -> None:
        expected = self.verdicts(ME, limit, force=force)
        self.check_undisturbed(self.clean_here(limit, force=force), expected)

    @rule(limit=st.sampled_from(LIMITS), force=st.booleans())
    def clean_by_helper(self, limit: float | None, *, force: bool) -> None:
        expected = self.verdicts(HELPER, limit, force=force)
        self.check_undisturbed(Report(*self.ask("clean", limit, force)), expected)

    @rule(limit=st.sampled_from(LIMITS), force=st.booleans())
    def clean_by_fresh_process(self, limit: float | None, *, force: bool) -> None:
        expected = self.verdicts(FRESH, limit, force=force)
        self.check_undisturbed(Report(*self.ask_fresh("clean", limit, force)), expected)

    @rule(limit=st.sampled_from(LIMITS), force=st.booleans())
    def dry_run(self, limit: float | None, *, force: bool) -> None:
        expected = self.verdicts(ME, limit, force=force)
        before = snapshot(self.system)
        first = plan(self.root, limit, force=force)
        assert rows(first.remove).keys() == {path for path, verdict in expected.items() if verdict.goes}
        second = plan(self.root, limit, force=force)
        assert (rows(first.remove), rows(first.keep)) == (rows(second.remove), rows(second.keep))
        assert snapshot(self.system) == before

    @rule(limit=st.sampled_from(LIMITS), force=st.booleans(), step=st.integers(1, 40))
    def clean_killed(self, limit: float | None, step: int, *, force: bool) -> None:
        self.make_by_hand([max(HOURS)] * len(HAND_MADE))  # so that there are steps to be killed at
        # A forked child: what this process uses is not the child's to clean.
        expected = self.verdicts(FRESH, limit, force=force)
        tell = self.home / "told"
        was_killed = killed_at(step, lambda: told(tell, lambda: self.clean_here(limit, force=force)))
        if not was_killed:
            self.check_undisturbed(Report(**json.loads(tell.read_text())), expected)
        for path in [path for path in self.things if not path.exists()]:
            assert expected[str(path)].goes
            thing = self.things.pop(path)
            self.moved[thing.inode] = thing
        self.find_what_came_back()
        tell.unlink(missing_ok=True)

    @rule(pick=st.integers(0, 7), limit=st.sampled_from(LIMITS), force=st.booleans())
    def clean_with_a_plan_from_before_a_pin(self, pick: int, limit: float | None, *, force: bool) -> None:
        old = plan(self.root, limit, force=force)
        pinned = self.picked(pick)
        if pinned:
            self.pin(pinned)
        removal.carry_out(old)
        assert pinned is None or pinned.whole()
        self.find_what_came_back()
        for path in rows(old.remove):
            if pinned is None or Path(path) != pinned.path:
                self.things.pop(Path(path), None)

    @rule(name=st.sampled_from(CACHES), limit=st.sampled_from(LIMITS))
    def clean_with_a_plan_from_before_a_use(self, name: str, limit: float | None) -> None:
        old = plan(self.root, limit)
        self.get_cache(name, HELPER)
        used = self.newest_cache(name)
        assert used
        removal.carry_out(old)
        assert used.whole()
        self.find_what_came_back()
        for path in rows(old.remove):
            if Path(path) != used.path:
                self.things.pop(Path(path), None)

    # What holds after every step.

    @invariant()
    def what_has_left_the_trash_is_forgotten(self) -> None:
        left = set(map(inode_of, self.trash()))
        self.moved = {inode: thing for inode, thing in self.moved.items() if inode in left}

    @invariant()
    def disk_is_as_in_the_model(self) -> None:
        on_disk = {path for path in self.system.iterdir() if path != self.home}
        on_disk |= set(self.root.glob(".temp/*"))
        for folder in self.root.glob(".tmp/*"):
            on_disk |= self.in_category(folder) if self.is_place(folder) else {folder}
        assert {path for path in on_disk - set(self.trash()) if path.name not in names.RESERVED} == set(self.things)
        assert all(folder.is_dir() and any(folder.glob(".category_*")) for folder in self.marked)
        for thing in self.things.values():
            assert thing.whole(), thing

    # The model.

    def verdicts(self, by: str, limit: float | None, *, force: bool) -> dict[str, Verdict]:
        """Return what a clean by a process has to do with each entry that it has to do with."""
        found = {str(thing.path): self.verdict(thing, by, limit, force=force) for thing in self.seen()}
        # A folder without entries that was a category by these alone is as young as its last change.
        for folder in self.root.glob(".tmp/*"):
            if self.is_place(folder) and not self.is_category(folder):
                users = [users for path, users in self.given.items() if path.parent == folder]
                empty = Thing(folder, contents(folder), users=set().union(*users))
                found[str(folder)] = self.verdict(empty, by, limit, force=force)
        homes: set[Path] = set()  # two of one place may be out of sight: the first is put back
        for path in sorted(self.trash()):
            found[str(path)] = self.verdict_of_trash(path, homes, by, limit, force=force)
        return found

    def verdict_of_trash(self, path: Path, homes: set[Path], by: str, limit: float | None, *, force: bool) -> Verdict:
        if path.name.startswith(f"{names.TRASH}_"):
            return Verdict(goes=True, reason="left by an interrupted clean")
        # Nothing was decided yet: an entry as at the place where it belongs, unless that was taken.
        thing = self.moved[inode_of(path)]
        if thing.path in homes or os.path.lexists(thing.path):
            return self.verdict(replace(thing, path=path, users=set()), by, limit, force=force)
        homes.add(thing.path)
        return replace(self.verdict(thing, by, limit, force=force), back=True)

    def find_what_came_back(self) -> None:
        """Take note of what a clean has put back at the place where it belongs."""
        for inode, thing in list(self.moved.items()):
            if thing.path.exists() and thing.path.stat().st_ino == inode:
                self.things[thing.path] = self.moved.pop(inode)

    def verdict(self, thing: Thing, by: str, limit: float | None, *, force: bool) -> Verdict:
        category = thing.path.parent
        moved = thing.path not in self.things and thing.inode in self.moved
        if (self.is_category(category) or moved) and (category / names.KEEP).exists():
            return Verdict(goes=False, reason=f"kept: .keep of {category.name}")
        if names.KEEP in thing.files:
            return Verdict(goes=False, reason="kept: .keep")
        users = thing.users - {by} or self.users_by_name(thing.path.name) - {by}
        in_use = f"in use by pid {min(map(self.pid, users))} " if users else ""
        if in_use and not force:
            return Verdict(goes=False, reason=in_use)
        if limit is not None and thing.hours * 3600 < limit:
            return Verdict(goes=False, reason=f"younger than {limit / 3600:g} h")
        if in_use:
            return Verdict(goes=True, reason=f"forced, {in_use}")
        return Verdict(goes=True, reason=f"older than {limit / 3600:g} h" if limit else "not in use")

    def users_by_name(self, name: str) -> set[str]:
        """Return who was given what had this name and is gone: its category may have been renamed."""
        gone = [users for path, users in self.given.items() if path.name == name and not path.exists()]
        return set().union(*gone)

    def seen(self) -> list[Thing]:
        """Return the entries that there are: a block's directory is none while the block lasts."""
        return [thing for thing in self.things.values() if not (thing.orphan and thing.users)]

    @staticmethod
    def in_category(folder: Path) -> set[Path]:
        return {path for path in folder.iterdir() if not path.name.startswith(".category_")}

    def newest_cache(self, name: str) -> Thing | None:
        stamps = {path: names.parse_name(path.name) for path in self.things if path.parent.name == "cache"}
        found = {stamp: self.things[path] for path, stamp in stamps.items() if stamp and stamp.name == name}
        return found[max(found)] if found else None

    def pin(self, thing: Thing) -> None:
        (thing.path / names.KEEP).touch()
        thing.files.add(names.KEEP)
        thing.hours = 0

    def unpin(self, thing: Thing) -> None:
        (thing.path / names.KEEP).unlink()
        thing.files.remove(names.KEEP)
        thing.hours = 0

    def is_place(self, folder: Path) -> bool:
        """Tell whether entries are made in a folder."""
        return folder.parent == self.root / ".tmp" and folder.name in (*CATEGORIES, "cache")

    def is_category(self, folder: Path) -> bool:
        """Tell whether a folder is a category: made as one, or by what is in it."""
        filled = any(path.parent == folder for path in self.things)
        return self.is_place(folder) and (folder in self.marked or filled)

    def trash(self) -> list[Path]:
        """Return what killed cleans left: batches that were decided, what is in the others, and the system's."""
        found = [*self.system.glob(".trash_*")]
        for batch in self.root.glob(".t*mp/.trash/*"):
            undecided = batch.name.startswith(f"{names.UNDECIDED}_")
            found += [*batch.glob("top/*"), *batch.glob("in/*/*"), *batch.glob("[0-9]*")] if undecided else [batch]
        return found

    def picked(self, pick: int) -> Thing | None:
        return list(self.things.values())[pick % len(self.things)] if self.things else None

    def add(self, thing: Thing) -> None:
        assert thing.path not in self.things
        thing.inode = thing.path.stat().st_ino
        users = self.given.setdefault(thing.path, set())
        users |= thing.users
        thing.users = users
        self.things[thing.path] = thing

    # The processes.

    def pid(self, who: str) -> int:
        if who == ME:
            return os.getpid()
        assert self.other
        return self.other.process.pid

    def ask(self, *words: object) -> Any:
        if self.other is None:
            self.other = Other(self.root)
        return self.other.ask(*words)

    def ask_fresh(self, *words: object) -> Any:
        fresh = Other(self.root)
        try:
            return fresh.ask(*words)
        finally:
            fresh.kill()

    def clean_here(self, limit: float | None, *, force: bool) -> Report:
        made = plan(self.root, limit, force=force)
        plan(self.root, limit, force=force)  # another look must not matter
        done = removal.carry_out(made)
        failed = rows(made.fail + done.failed)
        return Report(rows(made.remove), rows(made.keep), rows(done.removed), rows(done.kept), failed)

    def check_undisturbed(self, report: Report, expected: dict[str, Verdict]) -> None:
        assert not report.failed
        assert report.planned == report.removed
        assert report.spared == {path: why.partition("; it was put back as")[0] for path, why in report.kept.items()}
        assert report.removed.keys() == {path for path, verdict in expected.items() if verdict.goes}
        assert report.kept.keys() == {path for path, verdict in expected.items() if not verdict.goes}
        for path, reason in (report.removed | report.kept).items():
            assert reason.startswith(expected[path].reason)
        for path in report.removed:
            assert not os.path.lexists(path)
            self.things.pop(Path(path), None)
        self.find_what_came_back()
        assert {str(path) for path in self.trash()} <= report.kept.keys()
        came_back = {path for path, why in report.kept.items() if "; it was put back as " in why}
        assert came_back == {path for path, verdict in expected.items() if verdict.back and not verdict.goes}
        for base in {Path(path).relative_to(self.root).parts[0] for path in report.removed if self.is_inside(path)}:
            assert all(any(batch.iterdir()) for batch in self.root.glob(f"{base}/.trash/*") if batch.is_dir())

    def is_inside(self, path: str) -> bool:
        return Path(path).is_relative_to(self.root)


def rows(decisions: tuple[Any, ...]) -> Rows:
    return {str(row.entry.path): row.reason for row in decisions}


def told(tell: Path, act: Callable[[], Report]) -> None:
    """Leave word of what `act` returned; an error must not go on into a child's copy of the test run."""
    try:
        tell.write_text(json.dumps(vars(act())))
    except BaseException:  # noqa: BLE001
        tell.write_text(traceback.format_exc())


@pytest.mark.usefixtures("project")
@pytest.mark.hypothesis
def test_every_promise_holds_in_any_order_of_events() -> None:
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples(of=15), stateful_step_count=25))
