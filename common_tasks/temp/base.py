"""A base on disk: made and marked, opened by descriptor, refused if it is not ours."""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable

from ..fs.directory import Directory
from ..fs.modes import is_restricted
from ..project.errors import BaseRefused
from .base_lock import lock_of
from .layout import Base
from .names import TAG
from .tag import MARKS, is_tagged, project_line

_MODE = 0o775  # at most, however open the umask: a base that everybody may write to is refused


def open_base(base: Base) -> Directory | None:
    """Open a base for looking and cleaning; None if there is none, or an empty folder in place of one.

    The caller closes it. A base is a real directory of the caller's own at `<root>/.tmp` or `<root>/.temp`;
    anything else (a link, somebody else's directory, a folder that COMMON_TASKS_TMP names) must have our tag; a git
    repository or work tree is not accepted. Otherwise raises BaseRefused, with nothing touched, or returns None for a
    shared base.
    """
    try:
        return _open(base, unmarked=frozenset())
    except BaseRefused:
        if base.shared:
            return None
        raise


def make_base(base: Base) -> Directory:
    """Open a base to make entries in it, making and marking it if needed. The caller closes it.

    It belongs to this user, to root or to the owner of the folder it is in, and is not writable for everybody.
    Raises BaseRefused if what is there is not ours or not safe, or if it cannot be made.
    """
    for _ in range(100):
        _make_folders(base)
        directory = _open(base, unmarked=frozenset(MARKS))
        if directory is None:  # removed, or being made by another process at this moment
            time.sleep(0.001)
            continue
        try:
            _make_ours(base, directory)
        except BaseException:
            directory.close()
            raise
        return directory
    raise _refused(base, "disappears as soon as it is made")


def _make_ours(base: Base, directory: Directory) -> None:
    """Check that an open base is safe to make something in, and mark it. Raises BaseRefused."""
    problem = unsafe_to_make_in(directory, os.stat(base.path.parent).st_uid)
    if problem:
        raise _refused(base, f"{problem}; nothing was made there")
    _mark(base, directory)
    if base.needs_tag and not is_tagged(directory):
        raise _untouched(base, f"carries a {TAG} that is not ours")


def _make_folders(base: Base) -> None:
    try:
        base.path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(base.path):
            with Directory.named(base.path.parent) as parent:
                make_folder(parent, base.path.name)
    except OSError as error:
        raise _refused(base, f"cannot be made: {error.strerror}") from error


def make_folder(parent: Directory, name: str, most: int = _MODE) -> bool:
    """Make a folder for entries, for everybody who works in `parent`; tell whether it was made now.

    `most`: the mode that it gets, less the umask. Its owner may always use it, whatever the umask.
    """
    try:
        parent.make(name, most)
    except FileExistsError:
        return False
    mode = parent.look(name).st_mode
    if is_restricted(mode):  # by a umask such as 0o777
        os.chmod(name, stat.S_IMODE(mode) | stat.S_IRWXU, dir_fd=parent.fd)
    with parent.enter(name) as made:
        give_to_owner(made, parent)
    return True


def _refused(base: Base, why: str) -> BaseRefused:
    return BaseRefused(base.path, f"{f'({base.origin}) ' if base.origin else ''}{why}")


def _untouched(base: Base, why: str) -> BaseRefused:
    return _refused(base, f"{why}; nothing in it was touched")


def _open(base: Base, unmarked: frozenset[str]) -> Directory | None:
    directory, linked = _open_directory(base)
    if directory is None:
        return None
    accepted = False
    try:
        accepted = _accept(base, directory, unmarked, linked=linked)
    finally:
        if not accepted:
            directory.close()
    return directory if accepted else None


def _open_directory(base: Base) -> tuple[Directory | None, bool]:
    """Open the directory at the base's path; tell also whether a link leads there."""
    try:
        with Directory.named(base.path.parent) as parent:
            return parent.enter(base.path.name), False
    except FileNotFoundError:
        return None, False
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise _untouched(base, f"cannot be opened: {error.strerror}") from error
    try:
        return Directory.at(base.path, follow=True), True
    except OSError as error:
        raise _untouched(base, f"is not a directory ({error.strerror})") from error


def _accept(base: Base, directory: Directory, unmarked: frozenset[str], *, linked: bool) -> bool:
    """Tell whether a directory is a base with something to do in it. Raises BaseRefused."""
    try:
        directory.look(".")
    except PermissionError as error:
        raise _untouched(base, f"cannot be searched: {error.strerror}") from error
    if directory.has(".git"):
        raise _untouched(base, "is a git repository or work tree")
    foreign = directory.status().st_uid != os.geteuid()
    if not (base.needs_tag or linked or foreign) or is_tagged(directory):
        return True
    # Root may just have made an empty one for the owner of the project; `make_base` checks the owner.
    if (foreign or base.needs_tag) and not linked and set(directory.names()) <= unmarked:
        return bool(unmarked)
    if is_tagged(directory):  # it has just been tagged: the tag is the first thing written to a new base
        return True
    if foreign:
        what, advice = "belongs to somebody else", "let its owner clean it"
    elif base.needs_tag:
        what, advice = "is not empty", "a new folder or an empty one will do"
    else:
        what, advice = "is a link", "put a folder in its place"
    raise _untouched(base, f"{what} and carries no {TAG} of common-tasks: {advice}")


def unsafe_to_make_in(directory: Directory, trusted: int) -> str | None:
    """Say why somebody else could swap what is made in an open directory; None if nobody could.

    It is safe if it belongs to this user, to root or to the user `trusted`, and is not writable for everybody.
    """
    found = directory.status()
    if found.st_uid not in (os.geteuid(), 0, trusted):
        return "belongs to another user"
    if found.st_mode & stat.S_IWOTH and not _lacks_modes(directory):
        return "is writable by everybody: run chmod o-w on it"
    return None


def _lacks_modes(directory: Directory) -> bool:
    """Tell whether the file system has no modes of its own: then everything looks open to everybody."""
    name = f".mode-{os.urandom(8).hex()}"
    directory.make(name, 0o700)
    try:
        made = directory.look(name)
        return made.st_uid == os.geteuid() and bool(made.st_mode & stat.S_IWOTH)
    finally:
        directory.remove(name)


def _mark(base: Base, directory: Directory) -> None:
    missing = [name for name in MARKS if not _is_written(directory, name)]
    # Wait for a clean that began before there was a tag.
    with lock_of(directory) if TAG in missing else contextlib.nullcontext():
        _write_marks(base, directory, missing)


def _is_written(directory: Directory, name: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return directory.look(name).st_size > 0
    return False


def _write_marks(base: Base, directory: Directory, names: Iterable[str]) -> None:
    # Every process writes the same bytes to an empty file, so it does not matter who is first, or killed.
    for name in names:
        with directory.opened(name, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644) as mark:
            os.fchmod(mark, 0o644)  # whatever the umask: others have to read it, too
            os.write(mark, MARKS[name] + project_line(base.root) if name == TAG else MARKS[name])


def give_to_owner(made: Directory, parent: Directory) -> None:
    """If root has made something in a user's folder, give it to that user, who has to work there, too."""
    owner = parent.status()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(made.fd, owner.st_uid, owner.st_gid)
