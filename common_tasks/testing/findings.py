"""What was found, as values and as lines to read. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAIN = "m"  # the process of pytest itself

_MOST_LINES = 10
_WIDTH = 80
_SCOPE = (
    'Not seen: what lies deeper in TMPDIR, and what was made with dir="/tmp", by a program with an emptied '
    "environment or by a module loaded with -p."
)


class Owner(NamedTuple):
    """Who has left a name. `once`: each process of the run leaves the same, which counts once."""

    label: str
    once: bool = False


class Leak(NamedTuple):
    """A name that nobody removed. `process`: an xdist worker's number, or `m` for pytest itself."""

    name: str
    process: str
    owner: Owner
    disk_bytes: int

    @property
    def place(self) -> str:
        """Its path in the directory in which all leaks of a run are kept."""
        return self.name if self.process == MAIN else f"gw{self.process}/{self.name}"


class _Group(NamedTuple):
    """The leaks of one test with all its parameters, or of another owner. `processes`: how many left the same."""

    leaks: list[Leak]
    processes: int = 1

    @property
    def owner(self) -> str:
        """The one owner, or the test that the owners are parameters of."""
        owner, parameters = self.leaks[0].owner.label, len({leak.owner for leak in self.leaks})
        return owner if parameters == 1 else f"{_test(self.leaks[0])} (with {parameters} parameters)"

    @property
    def disk_bytes(self) -> int:
        return sum(leak.disk_bytes for leak in self.leaks)

    @property
    def line(self) -> str:
        often = f" (in each of {self.processes} processes)" if self.processes > 1 else ""
        more = ", …" if len(self.leaks) > 1 else ""
        return f"{len(self.leaks):>6}  {size(self.disk_bytes):>8}  {self.owner}{often}: {self.leaks[0].name!a}{more}"


def describe(leaks: Iterable[Leak], notes: Sequence[str], mode: str, folder: str, *, verbose: bool) -> list[str]:
    """Return the closing section: who left what, and the notes; nothing if there is nothing to say.

    Ten owners are named; all of them with `verbose`, or if they make the run fail.
    """
    groups = _grouped(leaks)
    total = _total(groups)
    if mode == "contain":
        return [f"temp-leaks: {total} left in {folder}, removed; --temp-leaks=report says by whom"] if groups else []
    most = len(groups) if verbose or mode == "fail" else _MOST_LINES
    lines = _table(groups, total, most) if groups else []
    if not groups and (notes or verbose):
        lines = [f"temp-leaks: none in {folder}"]
    return [*lines, *dict.fromkeys(f"temp-leaks: {note}" for note in notes)]


def list_all(leaks: Iterable[Leak]) -> str:
    """Return a line for each name: where it was kept, and who has left it."""
    return "".join(f"{leak.place!a}  {leak.owner.label}\n" for leak in sorted(leaks, key=lambda leak: leak.place))


def _grouped(leaks: Iterable[Leak]) -> list[_Group]:
    """Put together the leaks of one owner, and those of one test's parameters; the largest number comes first."""
    by_test: dict[str, list[Leak]] = defaultdict(list)
    for leak in sorted(leaks, key=lambda leak: leak.place):
        by_test[_test(leak)].append(leak)
    groups = [_counted_once(left) if left[0].owner.once else _Group(left) for left in by_test.values()]
    return sorted(groups, key=lambda group: (-len(group.leaks), group.owner))


def _test(leak: Leak) -> str:
    """Return the owner of a leak without a test's parameters."""
    return leak.owner.label.partition("[")[0]


def _counted_once(leaks: list[Leak]) -> _Group:
    """Return what a single process has left, if several have left the same: the one that has left most."""
    numbers = Counter(leak.process for leak in leaks)
    most = max(numbers, key=lambda process: (numbers[process], process))
    return _Group([leak for leak in leaks if leak.process == most], len(numbers))


def _table(groups: list[_Group], total: str, most: int) -> list[str]:
    title = f" left in the temporary directory: {total} "
    lines = [title.center(_WIDTH, "="), " names      size  first seen during"]
    lines += [group.line for group in groups[:most]]
    rest = groups[most:]
    if rest:
        lines.append(f"{len(rest)} more, with {_total(rest)}: -v names all")
    return [*lines, _SCOPE]


def _total(groups: list[_Group]) -> str:
    names = sum(len(group.leaks) for group in groups)
    return f"{names} name{'' if names == 1 else 's'}, {size(sum(group.disk_bytes for group in groups))}"


def size(disk_bytes: int) -> str:
    """Return a size as people read it, in powers of 1000: "0 B", "12.3 kB"."""
    value, units = float(disk_bytes), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.95 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"
