"""Making persistent directories: noted in this process's lease before they exist, so in use from the first moment."""

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

from ..fs.directory import GONE, Directory
from ..fs.values import Key, printable
from ..project.errors import BaseRefused
from . import auto, layout, lease, maker, names
from .base import make_base, make_folder, unsafe_to_make_in
from .base_lock import locked
from .tag import mark_category

_TRIES = 1000
_MOST_NUMBERS = 1000

_last_number: dict[str, int] = {}


def create_entry(project: layout.Project, name: str, category: str) -> Path:
    """Make `<base>/<category>/<name>_<unix>/` in `project`; see `TempManager.create_persistent_dir`."""
    names.check_name(name, "the name", project.root)
    names.check_category(category, project.root)
    base = project.bases[0]
    try:
        made = _create(base, category, name)
    except OSError as error:
        refuse_if_short(error, project)
        if not isinstance(error, BaseRefused):  # the disk is full, for instance: then a clean helps most
            auto.look(base.path, project.root)
        raise
    auto.look(base.path, project.root)
    maker.sign(made, os.fspath(project.root))
    return Path(made)


def refuse_if_short(error: OSError, project: layout.Project) -> None:
    """Raise BaseRefused if this process cannot open any more files: which file that was says little."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        raise BaseRefused(project.bases[0].path, f"cannot be used: {error.strerror}") from error


def _create(base: layout.Base, category: str, name: str) -> str:
    """Make an entry and return its path."""
    folder = f"{base.path}/{category}"
    for _ in range(_TRIES):
        if not _stands(folder, _categories.get(folder)) and not _open_category(base, category, folder):
            time.sleep(0.001)  # a clean is removing it
            continue
        made = _make_numbered(base, category, folder, name)
        if made:
            return f"{folder}/{made}"
    raise FileExistsError(f"{printable(folder)!r} is removed as soon as it is made")


_categories: dict[str, Key] = {}  # the categories that this process has found safe, by path


def _stands(folder: str, key: Key | None) -> bool:
    """Tell whether a folder is still the one that was found to be safe."""
    if key is None:
        return False
    try:
        found = os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return (found.st_dev, found.st_ino) == key


def _open_category(base: layout.Base, category: str, folder: str) -> bool:
    """Make a category if needed, and check that it is safe; False if a clean removed it meanwhile."""
    lease.own.look_again(base)
    with make_base(base) as directory:
        made = make_folder(directory, category)
        try:
            opened = directory.enter(category)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in GONE:
                raise
            raise BaseRefused(folder, "is not a directory: give another category") from error
        with opened:
            if made:
                mark_category(opened)
            problem = unsafe_to_make_in(opened, directory.status().st_uid)
            if problem:
                raise BaseRefused(folder, f"{problem}; nothing was made there")
            _categories[folder] = opened.key()
    return True


def _make_numbered(base: layout.Base, category: str, folder: str, name: str) -> str | None:
    """Make the first free `<name>_<unix>`, `…-2`, …, after noting it in the lease; None if the category is gone."""
    unix = int(time.time())
    label = f"{folder}/{name}/{unix}"
    if len(_last_number) > _MOST_NUMBERS:
        _last_number.clear()  # most are of earlier seconds; counting the others again costs little
    number = _last_number.get(label, 0)
    while True:
        number += 1
        made = names.entry_name(name, unix, number)
        try:
            lease.own.make(base, f"{category}/{made}")
        except FileNotFoundError:
            return None
        except FileExistsError:
            continue
        _last_number[label] = number
        return made


def find_or_create_cache(project: layout.Project, name: str) -> Path:
    """Return the newest cache of that name, or make one if there is none; see `api.get_cache_temp_dir`."""
    names.check_name(name, "the name", project.root)
    base = project.bases[0]
    try:
        with make_base(base) as directory, locked(directory) as granted:
            # Without the lock, what is found may be on its way to being deleted.
            found = _find_cache(base, directory, name) if granted else None
            return found or create_entry(project, name, "cache")
    except OSError as error:
        refuse_if_short(error, project)
        raise


def _find_cache(base: layout.Base, directory: Directory, name: str) -> Path | None:
    """Note the use of the newest cache of that name that this user can use. The caller holds the base's lock."""
    try:
        parent = directory.enter("cache")
    except OSError as error:
        if error.errno in GONE:  # if it is not a directory, making an entry in it says so
            return None
        raise
    with parent:
        stamps = [stamped for child in parent.names() if (stamped := names.parse_name(child))]
        for _, created, number in sorted((s for s in stamps if s.name == name), reverse=True):
            found = names.entry_name(name, created, number)
            with contextlib.suppress(FileNotFoundError):  # some other program removed it
                if _is_usable(parent, found):
                    lease.own.note(base, f"cache/{found}")
                    _make_young(parent, found)
                    return base.path / "cache" / found
    return None


def _make_young(parent: Directory, name: str) -> None:
    with contextlib.suppress(PermissionError):  # a cache that another user made is used as it is
        os.utime(name, dir_fd=parent.fd)


def _is_usable(parent: Directory, name: str) -> bool:
    """Tell whether a name is that of a directory that this user may look into and write to."""
    if not stat.S_ISDIR(parent.look(name).st_mode):
        return False
    return parent.allows(os.R_OK | os.W_OK | os.X_OK, name)
