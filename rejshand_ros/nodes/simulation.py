"""Simulation node: one or two simulated robot hands that follow joint commands in real time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock as ClockMessage
from std_srvs.srv import Trigger

from rejshand_ros.errors import SimulationError
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.conversions import pose_to_message
from rejshand_ros.nodes.joint_conversions import COMMAND_FORMS
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.simulated_hand import WORLD, HandTopicOptions, SimulatedHandTopics
from rejshand_ros.nodes.stamps import header, time_message
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.retargeting.robot_hand import RobotHandConfig, load_robot_hand
from rejshand_ros.simulation.backend import SceneBackend
from rejshand_ros.simulation.load import load_scene_backend
from rejshand_ros.simulation.scene import SceneConfig, load_scene

if TYPE_CHECKING:
    from rejshand_ros.nodes.scene_camera_topics import SceneCameraTopics

_LONGEST_STEP_S = 0.1
"""After a longer pause simulated time falls behind rather than be made up in one go."""


@dataclass(frozen=True)
class SimulationConfig(NodeConfig):
    """Parameters of the simulation node; their descriptions are in the fields."""

    hand: str = parameter("allegro", "robot hand: the name of a file in config/hands")
    side: str = parameter(
        "right",
        "hands in the scene; both: their topics lie below right/ and left/",
        choices=tuple(SIDES),
    )
    backend: str = parameter("mujoco", "what moves the hand", choices=("mujoco", "scripted"))
    scene: str = parameter("", "scene around the hands; empty: none")
    rate_hz: float = parameter(100.0, "joint states a second [Hz]", low=1.0, high=500.0)
    contacts: bool = parameter(
        False, "publish fingertip_force/<finger>, base_pose and the scene's objects/<name>"
    )
    follow_wrist: bool = parameter(
        False, "the hand's base follows wrist_pose while the operator has hold; needs a scene"
    )
    follow_hold_after_s: float = parameter(
        0.1,
        "neither a wrist nor a commander older than this moves the base [s]",
        low=0.01,
        high=10.0,
    )
    command_form: str = parameter(
        "joint_state", "message type of joint_command", choices=tuple(COMMAND_FORMS)
    )
    camera_rate_hz: float = parameter(
        0.0, "images of scene_camera, drawn in software; 0: none [Hz]", low=0.0, high=60.0
    )
    camera_width: int = parameter(320, "its width [pixel]", low=16, high=1920)
    camera_height: int = parameter(240, "its height [pixel]", low=16, high=1080)
    camera_transport: str = parameter(
        "compressed", "form of its images", choices=("raw", "compressed", "both")
    )
    publish_clock: bool = parameter(
        False, "give simulated time on /clock, for nodes whose use_sim_time is true"
    )
    speed: float = parameter(
        1.0, "simulated seconds a second, with publish_clock", low=0.01, high=100.0
    )


class SimulationNode(ChainNode[SimulationConfig]):
    """Steps the physics as far as time has passed, and reports the joints.

    With `publish_clock` it is the other way round: each tick is one period of simulated time, as
    many of them a second as the computer manages up to `speed`, and the others follow /clock.
    """

    NAME = "simulation"
    CONFIG = SimulationConfig
    _simulated_ns = 0

    def configure(self) -> None:
        """Build the simulated hands."""
        config = self.config
        robots = [load_robot_hand(config.hand, side) for side in SIDES[config.side]]
        scene = load_scene(config.scene) if config.scene else SceneConfig()
        self._backend: SceneBackend = load_scene_backend(config.backend, robots, scene)
        self._last_ns: int | None = None
        self._lost_s = 0.0
        self._divergences = 0
        self._paced_from: tuple[float, float] | None = None
        self._stepped_s = 0.0
        self._hands = [
            SimulatedHandTopics(
                self,
                hand,
                robot,
                HandTopicOptions(
                    prefix=f"{robot.side}/" if len(robots) > 1 else "",
                    command_form=config.command_form,
                    contacts=config.contacts,
                    follow_wrist=config.follow_wrist,
                    hold_after_s=config.follow_hold_after_s,
                ),
            )
            for hand, robot in zip(self._backend.hands, robots, strict=True)
        ]
        self._objects: dict[str, Any] = {}
        if config.contacts:
            self._objects = {
                name: self.advertise(PoseStamped, f"objects/{name}", qos.stream())
                for name in self._backend.hands[0].state().objects
            }
        self._camera = self._build_camera(robots, scene) if config.camera_rate_hz else None
        self.serve(Trigger, "reset_simulation", self._on_reset)
        period_s = 1.0 / config.rate_hz
        self._times: Any | None = None
        if config.publish_clock:
            self._times = self.advertise(ClockMessage, "/clock", qos.stream())
            # The pace is the computer's, whatever time this node's own clock tells.
            self.every(period_s / config.speed, self._tick, clock=self._steady)
        else:
            self.every(period_s, self._tick)

    def _build_camera(
        self, robots: Sequence[RobotHandConfig], scene: SceneConfig
    ) -> SceneCameraTopics:
        # Here, since the renderer takes a second to import.
        from rejshand_ros.nodes.scene_camera_topics import SceneCameraTopics
        from rejshand_ros.simulation.scene_camera import SceneCamera

        config = self.config
        camera = SceneCamera(robots, scene, config.camera_width, config.camera_height)
        # Once, so that the first image is not late.
        camera.render([hand.state() for hand in self._backend.hands])
        return SceneCameraTopics(self, camera, config.camera_rate_hz, config.camera_transport)

    def now_ns(self) -> int:
        """Time: simulated where this node gives it, else the node's own."""
        return self._simulated_ns if self.config.publish_clock else super().now_ns()

    def deactivate(self) -> None:
        """Stop the clock of the simulation."""
        self._last_ns = None

    def cleanup(self) -> None:
        """Let go of the simulated hands."""
        if self._camera is not None:
            self._camera.close()
        del self._backend

    def diagnostics(self) -> dict[str, str]:
        """Pace, time that could not be made up, and how often the simulation started anew."""
        now = (time.monotonic(), getattr(self, "_stepped_s", 0.0))
        before, self._paced_from = getattr(self, "_paced_from", None), now
        passed = now[0] - before[0] if before else 0.0
        return {
            "realtime_factor": f"{(now[1] - before[1]) / passed:.3f}" if before and passed else "",
            "lost_time_s": f"{getattr(self, '_lost_s', 0.0):.3f}",
            "divergences": str(getattr(self, "_divergences", 0)),
            **self._camera_diagnostics(),
        }

    def _camera_diagnostics(self) -> dict[str, str]:
        camera = getattr(self, "_camera", None)
        if camera is None:
            return {}
        return {
            "images_drawn": str(camera.drawn),
            "images_left_out": str(camera.left_out),
        }

    def _on_reset(self, _: Any, response: Trigger.Response) -> Trigger.Response:
        if not self.active:
            response.success, response.message = False, "the simulation node is not active"
            return response
        self._reset()
        response.success, response.message = True, "back at the start of the scene"
        return response

    def _reset(self) -> None:
        self._backend.reset()
        for hand in self._hands:
            hand.restart()

    def _step(self, duration_s: float) -> None:
        """Step, and start anew where the physics has lost itself."""
        try:
            self._backend.step(duration_s)
            self._stepped_s += duration_s
        except SimulationError as error:
            self._divergences += 1
            self.get_logger().error(f"{error}; started anew")
            self._reset()

    def _passed_s(self) -> float:
        """Time since the last tick, which in simulated time is what this node says it is."""
        period_s = 1.0 / self.config.rate_hz
        if self._times is not None:
            self._simulated_ns += round(1e9 * period_s)
            return period_s
        now_ns = self.now_ns()
        passed_s = period_s if self._last_ns is None else (now_ns - self._last_ns) * 1e-9
        self._last_ns = now_ns
        self._lost_s += max(0.0, passed_s - _LONGEST_STEP_S)
        return min(passed_s, _LONGEST_STEP_S)

    def _tick(self) -> None:
        passed_s = self._passed_s()
        now_ns = self.now_ns()
        if passed_s > 0:
            for hand in self._hands:
                hand.carry(now_ns)
            self._step(passed_s)
        if self._times is not None:
            self._times.publish(ClockMessage(clock=time_message(now_ns)))
        for hand in self._hands:
            hand.publish(now_ns)
        if self._objects:
            objects = self._backend.hands[0].state().objects
            for name, publisher in self._objects.items():
                pose = pose_to_message(objects[name])
                publisher.publish(PoseStamped(header=header(now_ns, WORLD), pose=pose))
        if self._camera is not None:
            self._camera.offer([hand.state() for hand in self._backend.hands], now_ns)
        self.monitor.handle()


def main() -> int:
    """Run the simulation node."""
    return run_node(SimulationNode)


if __name__ == "__main__":
    raise SystemExit(main())
