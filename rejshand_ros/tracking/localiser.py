"""Where in a whole frame hands are: the interface, and what a find is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, hypot, pi, sin

import numpy as np
from numpy.typing import NDArray

from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import MIDDLE_MCP, WRIST, Side
from rejshand_ros.tracking.config import BOX_SCALE
from rejshand_ros.tracking.image_geometry import turned_hull


@dataclass(frozen=True)
class HandBox:
    """A hand in an image: a square box, how it is turned, which side, how sure.

    Attributes:
        centre: (2,) pixels.
        side_px: Side of the square, pixels: 1.25 times the keypoints' hull.
        roll_rad: The fingers point along the image direction (sin roll, -cos roll).
        side: The hand's probable side; None where the finder cannot tell.
        score: Probability, 0..1.
    """

    centre: Array
    side_px: float
    roll_rad: float
    side: Side | None
    score: float


class Localiser(ABC):
    """Finds hands in whole frames."""

    @abstractmethod
    def find(
        self, image: NDArray[np.uint8], camera: PinholeCamera, exclude: Sequence[HandBox] = ()
    ) -> list[HandBox]:
        """Find hands.

        Args:
            image: (H, W, 3) uint8, BGR.
            camera: The camera that took it.
            exclude: Hands that are followed already; they are not found again.

        Returns:
            Finds, the surest first.
        """


def box_of_keypoints(
    keypoints: Array, fallback_roll_rad: float, side: Side | None = None, score: float = 1.0
) -> HandBox:
    """The square box of 21 keypoints (21, 2), pixels, turned along the hand.

    The hull is taken in the turned axes, so that the crop is as tight for a slanted hand as for
    an upright one. Where the palm points at the camera its direction in the image is noise: the
    shorter the palm, the more of `fallback_roll_rad` stays.
    """
    points = np.asarray(keypoints, float)
    right, down = (points[MIDDLE_MCP] - points[WRIST]).tolist()
    left, top, far, low = turned_hull(points, 0.0, 0.0, 0.0)
    extent = max(far - left, low - top)
    trust = min(max((hypot(right, down) / max(extent, 1e-6) - 0.1) / 0.2, 0.0), 1.0)
    measured = atan2(right, -down)
    roll = fallback_roll_rad + trust * wrap_angle(measured - fallback_roll_rad)
    return box_of_hull((0.0, 0.0), turned_hull(points, 0.0, 0.0, roll), roll, side, score)


def box_of_hull(
    origin: tuple[float, float],
    hull: tuple[float, float, float, float],
    roll_rad: float,
    side: Side | None,
    score: float,
) -> HandBox:
    """The square box around a hull (left, top, right, bottom) in axes turned about an origin."""
    left, top, right, bottom = hull
    across, along = (left + right) / 2, (top + bottom) / 2
    c, s = cos(roll_rad), sin(roll_rad)
    centre = np.array([origin[0] + c * across - s * along, origin[1] + s * across + c * along])
    side_px = max(right - left, bottom - top) * BOX_SCALE
    return HandBox(centre, side_px, wrap_angle(roll_rad), side, score)


def wrap_angle(angle: float) -> float:
    """The same angle in -pi..pi, radians."""
    return (angle + pi) % (2 * pi) - pi


def overlap(a: HandBox, b: HandBox) -> float:
    """Intersection over union of two boxes, taken upright."""
    reach = (a.side_px + b.side_px) / 2
    shared = np.minimum(reach - np.abs(a.centre - b.centre), min(a.side_px, b.side_px))
    if np.any(shared <= 0):
        return 0.0
    common = float(shared[0] * shared[1])
    return common / (a.side_px**2 + b.side_px**2 - common)
