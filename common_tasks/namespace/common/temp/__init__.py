"""The module `common_tasks.temp` under the name `common.temp`, unless a project has one of its own.

`common` is a namespace (PEP 420), so Python prefers a project's own package of that name. Its own `temp` in
another folder of the namespace is preferred here, wherever that folder is on the path.
"""

import os
import sys
from types import ModuleType

TYPE_CHECKING = False  # type checkers treat this name as true

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from common_tasks.temp import *  # noqa: F403

_PORTION = os.path.join("common_tasks", "namespace", "common")
# A name that nobody else's module has.
_SPARE = "_installed_common_tasks"


def _find(name: str, path: list[str] | None) -> "ModuleSpec | None":
    """Ask the finders that `import` asks, in the same order; nothing is loaded."""
    finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
    return next((spec for finder in finders if (spec := finder.find_spec(name, path))), None)


def _find_projects_own() -> "ModuleSpec | None":
    """Find a `common.temp` in other folders of the namespace; a folder without any module in it does not count."""
    spec = _find(__name__, [folder for folder in sys.modules["common"].__path__ if not folder.endswith(_PORTION)])
    if spec is None or spec.has_location:
        return spec
    import pkgutil

    return spec if any(pkgutil.iter_modules(spec.submodule_search_locations)) else None


def _load(spec: "ModuleSpec") -> ModuleType:
    from importlib.util import module_from_spec

    module = sys.modules[spec.name] = module_from_spec(spec)
    if spec.loader:
        spec.loader.exec_module(module)
    return module


def _load_ours() -> ModuleType:
    """Load `common_tasks.temp`; if another `common_tasks` stands in its way, under a spare name."""
    loaded = sys.modules.get("common_tasks")
    spec = loaded.__spec__ if loaded else _find("common_tasks", None)
    folders = spec.submodule_search_locations if spec else None
    if any(os.path.exists(f"{folder}/namespace/common/temp") for folder in folders or ()):
        import common_tasks.temp

        return common_tasks.temp
    return _load_ours_as(_SPARE)


def _load_ours_as(package: str) -> ModuleType:
    from importlib import import_module
    from importlib.util import spec_from_file_location

    if package not in sys.modules:
        folder = os.path.abspath(f"{__file__}/../../../..")
        spec = spec_from_file_location(package, f"{folder}/__init__.py", submodule_search_locations=[folder])
        assert spec  # noqa: S101  (for type checkers: a file has one)
        _load(spec)
    return import_module(f"{package}.temp")


_own = _find_projects_own()
sys.modules[__name__] = _load(_own) if _own else _load_ours()
