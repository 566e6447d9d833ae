"""The recorder as a node: buttons, cards, latched topics, and errors that leave it running."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, Joy
from std_msgs.msg import String

from rejshand_msgs.srv import StartEpisode, StopEpisode
from rejshand_ros.errors import RecordingError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.command import CommandNode
from rejshand_ros.nodes.hand_pose import HandPoseNode
from rejshand_ros.nodes.images import raw_message
from rejshand_ros.nodes.joystick import Buttons
from rejshand_ros.nodes.recorder import RecorderNode
from rejshand_ros.recording.episode import EpisodeCard, read_card
from rejshand_ros.recording.images import decode_image
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.session import RecordingSession
from rejshand_ros.resources import resource_path
from rejshand_ros.retargeting.calibration import calibration_path
from rejshand_ros.retargeting.robot_hand import load_robot_hand

pytestmark = pytest.mark.ros


def start(graph, name: str = "", **facts: str):
    return graph.call(StartEpisode, "start_episode", StartEpisode.Request(name=name, **facts))


def stop(graph, **how: bool):
    return graph.call(StopEpisode, "stop_episode", StopEpisode.Request(**how))


def cards(folder: Path) -> list[EpisodeCard]:
    return [read_card(path.parent) for path in sorted(folder.glob("*/episode.json"))]


def test_a_held_button_counts_once() -> None:
    buttons = Buttons()
    states = ([0, 0], [0, 1], [0, 1], [0, 0], [1, 1])
    presses = [buttons.pressed(Joy(buttons=state)) for state in states]
    assert presses == [set(), {1}, set(), set(), {0, 1}]


def test_a_button_held_from_the_start_is_no_press() -> None:
    buttons = Buttons()
    assert buttons.pressed(Joy(buttons=[1, 0])) == set()
    assert buttons.down == {0}
    assert buttons.pressed(Joy(buttons=[1, 1])) == {1}


def test_buttons_start_end_and_discard_episodes(graph, tmp_path: Path) -> None:
    node = graph.add(
        RecorderNode,
        folder=str(tmp_path),
        task="pinch",
        operator="ada",
        joy_record_button=0,
        joy_discard_button=1,
    )
    joy = graph.publisher(Joy, "joy", qos.stream())

    joy.publish(Joy(buttons=[0, 0]))

    def press(button: int, recording: bool) -> None:
        joy.publish(Joy(buttons=[int(index == button) for index in range(2)]))
        joy.publish(Joy(buttons=[0, 0]))
        graph.until(lambda: (node.diagnostics()["recording"] == "true") is recording)

    press(0, recording=True)
    press(0, recording=False)
    (card,) = cards(tmp_path)
    assert (card.state, card.success, card.task, card.operator) == (
        "complete", True, "pinch", "ada",
    )  # fmt: skip
    assert node.set_parameters([Parameter("operator", value="grace")])[0].successful
    press(0, recording=True)
    assert {card.operator for card in cards(tmp_path)} == {"ada", "grace"}
    press(1, recording=False)
    assert cards(tmp_path) == [card]
    press(1, recording=False)


def test_a_card_tells_what_the_episode_was_made_with(
    graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration = tmp_path / "camera.yaml"
    calibration.write_text("a calibration")
    folder = tmp_path / "episodes"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for side in Side:
        own = calibration_path("ada", "shadow", side)
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(f"ada's {side} hand")
    node = graph.add(
        RecorderNode,
        folder=str(folder),
        hand="shadow",
        side="both",
        calibration=str(calibration),
        person="ada",
    )
    node.monitor.drop(5, "/right/joint_states")
    assert start(graph, "take", task="pinch", operator_name="ada").success
    node.monitor.drop(2, "/right/joint_states")
    node.monitor.drop(1, "/hands")
    assert stop(graph, task_success=False).success
    (card,) = cards(folder)
    assert (card.task, card.operator, card.success) == ("pinch", "ada", False)
    assert card.drops == {"/right/joint_states": 2, "/hands": 1}
    assert {"python", "rejshand_ros", "openvino", "mujoco"} <= card.versions.keys()
    hand = resource_path("config/hands/shadow_left.yaml").read_bytes()
    assert card.hashes["hand/shadow_left.yaml"] == hashlib.sha256(hand).hexdigest()
    assert card.hashes["calibration/camera.yaml"] == hashlib.sha256(b"a calibration").hexdigest()
    assert {"hand/shadow_right.yaml", "weights/default.bin"} <= card.hashes.keys()
    urdf = load_robot_hand("shadow", "right").urdf_path.read_bytes()
    assert card.hashes["hand/shadow_right.urdf"] == hashlib.sha256(urdf).hexdigest()
    own = hashlib.sha256(b"ada's left hand").hexdigest()
    assert card.hashes["person/ada_shadow_left.yaml"] == own


def test_a_calibration_that_is_not_there_is_named(graph, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.yaml")
    with pytest.raises(RecordingError, match=r"calibration/none\.yaml .*No such file"):
        graph.add(RecorderNode, folder=str(tmp_path), calibration=missing)


def test_raw_images_lose_nothing(graph, tmp_path: Path) -> None:
    node = graph.add(RecorderNode, folder=str(tmp_path), transport="raw")
    camera = graph.publisher(Image, "image_raw", qos.stream())
    sent = [np.random.default_rng(n).integers(0, 256, (48, 64, 3), np.uint8) for n in range(3)]
    assert start(graph, "take").success
    for picture in sent:
        camera.publish(raw_message(picture))
    graph.until(lambda: int(node.diagnostics()["messages"]) >= len(sent))
    assert stop(graph).success
    with EpisodeReader(tmp_path / "take") as reader:
        kept = [decode_image(m.message, m.msgtype) for m in reader.messages(["/image_raw"])]
    np.testing.assert_array_equal(kept, sent)


class BlindHandPose(HandPoseNode):
    """Needs no network where no image comes."""

    def build_tracker(self):
        return None, "none"


def test_what_was_latched_before_the_recorder_is_in_the_episode(
    graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = set()
    take = RecordingSession.on_message

    def listen(session: RecordingSession, topic: str, *message) -> None:
        heard.add(topic)
        take(session, topic, *message)

    monkeypatch.setattr(RecordingSession, "on_message", listen)
    graph.add(CommandNode, namespace="right", hand="allegro")
    graph.add(BlindHandPose, side="right")
    node = graph.add(RecorderNode, start=False, folder=str(tmp_path))
    node.transition(node.trigger_configure)
    # They arrive while it waits to be activated.
    graph.until(lambda: heard >= {"/right/robot_description", "/right/hand_mesh_faces"})
    node.transition(node.trigger_activate)
    assert start(graph, "take").success
    assert stop(graph).success
    with EpisodeReader(tmp_path / "take") as reader:
        latched = {topic.name for topic in reader.recorded_topics if topic.latched}
        messages = {item.topic: item.message for item in reader.messages()}
    urdf = load_robot_hand("allegro", "right").urdf_path.read_text()
    assert messages["/right/robot_description"].data == urdf
    assert len(messages["/right/hand_mesh_faces"].faces) > 1000
    assert {"/right/robot_description", "/right/hand_mesh_faces"} <= latched


def test_a_name_given_twice_is_refused_and_the_first_episode_stays(graph, tmp_path: Path) -> None:
    graph.add(RecorderNode, folder=str(tmp_path))
    assert start(graph, "take", task="first").success
    assert stop(graph).success
    before = {path.name: path.read_bytes() for path in (tmp_path / "take").iterdir()}
    answer = start(graph, "take", task="second")
    assert not answer.success
    assert "take exists already; choose another name" in answer.message
    assert {path.name: path.read_bytes() for path in (tmp_path / "take").iterdir()} == before
    assert start(graph, "other").success
    assert "other is being recorded" in start(graph, "third").message


def test_a_folder_that_cannot_be_written_is_named(graph, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    graph.add(RecorderNode, folder=str(tmp_path / "file"))
    answer = start(graph, "take")
    assert not answer.success
    assert str(tmp_path / "file/take") in answer.message
    assert "Not a directory" in answer.message
    assert "nothing to stop" in stop(graph).message


def test_a_full_disk_completes_the_episode_and_the_recorder_stays(
    graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = graph.add(RecorderNode, folder=str(tmp_path), minimum_free_mb=1.0, flush_period_s=0.1)
    assert start(graph, "take").success
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=900_000))
    graph.until(lambda: node.diagnostics()["recording"] == "false")
    assert "take ended: only 1 MB free" in node.diagnostics()["last_error"]
    assert read_card(tmp_path / "take").state == "complete"
    refused = start(graph, "next")
    assert not refused.success and "only 1 MB free" in refused.message
    assert not (tmp_path / "next").exists()
    monkeypatch.undo()
    assert start(graph, "next").success
    assert not node.finished.is_set()


def test_a_full_disk_ends_a_recorder_that_was_started_for_one_episode(
    graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = graph.add(RecorderNode, folder=str(tmp_path), episode="take", flush_period_s=0.1)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=0))
    graph.until(node.finished.is_set)
    assert "take ended: only 0 MB free" in str(node.fault)


def test_an_episode_that_cannot_be_completed_is_no_longer_said_to_be_recorded(graph, tmp_path):
    """Otherwise the keys of `rejshand record` ask for its end, and never for another one."""
    graph.add(RecorderNode, folder=str(tmp_path))
    said = graph.collect(String, "recording", qos.latched())
    assert start(graph, "take").success
    graph.until(lambda: bool(said) and said[-1].data.endswith("take"))
    shutil.rmtree(tmp_path / "take")
    answer = stop(graph, task_success=True)
    assert not answer.success and "take" in answer.message
    graph.until(lambda: said[-1].data == "")
    assert start(graph, "take").success


def test_a_topic_that_is_named_twice_is_recorded_once(graph, tmp_path):
    """Two hands of one driver may report their joints on the same topic."""
    twice = ["/notes:std_msgs/msg/String"] * 2
    node = graph.add(RecorderNode, folder=str(tmp_path), extra_topics=twice)
    assert start(graph, "take").success
    notes = graph.publisher(String, "/notes")
    for text in ("one", "two"):
        before = node.monitor.handled
        notes.publish(String(data=text))
        graph.until(lambda before=before: node.monitor.handled > before)
    # Whatever came a second time has come by now: the answer is later than all of it.
    assert stop(graph, task_success=True).success
    with EpisodeReader(tmp_path / "take") as reader:
        assert [item.message.data for item in reader.messages(["/notes"])] == ["one", "two"]
