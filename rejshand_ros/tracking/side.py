"""Where hands of which side were seen last: what a find is reminded of."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rejshand_ros.hand.keypoints import Side
from rejshand_ros.tracking.localiser import HandBox
from rejshand_ros.tracking.sighting import Sighting
from rejshand_ros.tracking.track import Track
from rejshand_ros.tracking.tracked_hand import TrackState

_MEMORY_S = 2.0
"""A hand that comes back within this time, seconds, is probably the one that was lost ..."""
_REACH = 1.5
"""... if it does so within this many boxes of where it was."""
_MEMORY_SHARE = 0.5
"""What the memory counts."""


class SideMemory:
    """Remembers where hands of which side were seen last."""

    def __init__(self) -> None:
        self._lost: dict[Side, Sighting] = {}

    def remember(self, track: Track) -> None:
        """A hand got lost."""
        self._lost[track.side] = track.last

    def reminded(
        self, right: float, find: HandBox, tracks: Iterable[Track], stamp_ns: int
    ) -> float:
        """Probability that a find is a right hand, given what was seen hereabouts before.

        Args:
            right: What it is without memory.
            find: The find.
            tracks: The tracks; those that are held just now count like lost ones.
            stamp_ns: Capture time of the image, nanoseconds.
        """
        remembered = self._nearest(find, tracks, stamp_ns)
        if remembered is not None:
            right += _MEMORY_SHARE * ((remembered is Side.RIGHT) - right)
        return right

    def was_here(self, find: HandBox, tracks: Iterable[Track], stamp_ns: int) -> bool:
        """Whether a hand was seen hereabouts a moment ago, so that a find is no surprise."""
        return self._nearest(find, tracks, stamp_ns) is not None

    def _nearest(self, find: HandBox, tracks: Iterable[Track], stamp_ns: int) -> Side | None:
        """The side of a hand that was seen hereabouts a moment ago."""
        held = {t.side: t.last for t in tracks if t.state is TrackState.HELD}
        nearest, reach = None, _REACH
        for side, seen in {**self._lost, **held}.items():
            if (stamp_ns - seen.stamp_ns) * 1e-9 > _MEMORY_S:
                continue
            apart = float(np.abs(seen.box.centre - find.centre).max()) / find.side_px
            if apart < reach:
                nearest, reach = side, apart
        return nearest
