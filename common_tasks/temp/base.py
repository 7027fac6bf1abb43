"""A base on disk: made and marked, opened by descriptor, refused where it is not ours.

The mark is the Cache Directory Tagging Specification's (https://bford.info/cachedir/): back-up
tools pass such a folder over. Its second line tells our folders from other tools' caches; further
lines name the categories that were made here.
"""

import contextlib
import errno
import os
import stat
import time

from ..errors import BaseRefused
from ..fs.directory import Directory
from .layout import Base
from .names import GITIGNORE, TAG

SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n# A base of common-tasks: "
_MARKS = {
    TAG: SIGNATURE + b"what lies here may be removed at any time.\n",
    GITIGNORE: b"*\n",
}
_CATEGORY = b"# Category "
_MOST_TAG = 2**16  # bytes of it that are read, and written
_MODE = 0o775  # however open the umask: a base that everybody may write to is refused


def open_base(base: Base) -> Directory | None:
    """Open a base for looking and cleaning; None where there is none, or only an empty folder.

    The caller closes it. A base is a real directory of the caller's own at `<root>/.tmp` or `<root>/.temp`;
    anything else (a link, somebody else's directory, a folder that COMMON_TASKS_TMP names) has to carry our
    tag; a git repository or work tree is none. Raises BaseRefused, with nothing touched; a shared base is
    None then.
    """
    try:
        return _open(base, unmarked=frozenset())
    except BaseRefused:
        if base.shared:
            return None
        raise


def make_base(base: Base) -> Directory:
    """Open a base for creation, making and marking it where needed. The caller closes it.

    It belongs to this user, to root or to whoever owns the folder it lies in, and not everybody may write to it.
    Raises BaseRefused where what stands there is not ours or not safe, and where it cannot be made.
    """
    for _ in range(100):
        _make_folders(base)
        directory = _open(base, unmarked=frozenset(_MARKS))
        if directory is None:  # removed, or being made by another process at this moment
            time.sleep(0.001)
            continue
        try:
            _refuse_unsafe(base, directory)
            _mark(directory)
            _refuse_foreign_tag(base, directory)
        except BaseException:
            directory.close()
            raise
        return directory
    raise _refused(base, "vanishes as fast as it is made")


def _refuse_foreign_tag(base: Base, directory: Directory) -> None:
    if base.needs_tag and not is_tagged(directory):
        raise _refused(base, f"carries a {TAG} that is not ours; nothing was touched")


def _make_folders(base: Base) -> None:
    try:
        base.path.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(base.path):
            base.path.mkdir(_MODE, exist_ok=True)
    except OSError as error:
        raise _refused(base, f"cannot be made: {error.strerror}; nothing was touched") from error


def _refused(base: Base, why: str) -> BaseRefused:
    return BaseRefused(base.path, f"{f'({base.origin}) ' if base.origin else ''}{why}")


def _open(base: Base, unmarked: frozenset[str]) -> Directory | None:
    directory, linked = _open_directory(base)
    if directory is None:
        return None
    try:
        accepted = _accept(base, directory, linked, unmarked)
    except BaseException:
        directory.close()
        raise
    if not accepted:
        directory.close()
        return None
    return directory


def _open_directory(base: Base) -> tuple[Directory | None, bool]:
    """Open what stands at the base's place; tell also whether a link leads there."""
    try:
        return Directory.at(base.path), False
    except FileNotFoundError:
        return None, False
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENOTDIR):
            raise _refused(base, f"cannot be opened: {error.strerror}; nothing was touched") from error
    try:
        return Directory.at(base.path, follow=True), True
    except OSError as error:
        raise _refused(base, f"is not a directory ({error.strerror}); nothing was touched") from error


