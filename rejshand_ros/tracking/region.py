"""The part of the image in which a followed hand is looked for next.

A crop cut from nothing but the last keypoints feeds errors back: fingers that were missed once
are cut off the next time, and so missed again. So the region widens at once and shrinks slowly,
edge by edge, while it moves and turns with the palm.
"""

from __future__ import annotations

from math import exp

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import PALM
from rejshand_ros.tracking.image_geometry import middle, turned_hull
from rejshand_ros.tracking.localiser import HandBox, box_of_hull

_PALM = np.array(PALM)


class HandRegion:
    """Box edges around a palm, in the palm's turned axes.

    Args:
        shrink_s: Time constant with which an edge comes in to the keypoints, seconds.
        box: The first box.
        keypoints: (21, 2) pixels, from which the box comes.
    """

    def __init__(self, shrink_s: float, box: HandBox, keypoints: Array) -> None:
        self._shrink_s = shrink_s
        self.restart(box, keypoints)

    def restart(self, box: HandBox, keypoints: Array) -> None:
        """Forget the past: take the keypoints' hull as it is."""
        self._box = box
        self._palm = middle(keypoints, _PALM)
        self._hull = turned_hull(keypoints, *self._palm, box.roll_rad)

    def update(self, box: HandBox, keypoints: Array, period_s: float) -> None:
        """Take in the newest keypoints (21, 2), pixels, and their box."""
        left, top, right, bottom = self._hull
        self.restart(box, keypoints)
        new_left, new_top, new_right, new_bottom = self._hull
        kept = exp(-max(period_s, 0.0) / self._shrink_s)
        self._hull = (
            new_left + kept * min(left - new_left, 0.0),
            new_top + kept * min(top - new_top, 0.0),
            new_right + kept * max(right - new_right, 0.0),
            new_bottom + kept * max(bottom - new_bottom, 0.0),
        )

    @property
    def box(self) -> HandBox:
        """The square box of the region."""
        last = self._box
        return box_of_hull(self._palm, self._hull, last.roll_rad, last.side, last.score)
