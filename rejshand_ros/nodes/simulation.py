"""Simulation node: a simulated robot hand that follows joint commands in real time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped, Vector3, WrenchStamped
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from rejshand_msgs.msg import TeleopState
from rejshand_ros.errors import SimulationError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.conversions import pose_from_message, pose_to_message
from rejshand_ros.nodes.joint_conversions import COMMAND_FORMS, joint_state, positions_from_form
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.stamps import header
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.simulation.backend import HandBackend, HandState, load_backend
from rejshand_ros.simulation.base_follower import BaseFollower

_LONGEST_STEP_S = 0.1
"""After a longer pause simulated time falls behind rather than be made up in one go."""


@dataclass(frozen=True)
class SimulationConfig(NodeConfig):
    """Parameters of the simulation node; their descriptions are in the fields."""

    hand: str = parameter("allegro", "robot hand: the name of a file in config/hands")
    side: str = parameter("right", "side of the hand", choices=("right", "left"))
    backend: str = parameter("mujoco", "physics", choices=("mujoco", "scripted"))
    scene: str = parameter("", "scene around the hand; empty: none")
    rate_hz: float = parameter(100.0, "joint states a second [Hz]", low=1.0, high=500.0)
    contacts: bool = parameter(
        False, "publish fingertip_force/<finger> and the scene's objects/<name>"
    )
    follow_wrist: bool = parameter(
        False, "the hand's base follows wrist_pose while the operator has hold; needs a scene"
    )
    command_form: str = parameter(
        "joint_state", "message type of joint_command", choices=tuple(COMMAND_FORMS)
    )


class SimulationNode(ChainNode[SimulationConfig]):
    """Steps the physics as far as time has passed, and reports the joints."""

    NAME = "simulation"
    CONFIG = SimulationConfig
    DRIVEN_BY_EVENTS = True

    def configure(self) -> None:
        """Build the simulated hand."""
        config = self.config
        robot = load_robot_hand(config.hand, Side(config.side))
        self._backend: HandBackend = load_backend(config.backend, robot, config.scene or None)
        self._last_ns: int | None = None
        self._lost_s = 0.0
        self._divergences = 0
        self._states = self.advertise(JointState, "joint_states", qos.stream())
        form = COMMAND_FORMS[config.command_form]
        self.listen(form, "joint_command", self._on_command, qos.newest_reliable())
        self.serve(Trigger, "reset_simulation", self._on_reset)
        self._forces: dict[str, Any] = {}
        self._objects: dict[str, Any] = {}
        state = self._backend.state()
        if config.contacts:
            self._forces = {
                finger: self.advertise(WrenchStamped, f"fingertip_force/{finger}", qos.stream())
                for finger in robot.fingertip_links
            }
            self._objects = {
                name: self.advertise(PoseStamped, f"objects/{name}", qos.stream())
                for name in state.objects
            }
        self._root_frame = f"{config.side}/{robot.root_link}"
        self._follower: BaseFollower | None = None
        self._following = False
        if config.follow_wrist:
            # Refused here, rather than at the first wrist, where the base is fixed.
            self._backend.set_base_pose(state.world_from_base)
            self._follower = BaseFollower(state.world_from_base)
            self.listen(PoseStamped, "wrist_pose", self._on_wrist, qos.newest_only())
            self.listen(
                TeleopState, "teleop_state", self._on_teleop_state, qos.latched(), always=True
            )
        self.every(1.0 / config.rate_hz, self._tick)

    def deactivate(self) -> None:
        """Stop the clock of the simulation."""
        self._last_ns = None

    def cleanup(self) -> None:
        """Let go of the simulated hand."""
        del self._backend

    def diagnostics(self) -> dict[str, str]:
        """Time that the simulation could not make up, and how often it had to start anew."""
        return {
            "lost_time_s": f"{getattr(self, '_lost_s', 0.0):.3f}",
            "divergences": str(getattr(self, "_divergences", 0)),
        }

    def _on_command(self, message: Any) -> None:
        self._backend.set_targets(positions_from_form(message, self._backend.joint_names))

    def _on_wrist(self, message: PoseStamped) -> None:
        position = message.pose.position
        if self._follower is not None and math.isfinite(position.x + position.y + position.z):
            self._follower.on_wrist(pose_from_message(message.pose), self.now_ns())

    def _on_teleop_state(self, message: TeleopState) -> None:
        self._following = message.state in (TeleopState.RAMPING, TeleopState.TRACKING)

    def _on_reset(self, _: Any, response: Trigger.Response) -> Trigger.Response:
        if not self.active:
            response.success, response.message = False, "the simulation node is not active"
            return response
        self._reset()
        response.success, response.message = True, "back at the start of the scene"
        return response

    def _reset(self) -> None:
        self._backend.reset()
        if self._follower is not None:
            self._follower.reset(self._backend.state().world_from_base)

    def _step(self, duration_s: float) -> None:
        """Step, and start anew where the physics has lost itself."""
        try:
            self._backend.step(duration_s)
        except SimulationError as error:
            self._divergences += 1
            self.get_logger().error(f"{error}; started anew")
            self._reset()

    def _tick(self) -> None:
        now_ns = self.now_ns()
        period_s = 1.0 / self.config.rate_hz
        passed_s = period_s if self._last_ns is None else (now_ns - self._last_ns) * 1e-9
        self._last_ns = now_ns
        if passed_s > 0:
            if self._follower is not None:
                self._backend.set_base_pose(self._follower.update(self._following, now_ns))
            self._step(min(passed_s, _LONGEST_STEP_S))
            self._lost_s += max(0.0, passed_s - _LONGEST_STEP_S)
        state = self._backend.state()
        self._states.publish(
            joint_state(
                now_ns, self._backend.joint_names, state.positions, state.velocities, state.efforts
            )
        )
        self._publish_contacts(state, now_ns)
        self.monitor.handle()

    def _publish_contacts(self, state: HandState, now_ns: int) -> None:
        """Force on each fingertip in the root link's axes; poses of the objects in the world."""
        for publisher, force in zip(self._forces.values(), state.fingertip_forces, strict=False):
            message = WrenchStamped(header=header(now_ns, self._root_frame))
            x, y, z = (float(value) for value in force)
            message.wrench.force = Vector3(x=x, y=y, z=z)
            publisher.publish(message)
        for name, publisher in self._objects.items():
            pose = pose_to_message(state.objects[name])
            publisher.publish(PoseStamped(header=header(now_ns, "world"), pose=pose))


def main() -> int:
    """Run the simulation node."""
    return run_node(SimulationNode)


if __name__ == "__main__":
    raise SystemExit(main())