def _accept(base: Base, directory: Directory, linked: bool, unmarked: frozenset[str]) -> bool:
    """Tell whether a directory is a base that there is something to do in. Raises BaseRefused."""
    try:
        directory.look(".")
    except PermissionError as error:
        raise _refused(base, f"cannot be searched: {error.strerror}; nothing was touched") from error
    if directory.has(".git"):
        raise _refused(base, "is a git repository or work tree; nothing was touched")
    foreign = directory.status().st_uid != os.geteuid()
    if not (base.needs_tag or linked or foreign) or is_tagged(directory):
        return True
    if base.needs_tag and not (linked or foreign) and set(directory.names()) <= unmarked:
        return bool(unmarked)
    what = "belongs to somebody else" if foreign else "is not empty" if base.needs_tag else "is a link"
    raise _refused(base, f"{what} and carries no {TAG} of common-tasks; nothing was touched")


def _refuse_unsafe(base: Base, directory: Directory) -> None:
    problem = unsafe_to_make_in(directory, os.stat(base.path.parent).st_uid)
    if problem:
        raise _refused(base, f"{problem}; nothing was made there")


def unsafe_to_make_in(directory: Directory, trusted: int) -> str | None:
    """Say why somebody else could swap what is made in an open directory; None where nobody could.

    Safe is what belongs to this user, to root or to the user `trusted`, and what not everybody may write to.
    """
    found = directory.status()
    if found.st_uid not in (os.geteuid(), 0, trusted):
        return "belongs to another user"
    if found.st_mode & stat.S_IWOTH and not _lacks_modes(directory):
        return "may be written to by everybody: take that right away with chmod o-w"
    return None


def _lacks_modes(directory: Directory) -> bool:
    """Tell whether the file system has no modes of its own: there everything looks open to everybody."""
    name = f".mode-{os.urandom(8).hex()}"
    directory.make(name, 0o700)
    try:
        made = directory.look(name)
        return made.st_uid == os.geteuid() and bool(made.st_mode & stat.S_IWOTH)
    finally:
        directory.remove(name)


def is_tagged(directory: Directory) -> bool:
    """Tell whether an open directory holds our tag: a regular file that begins with SIGNATURE."""
    return _read_tag(directory, len(SIGNATURE)) == SIGNATURE


def _read_tag(directory: Directory, size: int) -> bytes:
    """Read the beginning of the tag; nothing where that is absent, a link or unreadable."""
    try:
        tag = directory.open(TAG, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # no proof that the folder is ours
        return b""
    try:
        return os.read(tag, size) if stat.S_ISREG(os.fstat(tag).st_mode) else b""
    finally:
        os.close(tag)


def _mark(directory: Directory) -> None:
    # Every process writes the same bytes to an empty file, so it does not matter who is first, or killed.
    for name, content in _MARKS.items():
        try:
            if directory.look(name).st_size:
                continue
        except FileNotFoundError:
            pass
        mark = directory.open(name, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK)
        try:
            os.write(mark, content)
        finally:
            os.close(mark)


def note_category(directory: Directory, name: str, inode: int) -> None:
    """Write down in the tag of an open base that the folder `name` was made as a category.

    Where that cannot be written, or is lost, the folder is told by what it holds (see `inventory`).
    """
    if "\n" in name:
        return
    with contextlib.suppress(OSError):
        tag = directory.open(TAG, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK)
        try:
            if os.fstat(tag).st_size > _MOST_TAG // 2:
                os.ftruncate(tag, len(_MARKS[TAG]))
            os.write(tag, _CATEGORY + b"%d %s\n" % (inode, os.fsencode(name)))
        finally:
            os.close(tag)


def noted_categories(directory: Directory) -> dict[str, int]:
    """Return the folders of an open base that were made as categories, with their inodes; names as the system's."""
    noted = {}
    for line in _read_tag(directory, _MOST_TAG).split(b"\n"):
        inode, _, name = line.removeprefix(_CATEGORY).partition(b" ")
        if line.startswith(_CATEGORY) and inode.isdigit():
            noted[os.fsdecode(name)] = int(inode)
    return noted
