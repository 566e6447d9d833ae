"""The thread between a node's process and the one that started it.

The parent hands down two file descriptors by environment variable. On the first the node says
when it is ready; from the second it reads the word to go, and learns by its end that the parent
is gone, however that came about: no orphan keeps a camera or a robot hand.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

READY_FD = "REJSHAND_READY_FD"
LIFELINE_FD = "REJSHAND_LIFELINE_FD"
GO = b"g"


class Supervision:
    """The child's end; does nothing where no parent asked for it."""

    def __init__(self, ready_fd: int | None = None, lifeline_fd: int | None = None) -> None:
        """Take over the descriptors; None for a node that stands alone."""
        self._ready_fd = ready_fd
        self._lifeline_fd = lifeline_fd
        self._go = threading.Event()

    @classmethod
    def from_environment(cls) -> Supervision:
        """Read the descriptors' numbers from the environment."""
        ready, lifeline = os.environ.get(READY_FD), os.environ.get(LIFELINE_FD)
        return cls(int(ready) if ready else None, int(lifeline) if lifeline else None)

    @property
    def asked_for(self) -> bool:
        """Whether a parent waits to hear that the node is ready."""
        return self._ready_fd is not None

    def watch(self, on_go: Callable[[], None], on_parent_gone: Callable[[], None]) -> None:
        """Call back, from a thread of its own, at the word to go and at the parent's end."""
        if self._lifeline_fd is None:
            on_go()
            return
        lifeline = self._lifeline_fd

        def listen() -> None:
            while data := os.read(lifeline, 1):
                if data == GO:
                    on_go()
            on_parent_gone()

        threading.Thread(target=listen, name="lifeline", daemon=True).start()

    def say_ready(self) -> None:
        """Tell the parent that this node is configured and connected."""
        if self._ready_fd is not None:
            os.write(self._ready_fd, b"ready\n")
            os.close(self._ready_fd)
            self._ready_fd = None
