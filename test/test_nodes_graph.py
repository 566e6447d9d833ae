"""Nodes in real graphs: real publishers and subscribers, the core replaced where it is heavy."""

import shutil
import time
from collections import namedtuple

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState, Joy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from rejshand_msgs.msg import (
    HandCommand,
    HandMesh,
    HandMeshFaces,
    HandPose,
    HandPoseArray,
    JointTarget,
    TeleopState,
)
from rejshand_msgs.srv import StartEpisode, StopEpisode
from rejshand_ros.errors import (
    ModelFileError,
    RecordingError,
)
from rejshand_ros.geometry import PinholeCamera, RigidTransform
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.command import CommandNode
from rejshand_ros.nodes.conversions import camera_to_message, nanoseconds
from rejshand_ros.nodes.hand_pose import HandPoseNode
from rejshand_ros.nodes.images import jpeg_message, raw_message
from rejshand_ros.nodes.joint_conversions import (
    COMMAND_FORMS,
    positions_from_form,
    target_to_message,
)
from rejshand_ros.nodes.recorder import RecorderNode
from rejshand_ros.nodes.stamps import header
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.repair import repair_episode
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter
from rejshand_ros.retargeting.result import RetargetResult, SolveOutcome
from rejshand_ros.retargeting.robot_hand import load_robot_hand
from rejshand_ros.tracking.tracked_hand import TrackedHand, TrackState

pytestmark = pytest.mark.ros


class FakeTracker:
    """Sees a right hand in every image, after a while."""

    def __init__(self, delay_s=0.0):
        self.delay_s = delay_s
        self.stamps = []
        self.cameras = []

    def update(self, image, stamp_ns, camera):
        time.sleep(self.delay_s)
        self.stamps.append(stamp_ns)
        self.cameras.append(camera)
        rng = np.random.default_rng(len(self.stamps))
        return (
            TrackedHand(
                stamp_ns, Side.RIGHT, TrackState.TRACKING, 0.9, rng.random((21, 2)),
                rng.random((21, 3)), rng.random((778, 3)), RigidTransform(), 0.19, camera.assumed,
            ),
        )  # fmt: skip

    def look_about(self): ...


class FakeHandPoseNode(HandPoseNode):
    delay_s = 0.0

    def build_tracker(self):
        return FakeTracker(self.delay_s), "fake"


class SlowHandPoseNode(FakeHandPoseNode):
    delay_s = 0.1


# Hand pose.


def test_hand_pose_publishes_both_hands_and_their_meshes(graph):
    hands = graph.collect(HandPoseArray, "hands")
    right = graph.collect(HandPose, "right/hand_pose")
    left = graph.collect(HandPose, "left/hand_pose")
    meshes = graph.collect(HandMesh, "right/hand_mesh")
    node = graph.add(FakeHandPoseNode, side="both")
    faces = graph.collect(HandMeshFaces, "left/hand_mesh_faces", qos.latched())
    camera = graph.publisher(CompressedImage, "image_raw/compressed")
    graph.until(lambda: node._meshes[Side.RIGHT].get_subscription_count() > 0)
    message = jpeg_message(np.zeros((48, 64, 3), np.uint8))
    message.header = header(5_000_000_001, "lens")
    camera.publish(message)
    graph.until(lambda: all((hands, right, left, meshes, faces)))
    for received in (hands[0], right[0], left[0], meshes[0]):
        assert nanoseconds(received.header.stamp) == 5_000_000_001
        assert received.header.frame_id == "lens"
    assert [hand.side for hand in hands[0].hands] == ["right"]
    assert (right[0].state, left[0].state) == (HandPose.STATE_TRACKING, HandPose.STATE_LOST)
    assert right[0].intrinsics_assumed
    assert len(meshes[0].vertices) == 778
    assert len(faces[0].faces) == 3 * 1552


def stamped_image(height, stamp_ns):
    message = raw_message(np.zeros((height, 64, 3), np.uint8))
    message.header = header(stamp_ns)
    return message


