"""An episode published again in a real graph: the same bytes, latched topics for late comers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from episodes import (
    COMMAND,
    HAND,
    IMAGE,
    JOINTS,
    MILLISECOND,
    START_NS,
    joint_message,
    serialise,
    write_episode,
)
from ros_graph import Graph
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from test_recording_round_trip import serialised_text

from rejshand_ros.errors import ConfigError, RecordingError
from rejshand_ros.nodes import qos
from rejshand_ros.nodes.replay import ReplayNode
from rejshand_ros.nodes.topics import message_class
from rejshand_ros.recording.reader import EpisodeReader
from rejshand_ros.recording.topic import RecordedTopic
from rejshand_ros.recording.writer import EpisodeWriter

pytestmark = pytest.mark.ros
ORDERS = RecordedTopic("/right/joint_command", "sensor_msgs/msg/JointState")
DESCRIPTION = RecordedTopic("/right/robot_description", "std_msgs/msg/String", latched=True)


def replayed(graph: Graph, folder: Path, **parameters: object) -> ReplayNode:
    """A replay that begins once every topic of the probe is connected."""
    node = graph.add(ReplayNode, start=False, episode=str(folder), **parameters)
    node.transition(node.trigger_configure)
    wanted = [subscription.topic_name for subscription in graph.probe.subscriptions]
    graph.until(lambda: all(graph.probe.count_publishers(topic) for topic in wanted))
    publishers = node._publishers_of
    graph.until(lambda: all(publishers[topic].get_subscription_count() for topic in wanted))
    node.transition(node.trigger_activate)
    return node


def test_every_message_comes_again_as_the_same_bytes(graph: Graph, tmp_path: Path) -> None:
    folder = write_episode(tmp_path / "take", 12)
    received: dict[str, list[bytes]] = {t.name: [] for t in (IMAGE, HAND, COMMAND, JOINTS)}
    for topic in (IMAGE, HAND, COMMAND, JOINTS):
        graph.probe.create_subscription(
            message_class(topic.msgtype),
            topic.name,
            received[topic.name].append,
            qos.recording(reliable=True, transient=False),
            raw=True,
        )
    recorded: dict[str, list[bytes]] = {name: [] for name in received}
    with EpisodeReader(folder) as reader:
        for topic, _, _, data in reader.serialised():
            recorded[topic].append(data)
    node = replayed(graph, folder)
    graph.until(lambda: all(len(received[name]) >= len(recorded[name]) for name in recorded))
    assert received == recorded
    graph.until(node.finished.is_set)


def test_latched_topics_reach_who_comes_later_and_new_stamps_are_now(
    graph: Graph, tmp_path: Path
) -> None:
    plain = write_episode(tmp_path / "plain", 3)
    folder = tmp_path / "take"
    with EpisodeReader(plain) as reader:
        topics = (DESCRIPTION, *reader.recorded_topics)
        with EpisodeWriter(folder, topics) as writer:
            writer.write(DESCRIPTION.name, reader.start_ns, serialised_text("robot"))
            for topic, _, received_ns, data in reader.serialised():
                writer.write(topic, received_ns, data)
    states = graph.collect(JointState, JOINTS.name)
    began_s = time.time()
    node = replayed(graph, folder, stamps="new", rate=2.0, topics=[JOINTS.name, DESCRIPTION.name])
    graph.until(node.finished.is_set)
    late = graph.collect(String, DESCRIPTION.name, qos.latched())
    graph.until(lambda: bool(late) and len(states) == 30)
    assert [message.data for message in late] == ["robot"]
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in states]
    assert began_s <= stamps[0] <= time.time()
    assert stamps[-1] - stamps[0] == pytest.approx(0.29 / 2, abs=1e-6)
    assert graph.probe.count_publishers(IMAGE.name) == 0


@pytest.mark.parametrize(
    ("asked", "played"),
    [
        ({}, {JOINTS.name}),
        ({"commands": True}, {JOINTS.name, ORDERS.name}),
        ({"topics": [ORDERS.name]}, {ORDERS.name}),
    ],
)
def test_commands_are_played_only_when_asked_for(
    graph: Graph, tmp_path: Path, asked: dict[str, object], played: set[str]
) -> None:
    folder = tmp_path / "take"
    with EpisodeWriter(folder, [JOINTS, ORDERS]) as writer:
        for index in range(3):
            for topic in (JOINTS, ORDERS):
                stamp = START_NS + index * 10 * MILLISECOND
                writer.write(topic.name, stamp, serialise(topic, joint_message(stamp)))
    heard = {topic.name: graph.collect(JointState, topic.name) for topic in (JOINTS, ORDERS)}
    node = graph.add(ReplayNode, start=False, episode=str(folder), **asked)
    node.transition(node.trigger_configure)
    assert set(node._publishers_of) == played
    publishers = node._publishers_of.values()
    graph.until(lambda: all(p.get_subscription_count() for p in publishers))
    node.transition(node.trigger_activate)
    graph.until(node.finished.is_set)
    graph.until(lambda: all(len(heard[name]) == 3 for name in played))
    assert {name for name, messages in heard.items() if messages} == played


def test_who_else_publishes_the_same_is_named(graph: Graph, tmp_path: Path) -> None:
    node = graph.add(ReplayNode, episode=str(write_episode(tmp_path / "take", 90)))
    assert node.diagnostics()["rivals"] == ""
    graph.probe.create_publisher(JointState, JOINTS.name, 10)
    graph.until(lambda: JOINTS.name in node.diagnostics()["rivals"])


def test_what_cannot_be_replayed_is_named(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder of an episode is needed"):
        graph.add(ReplayNode)
    with pytest.raises(RecordingError, match="no such folder"):
        graph.add(ReplayNode, episode=str(tmp_path / "none"))
    folder = write_episode(tmp_path / "take", 2)
    with pytest.raises(RecordingError, match="has no topic /nothing"):
        graph.add(ReplayNode, episode=str(folder), topics=["/nothing"])
