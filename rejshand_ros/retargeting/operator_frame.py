"""The operator frame over time: the wrist frame, made robust to noise and to an edge-on palm."""

from __future__ import annotations

import numpy as np
from numba import njit

from rejshand_ros.compiled_geometry import nearest_rotation
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array
from rejshand_ros.hand.frame import wrist_frame
from rejshand_ros.hand.keypoints import PALM, WRIST, Side

_LEARN = 0.03
"""Share by which each frame changes what is known of the palm's shape."""
_PRIOR = 1.0
"""Weight of the last frame, in units of what the palm says about its weakest axis."""
_MOTION_RAD = 0.2
"""Turns of this size are taken for motion rather than noise: the prior halves there."""
_PALM = np.array(PALM)
_UNTURNED = np.eye(3)


class OperatorFrame:
    """Follows the wrist frame of one hand.

    A plane fitted to five noisy points tells its tilt about the long axis of the palm badly, and
    hardly at all where the palm is seen edge-on and depth is a guess. So the palm's shape is
    learned over time, and each frame is the rotation that lays that shape on the points best
    (orthogonal Procrustes), with the last frame's rotation as a further, weak observation. It
    weighs most about the axis that the points say least about, and gives way to real motion.
    """

    def __init__(self, side: Side) -> None:
        """Start without a frame.

        Args:
            side: Side of the hand.
        """
        self._side = side
        self.reset()

    def reset(self) -> None:
        """Forget earlier frames."""
        self.rotation: Array | None = None
        self._shape: Array | None = None

    def update(self, keypoints: Array) -> Array:
        """Keypoints (21, 3) in the operator frame, metres.

        Args:
            keypoints: (21, 3) metres, any fixed axes.

        Raises:
            InputError: There was no frame yet and the palm's points span no plane.
        """
        palm = keypoints[_PALM]
        self._learn(keypoints, palm)
        assert self._shape is not None
        followed = self.rotation is not None
        self.rotation = _laid(palm, self._shape, self.rotation if followed else _UNTURNED, followed)
        return np.asarray((keypoints - keypoints[WRIST]) @ self.rotation)

    def _learn(self, keypoints: Array, palm: Array) -> None:
        try:
            frame = wrist_frame(keypoints, self._side)
        except InputError:
            if self._shape is None:
                raise
            return
        local = palm @ frame.rotation
        local -= local.mean(0)
        if self._shape is None:
            self._shape = local
        else:
            self._shape = self._shape + _LEARN * (local - self._shape)


@njit("f8[:, ::1](f8[:, ::1], f8[:, ::1], f8[:, ::1], b1)", cache=True)
def _laid(palm: Array, shape: Array, last: Array, followed: bool) -> Array:
    """The rotation (3, 3) that lays a shape (5, 3) on a palm (5, 3), the last frame's in mind."""
    centre = np.zeros(3)
    for point in palm:
        centre += point / len(palm)
    correlation = np.zeros((3, 3))
    weakest = 0.0
    for n in range(len(palm)):
        for i in range(3):
            for k in range(3):
                correlation[i, k] += (palm[n, i] - centre[i]) * shape[n, k]
        weakest += shape[n, 0] ** 2 + shape[n, 1] ** 2
    rotation = nearest_rotation(correlation)
    if followed:
        cosine = ((last * rotation).sum() - 1.0) / 2.0
        angle = np.arccos(min(max(cosine, -1.0), 1.0))
        weight = _PRIOR * weakest / (1.0 + (angle / _MOTION_RAD) ** 2)
        rotation = nearest_rotation(correlation + weight * last)
    return rotation
