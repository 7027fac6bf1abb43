"""Which uses of a temporary directory's name take a path, so that a `Path` does as well as a `str`."""

import ast
from collections.abc import Iterable

from .finding import Edit, ReplaceExpression
from .names import Module

PATHS = frozenset({"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "pathlib.PurePosixPath"})
_CONCRETE = frozenset({"pathlib.Path", "pathlib.PosixPath"})
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
        *("builtins.open", "builtins.print", "builtins.str", "contextlib.chdir", "io.open", "zipfile.ZipFile"),
    }
)
_IN_DIRECTORY = frozenset(f"tempfile.{name}" for name in ("mkdtemp", "mkstemp", "NamedTemporaryFile", "TemporaryFile"))
_SUBPROCESS = frozenset(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))
# Those of which only the place counts, not the directory's own name.
PLACE_CALLS = frozenset(
    {
        *(f"os.path.{name}" for name in ["exists", "isdir", "isfile", "join", "lexists", "ismount"]),
        *(
            f"os.{name}"
            for name in ["access", "chdir", "chmod", "listdir", "makedirs", "mkdir", "scandir", "stat", "walk"]
        ),
        *("builtins.open", "pathlib.Path", "shutil.rmtree", "shutil.copy", "shutil.copyfile"),
    }
)

Load = ast.Name | ast.Attribute


def as_path(module: Module, loads: Iterable[Load], name: str) -> tuple[tuple[Edit, ...], int] | None:
    """Return how the uses of a directory's name change if the name, now `name`, holds a `Path`; None if they cannot.

    `Path(name)` becomes `name`. What may need text is given `str(name)`; the number says how often that is.
    """
    edits: list[Edit] = []
    texts = 0
    for load in loads:
        old, inside = module.segment(load), module.is_in_f_string(load)
        call = module.parents[load]
        converted = is_conversion(module, call, load) and not _only_renames(module, call)
        if isinstance(call, ast.Call) and converted and not inside:
            edits.append(ReplaceExpression(module.place(call), module.segment(call), name))
        elif takes_path(module, load):
            if old != name:
                edits.append(ReplaceExpression(module.place(load), old, name))
        elif inside:
            return None  # it is formatted in a way that only works for text
        else:
            texts += 1
            edits.append(ReplaceExpression(module.place(load), old, f"str({name})"))
    return tuple(edits), texts


def _only_renames(module: Module, call: ast.AST) -> bool:
    """Tell whether nothing but another name would be left without the conversion, as in `p = d` for `p = Path(d)`."""
    assigned = module.parents[call]
    return isinstance(assigned, ast.Assign) and assigned.value is call


def is_conversion(module: Module, node: ast.AST, given: ast.expr) -> bool:
    """Tell whether a node is `Path(given)`."""
    if not (isinstance(node, ast.Call) and node.args == [given] and not node.keywords):
        return False
    called = module.dotted(node.func)
    return bool(called) and called <= _CONCRETE


def takes_path(module: Module, load: ast.expr) -> bool:
    """Tell whether a use of a name is of those that are the same for a `str` and a `Path`."""
    parent = module.parents[load]
    match parent:
        case ast.FormattedValue():
            return parent.value is load and parent.conversion in (-1, ord("s")) and parent.format_spec is None
        case ast.Call():
            return load in parent.args and _call_takes_path(module, parent)
        case ast.keyword():
            return _keyword_takes_path(module, parent)
        case ast.List():
            call = module.parents[parent]
            in_command = isinstance(call, ast.Call) and call.args[:1] == [parent]
            return in_command and module.is_call_of(call, *_SUBPROCESS) and not _has(call, "shell")
    return False


def _has(call: ast.AST, option: str) -> bool:
    return isinstance(call, ast.Call) and any(keyword.arg in (option, None) for keyword in call.keywords)


def _keyword_takes_path(module: Module, keyword: ast.keyword) -> bool:
    takers = {"cwd": _SUBPROCESS, "dir": _IN_DIRECTORY}.get(keyword.arg or "", frozenset())
    return module.is_call_of(module.parents[keyword], *takers)


def _call_takes_path(module: Module, call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "chdir" and len(call.args) == 1:
        return isinstance(call.func.value, ast.Name) and call.func.value.id in ("os", "monkeypatch")
    called = module.dotted(call.func)
    if not called:
        return False
    if called <= _SHUTIL_RETURNS:  # they give back what they were given
        return isinstance(module.parents[call], ast.Expr)
    return called <= _TAKES_PATH and not any(isinstance(argument, ast.Starred) for argument in call.args)


def is_path_of(module: Module, node: ast.AST, name: str) -> bool:
    """Tell whether a node is `Path(name)` of a plain name."""
    match node:
        case ast.Call(args=[ast.Name(id=given) as argument]):
            return given == name and is_conversion(module, node, argument)
    return False
