"""Where the wrist is: from what the network says of the hand to a pose in the camera's frame.

The network gives the hand's points in the image and, separately, in metres relative to the wrist.
One translation makes the second project onto the first. Its distance is as good as the hand's
assumed length: the operator's calibrated one, or else the network's own guess.
"""

from __future__ import annotations

from collections import deque

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
    count = len(points)
    design = np.zeros((2 * count, 3))
    design[:count, 0] = design[count:, 1] = 1.0
    design[:count, 2], design[count:, 2] = -rays[:, 0], -rays[:, 1]
    wanted = np.concatenate(
        [rays[:, 0] * points[:, 2] - points[:, 0], rays[:, 1] * points[:, 2] - points[:, 1]]
    )
    limit = _ROBUST_SHARE * max(float((rays.max(0) - rays.min(0)).max()), 1e-6)
    depth = np.ones(2 * count)
    weight = np.ones(2 * count)
    translation = np.zeros(3)
    for _ in range(_ITERATIONS):
        scale = weight / depth
        solved = np.linalg.lstsq(design * scale[:, None], wanted * scale, rcond=None)[0]
        translation = np.asarray(solved, float)
        z = points[:, 2] + translation[2]
        if not np.isfinite(translation).all() or z.min() <= 0.01:
            raise InputError("wrist placement: no place before the camera explains the pixels")
        depth = np.tile(z, 2)
        error = (design @ translation - wanted) / depth
        norm = np.hypot(error[:count], error[count:])
        weight = np.tile(np.sqrt(np.minimum(1.0, limit / np.maximum(norm, 1e-12))), 2)
    return np.asarray(translation)


def reprojection_error(
    pixels: Array, keypoints: Array, position: Array, camera: PinholeCamera
) -> float:
    """How far the hand's metric points land from its image points, as a share of its extent.

    The two come from the network by different ways, so that their disagreement tells a bad
    estimate better than the network's own opinion of it.
    """
    seen = undistorted_rays(pixels, camera)
    placed = keypoints + position
    error = np.linalg.norm(placed[:, :2] / placed[:, 2:] - seen, axis=1).mean()
    return float(error / max(float((seen.max(0) - seen.min(0)).max()), 1e-9))


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
        own = float(np.percentile(self._lengths, self._PERCENTILE))
        if self.calibrated_m is None:
            return own, 1.0
        return self.calibrated_m, self.calibrated_m / max(own, 1e-3)
