"""Which uses of a temporary directory's name take a path, so that a `Path` does as well as a `str`."""

import ast

from .names import Module

PATHS = frozenset(f"pathlib.{name}" for name in ("Path", "PurePath", "PosixPath", "PurePosixPath"))
# Those that give a str back (or no path at all), whatever kind of path they are given.
_OS_PATH = (
    "abspath basename dirname exists expanduser expandvars getatime getctime getmtime getsize isabs isdir isfile "
    "islink ismount join lexists normcase normpath realpath relpath samefile split splitext"
)
_OS = (
    "access chdir chmod chown fsencode fspath fwalk link listdir lstat makedirs mkdir mkfifo open readlink remove "
    "removedirs rename renames replace rmdir scandir stat statvfs symlink truncate unlink utime walk"
)
_SHUTIL = "chown copymode copystat disk_usage rmtree unpack_archive"
_SHUTIL_RETURNS = frozenset(f"shutil.{name}" for name in ("copy", "copy2", "copyfile", "copytree", "move"))
_TAKES_PATH = frozenset(
    {
        *PATHS,
        *(f"os.path.{name}" for name in _OS_PATH.split()),
        *(f"os.{name}" for name in _OS.split()),
        *(f"shutil.{name}" for name in _SHUTIL.split()),
        *("builtins.open", "builtins.str", "io.open"),
    }
)
_SUBPROCESS = frozenset(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))


def takes_path(module: Module, name: ast.Name) -> bool:
    """Tell whether a use of a name is of those that are the same for a `str` and a `Path`."""
    parent = module.parents[name]
    if isinstance(parent, ast.FormattedValue):
        return parent.value is name and parent.conversion in (-1, ord("s")) and parent.format_spec is None
    if isinstance(parent, ast.Call):
        return name in parent.args and _call_takes_path(module, parent)
    if isinstance(parent, ast.keyword):
        call = module.parents[parent]
        return parent.arg == "cwd" and module.is_call_of(call, *_SUBPROCESS)
    return False


def _call_takes_path(module: Module, call: ast.Call) -> bool:
    called = module.dotted(call.func)
    if not called:
        return False
    if called <= _SHUTIL_RETURNS:  # they give back what they were given
        return isinstance(module.parents[call], ast.Expr)
    return called <= _TAKES_PATH and not any(isinstance(argument, ast.Starred) for argument in call.args)


def is_path_of(module: Module, node: ast.AST, name: str) -> bool:
    """Tell whether a node is `Path(name)`."""
    return (
        isinstance(node, ast.Call)
        and bool(called := module.dotted(node.func))
        and called <= PATHS
        and not node.keywords
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Name)
        and node.args[0].id == name
    )
