"""Frames node: where hands are, for everything that follows TF."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import JointState
from tf2_msgs.msg import TFMessage

from rejshand_msgs.msg import HandPose
from rejshand_ros.command.robot_limits import receiver_joints
from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.geometry import RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.conversions import hand_from_message
from rejshand_ros.nodes.frame_conversions import RobotFrames, hand_transforms, transform_message
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.stamps import nanoseconds
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.urdf import rotation_from_rpy

WORLD, CAMERA = "world", "camera_optical_frame"
BESIDE_M = {"right": -0.25, "left": 0.25}
"""Where the robot hands stand in the world, along y: to the robot's left."""
CAMERA_M = (0.6, 0.0, 0.0)
CAMERA_RPY = (-math.pi / 2, 0.0, math.pi / 2)
"""The camera stands before the hands and looks back along x, at the operator's mirror image."""


@dataclass(frozen=True)
class FramesConfig(NodeConfig):
    """Parameters of the frames node; their descriptions are in the fields."""

    hand: str = parameter("allegro", "robot hand: the name of a file in config/hands")
    side: str = parameter("right", "hands whose frames are told", choices=tuple(SIDES))
    robot: bool = parameter(
        True, "tell the robot hands' links and a world too; false where robot_state_publisher does"
    )
    rate_hz: float = parameter(
        30.0, "robot frames a second at most [Hz]", low=1.0, high=200.0, mutable=True
    )
    joint_naming: str = parameter(
        "chain",
        "joint names of joint_states: this project's, or the real driver's",
        choices=("chain", "driver"),
    )


class FramesNode(ChainNode[FramesConfig]):
    """Publishes camera -> wrist -> fingertips, and world -> camera and robot hand.

    Frames of hands are named ``hand_<side>/wrist`` and ``hand_<side>/<finger>_tip``; those of the
    robot's links ``<side>/<link>``.
    """

    NAME = "frames"
    CONFIG = FramesConfig

    def configure(self) -> None:
        """Build the robot models, then open the topics."""
        config = self.config
        self._sides = SIDES[config.side]
        self._frames = self.advertise(TFMessage, "/tf", qos.stream())
        self._fixed = self.advertise(TFMessage, "/tf_static", qos.latched())
        self._robots = {side: RobotFrames(config.hand, side) for side in self._sides}
        self._told_ns = dict.fromkeys(self._sides, 0)
        for side in self._sides:
            self.listen(HandPose, f"{side}/hand_pose", self._on_hand, qos.newest_only())
            if config.robot:
                take = self._joint_taker(side)
                self.listen(JointState, f"{side}/joint_states", take, qos.newest_only())

    def activate(self) -> None:
        """Tell what never moves."""
        if not self.config.robot:
            return
        now_ns = self.now_ns()
        camera = RigidTransform(rotation_from_rpy(*CAMERA_RPY), np.array(CAMERA_M))
        fixed = [transform_message(now_ns, WORLD, CAMERA, camera)]
        for side, robot in self._robots.items():
            place = RigidTransform(np.eye(3), np.array([0.0, BESIDE_M[side], 0.0]))
            fixed.append(transform_message(now_ns, WORLD, robot.frame(robot.root), place))
        self._fixed.publish(TFMessage(transforms=fixed))

    def cleanup(self) -> None:
        """Let go of the robot models."""
        self._robots = {}

    def _on_hand(self, message: HandPose) -> None:
        hand = hand_from_message(message)
        if hand is None:
            return
        frames = hand_transforms(hand, message.header.frame_id or CAMERA)
        self._frames.publish(TFMessage(transforms=frames))
        self.monitor.handle(self.now_ns() - hand.stamp_ns)

    def _joint_taker(self, side: Side) -> Any:
        robot = self._robots[side]
        driver = self.config.joint_naming == "driver"
        joints = receiver_joints(self.config.hand, side, driver=driver)

        def take(message: JointState) -> None:
            now_ns = self.now_ns()
            if now_ns - self._told_ns[side] < 1e9 / self.config.rate_hz:
                return
            self._told_ns[side] = now_ns
            try:
                positions = np.array(joints.from_driver(message.name, message.position))
            except ConfigError as error:
                raise InputError(str(error)) from error
            stamp_ns = nanoseconds(message.header.stamp)
            self._frames.publish(TFMessage(transforms=robot.transforms(positions, stamp_ns)))

        return take


def main() -> int:
    """Run the frames node."""
    return run_node(FramesNode)


if __name__ == "__main__":
    raise SystemExit(main())
