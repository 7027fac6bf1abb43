"""The marks that show what is ours: the tag of a base, and the file that marks a category.

The tag is that of the Cache Directory Tagging Specification (https://bford.info/cachedir/): backup tools skip a folder
that has one. Its second line tells our folders from other tools' caches.
"""

import contextlib
import os
import stat

from ..fs.directory import Directory
from .names import GITIGNORE, TAG, seal, unseal

SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n# A base of common-tasks: "
MARKS = {
    TAG: SIGNATURE + b"what lies here may be removed at any time.\n",
    GITIGNORE: b"*\n",
}
_PROJECT = b"# Project: "
_MOST_TAG = 2**13
CATEGORY_MARK = ".category"


def opened_tag(base: Directory) -> contextlib.AbstractContextManager[int]:
    """Open the tag of a base for the block. Raises OSError if there is none, if it is a link, or cannot be read."""
    return base.opened(TAG, os.O_RDONLY | os.O_NONBLOCK)


def is_tagged(directory: Directory) -> bool:
    """Tell whether an open directory holds our tag: a regular file that begins with SIGNATURE."""
    with contextlib.suppress(OSError), opened_tag(directory) as tag:
        return stat.S_ISREG(os.fstat(tag).st_mode) and os.read(tag, len(SIGNATURE)) == SIGNATURE
    return False  # there is no proof that the folder is ours


def project_line(root: str) -> bytes:
    """Return the line that names the project of a base outside it."""
    return b"%b%b\n" % (_PROJECT, os.fsencode(root)) if root and "\n" not in root else b""


def noted_root(directory: Directory) -> str:
    """Return the root of the project that an open base with our tag was made for; empty if the base is inside it."""
    with contextlib.suppress(OSError), opened_tag(directory) as tag:
        lines = os.read(tag, _MOST_TAG).split(b"\n")
        return next((os.fsdecode(line.removeprefix(_PROJECT)) for line in lines if line.startswith(_PROJECT)), "")
    return ""


def mark_category(category: Directory) -> None:
    """Mark an open folder, which was just made, as a category: by a file whose name is sealed for it.

    The mark goes with the folder. So a folder that somebody makes again by hand with the same name has none, and in a
    copy the file is not a mark.
    """
    name = seal(CATEGORY_MARK, category.status().st_ino)
    os.close(category.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def is_category_mark(name: str, inode: int) -> bool:
    """Tell whether `name`, found in a folder with this inode, is the mark of a category."""
    return name.startswith(CATEGORY_MARK) and unseal(name, inode) == CATEGORY_MARK
