"""A replayed message is the recorded one, at its moment, with the stamps asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from episodes import (
    COMMAND,
    HAND,
    IMAGE,
    JOINTS,
    MILLISECOND,
    command_message,
    serialise,
    write_episode,
)

from rejshand_ros.command.driver import driver_names, load_driver
from rejshand_ros.command.outputs import OutputForm
from rejshand_ros.errors import InputError, RecordingError
from rejshand_ros.hand.keypoints import Side
from rejshand_ros.recording.message_types import message_store
from rejshand_ros.recording.reader import EpisodeReader, stamp_ns
from rejshand_ros.recording.replay import DueMessage, moves_a_hand, schedule, shift_stamps
from rejshand_ros.recording.topic import RecordedTopic


def test_original_stamps_are_the_recorded_bytes(tmp_path: Path) -> None:
    with EpisodeReader(write_episode(tmp_path / "take", 5)) as reader:
        recorded = [entry[3] for entry in reader.serialised()]
        played = [due.data for due in schedule(reader)]
    assert played == recorded


def test_messages_are_due_at_their_distances_divided_by_the_rate(tmp_path: Path) -> None:
    with EpisodeReader(write_episode(tmp_path / "take", 5)) as reader:
        received = [entry[2] for entry in reader.serialised([IMAGE.name])]
        due = [item.at_s for item in schedule(reader, topics=[IMAGE.name], rate=2.0)]
    expected = [(stamp - received[0]) * 1e-9 / 2.0 for stamp in received]
    assert due == pytest.approx(expected)


def test_new_stamps_keep_each_message_as_old_as_it_was(tmp_path: Path) -> None:
    start = 1_800_000_000 * 1_000_000_000
    with EpisodeReader(write_episode(tmp_path / "take", 5)) as reader:
        before = list(reader.messages([HAND.name]))
        after: list[tuple[DueMessage, Any]] = [
            (due, message_store().deserialize_cdr(due.data, HAND.msgtype))
            for due in schedule(reader, topics=[HAND.name], start_ns=start)
        ]
    first = before[0].received_ns
    for old, (due, new) in zip(before, after, strict=True):
        age = old.received_ns - stamp_ns(old.message.header.stamp)
        assert start + round(due.at_s * 1e9) - stamp_ns(new.header.stamp) == age
        assert old.received_ns - first == pytest.approx(due.at_s * 1e9, abs=2)


def test_stamps_inside_messages_move_and_a_missing_one_stays_missing() -> None:
    store = message_store()
    moved: Any = store.deserialize_cdr(
        shift_stamps(
            serialise(COMMAND, command_message(5 * MILLISECOND, 0, False)),
            COMMAND.msgtype,
            7 * MILLISECOND,
        ),
        COMMAND.msgtype,
    )
    assert stamp_ns(moved.header.stamp) == 12 * MILLISECOND
    assert stamp_ns(moved.state.header.stamp) == 12 * MILLISECOND
    assert stamp_ns(moved.capture_stamp) == 0


def test_wrong_rates_and_topics_are_refused(tmp_path: Path) -> None:
    with EpisodeReader(write_episode(tmp_path / "take", 3)) as reader:
        with pytest.raises(InputError, match="positive"):
            next(schedule(reader, rate=0.0))
        with pytest.raises(RecordingError, match="/nothing"):
            next(schedule(reader, topics=["/nothing"]))
        assert {t.name: t.latched for t in reader.recorded_topics}[JOINTS.name] is False


@pytest.mark.parametrize(
    ("name", "msgtype", "moves"),
    [
        ("/right/joint_command", "sensor_msgs/msg/JointState", True),
        ("/hand/commands", "std_msgs/msg/Float64MultiArray", True),
        ("/rh_trajectory_controller/joint_trajectory", "trajectory_msgs/msg/JointTrajectory", True),
        ("/allegro/joint_cmd", "sensor_msgs/msg/JointState", True),
        ("/joy", "sensor_msgs/msg/Joy", True),
        ("/joint_states", "sensor_msgs/msg/JointState", False),
        (COMMAND.name, COMMAND.msgtype, False),
        (IMAGE.name, IMAGE.msgtype, False),
    ],
)
def test_what_moves_a_hand_is_known_by_its_form(name: str, msgtype: str, moves: bool) -> None:
    assert moves_a_hand(RecordedTopic(name, msgtype)) is moves


@pytest.mark.parametrize("name", driver_names())
@pytest.mark.parametrize("side", list(Side))
def test_no_shipped_driver_takes_what_is_played_unasked(name: str, side: Side) -> None:
    driver = load_driver(name, side)
    msgtype = {
        OutputForm.JOINT_STATE: JOINTS.msgtype,
        OutputForm.FLOAT64_MULTI_ARRAY: "std_msgs/msg/Float64MultiArray",
        OutputForm.JOINT_TRAJECTORY: "trajectory_msgs/msg/JointTrajectory",
    }[driver.command_form]
    assert moves_a_hand(RecordedTopic(driver.command_topic, msgtype))
    assert not moves_a_hand(RecordedTopic(driver.joint_states_topic, JOINTS.msgtype))
