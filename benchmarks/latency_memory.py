"""Memory of a tree of processes, looked at while it runs."""

from __future__ import annotations

import time
from pathlib import Path

_PERIOD_S = 4.0
"""Adding up a process's pages stops it for some milliseconds: seldom enough not to matter."""


class MemoryWatch:
    """The most memory that a process and its descendants took together.

    Args:
        pid: The process at the root.

    Attributes:
        resident_gb: Resident memory, each process's summed: what they share counts several times.
        proportional_gb: What they share counted once.
    """

    def __init__(self, pid: int) -> None:
        self.resident_gb = 0.0
        self.proportional_gb = 0.0
        self._root = pid
        self._looked_s = time.monotonic()

    def look(self) -> None:
        """Add up, if it is time again and the tree has children."""
        if time.monotonic() - self._looked_s < _PERIOD_S:
            return
        self._looked_s = time.monotonic()
        tree = _descendants(self._root)
        if not tree:
            return
        sizes = [_sizes_kb(pid) for pid in (self._root, *tree)]
        resident, proportional = (sum(kinds) * 1024e-9 for kinds in zip(*sizes, strict=True))
        self.resident_gb = max(self.resident_gb, resident)
        self.proportional_gb = max(self.proportional_gb, proportional)


def _descendants(pid: int) -> list[int]:
    """All processes below one."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    children = [int(child) for child in text.split()]
    return children + [below for child in children for below in _descendants(child)]


def _sizes_kb(pid: int) -> tuple[int, int]:
    """Resident and proportional memory of a process; nothing of one that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in lines if line.startswith(("Rss:", "Pss:")))
    rss, pss = (int(fields.get(name, "0 kB").split()[0]) for name in ("Rss", "Pss"))
    return rss, pss
