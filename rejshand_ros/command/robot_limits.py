"""A robot hand's limits for the command room, from its description."""

from __future__ import annotations

from rejshand_ros.command.limits import JointLimits
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.retargeting.robot_hand import load_robot_hand


def joint_limits(hand: str, side: Side) -> JointLimits:
    """Limits of a robot hand's joints, in the order that the whole chain uses.

    Raises:
        ConfigError: Unknown hand, or its description is wrong.
    """
    robot = load_robot_hand(hand, side)
    return JointLimits(
        names=robot.joint_names,
        lower=robot.lower,
        upper=robot.upper,
        velocity=robot.velocity,
        acceleration=robot.acceleration,
    )
