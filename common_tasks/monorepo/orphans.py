"""What projects that are gone have left below the folder that COMMON_TASKS_TMP names."""

import contextlib
from collections.abc import Iterable, Iterator

from ..fs.directory import Directory
from ..project.errors import BaseRefused
from ..temp.entry import ORPHANED, Entry
from ..temp.layout import Base, Project, orphaned_base
from ..temp.tag import is_tagged, noted_root


def find_bases(project: Project) -> Iterator[Base]:
    """Yield the bases beside a project's own that carry our tag and belong to a root that no longer exists."""
    for shared in project.bases:
        if not (shared.shared and shared.needs_tag) or project.reserved:
            continue
        with contextlib.suppress(OSError), Directory.at(shared.path, follow=True) as folder:
            for name in sorted(name for name in folder.subdirectories() if shared.reserves(name)):
                with contextlib.suppress(OSError, BaseRefused), folder.enter(name) as inside:
                    root = noted_root(inside) if is_tagged(inside) else ""
                    if root and (base := orphaned_base(shared.path / name, root)):
                        yield base


def mark_orphaned(entries: Iterable[Entry], bases: Iterable[Base]) -> Iterator[Entry]:
    """Yield the entries; those in the bases of projects that are gone are marked as orphaned."""
    orphaned = frozenset(bases)
    for entry in entries:
        if entry.base is None or entry.base not in orphaned or entry.in_trash:
            yield entry
        elif entry.state == "idle":
            reason = f"its project is gone: {entry.base.root}"
            yield entry._replace(category=ORPHANED, state="orphaned", reason=reason)
        else:
            yield entry._replace(category=ORPHANED)
