"""TF and RViz's markers: where a followed hand and the robot's links are, and when they vanish."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.parameter import Parameter
from ros_graph import ros_graph
from seen_hand import CAMERA, STAMP_NS, WRIST, followed_hand
from sensor_msgs.msg import JointState
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from rejshand_msgs.msg import HandMesh, HandPose
from rejshand_ros.geometry import RigidTransform, rotation_from_quaternion
from rejshand_ros.hand.keypoints import FINGERS, FINGERTIPS, Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.conversions import hand_to_message, lost_hand_message
from rejshand_ros.nodes.frames import FramesNode
from rejshand_ros.nodes.joint_conversions import joint_state
from rejshand_ros.nodes.markers import MarkersNode
from rejshand_ros.nodes.serialised import mesh_to_cdr
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.retargeting.robot_model import RobotModel

pytestmark = pytest.mark.ros


def transforms_of(messages: list[TFMessage]) -> dict[str, tuple[str, RigidTransform]]:
    """Child frame -> its parent and its pose there."""
    found = {}
    for message in messages:
        for item in message.transforms:
            t, q = item.transform.translation, item.transform.rotation
            pose = RigidTransform(
                rotation_from_quaternion([q.x, q.y, q.z, q.w]), np.array([t.x, t.y, t.z])
            )
            found[item.child_frame_id] = (item.header.frame_id, pose)
    return found


def pose_in(frames: dict[str, tuple[str, RigidTransform]], child: str, root: str) -> RigidTransform:
    """Pose of a frame in another one above it."""
    pose = RigidTransform()
    while child != root:
        child, parent_from_child = frames[child]
        pose = parent_from_child @ pose
    return pose


@pytest.mark.parametrize("side", list(Side))
def test_the_tree_leads_from_the_world_to_every_fingertip(side: Side) -> None:
    hand = followed_hand(side)
    robot = load_robot_hand("shadow", side)
    positions = np.clip(robot.rest + 0.2, robot.lower, robot.upper)
    with ros_graph() as graph:
        graph.add(FramesNode, hand="shadow", side=str(side))
        moving = graph.collect(TFMessage, "/tf")
        fixed = graph.collect(TFMessage, "/tf_static", qos.latched())
        poses = graph.publisher(HandPose, f"{side}/hand_pose")
        joints = graph.publisher(JointState, f"{side}/joint_states")
        graph.until(lambda: len(fixed) > 0)
        poses.publish(hand_to_message(hand, CAMERA))
        joints.publish(
            joint_state(STAMP_NS, robot.joint_names, positions, np.zeros_like(positions))
        )
        graph.until(lambda: len(moving) > 1)
        frames = transforms_of([*fixed, *moving])
    for finger, index in zip(FINGERS, FINGERTIPS, strict=True):
        tip = pose_in(frames, f"hand_{side}/{finger}_tip", CAMERA)
        expected = WRIST.translation + hand.keypoints_3d[index]
        np.testing.assert_allclose(tip.translation, expected, atol=1e-6)
        np.testing.assert_allclose(tip.rotation @ tip.rotation.T, np.eye(3), atol=1e-9)
    # The robot's links are where its model has them; the tree is one.
    links = RobotModel(robot).link_poses(positions)
    for link in robot.fingertip_links.values():
        there = pose_in(frames, f"{side}/{link}", f"{side}/{robot.root_link}")
        np.testing.assert_allclose(there.translation, links[link].translation, atol=1e-9)
        pose_in(frames, f"{side}/{link}", "world")
    # REP-103: the optical frame's z looks back along the world's x, its y down.
    camera = pose_in(frames, CAMERA, "world")
    np.testing.assert_allclose(camera.rotation[:, 2], [-1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(camera.rotation[:, 1], [0, 0, -1], atol=1e-9)
    stamps = {item.header.stamp.nanosec for m in moving for item in m.transforms}
    assert stamps == {STAMP_NS % 1_000_000_000}


def test_robot_state_publisher_keeps_the_robots_frames_to_itself() -> None:
    with ros_graph() as graph:
        graph.add(FramesNode, robot=False)
        moving = graph.collect(TFMessage, "/tf")
        fixed = graph.collect(TFMessage, "/tf_static", qos.latched())
        poses = graph.publisher(HandPose, "right/hand_pose")
        poses.publish(hand_to_message(followed_hand(), CAMERA))
        graph.until(lambda: len(moving) > 0)
        assert {f.split("/")[0] for f in transforms_of(moving)} == {"hand_right"}
        assert fixed == []


def test_markers_show_the_hand_where_it_is_and_go_when_it_is_lost() -> None:
    hand = followed_hand(Side.LEFT)
    with ros_graph() as graph:
        node = graph.add(MarkersNode, side="left")
        assert node.set_parameters([Parameter("lifetime_s", value=0.25)])[0].successful
        shown = graph.collect(MarkerArray, "markers")
        poses = graph.publisher(HandPose, "left/hand_pose")
        meshes = graph.publisher(HandMesh, "left/hand_mesh")
        poses.publish(hand_to_message(hand, CAMERA))
        graph.until(lambda: len(shown) == 1)
        meshes.publish(mesh_to_cdr(hand, CAMERA))
        graph.until(lambda: len(shown) == 2)
        dots, lines = shown[0].markers
        (skin,) = shown[1].markers
        for marker in (dots, lines, skin):
            assert marker.header.frame_id == CAMERA
            assert marker.ns == "hand_left"
            assert marker.action == Marker.ADD
            assert marker.lifetime.nanosec == 250_000_000
            p = marker.pose.position
            np.testing.assert_allclose([p.x, p.y, p.z], WRIST.translation)
        assert (dots.type, lines.type, skin.type) == (
            Marker.SPHERE_LIST, Marker.LINE_LIST, Marker.TRIANGLE_LIST,
        )  # fmt: skip
        np.testing.assert_allclose(
            [(p.x, p.y, p.z) for p in dots.points], hand.keypoints_3d, atol=1e-6
        )
        assert len(lines.points) == len(lines.colors) == 40
        # Seen from outside, a surface's triangles turn counter-clockwise: its volume is positive.
        corners = np.array([(p.x, p.y, p.z) for p in skin.points]).reshape(-1, 3, 3)
        volume = np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
        assert 1e-4 < volume < 1e-3
        poses.publish(lost_hand_message(STAMP_NS + 1, Side.LEFT, CAMERA))
        graph.until(lambda: len(shown) == 3)
        assert {m.action for m in shown[2].markers} == {Marker.DELETE}
        assert {m.id for m in shown[2].markers} == {dots.id, lines.id, skin.id}


def test_a_malformed_hand_is_refused_and_the_next_one_shown() -> None:
    with ros_graph() as graph:
        node = graph.add(FramesNode)
        moving = graph.collect(TFMessage, "/tf")
        poses = graph.publisher(HandPose, "right/hand_pose")
        broken = HandPose(header=Header(frame_id=CAMERA), side="right", state=1)
        poses.publish(broken)
        graph.until(lambda: node.monitor.refused == 1)
        poses.publish(hand_to_message(followed_hand(), CAMERA))
        graph.until(lambda: len(moving) == 1)
