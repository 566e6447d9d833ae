"""config/teleop.rviz against a live chain: its topics, their quality of service, its frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="needs rclpy")

from geometry_msgs.msg import PoseStamped
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from ros_graph import Graph, ros_graph
from seen_hand import followed_hand
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from rejshand_ros.hand.keypoints import FINGERS, Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.camera import CameraNode
from rejshand_ros.nodes.command import CommandNode
from rejshand_ros.nodes.frames import FramesNode
from rejshand_ros.nodes.hand_pose import HandPoseNode
from rejshand_ros.nodes.markers import MarkersNode
from rejshand_ros.nodes.simulation import SimulationNode

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[1]
MANAGER = yaml.safe_load((ROOT / "config/teleop.rviz").read_text(encoding="utf-8"))[
    "Visualization Manager"
]
KINDS = {
    "RobotModel": String,
    "Pose": PoseStamped,
    "MarkerArray": MarkerArray,
    "Image": CompressedImage,
}
"""What a display subscribes to; images as they come on .../compressed."""


class BothHands:
    """A tracker that sees both hands in every image."""

    def update(self, image: Any, stamp_ns: int, camera: Any) -> tuple[Any, ...]:
        return tuple(replace(followed_hand(side), stamp_ns=stamp_ns) for side in Side)

    def look_about(self) -> None: ...


class SeeingNode(HandPoseNode):
    def build_tracker(self) -> Any:
        return BothHands(), "both"


def displays() -> list[tuple[str, type[Any], str, QoSProfile]]:
    """Name, message type, topic and quality of service of each display that is switched on."""
    found = []
    for display in MANAGER["Displays"]:
        given = display.get("Topic") or display.get("Description Topic")
        if given is None or not display["Enabled"]:
            continue
        profile = QoSProfile(
            depth=given["Depth"],
            history=HistoryPolicy[given["History Policy"].replace(" ", "_").upper()],
            reliability=ReliabilityPolicy[given["Reliability Policy"].replace(" ", "_").upper()],
            durability=DurabilityPolicy[given["Durability Policy"].replace(" ", "_").upper()],
        )
        kind = KINDS[display["Class"].rpartition("/")[2]]
        found.append((display["Name"], kind, given["Value"], profile))
    return found


@pytest.fixture
def chain(tmp_path: Path) -> Any:
    """All nodes that RViz shows something of, for both hands."""
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((48, 64, 3), np.uint8))
    with ros_graph() as graph:
        for side in Side:
            graph.add(SimulationNode, namespace=str(side), side=str(side), backend="scripted")
            graph.add(CommandNode, namespace=str(side), side=str(side))
        graph.add(FramesNode, side="both")
        graph.add(MarkersNode, side="both")
        graph.add(SeeingNode, side="both")
        graph.add(CameraNode, input=str(tmp_path), fps=10, loop=True)
        yield graph


def test_every_display_gets_what_it_asks_for_and_all_of_it_stands_in_one_tree(
    chain: Graph,
) -> None:
    shown = displays()
    assert {kind for _, kind, _, _ in shown} == set(KINDS.values())
    fixed = chain.collect(TFMessage, "/tf_static", qos.latched())
    moving = chain.collect(TFMessage, "/tf", 100)
    # RViz comes later than what is latched, and by the quality of service that it names.
    got = {name: chain.collect(kind, topic, ask) for name, kind, topic, ask in shown}
    chain.until(lambda: all(got.values()), 20.0)
    chain.until(lambda: sum(len(item.markers) == 1 for item in got["Operator's hands"]) > 1, 20.0)
    for name, kind, topic, ask in shown:
        publishers = chain.probe.get_publishers_info_by_topic(topic)
        assert publishers, f"nobody publishes {topic} for {name}"
        for publisher in publishers:
            offered = f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"
            assert publisher.topic_type == offered
            verdict, reason = qos_check_compatible(publisher.qos_profile, ask)
            assert verdict is not QoSCompatibility.ERROR, f"{name}: {reason}"

    def parents() -> dict[str, str]:
        messages = [*fixed, *moving]
        return {t.child_frame_id: t.header.frame_id for m in messages for t in m.transforms}

    wanted = set()
    for display in MANAGER["Displays"]:
        if display["Class"].endswith("RobotModel"):
            (description, *_) = got[display["Name"]]
            links = ElementTree.fromstring(description.data).findall("link")
            wanted |= {f"{display['TF Prefix']}/{link.get('name')}" for link in links}
    for side in Side:
        wanted |= {f"hand_{side}/wrist", *(f"hand_{side}/{finger}_tip" for finger in FINGERS)}
    messages = [m for name in got for m in got[name] if not isinstance(m, String)]
    stamped = [part for m in messages for part in (m.markers if hasattr(m, "markers") else [m])]
    wanted |= {part.header.frame_id for part in stamped}
    chain.until(lambda: wanted <= set(parents()), 20.0)
    for frame in wanted:
        tree, root = parents(), frame
        while root in tree:
            root = tree[root]
        assert root == MANAGER["Global Options"]["Fixed Frame"], frame
    assert MANAGER["Views"]["Current"]["Target Frame"] == root


def test_raw_images_are_there_to_be_switched_on() -> None:
    (raw,) = [d for d in MANAGER["Displays"] if d.get("Topic", {}).get("Value") == "image_raw"]
    assert raw["Class"].endswith("Image")
    assert not raw["Enabled"]