def test_hand_pose_takes_the_camera_from_camera_info(graph):
    hands = graph.collect(HandPoseArray, "hands")
    node = graph.add(FakeHandPoseNode, side="right", image_transport="raw")
    infos = graph.publisher(CameraInfo, "camera_info")
    images = graph.publisher(Image, "image_raw")
    camera = PinholeCamera(64, 48, np.array([[70.0, 0, 31], [0, 71, 23], [0, 0, 1]]))
    infos.publish(camera_to_message(camera))
    graph.until(lambda: node.diagnostics()["calibrated"] == "true")
    images.publish(stamped_image(48, 1))
    graph.until(lambda: len(hands) == 1)
    assert node._tracker.cameras[0].matrix[0, 0] == 70.0
    # An image of another size than the calibration's is refused, and the node goes on.
    images.publish(stamped_image(40, 2))
    graph.until(lambda: node.monitor.refused == 1)
    assert "64 x 40" in node.monitor.last_refusal
    broken = stamped_image(48, 3)
    broken.step = 7
    images.publish(broken)
    graph.until(lambda: node.monitor.refused == 2)
    images.publish(stamped_image(48, 4))
    graph.until(lambda: len(hands) == 2)


def test_the_hand_goes_out_before_the_rest_of_the_image_is_searched(graph):
    hands = graph.collect(HandPoseArray, "hands")
    node = graph.add(FakeHandPoseNode, side="right", image_transport="raw")
    images = graph.publisher(Image, "image_raw")
    graph.until(lambda: node._hands.get_subscription_count() == 1)
    told = []
    node._tracker.look_about = lambda: told.append(node.monitor.handled)
    images.publish(stamped_image(48, 1))
    graph.until(lambda: len(hands) == len(told) == 1)
    assert told == [1]


def test_a_slow_network_works_on_the_newest_image_and_counts_the_others(graph):
    """Ten times too slow: the age of what is processed stays bounded, skipped images are told."""
    node = graph.add(SlowHandPoseNode, side="right")
    camera = graph.publisher(CompressedImage, "image_raw/compressed", qos.stream())
    message = jpeg_message(np.zeros((48, 64, 3), np.uint8))
    sent, ages = 60, []
    start = time.monotonic_ns()
    published = 0
    handled = 0
    while handled == 0 or node.monitor.handled + node.monitor.dropped < sent:
        while published < sent and time.monotonic_ns() >= start + published * 10_000_000:
            message.header = header(1 + time.monotonic_ns())
            camera.publish(message)
            published += 1
        graph.executor.spin_once(timeout_sec=0.005)
        if node.monitor.handled > handled:
            handled = node.monitor.handled
            ages.append((time.monotonic_ns() - node._tracker.stamps[-1]) * 1e-9)
        assert time.monotonic_ns() - start < 10e9
    # The probe publishes in this very thread, so an image may wait for one more round.
    assert max(ages) < 2 * SlowHandPoseNode.delay_s + 0.15
    assert node.monitor.handled < sent / 2
    assert node.monitor.handled + node.monitor.dropped == sent


def test_missing_weights_end_in_one_line(graph):
    with pytest.raises(ModelFileError, match="shipped"):
        graph.add(HandPoseNode, weights="none_such")


# Command.


@pytest.fixture
def robot():
    return load_robot_hand("allegro", Side.RIGHT)


def target(robot, share, stamp_ns, outcome=SolveOutcome.CONVERGED):
    positions = robot.lower + share * (robot.upper - robot.lower)
    result = RetargetResult(robot.joint_names, positions, outcome, "", 1, 0.001, {}, ())
    return target_to_message(result, stamp_ns, "allegro", Side.RIGHT)


def measured(robot):
    return JointState(name=list(robot.joint_names), position=[float(v) for v in robot.rest])


def test_a_new_target_goes_out_at_once(graph, robot):
    """Without its timer the node still issues a command for every target."""
    node = graph.add(CommandNode, auto_engage=True, start_without_measured=True, hold_after_s=1.5)
    for timer in node.timers:
        timer.cancel()
    commands = graph.collect(HandCommand, "hand_command")
    outputs = graph.collect(JointState, "joint_command")
    targets = graph.publisher(JointTarget, "joint_target")
    graph.until(lambda: node._commands.get_subscription_count() > 0)
    for _ in range(4):
        before = len(commands)
        stamp = node.now_ns()
        targets.publish(target(robot, 0.4, stamp))
        graph.until(lambda b=before: any(c.first_for_capture for c in commands[b:]))
        first = next(c for c in commands[before:] if c.first_for_capture)
        assert nanoseconds(first.capture_stamp) == stamp
    graph.until(lambda: len(outputs) >= 4)
    assert tuple(outputs[-1].name) == robot.joint_names


