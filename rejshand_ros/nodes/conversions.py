"""Cameras and human hands to messages and back: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from rejshand_msgs.msg import HandMeshFaces, HandPose
from rejshand_ros.errors import InputError
from rejshand_ros.geometry import (
    Array,
    PinholeCamera,
    RigidTransform,
    quaternion_from_rotation,
    rotation_from_quaternion,
)
from rejshand_ros.hand.keypoints import KEYPOINT_COUNT, Side
from rejshand_ros.nodes.stamps import header, nanoseconds
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

VERTEX_COUNT = 778
_SHORTEST, _LONGEST, _FARTHEST = 0.05, 200.0, 2.0
"""Focal lengths and the centre's coordinates that a camera can have, in image sizes: from a
fish-eye of 170 degrees to a telescope, whole or cropped."""
_SHEAR, _STRONGEST = 0.01, 1000.0
"""Largest skew, in image sizes, and distortion coefficient."""


# Cameras.


def camera_to_message(camera: PinholeCamera, stamp_ns: int = 0, frame_id: str = "") -> CameraInfo:
    """CameraInfo of a camera; one whose field of view is a guess is sent as uncalibrated."""
    message = CameraInfo(
        header=header(stamp_ns, frame_id), width=int(camera.width), height=int(camera.height)
    )
    if camera.assumed:
        return message
    message.distortion_model = "rational_polynomial" if len(camera.distortion) > 5 else "plumb_bob"
    message.d = [float(value) for value in camera.distortion] or [0.0] * 5
    message.k = camera.matrix.reshape(9).astype(float)
    message.r = np.eye(3).reshape(9)
    message.p = np.hstack([camera.matrix, np.zeros((3, 1))]).reshape(12).astype(float)
    return message


def camera_from_message(message: CameraInfo) -> PinholeCamera | None:
    """The camera in a CameraInfo, or None if it is uncalibrated (K[0] is zero).

    Raises:
        InputError: Its numbers make no camera, or its distortion model is none of OpenCV's
            default family.
    """
    matrix = np.asarray(message.k, float).reshape(3, 3)
    if matrix[0, 0] == 0.0:
        return None
    distortion = np.asarray(message.d, float)
    if not (np.isfinite(matrix).all() and np.isfinite(distortion).all()):
        raise InputError("camera_info holds numbers that are not finite")
    if matrix[0, 0] < 0 or matrix[1, 1] <= 0 or message.width == 0 or message.height == 0:
        raise InputError(
            f"camera_info has focal lengths {matrix[0, 0]:g}, {matrix[1, 1]:g} and size "
            f"{message.width} x {message.height}; all must be positive"
        )
    size = max(message.width, message.height)
    focal, offset = matrix[[0, 1], [0, 1]] / size, np.abs(matrix[:2, 2]) / size
    sheared = abs(matrix[0, 1]) / size, *np.abs(matrix[[1, 2, 2], [0, 0, 1]]), abs(matrix[2, 2] - 1)
    if focal.min() < _SHORTEST or focal.max() > _LONGEST or offset.max() > _FARTHEST:
        raise InputError(
            f"camera_info of {size} pixels has focal lengths {matrix[0, 0]:g}, {matrix[1, 1]:g} "
            f"and its centre at {matrix[0, 2]:g}, {matrix[1, 2]:g}: no lens does that"
        )
    if max(sheared) > _SHEAR or np.abs(distortion).max(initial=0.0) > _STRONGEST:
        raise InputError("camera_info has a K that is no camera matrix, or wild coefficients")
    if distortion.any() and message.distortion_model not in ("plumb_bob", "rational_polynomial"):
        raise InputError(
            f"camera_info has distortion model {message.distortion_model!r}; "
            "valid: 'plumb_bob', 'rational_polynomial'"
        )
    if distortion.any() and len(distortion) not in (4, 5, 8):
        raise InputError(f"camera_info has {len(distortion)} coefficients; valid: 4, 5, 8")
    if not distortion.any():
        distortion = np.zeros(0)
    return PinholeCamera(int(message.width), int(message.height), matrix, distortion)


# Hands.


def hand_to_message(hand: TrackedHand, frame_id: str) -> HandPose:
    """HandPose of a followed hand."""
    message = HandPose(
        header=header(hand.stamp_ns, frame_id),
        side=str(hand.side),
        state=hand.state.value,
        score=float(hand.score),
        keypoints_3d=[Point(x=x, y=y, z=z) for x, y, z in hand.keypoints_3d.tolist()],
        wrist=pose_to_message(hand.camera_from_wrist),
        hand_length=float(hand.hand_length_m),
        intrinsics_assumed=bool(hand.intrinsics_assumed),
    )
    message.keypoints_2d.frombytes(np.ascontiguousarray(hand.keypoints_2d, "<f4").tobytes())
    return message


def lost_hand_message(stamp_ns: int, side: Side, frame_id: str) -> HandPose:
    """HandPose that says that no hand of this side is seen."""
    message = HandPose(header=header(stamp_ns, frame_id), side=str(side), state=HandPose.STATE_LOST)
    position, orientation = message.wrist.position, message.wrist.orientation
    position.x = position.y = position.z = float("nan")
    orientation.x = orientation.y = orientation.z = orientation.w = float("nan")
    return message


def hand_from_message(message: HandPose, vertices: Array | None = None) -> TrackedHand | None:
    """The followed hand in a HandPose; None where it says that the hand is lost.

    Args:
        message: The message.
        vertices: (778, 3) from the mesh of the same stamp; empty where it is not at hand.

    Raises:
        InputError: Arrays of the wrong length, numbers that are not finite, unknown side or state.
    """
    p, q = message.wrist.position, message.wrist.orientation
    hand = checked_hand(
        nanoseconds(message.header.stamp),
        message.side,
        message.state,
        message.score,
        np.array(message.keypoints_2d, float),
        np.array([(k.x, k.y, k.z) for k in message.keypoints_3d], float),
        (p.x, p.y, p.z, q.x, q.y, q.z, q.w),
        message.hand_length,
        message.intrinsics_assumed,
    )
    return hand if hand is None or vertices is None else replace(hand, vertices=vertices)


def checked_hand(
    stamp_ns: int,
    side_name: str,
    state_number: int,
    score: float,
    pixels: NDArray[np.floating[Any]],
    points: NDArray[np.floating[Any]],
    wrist: Sequence[float],
    hand_length_m: float,
    intrinsics_assumed: bool,
) -> TrackedHand | None:
    """The followed hand in the fields of a HandPose; None where it says that the hand is lost.

    Args:
        stamp_ns: Capture stamp, nanoseconds.
        side_name: "left" or "right".
        state_number: One of HandPose.STATE_*.
        score: Probability, 0..1.
        pixels: (42,) u and v of each keypoint, pixels.
        points: (21, 3) metres.
        wrist: Position (x, y, z), metres, and quaternion (x, y, z, w) in the camera's frame.
        hand_length_m: Metres.
        intrinsics_assumed: Whether the field of view is a guess.

    Raises:
        InputError: Arrays of the wrong length, numbers that are not finite, unknown side or state.
    """
    side, state = _side(side_name), _state(state_number)
    if state is TrackState.LOST:
        return None
    if len(points) != KEYPOINT_COUNT or len(pixels) != 2 * KEYPOINT_COUNT:
        raise InputError(
            f"hand pose of {len(points)} points and {len(pixels)} "
            "pixel coordinates; 21 and 42 are needed"
        )
    # Looked at before the cast: that of a signalling NaN warns.
    if not (np.isfinite(points).all() and np.isfinite(pixels).all()):
        raise InputError("hand pose holds keypoints that are not finite")
    keypoints_3d = points.astype(float)
    keypoints_2d = pixels.astype(float).reshape(KEYPOINT_COUNT, 2)
    return TrackedHand(
        stamp_ns=stamp_ns,
        side=side,
        state=state,
        score=float(score),
        keypoints_2d=keypoints_2d,
        keypoints_3d=keypoints_3d,
        vertices=np.zeros((0, 3)),
        camera_from_wrist=_pose(wrist),
        hand_length_m=float(hand_length_m),
        intrinsics_assumed=bool(intrinsics_assumed),
    )


def pose_to_message(transform: RigidTransform) -> Pose:
    """A geometry_msgs pose."""
    message = Pose()
    x, y, z = transform.translation.tolist()
    message.position = Point(x=x, y=y, z=z)
    q = quaternion_from_rotation(transform.rotation).tolist()
    message.orientation.x, message.orientation.y = q[0], q[1]
    message.orientation.z, message.orientation.w = q[2], q[3]
    return message


def pose_from_message(message: Pose) -> RigidTransform:
    """The pose in a geometry_msgs pose.

    Raises:
        InputError: It is not finite.
    """
    p, q = message.position, message.orientation
    return _pose((p.x, p.y, p.z, q.x, q.y, q.z, q.w))


def _pose(numbers: Sequence[float]) -> RigidTransform:
    translation = np.array(numbers[:3], float)
    if not np.isfinite(translation).all():
        raise InputError(f"pose at {translation.tolist()} is not finite")
    return RigidTransform(rotation_from_quaternion(numbers[3:]), translation)


def wrist_pose_message(pose: HandPose) -> PoseStamped:
    """The wrist alone, for everything that takes a PoseStamped."""
    return PoseStamped(header=pose.header, pose=pose.wrist)


def faces_message(faces: Any, side: Side) -> HandMeshFaces:
    """Triangles of a hand; a left one is the mirrored right one, so its winding is turned.

    Args:
        faces: (F, 3) vertex indices of the right hand, counter-clockwise seen from outside.
        side: Which hand.
    """
    triangles = np.asarray(faces, np.uint32)
    if side is Side.LEFT:
        triangles = triangles[:, ::-1]
    message = HandMeshFaces(side=str(side))
    message.faces.frombytes(np.ascontiguousarray(triangles, "<u4").tobytes())
    return message


def _side(text: str) -> Side:
    try:
        return Side(text)
    except ValueError:
        raise InputError(f"unknown side {text!r}; valid: {', '.join(Side)}") from None


def _state(value: int) -> TrackState:
    try:
        return TrackState(value)
    except ValueError:
        raise InputError(f"hand pose has state {value}; valid: 0 to 2") from None
