"""From where a robot hand is looked at: before its palm, near enough to fill the picture."""

from __future__ import annotations

import numpy as np

from rejshand_ros.geometry import Array, PinholeCamera, RigidTransform, rotation_from_vector
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.retargeting.robot_model import RobotModel

BACKGROUND_RGB = ((58, 62, 70), (28, 30, 36))
"""Of a picture's top and bottom."""
DISTANCE_M = 0.75
_MARGIN_M = 0.05
# The palm faces the viewer as it does before a camera; a turn shows the fingers' depth.
_TURN_RAD = (-0.30, 0.45)


def viewpoint(
    robot: RobotHandConfig, model: RobotModel, width: int, height: int
) -> tuple[RigidTransform, PinholeCamera]:
    """The camera before the palm, and a lens such that the open hand fills the picture.

    Args:
        robot: The hand.
        model: Its kinematics.
        width: Of the picture, pixels.
        height: Of the picture, pixels.

    Returns:
        Pose of the root link in the camera's optical frame, and the lens.
    """
    poses = model.link_poses(np.asarray(robot.rest, float))
    frame = poses[robot.operator_link] @ robot.operator_link_from_frame
    # Camera axes of a viewer before the palm: x along the frame's y, y down its z, z into x.
    facing: Array = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
    # A left hand is seen as the mirror image of a right one.
    sideways = _TURN_RAD[1] if robot.side is Side.RIGHT else -_TURN_RAD[1]
    turn = rotation_from_vector([_TURN_RAD[0], 0, 0]) @ rotation_from_vector([0, sideways, 0])
    rotation = turn @ facing @ frame.rotation.T
    # Wrist and fingertips fill the picture; a forearm may leave it.
    shown = [poses[link].translation for link in robot.fingertip_links.values()]
    corners = np.stack([frame.translation, *shown]) @ rotation.T
    low, high = corners.min(0) - _MARGIN_M, corners.max(0) + _MARGIN_M
    centre = (low + high) / 2
    camera_from_root = RigidTransform(rotation, np.array([0, 0, DISTANCE_M]) - centre)
    extent = (high - low)[:2]
    focal = DISTANCE_M * min(width / extent[0], height / extent[1])
    matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return camera_from_root, PinholeCamera(width, height, matrix)
