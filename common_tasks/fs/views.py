"""The paths at which some folders are seen, in each mount namespace."""

import os
from collections.abc import Collection, Iterable, Iterator

from .kernel import Location, Mount

_MOST_HEADS = 16  # a monorepo has hundreds of folders; each path of each process is compared with these


def heads_of(folders: Collection[Location]) -> list[Location]:
    """Return a few locations that contain all of `folders`: the folders themselves, or what is above many of them."""
    heads = _outermost(folders)
    while len(heads) > _MOST_HEADS and any(head.path for head in heads):
        deepest = max(head.path.count("/") for head in heads)
        heads = _outermost(
            head._replace(path=head.path.rpartition("/")[0]) if head.path.count("/") == deepest else head
            for head in heads
        )
    return heads


def _outermost(locations: Iterable[Location]) -> list[Location]:
    found: list[Location] = []
    for each in sorted(set(locations), key=lambda location: (location.device, f"{location.path}/")):
        if not found or not found[-1].holds(each):
            found.append(each)
    return found


class View:
    """How one mount namespace shows what is at or below some locations.

    `root`: the root of the process that the table was read from, if that is not "/": the paths in its table begin
    there. Every mount counts, even if a later one hides it: what was opened before may still be in use.
    """

    def __init__(self, heads: Iterable[Location], mounts: Iterable[Mount], root: str = "/") -> None:
        top = root.rstrip("/")
        self.mounts = [mount._replace(point=top + mount.point) for mount in mounts]
        self._seen_at: dict[str, list[Location]] = {}
        for mount in self.mounts:
            for head in heads:
                self._add(mount, head)
        self.prefixes = tuple(self._seen_at)
        self._as_mapped = [os.fsencode(prefix.replace("\n", "\\012")) for prefix in self.prefixes]

    def _add(self, mount: Mount, head: Location) -> None:
        root = Location(mount.device, mount.root)
        if root.holds(head):
            rest = head.path.removeprefix(root.path)
            self._seen_at.setdefault(f"{mount.point}{rest}/", []).append(head)
        elif head.holds(root):
            self._seen_at.setdefault(f"{mount.point}/", []).append(root)

    def locate(self, path: str) -> Iterator[Location]:
        """Yield the locations that a path of this namespace may lead to, if they are at or below the given ones."""
        whole = f"{path}/" if path != "/" else path
        if whole.startswith(self.prefixes):
            for prefix, locations in self._seen_at.items():
                if whole.startswith(prefix):
                    rest = whole[len(prefix) - 1 : -1]
                    yield from (Location(each.device, each.path + rest) for each in locations)

    def locate_point(self, mount: Mount) -> Location | None:
        """Return the location of a mount's mount point, if that is inside one of the given locations."""
        folder, _, name = mount.point.rpartition("/")
        return next((place.below(name) for place in self.locate(folder or "/")), None) if name else None

    def mapped_in(self, table: bytes) -> set[str]:
        """Return the paths in a table of the files that a process has mapped, or none if no path there can matter."""
        if not any(prefix in table for prefix in self._as_mapped):
            return set()
        rows = (row.split(None, 5) for row in table.split(b"\n"))  # a path may contain any other line separator
        paths = {os.fsdecode(words[5]) for words in rows if len(words) == 6}
        # A newline is escaped, but a backslash is not, so "\012" may also be these very characters.
        return paths | {path.replace("\\012", "\n") for path in paths if "\\012" in path}
