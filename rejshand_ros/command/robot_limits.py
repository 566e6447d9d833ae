"""A robot hand's limits for the command room, from its description."""

from __future__ import annotations

from rejshand_ros.command.limits import JointLimits
from rejshand_ros.command.outputs import DriverJoints
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


def receiver_joints(hand: str, side: Side, *, driver: bool) -> DriverJoints:
    """Names of the joints on the side of whoever receives the commands.

    Args:
        hand: Robot hand.
        side: Its side.
        driver: True for the names of the real hand's driver, False for the chain's own.

    Raises:
        ConfigError: Unknown hand, or its description is wrong.
    """
    robot = load_robot_hand(hand, side)
    if not driver:
        return DriverJoints.same(robot.joint_names)
    names = dict(zip(robot.driver_joint_names, robot.joint_names, strict=True))
    return DriverJoints.build(robot.joint_names, names, f"the driver of {hand} {side}")
