"""What is free on the disks that entries lie on."""

import os
from collections.abc import Iterable

from .entry import Entry


def look_at_disks(entries: Iterable[Entry]) -> dict[int, int]:
    """Return the bytes that an ordinary user may still take up on each disk, by device number.

    A disk that cannot be asked is left out: nothing is removed to free space on it.
    """
    folders = {entry.identity.device: entry.folder for entry in entries}
    free: dict[int, int] = {}
    for device, folder in folders.items():
        try:
            found = os.statvfs(folder)
        except OSError:  # gone meanwhile
            continue
        free[device] = found.f_bavail * found.f_frsize
    return free
