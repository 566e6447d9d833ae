"""When the images of a played file are due, whatever happens to the clock meanwhile."""

from __future__ import annotations

_JUMP_NS = 100_000_000
"""A change between two clocks that is no mere correction of their rates."""


class FrameSchedule:
    """Due times at a fixed rate: a player that falls behind shows as latency.

    Stamps are read off a clock that may jump. Against a steady clock a jump is told from being
    late, and moves the rest of the schedule along: otherwise a step back of a minute would silence
    the camera for a minute, and a step forward would hurl out a minute of images at once.

    Attributes:
        start_ns: When the first image was due, by the clock as it goes now.
    """

    def __init__(self, fps: float, now_ns: int, steady_ns: int) -> None:
        """Begin with the first image due one period from now.

        Args:
            fps: Images a second.
            now_ns: The clock of the stamps.
            steady_ns: A clock that never jumps. Where the stamps' clock is simulated, and runs at
                a rate of its own, hand over that very clock again: nothing is a jump then.
        """
        self._period_ns = 1e9 / fps
        self.start_ns = now_ns + round(self._period_ns)
        self._index = 0
        self._offset_ns = now_ns - steady_ns

    def next_due(self, now_ns: int, steady_ns: int) -> int:
        """When the next image is due, nanoseconds of the clock of the stamps."""
        moved_ns = now_ns - steady_ns - self._offset_ns
        if abs(moved_ns) > _JUMP_NS:
            self.start_ns += moved_ns
            self._offset_ns += moved_ns
        due_ns = self.start_ns + round(self._index * self._period_ns)
        self._index += 1
        return due_ns
