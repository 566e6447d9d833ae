"""Markers node: the operator's hand as RViz shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from rejshand_msgs.msg import HandMesh, HandPose
from rejshand_ros.geometry import Array
from rejshand_ros.hand.keypoints import BONES, Side
from rejshand_ros.hand.template import load_template
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.base import ChainNode, NodeConfig
from rejshand_ros.nodes.conversions import hand_from_message
from rejshand_ros.nodes.parameters import parameter
from rejshand_ros.nodes.running import run_node
from rejshand_ros.nodes.serialised import mesh_from_cdr
from rejshand_ros.nodes.stamps import duration_message, header
from rejshand_ros.nodes.topics import SIDES
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState
from rejshand_ros.viewing.colours import FINGER_RGB, PALM_RGB, Rgb
from rejshand_ros.viewing.figures import SKIN_RGB
from rejshand_ros.viewing.overlay import finger_of

_DOT_M, _LINE_M = 0.009, 0.004
_HELD_ALPHA = 0.4
_DOTS, _LINES, _SKIN = range(3)


@dataclass(frozen=True)
class MarkersConfig(NodeConfig):
    """Parameters of the markers node; their descriptions are in the fields."""

    side: str = parameter("both", "hands to show", choices=tuple(SIDES))
    lifetime_s: float = parameter(
        0.5, "a marker that is not renewed vanishes after [s]", low=0.05, high=60.0, mutable=True
    )
    mesh_rate_hz: float = parameter(
        10.0,
        "surfaces a second at most; each costs milliseconds [Hz]",
        low=0.1,
        high=60.0,
        mutable=True,
    )


class MarkersNode(ChainNode[MarkersConfig]):
    """Publishes keypoints, bones and skin on `markers`, in the camera's frame, at the wrist."""

    NAME = "markers"
    CONFIG = MarkersConfig

    def configure(self) -> None:
        """Open the topics."""
        self._sides = SIDES[self.config.side]
        self._markers = self.advertise(MarkerArray, "markers", qos.stream())
        self._hands: dict[Side, tuple[TrackedHand, str]] = {}
        self._shown: dict[Side, bool] = dict.fromkeys(self._sides, False)
        self._mesh_ns = dict.fromkeys(self._sides, 0)
        faces = load_template().faces
        self._faces = {side: faces[:, ::-1] if side is Side.LEFT else faces for side in self._sides}
        for side in self._sides:
            self.listen(HandPose, f"{side}/hand_pose", self._hand_taker(side), qos.newest_only())
            take = self._mesh_taker(side)
            self.listen(HandMesh, f"{side}/hand_mesh", take, qos.newest_only(), raw=True)

    def _hand_taker(self, side: Side) -> Any:
        def take(message: HandPose) -> None:
            if not self._markers.get_subscription_count():
                return
            hand = hand_from_message(message)
            frame = message.header.frame_id
            if hand is not None:
                self._hands[side] = hand, frame
                self._publish(keypoint_markers(hand, frame, self.config.lifetime_s))
            elif self._shown[side]:
                self._publish(deleted(side, message.header))
            self._shown[side] = hand is not None
            self.monitor.handle()

        return take

    def _mesh_taker(self, side: Side) -> Any:
        def take(data: bytes) -> None:
            now_ns = self.now_ns()
            due = now_ns - self._mesh_ns[side] >= 1e9 / self.config.mesh_rate_hz
            if not due or side not in self._hands or not self._markers.get_subscription_count():
                return
            self._mesh_ns[side] = now_ns
            hand, frame = self._hands[side]
            stamp_ns, vertices = mesh_from_cdr(data)
            if stamp_ns == hand.stamp_ns:
                lifetime_s = self.config.lifetime_s
                self._publish([skin_marker(hand, vertices, self._faces[side], frame, lifetime_s)])

        return take

    def _publish(self, markers: list[Marker]) -> None:
        self._markers.publish(MarkerArray(markers=markers))


def keypoint_markers(hand: TrackedHand, frame: str, lifetime_s: float) -> list[Marker]:
    """Dots at the keypoints and lines along the bones; pale where the hand is only held."""
    alpha = 1.0 if hand.state is TrackState.TRACKING else _HELD_ALPHA
    points = [Point(x=x, y=y, z=z) for x, y, z in hand.keypoints_3d.tolist()]
    colours = [
        _colour(PALM_RGB if index == 0 else FINGER_RGB[finger_of(index)], alpha)
        for index in range(len(points))
    ]
    dots = _marker(hand, _DOTS, Marker.SPHERE_LIST, frame, lifetime_s)
    dots.scale.x = dots.scale.y = dots.scale.z = _DOT_M
    dots.points, dots.colors = points, colours
    lines = _marker(hand, _LINES, Marker.LINE_LIST, frame, lifetime_s)
    lines.scale.x = _LINE_M
    lines.points = [points[end] for bone in BONES for end in bone]
    lines.colors = [
        _colour(PALM_RGB if parent == 0 else FINGER_RGB[finger_of(child)], alpha)
        for parent, child in BONES
        for _ in range(2)
    ]
    return [dots, lines]


def skin_marker(
    hand: TrackedHand, vertices: Array, faces: NDArray[np.int32], frame: str, lifetime_s: float
) -> Marker:
    """The surface of a hand.

    Args:
        hand: The hand.
        vertices: (778, 3) metres, camera axes, relative to the wrist.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        frame: The camera's optical frame.
        lifetime_s: It vanishes after this time.
    """
    marker = _marker(hand, _SKIN, Marker.TRIANGLE_LIST, frame, lifetime_s)
    marker.scale.x = marker.scale.y = marker.scale.z = 1.0
    marker.color = _colour(SKIN_RGB, 0.9)
    # One object a vertex, named by every triangle that has it.
    points = [Point(x=x, y=y, z=z) for x, y, z in vertices.tolist()]
    marker.points = [points[index] for index in faces.reshape(-1).tolist()]
    return marker


def deleted(side: Side, stamped: Any) -> list[Marker]:
    """What takes a hand's markers away at once when it is lost."""
    return [
        Marker(header=stamped, ns=f"hand_{side}", id=number, action=Marker.DELETE)
        for number in (_DOTS, _LINES, _SKIN)
    ]


def _marker(hand: TrackedHand, number: int, kind: int, frame: str, lifetime_s: float) -> Marker:
    """A marker whose points are relative to the wrist, in the camera's axes."""
    marker = Marker(
        header=header(hand.stamp_ns, frame),
        ns=f"hand_{hand.side}",
        id=number,
        type=kind,
        action=Marker.ADD,
        lifetime=duration_message(lifetime_s),
    )
    position = marker.pose.position
    position.x, position.y, position.z = hand.camera_from_wrist.translation.tolist()
    marker.pose.orientation.w = 1.0
    return marker


def _colour(rgb: Rgb, alpha: float) -> ColorRGBA:
    red, green, blue = (channel / 255 for channel in rgb)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def main() -> int:
    """Run the markers node."""
    return run_node(MarkersNode)


if __name__ == "__main__":
    raise SystemExit(main())