def test_services_move_the_state(graph, robot):
    node = graph.add(CommandNode)
    states = graph.collect(TeleopState, "teleop_state", qos.latched())
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    targets = graph.publisher(JointTarget, "joint_target")
    joints.publish(measured(robot))
    targets.publish(target(robot, 0.5, node.now_ns()))
    assert graph.call(Trigger, "engage").success
    graph.until(lambda: states and states[-1].name in ("ramping", "tracking", "holding"))
    assert graph.call(Trigger, "emergency_stop").success
    graph.until(lambda: states[-1].name == "stopped")
    refused = graph.call(Trigger, "engage")
    assert not refused.success
    assert "release" in refused.message
    assert graph.call(Trigger, "release_stop").success
    graph.until(lambda: states[-1].name == "disengaged")


def test_input_that_stops_is_held(graph, robot):
    node = graph.add(CommandNode, auto_engage=True)
    states = graph.collect(TeleopState, "teleop_state", 20)
    commands = graph.collect(HandCommand, "hand_command", 1000)
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    targets = graph.publisher(JointTarget, "joint_target")
    joints.publish(measured(robot))
    graph.until(lambda: len(commands) > 0)
    np.testing.assert_allclose(commands[0].positions, robot.rest)
    targets.publish(target(robot, 0.5, node.now_ns()))
    graph.until(lambda: [s.name for s in states][-1:] == ["holding"])
    assert "ramping" in [s.name for s in states]
    assert "s ago" in states[-1].reason


def test_wrong_targets_are_refused_and_said(graph, robot):
    node = graph.add(CommandNode, auto_engage=True, start_without_measured=True)
    targets = graph.publisher(JointTarget, "joint_target")
    wrong = target(robot, 0.5, node.now_ns())
    wrong.names = wrong.names[::-1]
    targets.publish(wrong)
    graph.until(lambda: node.monitor.refused == 1)
    assert robot.joint_names[0] in node.monitor.last_refusal
    targets.publish(target(robot, 0.5, node.now_ns() - 2_000_000_000))
    graph.until(lambda: node.diagnostics()["refused_targets"] == "1")
    assert "old" in node.diagnostics()["last_refusal"]


def test_a_joystick_stops_and_engages(graph, robot):
    node = graph.add(CommandNode, joy_engage_button=0, joy_stop_button=1)
    states = graph.collect(TeleopState, "teleop_state", qos.latched())
    joy = graph.publisher(Joy, "joy", 10)
    joy.publish(Joy(buttons=[0, 0]))
    joy.publish(Joy(buttons=[1, 0]))
    graph.until(lambda: states and states[-1].name == "holding")
    joy.publish(Joy(buttons=[1, 1]))
    graph.until(lambda: states[-1].name == "stopped")
    assert "joystick" in node._controller.reason


@pytest.mark.parametrize("form", COMMAND_FORMS)
def test_a_driver_gets_its_own_form_and_names(graph, robot, form):
    graph.add(CommandNode, output=form, joint_naming="driver")
    received = graph.collect(COMMAND_FORMS[form], "joint_command", 100)
    joints = graph.publisher(JointState, "joint_states", qos.newest_only())
    joints.publish(JointState(name=list(robot.joint_names), position=list(robot.rest)))
    shuffled = np.random.default_rng(5).permutation(len(robot.rest))
    message = JointState(
        name=["arm", *(robot.driver_joint_names[i] for i in shuffled)],
        position=[9.0, *(float(robot.rest[i]) for i in shuffled)],
    )
    graph.until(lambda: (joints.publish(message), received)[1])
    positions = positions_from_form(received[0], robot.driver_joint_names)
    np.testing.assert_allclose(positions, robot.rest)


# Recorder.


def test_recorder_writes_what_was_sent(graph, robot, tmp_path):
    node = graph.add(RecorderNode, folder=str(tmp_path), side="right", preroll_s=0.0)
    targets = graph.publisher(JointTarget, "right/joint_target")
    targets.publish(target(robot, 0.1, 11))
    graph.until(lambda: node.monitor.handled >= 1)
    answer = graph.call(StartEpisode, "start_episode", StartEpisode.Request(name="one", task="t"))
    assert answer.success, answer.message
    again = graph.call(StartEpisode, "start_episode", StartEpisode.Request(name="two"))
    assert not again.success
    before = node.monitor.handled
    for stamp in (22, 33):
        targets.publish(target(robot, 0.2, stamp))
    graph.until(lambda: node.monitor.handled >= before + 2)
    answer = graph.call(StopEpisode, "stop_episode", StopEpisode.Request(task_success=True))
    assert answer.success, answer.message
    with EpisodeReader(tmp_path / "one") as reader:
        stamps = [
            nanoseconds(item.message.header.stamp)
            for item in reader.messages(["/right/joint_target"])
        ]
    assert stamps == [22, 33]


