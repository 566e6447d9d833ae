"""The operator frame over time: the wrist frame, made robust to noise and to an edge-on palm."""

from __future__ import annotations

import numpy as np

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
        palm = keypoints[list(PALM)]
        palm = palm - palm.mean(0)
        self._learn(keypoints)
        assert self._shape is not None
        shape = self._shape
        rotation = _rotation(palm.T @ shape)
        if self.rotation is not None:
            turn = self.rotation.T @ rotation
            angle = np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))
            weakest = float((shape[:, 0] ** 2 + shape[:, 1] ** 2).sum())
            weight = _PRIOR * weakest / (1.0 + (angle / _MOTION_RAD) ** 2)
            rotation = _rotation(palm.T @ shape + weight * self.rotation)
        self.rotation = rotation
        return np.asarray((keypoints - keypoints[WRIST]) @ rotation)

    def _learn(self, keypoints: Array) -> None:
        try:
            frame = wrist_frame(keypoints, self._side)
        except InputError:
            if self._shape is None:
                raise
            return
        local = keypoints[list(PALM)] @ frame.rotation
        local -= local.mean(0)
        if self._shape is None:
            self._shape = local
        else:
            self._shape = self._shape + _LEARN * (local - self._shape)


def _rotation(correlation: Array) -> Array:
    """The rotation nearest to a matrix (3, 3): Kabsch's, reflections excluded."""
    u, _, vt = np.linalg.svd(correlation)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        u[:, 2] = -u[:, 2]
    return np.asarray(u @ vt)
