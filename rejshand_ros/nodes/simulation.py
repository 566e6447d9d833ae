"""Simulation node: a simulated robot hand that follows joint commands in real time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import JointState

from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.joint_conversions import COMMAND_FORMS, joint_state, positions_from_form
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node

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
        self._backend = self.build_backend()
        self._last_ns: int | None = None
        self._lost_s = 0.0
        self._states = self.advertise(JointState, "joint_states", qos.stream())
        form = COMMAND_FORMS[config.command_form]
        self.listen(form, "joint_command", self._on_command, qos.newest_reliable())
        self.every(1.0 / config.rate_hz, self._tick)

    def build_backend(self) -> Any:
        """The simulated hand that this node runs."""
        from rejshand_ros.retargeting.robot_hand import load_robot_hand
        from rejshand_ros.simulation.backend import load_backend

        robot = load_robot_hand(self.config.hand, Side(self.config.side))
        return load_backend(self.config.backend, robot, self.config.scene or None)

    def deactivate(self) -> None:
        """Stop the clock of the simulation."""
        self._last_ns = None

    def cleanup(self) -> None:
        """Let go of the simulated hand."""
        self._backend = None

    def diagnostics(self) -> dict[str, str]:
        """Time that the simulation could not make up."""
        return {"lost_time_s": f"{getattr(self, '_lost_s', 0.0):.3f}"}

    def _on_command(self, message: Any) -> None:
        self._backend.set_targets(positions_from_form(message, self._backend.joint_names))

    def _tick(self) -> None:
        now_ns = self.now_ns()
        period_s = 1.0 / self.config.rate_hz
        passed_s = period_s if self._last_ns is None else (now_ns - self._last_ns) * 1e-9
        self._last_ns = now_ns
        if passed_s > 0:
            self._backend.step(min(passed_s, _LONGEST_STEP_S))
            self._lost_s += max(0.0, passed_s - _LONGEST_STEP_S)
        state = self._backend.state()
        self._states.publish(
            joint_state(
                now_ns, self._backend.joint_names, state.positions, state.velocities, state.efforts
            )
        )
        self.monitor.handle()


def main() -> int:
    """Run the simulation node."""
    return run_node(SimulationNode)


if __name__ == "__main__":
    raise SystemExit(main())
