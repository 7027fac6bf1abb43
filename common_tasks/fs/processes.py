"""Who uses what below some folders, according to the kernel's tables (Linux: proc(5), sock_diag(7), kcmp(2)).

Seen: the working directory, root, program, and open or mapped files of each process, and of each thread with tables of
its own; what is mounted elsewhere, in the mount namespace of any process that is seen; bound Unix sockets; images of
loop devices; swap files. Uses are compared by where things are in their file system (`kernel.Location`), so it makes no
difference at which path somebody sees them. Looking locks, opens and changes nothing.

Seen in part (see `Uses.unseen` and `probe`): what is held by a descriptor on its way through a socket, by io_uring, or
by a process of this user that may not be looked into. Only probing a file shows that it is open for writing; a working
directory or an open directory of such a process cannot be seen.

Not seen: for an ordinary user, what other users' processes use, except locked directories, mounts, sockets, loop
devices and swap; what processes outside this PID namespace use; sockets bound by a relative name in another network
namespace; mount namespaces that no process is in; what is used through a mount that was detached (`umount -l`);
watches (`inotify`).
"""

import os
from collections.abc import Iterable, Sequence

from . import kernel, procfs
from .directory import Directory
from .kernel import Location, raise_if_short
from .sockets import Sockets, list_sockets, names_bound_elsewhere
from .uses import User, Uses
from .values import printable
from .views import View, heads_of

_PASSES = 6  # over the list of processes, until none is new
_READINGS = 8  # of what a process has open, until nothing changes meanwhile
_RING = "anon_inode:[io_uring]"


def look(folders: Sequence[Directory]) -> Uses | None:
    """Return who uses what in the open `folders`; None if the system has no `/proc`.

    If a process may not be looked into, its locks still count (see `kernel.lock_holders`). Raises OSError if this
    process cannot open any more files.
    """
    try:
        table = kernel.mount_table()
        places = {folder.fd: kernel.locate(folder, table) for folder in folders}
    except OSError as error:
        raise_if_short(error)
        return None
    scan = _Scan(places, table)
    seen: set[int] = set()
    for _ in range(_PASSES):
        new = {int(name) for name in os.listdir("/proc") if name.isdigit()} - seen
        if not new:
            break
        for pid in sorted(new, reverse=True):  # the newest first: they may fork and be gone again
            scan.read(pid)
        seen |= new
    scan.finish()
    return scan.uses


