"""One simulated hand's topics: commands in, joints and contacts out, its base led by a wrist."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped, Vector3, WrenchStamped
from sensor_msgs.msg import JointState

from rejshand_msgs.msg import TeleopState
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode
from rejshand_ros.nodes.conversions import pose_from_message, pose_to_message
from rejshand_ros.nodes.joint_conversions import COMMAND_FORMS, joint_state, positions_from_form
from rejshand_ros.nodes.stamps import header, nanoseconds
from rejshand_ros.retargeting.robot_hand import RobotHandConfig
from rejshand_ros.simulation.backend import HandBackend
from rejshand_ros.simulation.base_follower import BaseFollower, FollowerConfig

WORLD = "world"


@dataclass(frozen=True)
class HandTopicOptions:
    """What a hand's topics are to be.

    Attributes:
        prefix: Before the name of every topic: empty, or the side and a slash.
        command_form: Message type of `joint_command`.
        contacts: Whether forces on the fingertips and the base's pose are published.
        follow_wrist: Whether the base follows `wrist_pose`.
        hold_after_s: Neither a wrist nor a commander older than this moves the base.
    """

    prefix: str = ""
    command_form: str = "joint_state"
    contacts: bool = False
    follow_wrist: bool = False
    hold_after_s: float = 0.1


class SimulatedHandTopics:
    """Carries messages between one simulated hand and the graph."""

    def __init__(
        self,
        node: ChainNode[Any],
        hand: HandBackend,
        robot: RobotHandConfig,
        options: HandTopicOptions,
    ) -> None:
        """Open the topics.

        Args:
            node: Whose they are.
            hand: The simulated hand.
            robot: Its description.
            options: What is wanted.

        Raises:
            InputError: The base is to follow a wrist and the scene's base is fixed.
        """
        self._node, self._hand = node, hand
        prefix = options.prefix
        self._states = node.advertise(JointState, f"{prefix}joint_states", qos.stream())
        form = COMMAND_FORMS[options.command_form]
        node.listen(form, f"{prefix}joint_command", self._on_command, qos.newest_reliable())
        self._root_frame = f"{robot.side}/{robot.root_link}"
        self._forces: list[Any] = []
        self._base: Any | None = None
        if options.contacts:
            self._forces = [
                node.advertise(WrenchStamped, f"{prefix}fingertip_force/{finger}", qos.stream())
                for finger in robot.fingertip_links
            ]
            self._base = node.advertise(PoseStamped, f"{prefix}base_pose", qos.stream())
        self._follower: BaseFollower | None = None
        self._engaged = False
        self._commanded_ns: int | None = None
        self._hold_ns = round(1e9 * options.hold_after_s)
        if options.follow_wrist:
            pose = hand.state().world_from_base
            # Refused here, rather than at the first wrist, where the base is fixed.
            hand.set_base_pose(pose)
            self._follower = BaseFollower(pose, FollowerConfig(hold_after_s=options.hold_after_s))
            node.listen(PoseStamped, f"{prefix}wrist_pose", self._on_wrist, qos.newest_only())
            node.listen(
                TeleopState,
                f"{prefix}teleop_state",
                self._on_teleop_state,
                qos.latched(),
                always=True,
            )

    def restart(self) -> None:
        """After a reset of the scene: the operator takes hold of the base anew."""
        if self._follower is not None:
            self._follower.reset(self._hand.state().world_from_base)

    def carry(self, now_ns: int) -> None:
        """Move the base as the operator's wrist has moved, while he has hold of the hand."""
        if self._follower is None:
            return
        # The state is latched: that of a command node which has died since would hold for ever.
        age_ns = -1 if self._commanded_ns is None else now_ns - self._commanded_ns
        commanded = 0 <= age_ns <= self._hold_ns
        self._hand.set_base_pose(self._follower.update(self._engaged and commanded, now_ns))

    def publish(self, now_ns: int) -> None:
        """Tell the joints, and, where wanted, forces in the root link's axes and the base."""
        state = self._hand.state()
        self._states.publish(
            joint_state(
                now_ns, self._hand.joint_names, state.positions, state.velocities, state.efforts
            )
        )
        for publisher, force in zip(self._forces, state.fingertip_forces, strict=False):
            message = WrenchStamped(header=header(now_ns, self._root_frame))
            x, y, z = (float(value) for value in force)
            message.wrench.force = Vector3(x=x, y=y, z=z)
            publisher.publish(message)
        if self._base is not None:
            pose = pose_to_message(state.world_from_base)
            self._base.publish(PoseStamped(header=header(now_ns, WORLD), pose=pose))

    def _on_command(self, message: Any) -> None:
        self._hand.set_targets(positions_from_form(message, self._hand.joint_names))
        self._commanded_ns = self._node.now_ns()

    def _on_wrist(self, message: PoseStamped) -> None:
        position = message.pose.position
        if self._follower is not None and math.isfinite(position.x + position.y + position.z):
            captured_ns = nanoseconds(message.header.stamp)
            pose = pose_from_message(message.pose)
            self._follower.on_wrist(pose, self._node.now_ns(), captured_ns)

    def _on_teleop_state(self, message: TeleopState) -> None:
        self._engaged = message.state in (TeleopState.RAMPING, TeleopState.TRACKING)
