"""Shared memory that killed processes have left behind.

Fast DDS keeps a segment in /dev/shm for each participant, and a lock file beside it that the owner
holds. Who is killed removes neither: at 32 MB a camera-sized segment, a few hundred such ends fill
the memory of a laptop. A segment whose lock nobody holds has no owner any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
_LOCK = re.compile(r"(fastdds|fastrtps)_[0-9a-f]{16}_el")
_YOUNGEST_S = 1.0
"""Between a lock file's making and its locking a process may be caught half-way."""


def sweep(folder: Path = FOLDER) -> int:
    """Remove the segments of processes that are gone.

    Args:
        folder: Where the system keeps its shared memory.

    Returns:
        How many were removed.
    """
    removed = 0
    # Another user's segments, and those that vanish meanwhile, are none of ours to remove.
    with contextlib.suppress(OSError):
        for lock in folder.iterdir():
            if _LOCK.fullmatch(lock.name):
                with contextlib.suppress(OSError):
                    removed += _remove_if_orphaned(lock)
    return removed


def _remove_if_orphaned(lock: Path) -> bool:
    if time.time() - lock.stat().st_mtime < _YOUNGEST_S:
        return False
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where the owner lives
        lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
        lock.unlink()
    finally:
        os.close(descriptor)
    return True