class _Scan:
    """One look at all processes."""

    def __init__(self, places: dict[int, Location], table: list[kernel.Mount]) -> None:
        self.uses = Uses(places)
        self._refused = False  # some process may not be looked into
        self._readable: set[int] = set()
        self._self = int(procfs.readlink("/proc/self") or 0)  # its number in this /proc, maybe of another namespace
        self._heads = heads_of(places.values())
        self._view = View(self._heads, table)
        self._namespace = procfs.readlink("/proc/self/ns/mnt")
        self._views: dict[tuple[str, str], View] = {}  # by namespace and root
        self._network = procfs.readlink("/proc/self/ns/net")
        self._networks: set[str | None] = {self._network}  # those whose sockets were looked at
        self._sockets = list_sockets()
        self._add_mounts(self._view, User())
        self._add_sockets(self._sockets)
        if _hides_processes(table):
            self.uses.add_hidden()

    def read(self, pid: int) -> None:
        """Note what a process uses. One that has ended meanwhile uses nothing."""
        folder = f"/proc/{pid}"
        if not self._read_one(pid, folder):
            # Its first thread may have ended, and the others go on.
            threads: Iterable[str] = procfs.list_threads(folder)
        else:
            threads = procfs.threads_apart(pid, folder) if pid in self._readable else ()
        for thread in threads:
            self._read_one(pid, f"{folder}/task/{thread}")

    def _read_one(self, pid: int, folder: str) -> bool:
        """Note what a process, or one of its threads, uses; False if it has ended."""
        try:
            namespace = os.readlink(f"{folder}/ns/mnt")
            links = {name: procfs.target_of(f"{folder}/{name}") for name in ("cwd", "root")}
        except PermissionError:
            self._refuse(pid)
            return True
        except OSError:
            return False
        self._readable.add(pid)
        view = self._view_of(pid, folder, namespace, links["root"])
        for name, target in links.items():
            self._note(pid, f"{folder}/{name}", target, view)
        self._read_open(pid, folder, view)
        self._read_network(pid, folder, view, links["root"])
        return True

    def _refuse(self, pid: int) -> None:
        self._refused = True
        if procfs.is_of_this_user(pid):
            self.uses.add_hidden()

    def _view_of(self, pid: int, folder: str, namespace: str, root: str) -> View:
        """Return how a process sees the folders; the mount table is read once for all processes that share it."""
        if namespace == self._namespace:
            return self._view
        if (namespace, root) not in self._views:
            try:
                table = kernel.mount_table(folder.removeprefix("/proc/"))
            except OSError as error:  # it has ended: the next one in there tells
                raise_if_short(error)
                return View([], [])
            view = self._views[namespace, root] = View(self._heads, table, root or "/")
            self._add_mounts(view, User(pid))
        return self._views[namespace, root]

    def _add_mounts(self, view: View, user: User) -> None:
        """Note which parts of the folders are mounted anywhere and, in other namespaces, what is mounted on them."""
        for mount in view.mounts:
            covered = view.locate_point(mount)
            inside = None if user.pid else covered
            mounted = user._replace(how=f"mounted at {printable(mount.point or '/')}", inside=inside)
            self.uses.add(Location(mount.device, mount.root), mounted)
            for path in mount.made_of():
                for place in view.locate(path):
                    self.uses.add(place, mounted)
            if covered and user.pid:
                self.uses.add(covered, user._replace(how=f"{printable(mount.point)} is a mount point"))

    def _add_sockets(self, sockets: Sockets | None) -> None:
        if sockets is None:  # only their names can be had, as for other networks
            self._networks.discard(self._network)
            return
        devices = {head.device for head in self._heads}
        bound = [each for each in sockets.bound if each.file[0] in devices]
        found = {each: _folder_of_socket(each.name, each.file[1]) for each in bound}
        for path in filter(None, found.values()):
            for place in self._view.locate(path):
                self.uses.add(place, _SOCKET)
        self.uses.add_sockets(each.file for each, path in found.items() if path is None)

    def _read_network(self, pid: int, folder: str, view: View, root: str) -> None:
        """Note the sockets of another network namespace, which can be known only by their names."""
        network = procfs.readlink(f"{folder}/ns/net")
        if network is None or network in self._networks or not view.prefixes:
            return
        try:
            names = names_bound_elsewhere(pid)
        except OSError as error:  # it has ended: the next one in there tells
            raise_if_short(error)
            return
        self._networks.add(network)
        for name in names:
            for place in view.locate(root.rstrip("/") + name):
                self.uses.add(place, _SOCKET)

    def _read_open(self, pid: int, folder: str, view: View) -> None:
        try:
            program = procfs.target_of(f"{folder}/exe")
        except OSError:
            if pid != self._self:
                return  # a thread of the kernel's, or ended: it has neither files nor maps
        else:
            self._note(pid, f"{folder}/exe", program, view)
        for _ in range(_READINGS):
            if self._read_descriptors(pid, folder, view):
                break
        table = procfs.maps(folder)
        for target in view.mapped_in(table):
            self._note(pid, "", target, view)
        if b"[io_uring]" in table:  # a ring may have no descriptor any more
            self.uses.add_hidden()

    def _read_descriptors(self, pid: int, folder: str, view: View) -> bool:
        """Note what a process has open; False if that changed meanwhile: a file may have another number now."""
        settled = True
        for fd, target in procfs.open_files(folder, own=pid == self._self):
            if target == procfs.CHANGED:
                settled = False
            elif target == procfs.TOO_LONG or f"{target}/".startswith(view.prefixes):
                settled &= self._note_open(pid, folder, fd, target, view)
            elif self._may_hold_more(target) and procfs.holds_more(folder, fd):
                self.uses.add_hidden()
        return settled

    def _note_open(self, pid: int, folder: str, fd: int, target: str, view: View) -> bool:
        """Note what a descriptor leads to; False if the number belongs to another file by now."""
        visit = procfs.is_visit(folder, fd)
        if not procfs.still_leads_to(f"{folder}/fd/{fd}", target):
            return False
        if not visit:
            self._note(pid, f"{folder}/fd/{fd}", target, view)
        return True

    def _may_hold_more(self, target: str) -> bool:
        """Tell whether a descriptor may hold other files: it leads to a ring, or to a socket with unread data."""
        if target == _RING:
            return True
        if not target.startswith("socket:["):
            return False
        return self._sockets is None or int(target[8:-1]) in self._sockets.unread

    def _note(self, pid: int, link: str, target: str, view: View) -> None:
        if target == procfs.TOO_LONG:
            target = self._shorten(link)
        if target.startswith("/"):  # else a pipe, a socket, or out of reach from here
            for place in view.locate(target):
                self.uses.add(place, User(pid))

    def _shorten(self, link: str) -> str:
        """Return the path of the nearest folder above a link's target whose path is short enough."""
        try:
            return procfs.short_path_above(link)
        except OSError as error:  # it has ended, or this is a file: the system does not say which folder that is in
            raise_if_short(error)
            self.uses.add_hidden()
            return ""

    def finish(self) -> None:
        """Note uses that belong to no process, and locks of processes that may not be looked into."""
        for path, how in kernel.files_in_kernel_use():
            for view in (self._view, *self._views.values()):
                for place in view.locate(path):
                    self.uses.add(place, User(how=how))
        if self._refused:
            self.uses.add_locked({inode: pids - self._readable for inode, pids in _lock_holders().items()})


_SOCKET = User(how="a socket is bound in it")


def _lock_holders() -> dict[kernel.Inode, set[int]]:
    try:
        return kernel.lock_holders()
    except OSError as error:
        raise_if_short(error)
        return {}


def _hides_processes(table: list[kernel.Mount]) -> bool:
    """Tell whether `/proc` is mounted so that it hides processes that this user may not look into (`hidepid`)."""
    own = (mount.options for mount in table if mount.kind == "proc" and mount.point == "/proc")
    return os.geteuid() != 0 and any("hidepid=" in options and "hidepid=0" not in options for options in own)


def _folder_of_socket(name: str, inode: int) -> str | None:
    """Return the real path of what a socket is bound to, if its name still leads there from here."""
    if not name.startswith("/"):
        return None
    try:
        if os.lstat(name).st_ino != inode:
            return None
        folder, _, last = name.rpartition("/")
        return os.path.join(os.path.realpath(folder or "/", strict=True), last)
    except OSError:  # moved since, or bound in another mount namespace
        return None
