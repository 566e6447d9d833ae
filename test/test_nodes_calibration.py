"""An open hand on the topic, a service call: a calibration on disk and in use."""

import numpy as np
import pytest
from geometry_msgs.msg import Point

from rejshand_msgs.msg import HandMesh, HandPose, JointTarget
from rejshand_msgs.srv import Calibrate
from rejshand_ros.hand.template import load_template
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.conversions import hand_from_message
from rejshand_ros.nodes.retargeting import RetargetingNode
from rejshand_ros.nodes.serialised import mesh_to_cdr
from rejshand_ros.nodes.stamps import header
from rejshand_ros.retargeting.calibration import calibration_path, load_calibration

pytestmark = pytest.mark.ros


def open_hand(stamp_ns: int) -> HandPose:
    message = HandPose(header=header(stamp_ns, "camera"), side="right", state=1, score=1.0)
    message.keypoints_3d = [
        Point(x=float(x), y=float(y), z=float(z)) for x, y, z in load_template().rest_keypoints
    ]
    message.keypoints_2d = [0.0] * 42
    message.wrist.orientation.w = 1.0
    return message


def test_an_open_hand_is_measured_saved_and_used(graph, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    graph.add(RetargetingNode, hand="allegro", side="right", objective="pinch")
    meshes = graph.probe.create_publisher(HandMesh, "hand_mesh", qos.stream())
    targets = graph.collect(JointTarget, "joint_target", qos.stream())
    hands = graph.publisher(HandPose, "hand_pose", qos.stream())
    # By the hands' stamps ten seconds pass at once; the node's own patience is twice as long.
    request = Calibrate.Request(person="ada", duration=10.0)
    begun = graph.call(Calibrate, "calibrate", request)
    assert begun.success
    assert "open" in begun.message
    busy = graph.call(Calibrate, "calibrate", request)
    assert not busy.success
    assert "0 %" in busy.message
    for step in range(40):
        # Newest only: the next hand comes when this one was answered.
        message = open_hand((step + 1) * 330_000_000)
        hands.publish(message)
        graph.until(lambda count=step: len(targets) > count)
        if step % 2 and step < 20:
            # The retargeting node takes meshes in only while it measures.
            graph.until(lambda: meshes.get_subscription_count() == 1)
            hand = hand_from_message(message, 1.05 * load_template().vertices)
            meshes.publish(mesh_to_cdr(hand, "camera"))
    result = graph.call(Calibrate, "calibrate", request)
    assert result.success, result.message
    assert result.quality > 0.9
    assert result.file == str(calibration_path("ada", "allegro", "right"))
    saved = load_calibration(calibration_path("ada", "allegro", "right"), "allegro", "right")
    assert set(saved.fingers) == {"thumb", "index", "middle", "ring"}
    assert np.isfinite(targets[-1].positions).all()
    graph.until(lambda: meshes.get_subscription_count() == 0)
    rest = load_template().rest_keypoints
    index = np.linalg.norm(np.diff(rest[5:9], axis=0), axis=1).sum()
    assert 0.002 < saved.fingers["index"].length_m - index < 0.015, "the skin lies beyond"


def test_without_a_hand_the_caller_is_told(graph, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    graph.add(RetargetingNode, hand="allegro", side="right")
    request = Calibrate.Request(person="ada", duration=0.3)
    assert graph.call(Calibrate, "calibrate", request).success
    answers = []

    def told() -> bool:
        answers.append(graph.call(Calibrate, "calibrate", request))
        return "0 of 0 frames" in answers[-1].message

    graph.until(told)
    assert not answers[-1].success
    result = graph.call(Calibrate, "calibrate", Calibrate.Request(person="a/b"))
    assert not result.success
    assert "letters" in result.message
