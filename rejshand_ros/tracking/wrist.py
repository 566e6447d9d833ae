"""Where the wrist is: from what the network says of the hand to a pose in the camera's frame.

The network gives the hand's points in the image and, separately, in metres relative to the wrist.
One translation makes the second project onto the first. Its distance is as good as the hand's
assumed length: the operator's calibrated one, or else the network's own guess.
"""

from __future__ import annotations

from collections import deque
from math import isfinite

import cv2
import numpy as np

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import FINGERS, WRIST, finger_keypoints

STEADY = [WRIST, *(index for name in FINGERS[1:] for index in finger_keypoints(name)[:2])]
"""Keypoints that place the wrist best: the palm and the fingers' first bones. The ends of the
fingers are seen no better, and what the network takes their depth to be is much worse."""
_CHAIN = (WRIST, *finger_keypoints("middle"))
_ITERATIONS = 4
_SMALLEST_SPREAD = 1e-12
"""Variance of the rays below which they tell no distance."""
_ROBUST_SHARE = 0.06
"""Reprojection errors beyond this share of the hand's extent weigh less (Huber)."""


def hand_length(keypoints: Array) -> float:
    """Wrist to tip of the straightened middle finger, metres, of keypoints (21, 3)."""
    chain = np.asarray(keypoints, float)[list(_CHAIN)]
    return float(np.linalg.norm(np.diff(chain, axis=0), axis=1).sum())


def undistorted_rays(pixels: Array, camera: PinholeCamera) -> Array:
    """Directions (n, 2), x/z and y/z, through distorted pixels (n, 2)."""
    if not np.any(camera.distortion):
        return camera.rays(pixels)[:, :2]
    points = np.asarray(pixels, float).reshape(-1, 1, 2)
    return np.asarray(cv2.undistortPoints(points, camera.matrix, camera.distortion), float).reshape(
        -1, 2
    )


def wrist_position(pixels: Array, keypoints: Array, camera: PinholeCamera) -> Array:
    """The wrist's position that makes the hand's points project onto their pixels.

    With x = (X + tx) / (Z + tz) and likewise y, the equations X + tx - x (Z + tz) = 0 are linear
    in the translation; dividing them by the point's depth makes their residual the reprojection
    error. A few rounds of that with Huber weights are a Gauss-Newton in all but name.

    Args:
        pixels: (n, 2) in the full image, distorted as the camera distorts.
        keypoints: (n, 3) metres, camera axes, relative to the wrist.
        camera: Intrinsics.

    Returns:
        (3,) metres in the camera's optical frame.

    Raises:
        InputError: Points that are not finite, or a hand that no place before the camera explains.
    """
    points = np.asarray(keypoints, float)
    rays = undistorted_rays(pixels, camera)
    if not (np.isfinite(points).all() and np.isfinite(rays).all()):
        raise InputError("wrist placement needs finite pixels and keypoints")
    x, y = rays[:, 0], rays[:, 1]
    wanted_x, wanted_y = x * points[:, 2] - points[:, 0], y * points[:, 2] - points[:, 1]
    limit = _ROBUST_SHARE * max(float(np.ptp(rays, axis=0).max()), 1e-6)
    weights = np.full(len(points), 1.0 / len(points))
    for _ in range(_ITERATIONS):
        # Weighted means stand for tx and ty, which leaves one equation, for tz.
        mean_x, mean_y = float(weights @ x), float(weights @ y)
        mean_wanted_x, mean_wanted_y = float(weights @ wanted_x), float(weights @ wanted_y)
        off_x, off_y = x - mean_x, y - mean_y
        spread = float(weights @ (off_x * off_x + off_y * off_y))
        if not spread > _SMALLEST_SPREAD:
            raise InputError("wrist placement: all pixels lie in one place")
        tz = -float(weights @ (off_x * wanted_x + off_y * wanted_y)) / spread
        tx, ty = mean_wanted_x + mean_x * tz, mean_wanted_y + mean_y * tz
        depth = points[:, 2] + tz
        if not (isfinite(tx) and isfinite(ty) and depth.min() > 0.01):
            raise InputError("wrist placement: no place before the camera explains the pixels")
        error = np.hypot(tx - x * tz - wanted_x, ty - y * tz - wanted_y) / depth
        weights = np.minimum(1.0, limit / np.maximum(error, 1e-12)) / (depth * depth)
        weights /= weights.sum()
    return np.array([tx, ty, tz])


def reprojection_error(
    pixels: Array, keypoints: Array, position: Array, camera: PinholeCamera
) -> float:
    """How far the hand's metric points land from its image points, as a share of its extent.

    The two come from the network by different ways, so that their disagreement tells a bad
    estimate better than the network's own opinion of it.
    """
    seen = undistorted_rays(pixels, camera)
    placed = keypoints + position
    off = placed[:, :2] / placed[:, 2:] - seen
    error = float(np.hypot(off[:, 0], off[:, 1]).mean())
    return error / max(float(np.ptp(seen, axis=0).max()), 1e-9)


class HandLength:
    """The hand's length: the operator's calibrated one, or what the network says when it is sure.

    A hand seen from the front comes out as long as it is; a foreshortened one comes out too short.
    So the network's length is a high percentile of the last seconds', not their mean, and single
    estimates are not stretched to it one by one.

    Args:
        calibrated_m: The operator's, metres; None to take the network's.
    """

    _WINDOW = 150
    _PERCENTILE = 90.0

    def __init__(self, calibrated_m: float | None = None) -> None:
        self.calibrated_m = calibrated_m
        self._lengths: deque[float] = deque(maxlen=self._WINDOW)

    def update(self, keypoints: Array) -> tuple[float, float]:
        """Take in one estimate.

        Args:
            keypoints: (21, 3) metres.

        Returns:
            The hand's length, metres, and the factor by which the network's metres are to be
            multiplied.
        """
        self._lengths.append(hand_length(keypoints))
        ranked = sorted(self._lengths)
        # Between the two nearest ranks; numpy's percentile takes ten times as long to say so.
        rank = (len(ranked) - 1) * self._PERCENTILE / 100.0
        below = int(rank)
        above = min(below + 1, len(ranked) - 1)
        own = ranked[below] + (rank - below) * (ranked[above] - ranked[below])
        if self.calibrated_m is None:
            return own, 1.0
        return self.calibrated_m, self.calibrated_m / max(own, 1e-3)
