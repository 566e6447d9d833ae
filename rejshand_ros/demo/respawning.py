"""A group whose processes are started again when they die, so that no person has to."""

from __future__ import annotations

import os
import select
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rejshand_ros.demo.processes import ProcessGroup

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 2.0
_STEADY_S = 5.0
"""A process that ran this long did not die of its own start."""


@dataclass
class _Return:
    """A process on its way back.

    Attributes:
        delay_s: What was waited before its latest start.
        due: When it starts, seconds of the monotonic clock; None while it runs.
        started: When it was last started.
        ready: Whether it has configured itself.
    """

    delay_s: float
    due: float | None
    started: float = 0.0
    ready: bool = False


class RespawningGroup(ProcessGroup):
    """Processes of which each is started again when it ends before its time.

    `start`, `wait_ready` and `go` work as in any group: what cannot start the first time is wrong
    and said. From then on `tend` takes care, with a delay that doubles while a process keeps
    dying, so that a lasting fault costs little and a passing one is over soon.

    Attributes:
        restarts: How often each process was started again, by name.
    """

    def __init__(self, environment: Mapping[str, str], log_folder: Path) -> None:
        """Prepare a group; see `ProcessGroup`."""
        super().__init__(environment, log_folder)
        self.restarts: Counter[str] = Counter()
        self._returns: dict[str, _Return] = {}

    def tend(self, *, may_end: Sequence[str] = ()) -> None:
        """Start again what has died, and let go what is ready; call it often, it never waits.

        Args:
            may_end: Those that may end well, such as the camera of a clip.
        """
        now = time.monotonic()
        for name, child in list(self._children.items()):
            status = child.process.poll()
            if status is None:
                self._let_go_when_ready(name)
            elif not (status == 0 and name in may_end):
                self._return(name, now)

    def has_ended(self, name: str) -> bool:
        """Whether a process has ended well; who ended otherwise comes back."""
        return self._children[name].process.poll() == 0

    def pid(self, name: str) -> int:
        """The number of a process."""
        return self._children[name].process.pid

    def is_up(self, name: str) -> bool:
        """Whether a process runs and has been told to work."""
        coming = self._returns.get(name)
        return self._children[name].process.poll() is None and (coming is None or coming.ready)

    def _return(self, name: str, now: float) -> None:
        coming = self._returns.get(name)
        if coming is None or (coming.due is None and now - coming.started > _STEADY_S):
            coming = self._returns[name] = _Return(_FIRST_DELAY_S, now + _FIRST_DELAY_S)
            self._say(name, coming)
        elif coming.due is None:
            coming.delay_s = min(2 * coming.delay_s, _LONGEST_DELAY_S)
            coming.due = now + coming.delay_s
            self._say(name, coming)
        if coming.due is None or now < coming.due:
            return
        child = self._children[name]
        os.close(child.lifeline_fd)
        os.close(child.ready_fd)
        # What comes back must not wait for another that lies down: half a chain holds the hand.
        self._children[name] = self._spawn(child.spec.on_its_own(), again=True)
        self.restarts[name] += 1
        coming.due, coming.started, coming.ready = None, now, False

    def _say(self, name: str, coming: _Return) -> None:
        death = self._death(self._children[name])
        print(f"{death}; starting it again", file=sys.stderr, flush=True)

    def _let_go_when_ready(self, name: str) -> None:
        coming = self._returns.get(name)
        if coming is None or coming.ready:
            return
        child = self._children[name]
        readable, _, _ = select.select([child.ready_fd], [], [], 0)
        # An empty read is the end of a process that `poll` has not seen yet.
        if readable and os.read(child.ready_fd, 64):
            coming.ready = True
            self.go(name)

    def stop(self, last: Sequence[str] = (), timeout_s: float = 10.0) -> None:
        """Stop all processes; one that lies dead at this moment is no further fault.

        Raises:
            ProcessError: One did not stop by itself, or ended with an error.
        """
        for name, child in list(self._children.items()):
            if child.process.poll() is not None:
                os.close(child.lifeline_fd)
                os.close(child.ready_fd)
                del self._children[name]
        super().stop(last, timeout_s)