def test_recorder_completes_what_a_killed_one_left(graph, robot, tmp_path):
    writer = EpisodeWriter(tmp_path / "cut", [RecordedTopic("/t", "rejshand_msgs/msg/JointTarget")])
    writer.write("/t", 5, serialize_message(target(robot, 0.1, 11)))
    writer.flush()
    writer.close()
    (tmp_path / "cut/metadata.yaml").unlink()
    growing = EpisodeWriter(tmp_path / "growing")
    graph.add(RecorderNode, folder=str(tmp_path))
    graph.until((tmp_path / "cut/metadata.yaml").exists)
    with EpisodeReader(tmp_path / "cut") as reader:
        assert reader.message_counts == {"/t": 1}
    # What another recorder writes is left to it.
    with pytest.raises(RecordingError, match="is being recorded"):
        repair_episode(tmp_path / "growing")
    growing.close()


def test_a_recorder_goes_on_when_the_disk_has_room_again(graph, robot, tmp_path, monkeypatch):
    free = {"bytes": 1e12}
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(free["bytes"]))
    node = graph.add(
        RecorderNode, folder=str(tmp_path), episode="bag", resume=True, flush_period_s=0.05
    )
    folders = graph.collect(String, "recording", qos.latched())
    targets = graph.publisher(JointTarget, "right/joint_target")
    graph.until(lambda: bool(folders) and folders[-1].data.endswith("bag"))
    targets.publish(target(robot, 0.1, 11))
    graph.until(lambda: node.monitor.handled >= 1)
    free["bytes"] = 1e6
    graph.until(lambda: folders[-1].data == "")
    assert "MB free" in node.monitor.fault
    assert (tmp_path / "bag/metadata.yaml").exists()
    free["bytes"] = 1e12
    graph.until(lambda: folders[-1].data.endswith("bag_2"))
    assert node.monitor.fault == ""
    targets.publish(target(robot, 0.1, 22))
    before = node.monitor.handled
    graph.until(lambda: node.monitor.handled > before)
    node._session.stop()
    for name, stamp in (("bag", 11), ("bag_2", 22)):
        with EpisodeReader(tmp_path / name) as reader:
            found = [
                nanoseconds(m.message.header.stamp)
                for m in reader.messages(None)
                if m.topic == "/right/joint_target"
            ]
        assert stamp in found


# Managed life and diagnostics.


def test_a_manager_can_drive_the_life_of_a_node(graph, robot):
    node = graph.add(CommandNode, start=False, autostart=False, auto_engage=True)

    def change(transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return graph.call(ChangeState, "command/change_state", request).success

    states = graph.collect(TeleopState, "teleop_state", 10)
    for _ in range(2):
        assert change(Transition.TRANSITION_CONFIGURE)
        assert not node.active
        assert change(Transition.TRANSITION_ACTIVATE)
        assert node.active
        joints = graph.publisher(JointState, "joint_states", qos.newest_only())
        before = len(states)
        joints.publish(measured(robot))
        graph.until(lambda b=before: len(states) > b)
        assert change(Transition.TRANSITION_DEACTIVATE)
        assert not node.active
        assert change(Transition.TRANSITION_CLEANUP)
        graph.until(lambda: node.count_publishers("joint_command") == 0)


def test_a_failed_configuration_can_be_tried_again(graph):
    node = graph.add(CommandNode, start=False, autostart=False, hand="no_hand")
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    for _ in range(2):
        assert not graph.call(ChangeState, "command/change_state", request).success
        assert "no_hand" in str(node.failure)


def test_diagnostics_tell_rate_age_and_state(graph):
    reports = graph.collect(DiagnosticArray, "/diagnostics", 10)
    node = graph.add(FakeHandPoseNode, diagnostics_period_s=0.2)
    camera = graph.publisher(CompressedImage, "image_raw/compressed", qos.stream())
    message = jpeg_message(np.zeros((48, 64, 3), np.uint8))

    def last():
        return {v.key: v.value for v in reports[-1].status[0].values} if reports else {}

    def publish_and_ask():
        message.header = header(node.now_ns())
        camera.publish(message)
        return float(last().get("rate_hz", 0)) > 1 and last()["age_ms_max"] != ""

    graph.until(publish_and_ask)
    assert last()["state"] == "active"
    assert last()["runtime"] == "fake"
    assert float(last()["age_ms_max"]) >= 0
    assert reports[-1].status[0].name == "/hand_pose"
