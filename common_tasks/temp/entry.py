"""The values that travel through the engine: the entries, what should become of them, and what became of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from ..fs.uses import NOTHING_UNSEEN, Unseen
from ..fs.values import Identity as Identity
from ..fs.values import Usage as Usage
from ..fs.values import freed_bytes
from .layout import Base
from .names import TRASH

State = Literal["idle", "in-use", "kept", "tracked", "orphaned", "unfinished"]
ARTIFACT = "artifact"  # the category of what builds and tests leave in a project
ORPHANED = "orphaned"  # the category of what killed processes leave in the system's temporary location
UNFINISHED = TRASH  # the category of what interrupted cleans leave
UNMEASURED = Usage(0, 0, 0.0, 0.0, fault="it was not measured")  # so it has no age that a rule could use


class Entry(NamedTuple):
    """What is shown, aged and removed, always whole.

    It is at `folder` / `parts`; `companions` are the names beside it that go with it, for instance a database's
    journal. `base` is None outside the bases. `created`: seconds since 1970, from the name. `made`: the engine made
    it. `in_trash`: an interrupted clean had decided that it goes. `home`: where it belongs in the base, if an
    interrupted clean moved it from there and the next one puts it back. `reason`: why `state` is what it is.
    `forceable`: `--force` removes it although its state is kept. `obstacle`: what is already known to prevent its
    removal. `made_by`: the program or test that made it, if known. `unseen`: the uses that only a closer look can
    find, if there may be any (see `uses.settled`). `identity`: before it is measured, only its kind is known.
    """

    folder: Path
    parts: tuple[str, ...]
    base: Base | None
    category: str
    name: str
    companions: tuple[str, ...] = ()
    created: int | None = None
    made: bool = False
    in_trash: bool = False
    home: tuple[str, ...] = ()
    state: State = "idle"
    reason: str | None = None
    forceable: bool = False
    obstacle: str | None = None
    made_by: str | None = None
    unseen: Unseen = NOTHING_UNSEEN
    identity: Identity = Identity()
    usage: Usage = UNMEASURED

    def measured(self, usage: Usage) -> "Entry":
        """Return it with what was measured. Faster than `_replace`, because there may be very many entries."""
        return Entry._make((*self[:-2], usage.identity or self.identity, usage))

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder.joinpath(*self.parts)

    @property
    def key(self) -> tuple[Path, tuple[str, ...]]:
        """What identifies it among all that was listed."""
        return self.folder, self.parts

    @property
    def belongs(self) -> tuple[str, ...]:
        """The names that lead to where it belongs: that is where it is, unless an interrupted clean moved it."""
        return self.home or self.parts

    @property
    def names(self) -> tuple[str, ...]:
        """The names that go together, its own first."""
        return self.parts[-1], *self.companions

    @property
    def in_category(self) -> bool:
        """Whether it is in a category: then a `.keep` there keeps it, too."""
        return self.base is not None and len(self.parts) > 1

    @property
    def guarded(self) -> bool:
        """Whether somebody may have put their own work into it: a git repository, a base of another project."""
        return not self.made and self.identity.directory


class Decision(NamedTuple):
    """An entry, and why it goes or stays. `by_age`: its age decided, so it stays if it changes meanwhile."""

    entry: Entry
    reason: str
    by_age: bool = False


class Shortfall(NamedTuple):
    """A bound of a budget that cannot be met: `missing` more bytes would have to go.

    `bound`: the key of the setting. `words`: its value. `held`: why entries stay, with the bytes that they take up.
    """

    bound: str
    words: str
    missing: int
    held: tuple[tuple[str, int], ...]


class Plan(NamedTuple):
    """What a clean removes, what it keeps, and what it should but cannot remove, in the inventory's order.

    `force`: even what is in use is removed. `shortfalls`: the budgets that are not met by this.
    """

    remove: tuple[Decision, ...] = ()
    keep: tuple[Decision, ...] = ()
    fail: tuple[Decision, ...] = ()
    force: bool = False
    shortfalls: tuple[Shortfall, ...] = ()

    @classmethod
    def joined(cls, plans: Sequence["Plan"]) -> "Plan":
        """Join several plans with the same `force` into one. The caller gives at least one."""
        return cls(
            remove=tuple(row for plan in plans for row in plan.remove),
            keep=tuple(row for plan in plans for row in plan.keep),
            fail=tuple(row for plan in plans for row in plan.fail),
            force=plans[0].force,
            shortfalls=tuple(shortfall for plan in plans for shortfall in plan.shortfalls),
        )


class Outcome(NamedTuple):
    """What became of a plan. What another process removed first is in none of the three."""

    removed: tuple[Decision, ...]
    kept: tuple[Decision, ...]
    failed: tuple[Decision, ...]

    @property
    def freed_bytes(self) -> int:
        """What the disk got back."""
        return freed_bytes(row.entry.usage for row in self.removed)
