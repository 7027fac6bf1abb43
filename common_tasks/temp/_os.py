"""The functions of `os` that the engine works with.

On POSIX this is the module itself. Windows opens no directories: there a path stands for the descriptor,
so all works by path, and the promises that rest on descriptors (no link followed, whoever swaps it)
become checks before use.
"""

import os as _real
import stat as _stat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

_FLAGS = {"O_DIRECTORY": 1 << 28, "O_NOFOLLOW": 1 << 29, "O_CLOEXEC": 0, "O_NONBLOCK": 0}


class _Paths:
    """`os`, where a descriptor of a directory is its path."""

    def __getattr__(self, name: str) -> Any:
        if name in ("O_PATH", "pathconf", "sysconf"):
            raise AttributeError(name)
        return _FLAGS[name] if name in _FLAGS else getattr(_real, name)

    @staticmethod
    def _at(path: Any, folder: Any) -> str:
        return str(_real.path.join(folder or "", path))

    @staticmethod
    def geteuid() -> int:
        """Return whose files are one's own: on Windows, everything is the user 0's to `stat`."""
        return _real.geteuid() if hasattr(_real, "geteuid") else 0

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> Any:
        """Open a file; or check that a directory is one, and return its path."""
        where = self._at(path, dir_fd)
        found = _real.lstat(where) if flags & _FLAGS["O_NOFOLLOW"] and _real.path.lexists(where) else None
        if found and _stat.S_ISLNK(found.st_mode):
            raise NotADirectoryError(20, "Is a link", path)
        if not flags & _FLAGS["O_DIRECTORY"]:
            return _real.open(where, flags & ~_FLAGS["O_NOFOLLOW"], mode)
        if not _stat.S_ISDIR(_real.stat(where).st_mode):
            raise NotADirectoryError(20, "Not a directory", path)
        return _real.path.normpath(where)

    @staticmethod
    def close(fd: Any) -> None:
        """Close a file."""
        if isinstance(fd, int):
            _real.close(fd)

    @staticmethod
    def dup(fd: Any) -> Any:
        """Duplicate a descriptor."""
        return _real.dup(fd) if isinstance(fd, int) else fd

    @staticmethod
    def fstat(fd: Any) -> Any:
        """Look at what is open."""
        return _with_blocks(_real.stat(fd))

    def stat(self, path: Any, *, dir_fd: Any = None) -> Any:
        """Look at a path."""
        return _with_blocks(_real.stat(self._at(path, dir_fd)))

    def lstat(self, path: Any, *, dir_fd: Any = None) -> Any:
        """Look at a path, not through a link."""
        return _with_blocks(_real.lstat(self._at(path, dir_fd)))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
        """Make a directory."""
        _real.mkdir(self._at(path, dir_fd), mode)

    def rmdir(self, path: Any, *, dir_fd: Any = None) -> None:
        """Remove an empty directory."""
        _real.rmdir(self._at(path, dir_fd))

    def unlink(self, path: Any, *, dir_fd: Any = None) -> None:
        """Remove a file; on Windows a read-only one has to be made writable first."""
        where = self._at(path, dir_fd)
        try:
            _real.unlink(where)
        except PermissionError:
            _real.chmod(where, _stat.S_IWRITE)
            _real.unlink(where)

    def rename(self, source: Any, target: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None) -> None:
        """Rename a path."""
        _real.rename(self._at(source, src_dir_fd), self._at(target, dst_dir_fd))

    def utime(self, path: Any, *, dir_fd: Any = None) -> None:
        """Make a path young."""
        _real.utime(self._at(path, dir_fd))

    def chmod(self, path: Any, mode: int, *, dir_fd: Any = None, follow_symlinks: bool = True) -> None:
        """Change the mode of a path."""
        del follow_symlinks  # Windows knows only one way
        _real.chmod(self._at(path, dir_fd), mode)

    @staticmethod
    def fchmod(fd: Any, mode: int) -> None:
        """Change the mode of what is open."""
        _real.chmod(fd, mode)

    @staticmethod
    def scandir(fd: Any) -> Any:
        """List a directory, with what it holds."""
        return _Rows(fd)


class _Rows:
    def __init__(self, path: str) -> None:
        self._rows = _real.scandir(path)

    def __enter__(self) -> Any:
        return (_Row(row) for row in self._rows)

    def __exit__(self, *_: object) -> None:
        self._rows.close()


class _Row:
    def __init__(self, row: "_real.DirEntry[str]") -> None:
        self.name = row.name
        self.is_dir = row.is_dir
        self.is_symlink = row.is_symlink
        self._path = row.path

    def stat(self, *, follow_symlinks: bool = False) -> Any:
        """Look at it; the directory itself does not know the inode there."""
        return _with_blocks(_real.stat(self._path, follow_symlinks=follow_symlinks))


def _with_blocks(found: _real.stat_result) -> Any:
    if hasattr(found, "st_blocks"):
        return found
    values = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
    return SimpleNamespace(**values, st_blocks=-(-found.st_size // 512))


if TYPE_CHECKING:
    import os as os
else:
    os = _real if _real.open in _real.supports_dir_fd else _Paths()
