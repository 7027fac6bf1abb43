"""Who uses what in some open folders, at one moment: the values that `processes.look` returns, and their wording."""

import os
from collections import namedtuple  # see `temp.layout`
from collections.abc import Collection, Iterable, Mapping

from .directory import Directory
from .kernel import Inode, Location
from .values import printable

_LONGEST = 60  # characters of a command


class User(namedtuple("User", "pid how inside", defaults=(0, "", None))):
    """Who uses something: a process by its number, or `how` the kernel itself does, in words.

    `inside`: for something mounted, the location of the mount point in this process's own namespace. A folder that is
    mounted inside itself cannot be removed, but that alone does not mean that anybody uses it.
    """

    __slots__ = ()
    pid: int
    how: str
    inside: Location | None


class Unseen(namedtuple("Unseen", "sockets files nothing_told", defaults=(frozenset(), False, False))):
    """What the tables do not show; false if they show everything.

    `sockets`: the inode numbers that sockets are bound to by names that do not tell where. `files`: a process may hold
    files open that the tables do not show. Only a look into a tree tells: see `probe.find_use`. `nothing_told`: there
    are no tables.
    """

    __slots__ = ()
    sockets: frozenset[int]
    files: bool
    nothing_told: bool

    def __bool__(self) -> bool:
        return self != NOTHING_UNSEEN

    @property
    def in_trees(self) -> bool:
        """Whether a look into a tree tells more."""
        return bool(self.sockets) or self.files


NOTHING_UNSEEN = Unseen()


class Uses:
    """Who uses what at or below some open folders. A use of something is a use of each folder above it, too.

    The folders are known by their descriptors, so they must stay open while this is in use. Asking about one that was
    not looked at raises KeyError.
    """

    def __init__(self, folders: Mapping[int, Location]) -> None:
        self._folders = dict(folders)
        self._tops = frozenset(self._folders.values())
        self._at: dict[Location, set[User]] = {}
        self._within: dict[Location, set[User]] = {}
        self._above: set[Location] = set()  # where something further down is used
        self._locked: dict[Inode, set[User]] = {}
        self._sockets: dict[str, set[int]] = {}
        self._hidden = False

    def covers(self, folder: Directory) -> bool:
        """Tell whether a folder is among those that were looked at."""
        return folder.fd in self._folders

    def any_below(self, folder: Directory, parts: tuple[str, ...] = ()) -> bool:
        """Tell whether anybody uses anything below `parts` in a folder. If not, nothing in it need be asked about."""
        return bool(self._locked) or self._location(folder, parts) in self._above

    def of(self, folder: Directory, parts: tuple[str, ...], inode: int = 0) -> set[User]:
        """Return who uses what `parts` lead to in a folder, or something in it; `inode`: its inode number."""
        place = self._location(folder, parts)
        users = self._within.get(place, ())
        found = {user for user in users if not (user.inside and place.holds(user.inside))}
        return found | self._locked.get((place.device, inode), set()) if self._locked else found

    def at(self, folder: Directory, parts: tuple[str, ...] = ()) -> set[User]:
        """Return who uses the directory at `parts` itself: as working directory or root, open, or mounted."""
        place = self._location(folder, parts)
        return {user for user in self._at.get(place, ()) if user.inside != place}

    def unseen(self, folder: Directory) -> Unseen:
        """Return what has to be looked for in the trees of a folder."""
        sockets = self._sockets.get(self._folders[folder.fd].device)
        return Unseen(frozenset(sockets or ()), self._hidden) if sockets or self._hidden else NOTHING_UNSEEN

    def _location(self, folder: Directory, parts: tuple[str, ...]) -> Location:
        top = self._folders[folder.fd]
        return top.below(*parts) if parts else top

    def add(self, place: Location, user: User) -> None:
        """Note a use of a location, if that is at or below one of the folders."""
        above = list(place.upward())
        outermost = max((number for number, each in enumerate(above) if each in self._tops), default=-1)
        if outermost < 0:
            return
        self._at.setdefault(place, set()).add(user)
        for each in above[: outermost + 1]:
            self._within.setdefault(each, set()).add(user)
        self._above.update(above[1 : outermost + 1])

    def add_locked(self, locked: Mapping[Inode, Collection[int]]) -> None:
        """Note processes that have locked something, by device and inode."""
        devices = {top.device for top in self._tops}
        for inode, pids in locked.items():
            if inode[0] in devices and pids:
                self._locked.setdefault(inode, set()).update(User(pid) for pid in pids)

    def add_sockets(self, files: Iterable[Inode]) -> None:
        """Note what sockets are bound to if no path tells where that is."""
        for device, inode in files:
            self._sockets.setdefault(device, set()).add(inode)

    def add_hidden(self) -> None:
        """Note that somebody may hold files open that the tables do not show."""
        self._hidden = True


def describe_pids(pids: Collection[int]) -> str:
    """Say which processes use something: "in use by pid 4123 (inv test)", "… and 2 more"; "in use" for none known."""
    if not pids:
        return "in use"
    more = f" and {len(pids) - 1} more" if len(pids) > 1 else ""
    return f"in use by {_name(min(pids))}{more}"


def describe(users: Collection[User]) -> str:
    """Say who uses something, processes first. Names come out printable."""
    pids = {user.pid for user in users if not user.how}
    if pids or not users:
        return describe_pids(pids)
    user = min(users, key=lambda user: (user.pid, user.how))
    return f"in use: {user.how}" + (f" in the mount namespace of {_name(user.pid)}" if user.pid else "")


def _name(pid: int) -> str:
    command = command_of(pid)
    return f"pid {pid} ({command})" if command else f"pid {pid}"


def command_of(pid: int) -> str:
    """Return the command of a process, short and printable; empty if that cannot be read."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = os.fsdecode(file.read()).split("\0")[:-1]
    except OSError:
        return ""
    if len(words) > 1 and os.path.basename(words[0]).startswith("python") and not words[1].startswith("-"):
        words = words[1:]
    text = printable(" ".join([os.path.basename(word) for word in words[:1]] + words[1:]))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
