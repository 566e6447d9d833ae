"""Memory for camera images, kept for the next one."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_BLOCK = 32 << 20
"""Larger ones glibc refuses to keep; an image of 3840 x 2160 pixels takes 25 MB."""
_KEPT_BYTES = 256 << 20
"""Free memory that stays with the process."""


def keep_freed_memory() -> bool:
    """Keep the memory of freed images instead of giving it back to the system.

    An image is made and freed some five times on its way from camera to network. By default glibc
    gives each back at once, and the system hands out the next one page by page: of the 7 ms that
    1280x720 took from one process to the next, 4 were page faults.

    Returns:
        Whether the C library can be told so; elsewhere images only take longer.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    )
