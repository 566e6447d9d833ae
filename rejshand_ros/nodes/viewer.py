"""Viewer node: the browser view of a running chain, in a process that never holds the chain up."""

from __future__ import annotations

import os
import queue
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String

from rejshand_msgs.msg import HandMesh, HandPoseArray, JointTarget, TeleopState
from rejshand_ros.command.robot_limits import receiver_joints
from rejshand_ros.errors import ConfigError, InputError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.nodes.view_feed import ViewFeed, live_node, live_picture
from rejshand_ros.nodes.view_requests import Requests
from rejshand_ros.retargeting.hand_parts import OBJECTIVES
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.viewing.access import TOKEN_VARIABLE
from rejshand_ros.viewing.browser_view import BrowserView, ViewConfig
from rejshand_ros.viewing.controls import Request
from rejshand_ros.viewing.live import LiveState

_REFRESH_S = 0.5
_ALONE_NS = 1_000_000_000
"""An image is shown without its hands where none have been told for this long."""
_SILENT_NS = 1_000_000_000
"""A hand that has not reported its joints for this long is shown as it is asked to be."""


@dataclass(frozen=True)
class ViewerConfig(NodeConfig):
    """Parameters of the viewer node; their descriptions are in the fields."""

    hand: str = parameter("allegro", "robot hand: the name of a file in config/hands")
    side: str = parameter("right", "hands to show", choices=tuple(SIDES))
    host: str = parameter(
        "127.0.0.1", "address to serve on; beyond this computer the controls need a token"
    )
    port: int = parameter(8080, "TCP port of the page", low=1, high=65535)
    rate_hz: float = parameter(30.0, "pictures a second at most [Hz]", low=1.0, high=60.0)
    image_topic: str = parameter("image_raw", "image topic, without /compressed")
    image_transport: str = parameter(
        "compressed", "form of the images to subscribe to", choices=("raw", "compressed")
    )
    niceness: int = parameter(
        15, "how far its process steps back behind those that move a robot; 0: not", low=0, high=19
    )
    objective: str = parameter(
        "vector", "objective whose scale the comparison of fingertips uses", choices=OBJECTIVES
    )
    joint_naming: str = parameter(
        "chain",
        "joint names of joint_states: this project's, or the real driver's",
        choices=("chain", "driver"),
    )


