"""The part of the image in which a followed hand is looked for next.

A crop cut from nothing but the last keypoints feeds errors back: fingers that were missed once
are cut off the next time, and so missed again. So the region widens at once and shrinks slowly,
edge by edge, while it moves and turns with the palm.
"""

from __future__ import annotations

from dataclasses import replace
from math import cos, exp, sin

import numpy as np

from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import PALM
from rejshand_ros.tracking.config import BOX_SCALE
from rejshand_ros.tracking.localiser import HandBox

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
        self._palm = keypoints[_PALM].mean(0)
        self._low, self._high = self._hull(box.roll_rad, keypoints)

    def update(self, box: HandBox, keypoints: Array, period_s: float) -> None:
        """Take in the newest keypoints (21, 2), pixels, and their box."""
        self._box = box
        self._palm = keypoints[_PALM].mean(0)
        low, high = self._hull(box.roll_rad, keypoints)
        kept = exp(-max(period_s, 0.0) / self._shrink_s)
        self._low = low + kept * np.minimum(self._low - low, 0.0)
        self._high = high + kept * np.maximum(self._high - high, 0.0)

    @property
    def box(self) -> HandBox:
        """The square box of the region."""
        axes = _axes(self._box.roll_rad)
        centre = self._palm + axes @ ((self._low + self._high) / 2)
        side_px = float((self._high - self._low).max()) * BOX_SCALE
        return replace(self._box, centre=centre, side_px=side_px)

    def _hull(self, roll_rad: float, keypoints: Array) -> tuple[Array, Array]:
        """Edges around keypoints (21, 2), from the palm, in turned axes."""
        turned = (keypoints - self._palm) @ _axes(roll_rad)
        return turned.min(0), turned.max(0)


def _axes(roll_rad: float) -> Array:
    """(2, 2) columns: the crop's right and down in the image."""
    c, s = cos(roll_rad), sin(roll_rad)
    return np.array([[c, -s], [s, c]])
