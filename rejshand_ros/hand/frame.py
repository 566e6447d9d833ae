"""The wrist (operator) frame of a hand, found robustly from its keypoints.

Convention (see `rejshand_ros.hand.keypoints`): origin at keypoint 0; x is the normal of the plane
fitted to the wrist and the four knuckles, out of the palm; z lies in that plane and points from
the wrist to the middle of the first three knuckles; y = z cross x, towards the thumb on a right
hand and away from it on a left one. Both sides have right-handed frames, so mirroring a hand is
not a rotation: see `mirror_points`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rejshand_ros.errors import InputError
from rejshand_ros.geometry import Array, RigidTransform, rotation_between
from rejshand_ros.hand.keypoints import (
    FINGERS,
    KEYPOINT_COUNT,
    PALM,
    WRIST,
    Side,
    finger_keypoints,
)
from rejshand_ros.hand.palm_axes import FOUND, NO_DIRECTION, NOT_FINITE, ON_ONE_LINE, palm_axes

_PALM = np.array(PALM)
_SMALLEST_BONE_M = 1e-4
_REASONS = {
    NOT_FINITE: "keypoints of the palm are not finite; a wrist frame needs all five",
    ON_ONE_LINE: "keypoints of the palm lie on one line; no palm plane can be fitted",
    NO_DIRECTION: "the knuckles lie on the wrist; no direction of the fingers is left",
}


def wrist_frame(keypoints: ArrayLike, side: Side | str) -> RigidTransform:
    """Pose of the wrist frame in the axes in which the keypoints are given.

    Five points carry the fit, so that the noise of any one of them weighs little; the thumb is
    left out since it moves against the palm.

    Args:
        keypoints: (21, 3) metres, any fixed axes (a camera's, say).
        side: Side of the hand, which decides the sign of the palm's normal.

    Returns:
        Transform from the wrist frame to the given axes; its rotation's columns are the frame's
        axes.

    Raises:
        InputError: Wrong shape, points that are not finite, or points on one line.
    """
    points = np.asarray(keypoints, float)
    if points.shape != (KEYPOINT_COUNT, 3):
        raise InputError(f"keypoints have shape {points.shape}; valid: ({KEYPOINT_COUNT}, 3)")
    outcome, rotation = palm_axes(points[_PALM], 1.0 if Side(side) is Side.RIGHT else -1.0)
    if outcome != FOUND:
        raise InputError(_REASONS[outcome])
    return RigidTransform(rotation, points[WRIST].copy())


def in_wrist_frame(keypoints: ArrayLike, side: Side | str) -> Array:
    """Keypoints (21, 3), metres, in their own wrist frame."""
    frame = wrist_frame(keypoints, side)
    return frame.inverse().apply(keypoints)


def fingertip_frames(keypoints_in_wrist: ArrayLike) -> dict[str, RigidTransform]:
    """Pose of each fingertip in the wrist frame.

    The origin is the fingertip's keypoint; z points along the last bone, out of the finger; x is
    the palm's normal, carried along the finger by the smallest turn from bone to bone, so that a
    straight finger's axes are the wrist's, and a closed fist's are still well defined.

    Args:
        keypoints_in_wrist: (21, 3) metres, in the wrist frame.

    Returns:
        Finger name -> transform from the fingertip's frame to the wrist frame.

    Raises:
        InputError: Wrong shape, points that are not finite, or a bone without length.
    """
    points = np.asarray(keypoints_in_wrist, float)
    if points.shape != (KEYPOINT_COUNT, 3) or not np.isfinite(points).all():
        raise InputError(f"keypoints must be ({KEYPOINT_COUNT}, 3) finite numbers")
    frames = {}
    for finger in FINGERS:
        chain = points[list(finger_keypoints(finger))]
        bones = np.diff(chain, axis=0)
        if (np.linalg.norm(bones, axis=1) < _SMALLEST_BONE_M).any():
            raise InputError(f"a bone of the {finger} has no length; its frame has no direction")
        rotation = np.eye(3)
        for bone in bones:
            rotation = rotation_between(rotation[:, 2], bone) @ rotation
        frames[finger] = RigidTransform(rotation, chain[-1].copy())
    return frames


def mirror_points(points: ArrayLike) -> Array:
    """Points (..., 3) of a hand in its wrist frame as those of the other hand in its own (y)."""
    mirrored: Array = np.asarray(points, float) * np.array([1.0, -1.0, 1.0])
    return mirrored