class ViewerNode(ChainNode[ViewerConfig]):
    """Keeps the newest message of each kind as it came; takes apart only what it shows.

    It runs at a lower priority than the chain, subscribes best effort, and does next to nothing
    while no page is open.
    """

    NAME = "viewer"
    CONFIG = ViewerConfig

    def configure(self) -> None:
        """Serve the page and subscribe to what it shows."""
        config = self.config
        self._sides = SIDES[config.side]
        self._pressed: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._view = BrowserView(
            ViewConfig(config.host, config.port, config.objective),
            [load_robot_hand(config.hand, side) for side in self._sides],
            self._pressed.put,
            os.environ.get(TOKEN_VARIABLE, ""),
        )
        self._requests = Requests(self, self._sides)
        self._feed = ViewFeed()
        self._episode = ""
        self._hands_ns = 0
        self._reported_ns = dict.fromkeys(self._sides, 0)
        driver = config.joint_naming == "driver"
        self._joints = {
            side: receiver_joints(config.hand, side, driver=driver) for side in self._sides
        }
        compressed = config.image_transport == "compressed"
        self._image_type = CompressedImage if compressed else Image
        topic = f"{config.image_topic}/compressed" if compressed else config.image_topic
        self.listen(self._image_type, topic, self._feed.keep_image, qos.recent(), raw=True)
        self.listen(HandPoseArray, "hands", self._feed.keep_hands, qos.recent(), raw=True)
        for side in self._sides:
            self._keep(HandMesh, f"{side}/hand_mesh", f"{side}/mesh")
            self._keep(JointState, f"{side}/joint_states", f"{side}/joints")
            self._keep(JointTarget, f"{side}/joint_target", f"{side}/target")
            self.listen(
                TeleopState, f"{side}/teleop_state", self._on_state(side), qos.latched(),
                always=True,
            )  # fmt: skip
        self.listen(DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.stream())
        self.listen(String, "recording", self._on_recording, qos.latched(), always=True)
        self.every(1.0 / config.rate_hz, self._tick)
        self.every(_REFRESH_S, self._refresh)

    def activate(self) -> None:
        """Step back behind the chain; tell where the page is, and what opens its controls."""
        os.setpriority(os.PRIO_PROCESS, 0, self.config.niceness)
        access, config = self._view.access, self.config
        host = "localhost" if access.local else config.host
        self.get_logger().info(f"browser view at http://{host}:{config.port}")
        if not access.local:
            self.get_logger().info(f"token of its controls: {access.token}")

    def cleanup(self) -> None:
        """Stop to serve."""
        self._requests.close()
        self._view.close()

    def _keep(self, kind: type[Any], topic: str, key: str) -> None:
        """Keep the newest message of a topic, as serialised."""
        self.listen(kind, topic, self._feed.keeper(key), qos.newest_only(), raw=True)

    def _on_state(self, side: Side) -> Any:
        def tell(message: TeleopState) -> None:
            self._view.tell_state(side, LiveState(message.name, message.reason))

        return tell

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        prefix = f"{self.get_namespace().rstrip('/')}/"
        for status in message.status:
            name = status.name.removeprefix(prefix).lstrip("/")
            if name != self.NAME:
                self._view.tell_node(name, live_node(status))

    def _on_recording(self, message: String) -> None:
        self._episode = message.data

    def _tick(self) -> None:
        while not self._pressed.empty():
            self._requests.send(self._pressed.get())
        self._requests.check(self.now_ns())
        if not self._view.watched:
            return
        try:
            with self._view.together():
                self._show()
        except (InputError, ConfigError) as error:
            self.monitor.refuse(str(error))
        self.monitor.handle()

    def _show(self) -> None:
        for side in self._sides:
            self._show_joints(side)
        self._show_picture()
        for side in self._sides:
            if (vertices := self._feed.surface(side)) is not None:
                self._view.show_surface(side, vertices)

    def _show_joints(self, side: Side) -> None:
        now_ns, joints = self.now_ns(), self._joints[side]
        if (data := self._feed.take(f"{side}/joints")) is not None:
            self._reported_ns[side] = now_ns
            state = deserialize_message(data, JointState)
            positions = joints.from_driver(state.name, state.position)
            self._view.show_joints(side, joints.ours, np.array(positions))
        elif now_ns - self._reported_ns[side] > _SILENT_NS and (
            wanted := self._feed.take(f"{side}/target")
        ):
            target = deserialize_message(wanted, JointTarget)
            self._view.show_joints(side, tuple(target.names), np.array(target.positions))

    def _show_picture(self) -> None:
        now_ns = self.now_ns()
        if (found := self._feed.picture_with_hands()) is not None:
            self._hands_ns = now_ns
            image, hands = found
            self._view.show_picture(live_picture(image, self._image_type), hands)
        elif now_ns - self._hands_ns > _ALONE_NS and (alone := self._feed.take_image()):
            self._view.show_picture(live_picture(alone, self._image_type), None)

    def _refresh(self) -> None:
        for side in self._sides:
            if (data := self._feed.take(f"{side}/target")) is not None and self._view.watched:
                target = deserialize_message(data, JointTarget)
                errors = {e.finger: float(e.error) for e in target.fingertip_errors}
                self._view.tell_errors(side, errors)
        recorder = self._episode if self._requests.recorder_ready else None
        self._view.refresh(episode=recorder, calibrating=self._requests.calibration_ready)


def main() -> int:
    """Run the viewer node."""
    return run_node(ViewerNode)


if __name__ == "__main__":
    raise SystemExit(main())
