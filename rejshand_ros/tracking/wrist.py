"""Where the wrist is: from what the network says of the hand to a pose in the camera's frame.

The network gives the hand's points in the image and, separately, in metres relative to the wrist.
One translation makes the second project onto the first. Its distance is as good as the hand's
assumed length: the operator's calibrated one, or else the network's own guess.
"""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, PinholeCamera
from rejshand_ros.hand.keypoints import FINGERS, WRIST, finger_keypoints

STEADY = np.array([WRIST, *(index for name in FINGERS[1:] for index in finger_keypoints(name)[:2])])
"""Keypoints that place the wrist best: the palm and the fingers' first bones. The ends of the
fingers are seen no better, and what the network takes their depth to be is much worse."""
_CHAIN = np.array([WRIST, *finger_keypoints("middle")])
_ITERATIONS = 4
_SMALLEST_SPREAD = 1e-12
"""Variance of the rays below which they tell no distance."""
_ROBUST_SHARE = 0.06
"""Reprojection errors beyond this share of the hand's extent weigh less (Huber)."""
_NEAREST_M = 0.01
"""No point of a hand can lie nearer to the camera, metres."""
_PLACED, _NOT_FINITE, _IN_ONE_PLACE, _NOWHERE = range(4)
_REASONS = {
    _NOT_FINITE: "pixels and keypoints must be finite",
    _IN_ONE_PLACE: "all pixels lie in one place",
    _NOWHERE: "no place before the camera explains the pixels",
}


def hand_length(keypoints: Array) -> float:
    """Wrist to tip of the straightened middle finger, metres, of keypoints (21, 3)."""
    return _chain_length(np.asarray(keypoints, float), _CHAIN)


@njit("f8(f8[:, :], i8[::1])", cache=True)
def _chain_length(points: Array, chain: NDArray[np.int64]) -> float:
    """Length of the line through the chosen ones among points (n, 3), one after the other."""
    total = 0.0
    for i in range(1, len(chain)):
        square = 0.0
        for k in range(3):
            square += (points[chain[i], k] - points[chain[i - 1], k]) ** 2
        total += np.sqrt(square)
    return total


def undistorted_rays(pixels: Array, camera: PinholeCamera) -> Array:
    """Directions (n, 2), x/z and y/z, through distorted pixels (n, 2)."""
    if not camera.is_distorted:
        inverse = camera.ray_from_pixel
        return np.ascontiguousarray(pixels @ inverse[:2, :2].T + inverse[:2, 2])
    points = np.asarray(pixels, float).reshape(-1, 1, 2)
    rays = cv2.undistortPoints(points, camera.matrix, camera.distortion)
    return np.ascontiguousarray(rays.reshape(-1, 2), float)


def wrist_position(pixels: Array, keypoints: Array, camera: PinholeCamera) -> Array:
    """The wrist's position that makes the hand's points project onto their pixels.

    Args:
        pixels: (n, 2) in the full image, distorted as the camera distorts.
        keypoints: (n, 3) metres, camera axes, relative to the wrist.
        camera: Intrinsics.

    Returns:
        (3,) metres in the camera's optical frame.

    Raises:
        InputError: Points that are not finite, or a hand that no place before the camera explains.
    """
    return _placed(undistorted_rays(pixels, camera), np.ascontiguousarray(keypoints, float))


def place_hand(pixels: Array, keypoints: Array, camera: PinholeCamera) -> tuple[Array, float]:
    """The wrist's position, and how far the hand's metric points land from its image points.

    The two come from the network by different ways, so that their disagreement tells a bad
    estimate better than the network's own opinion of it. It is measured where all keypoints place
    the hand; the position is where those do that place it best (`STEADY`).

    Args:
        pixels: (21, 2) in the full image, distorted as the camera distorts.
        keypoints: (21, 3) metres, camera axes, relative to the wrist.
        camera: Intrinsics.

    Returns:
        The position (3,), metres in the camera's optical frame, and the mean distance as a share
        of the hand's extent.

    Raises:
        InputError: As `wrist_position`.
    """
    rays, points = undistorted_rays(pixels, camera), np.ascontiguousarray(keypoints, float)
    status, tx, ty, tz, error = _place_steadily(rays, points, STEADY)
    if status != _PLACED:
        raise InputError(f"wrist placement: {_REASONS[status]}")
    return np.array([tx, ty, tz]), error


def _placed(rays: Array, points: Array) -> Array:
    """The wrist's position by rays (n, 2) and points (n, 3), metres.

    Raises:
        InputError: As `wrist_position`.
    """
    status, tx, ty, tz = _place(rays, points)
    if status != _PLACED:
        raise InputError(f"wrist placement: {_REASONS[status]}")
    return np.array([tx, ty, tz])


@njit("Tuple((i8, f8, f8, f8))(f8[:, ::1], f8[:, ::1])", cache=True)
def _place(rays: Array, points: Array) -> tuple[int, float, float, float]:
    """How it went, and the translation (metres) that puts points (n, 3) onto rays (n, 2).

    With x = (X + tx) / (Z + tz) and likewise y, the equations X + tx - x (Z + tz) = 0 are linear
    in the translation; dividing them by the point's depth makes their residual the reprojection
    error. A few rounds of that with Huber weights are a Gauss-Newton in all but name.
    """
    count = len(points)
    for i in range(count):
        if not (np.isfinite(points[i]).all() and np.isfinite(rays[i]).all()):
            return _NOT_FINITE, 0.0, 0.0, 0.0
    extent = max(np.ptp(rays[:, 0]), np.ptp(rays[:, 1]))
    limit = _ROBUST_SHARE * max(extent, 1e-6)
    weights = np.full(count, 1.0 / count)
    tx, ty, tz = 0.0, 0.0, 0.0
    for _ in range(_ITERATIONS):
        # Weighted means stand for tx and ty, which leaves one equation, for tz.
        mean_x, mean_y, mean_u, mean_v = 0.0, 0.0, 0.0, 0.0
        for i in range(count):
            x, y, z = rays[i, 0], rays[i, 1], points[i, 2]
            mean_x += weights[i] * x
            mean_y += weights[i] * y
            mean_u += weights[i] * (x * z - points[i, 0])
            mean_v += weights[i] * (y * z - points[i, 1])
        spread, slope = 0.0, 0.0
        for i in range(count):
            x, y, z = rays[i, 0], rays[i, 1], points[i, 2]
            off_x, off_y = x - mean_x, y - mean_y
            spread += weights[i] * (off_x * off_x + off_y * off_y)
            slope += weights[i] * (off_x * (x * z - points[i, 0]) + off_y * (y * z - points[i, 1]))
        if not spread > _SMALLEST_SPREAD:
            return _IN_ONE_PLACE, 0.0, 0.0, 0.0
        tz = -slope / spread
        tx, ty = mean_u + mean_x * tz, mean_v + mean_y * tz
        total = 0.0
        for i in range(count):
            depth = points[i, 2] + tz
            # False for what is not a number, too.
            if not depth > _NEAREST_M:
                return _NOWHERE, 0.0, 0.0, 0.0
            off_x = points[i, 0] + tx - rays[i, 0] * depth
            off_y = points[i, 1] + ty - rays[i, 1] * depth
            error = np.sqrt(off_x * off_x + off_y * off_y) / depth
            weights[i] = min(1.0, limit / max(error, 1e-12)) / (depth * depth)
            total += weights[i]
        for i in range(count):
            weights[i] /= total
    if not (np.isfinite(tx) and np.isfinite(ty)):
        return _NOWHERE, 0.0, 0.0, 0.0
    return _PLACED, tx, ty, tz


@njit("f8(f8[:, ::1], f8[:, ::1], f8[::1])", cache=True)
def _misfit(rays: Array, points: Array, position: Array) -> float:
    """Mean distance of placed points (n, 3) from rays (n, 2), as a share of the rays' extent."""
    total = 0.0
    for i in range(len(points)):
        depth = points[i, 2] + position[2]
        off_x = (points[i, 0] + position[0]) / depth - rays[i, 0]
        off_y = (points[i, 1] + position[1]) / depth - rays[i, 1]
        total += np.sqrt(off_x * off_x + off_y * off_y)
    extent = max(np.ptp(rays[:, 0]), np.ptp(rays[:, 1]))
    return total / len(points) / max(extent, 1e-9)


@njit("Tuple((i8, f8, f8, f8, f8))(f8[:, ::1], f8[:, ::1], i8[::1])", cache=True)
def _place_steadily(
    rays: Array, points: Array, steady: NDArray[np.int64]
) -> tuple[int, float, float, float, float]:
    """As `_place` by some of the points, and the misfit where all of them place the hand."""
    status, tx, ty, tz = _place(rays, points)
    if status != _PLACED:
        return status, tx, ty, tz, 0.0
    error = _misfit(rays, points, np.array([tx, ty, tz]))
    status, tx, ty, tz = _place(rays[steady], points[steady])
    return status, tx, ty, tz, error


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
